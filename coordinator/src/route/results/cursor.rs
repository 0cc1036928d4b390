//! Where a stream of results goes on. Opaque to callers, so that it can change.
use super::Order;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A place in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cursor {
    /// In the order of the items.
    Index {
        /// The next item.
        item: u64,
    },
    /// In the order of acceptance.
    Completed {
        /// The last sequence number that was told whole.
        after: u64,
        /// How many items of the one behind it were told.
        skip: u64,
        /// How many failed shards were told; they come last.
        failed: u64,
    },
}

impl Cursor {
    /// The beginning.
    pub(super) fn start(order: Order) -> Self {
        match order {
            Order::Index => Self::Index { item: 0 },
            Order::Completed => Self::Completed {
                after: 0,
                skip: 0,
                failed: 0,
            },
        }
    }

    /// A cursor of this order.
    pub(super) fn read(text: &str, order: Order) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let plain = String::from_utf8(bytes).ok()?;
        let (word, numbers) = plain.split_at_checked(1)?;
        let numbers: Vec<u64> = numbers
            .split('.')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .ok()?;
        match (order, word, numbers.as_slice()) {
            (Order::Completed, "c", &[after, skip, failed]) => Some(Self::Completed { after, skip, failed }),
            (Order::Index, "i", &[item]) => Some(Self::Index { item }),
            _ => None,
        }
    }

    /// As text.
    pub(super) fn text(self) -> String {
        let plain = match self {
            Self::Index { item } => format!("i{item}"),
            Self::Completed { after, skip, failed } => format!("c{after}.{skip}.{failed}"),
        };
        URL_SAFE_NO_PAD.encode(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_in_its_order_only() {
        let index = Cursor::Index { item: 7 };
        let completed = Cursor::Completed {
            after: 1,
            skip: 2,
            failed: 3,
        };
        assert_eq!(Cursor::read(&index.text(), Order::Index), Some(index));
        assert_eq!(Cursor::read(&completed.text(), Order::Completed), Some(completed));
        assert_eq!(Cursor::read(&index.text(), Order::Completed), None);
        for wrong in ["", "xyz", "aTE.", "aQ", "\u{e9}"] {
            assert_eq!(Cursor::read(wrong, Order::Index), None, "{wrong}");
        }
    }
}
