//! Two pixels side by side: with WebAssembly SIMD, or as two plain numbers, with the same bits.
//!
//! WebAssembly is said with intrinsics, because the compiler by itself vectorises only half of the
//! loop there (a third slower); natively it does well enough. A lane of integers is a counter, or a
//! mask: all ones or all zeros.

#[cfg(target_family = "wasm")]
mod raw {
    use core::arch::wasm32 as arch;
    pub(super) type Floats = arch::v128;
    pub(super) type Ints = arch::v128;

    #[target_feature(enable = "simd128")]
    #[inline]
    pub(super) fn floats([low, high]: [f64; 2]) -> Floats {
        arch::f64x2(low, high)
    }
    #[target_feature(enable = "simd128")]
    #[inline]
    pub(super) fn ints([low, high]: [i64; 2]) -> Ints {
        arch::i64x2(low, high)
    }
    #[target_feature(enable = "simd128")]
    #[inline]
    pub(super) fn array(ints: Ints) -> [i64; 2] {
        [
            arch::i64x2_extract_lane::<0>(ints),
            arch::i64x2_extract_lane::<1>(ints),
        ]
    }
    #[target_feature(enable = "simd128")]
    #[inline]
    pub(super) fn any(mask: Ints) -> bool {
        arch::v128_any_true(mask)
    }
    pub(super) use arch::f64x2_add as add;
    pub(super) use arch::f64x2_le as at_most;
    pub(super) use arch::f64x2_mul as mul;
    pub(super) use arch::f64x2_sub as sub;
    pub(super) use arch::i64x2_sub as ints_sub;
    pub(super) use arch::v128_and as and;
}

#[cfg(not(target_family = "wasm"))]
mod raw {
    pub(super) type Floats = [f64; 2];
    pub(super) type Ints = [i64; 2];

    #[inline]
    pub(super) fn floats(values: [f64; 2]) -> Floats {
        values
    }
    #[inline]
    pub(super) fn ints(values: [i64; 2]) -> Ints {
        values
    }
    #[inline]
    pub(super) fn array(ints: Ints) -> [i64; 2] {
        ints
    }
    #[inline]
    pub(super) fn any(mask: Ints) -> bool {
        mask != [0; 2]
    }
    #[inline]
    pub(super) fn add(a: Floats, b: Floats) -> Floats {
        [a[0] + b[0], a[1] + b[1]]
    }
    #[inline]
    pub(super) fn sub(a: Floats, b: Floats) -> Floats {
        [a[0] - b[0], a[1] - b[1]]
    }
    #[inline]
    pub(super) fn mul(a: Floats, b: Floats) -> Floats {
        [a[0] * b[0], a[1] * b[1]]
    }
    #[inline]
    pub(super) fn at_most(a: Floats, b: Floats) -> Ints {
        [-i64::from(a[0] <= b[0]), -i64::from(a[1] <= b[1])]
    }
    #[inline]
    pub(super) fn and(a: Ints, b: Ints) -> Ints {
        [a[0] & b[0], a[1] & b[1]]
    }
    #[inline]
    pub(super) fn ints_sub(a: Ints, b: Ints) -> Ints {
        [a[0] - b[0], a[1] - b[1]]
    }
}

/// Two pixels on their way through z² + c.
pub(super) struct Pair {
    cr: raw::Floats,
    ci: raw::Floats,
    zr: raw::Floats,
    zi: raw::Floats,
    four: raw::Floats,
    /// All ones where the pixel has not escaped.
    active: raw::Ints,
    count: raw::Ints,
}

impl Pair {
    /// Two neighbours at their start.
    #[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
    #[inline]
    pub(super) fn new(cr: [f64; 2], ci: f64) -> Self {
        let zero = raw::floats([0.0; 2]);
        Self {
            cr: raw::floats(cr),
            ci: raw::floats([ci; 2]),
            zr: zero,
            zi: zero,
            four: raw::floats([4.0; 2]),
            active: raw::ints([-1; 2]),
            count: raw::ints([0; 2]),
        }
    }

    /// Whether one of them has not escaped.
    #[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
    #[inline]
    pub(super) fn is_active(&self) -> bool {
        raw::any(self.active)
    }

    /// How many steps each made before it escaped.
    #[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
    #[inline]
    pub(super) fn counts(&self) -> [i64; 2] {
        raw::array(self.count)
    }

    /// One step; an escaped pixel goes on to infinity, where |z|² <= 4 stays false, and is no longer
    /// counted.
    #[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
    #[inline]
    pub(super) fn advance(&mut self) {
        let (rr, ii) = (raw::mul(self.zr, self.zr), raw::mul(self.zi, self.zi));
        self.active = raw::and(self.active, raw::at_most(raw::add(rr, ii), self.four));
        // An active lane is -1.
        self.count = raw::ints_sub(self.count, self.active);
        let ri = raw::mul(self.zr, self.zi);
        self.zi = raw::add(raw::add(ri, ri), self.ci);
        self.zr = raw::add(raw::sub(rr, ii), self.cr);
    }
}
