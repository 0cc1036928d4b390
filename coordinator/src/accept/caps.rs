//! How many of something each address may have at a time.
//!
//! Only addresses that have some are kept, so the table is never longer than what it counts.
use crate::net::{AddressKey, Networks};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts by address. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Caps(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    places_max: u32,
    exempt: Networks,
    taken: Mutex<HashMap<AddressKey, u32>>,
}

/// A place among those of its address, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Option<(Arc<Inner>, AddressKey)>);

impl Caps {
    /// At most `places_max` for every address that is not exempt.
    pub(crate) fn new(places_max: u32, exempt: Networks) -> Self {
        Self(Arc::new(Inner {
            places_max,
            exempt,
            taken: Mutex::default(),
        }))
    }

    /// A place, unless the address has all of its own.
    pub(crate) fn take(&self, address: IpAddr) -> Option<Place> {
        if self.0.exempt.contains(address) {
            return Some(Place(None));
        }
        let key = AddressKey::of(address);
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(key).or_default();
        if *count >= self.0.places_max {
            return None;
        }
        *count += 1;
        Some(Place(Some((Arc::clone(&self.0), key))))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((inner, key)) = &self.0 else { return };
        let mut taken = inner.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_has_its_own_places_and_gives_them_back() {
        let caps = Caps::new(2, Networks::loopback_and(&Networks::default()));
        let from = |text: &str| caps.take(text.parse().unwrap());
        let first = from("192.0.2.1").unwrap();
        let _second = from("192.0.2.1").unwrap();
        assert!(from("192.0.2.1").is_none());
        let _other = from("192.0.2.2").unwrap();
        drop(first);
        let _again = from("192.0.2.1").unwrap();
        let _six = (from("2001:db8::1").unwrap(), from("2001:db8::2").unwrap());
        assert!(from("2001:db8::3").is_none(), "a /64 is one address");
        let _here: Vec<_> = (0..10).map(|_| from("127.0.0.1").unwrap()).collect();
        drop((_second, _again, _other, _six));
        assert!(
            caps.0.taken.lock().unwrap().is_empty(),
            "nothing is kept of who left"
        );
    }
}
