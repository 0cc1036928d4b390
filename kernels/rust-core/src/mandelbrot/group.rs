//! Four pixels side by side on their way through z² + c.
use crate::lanes::{F64x4, I64x4};

/// Four pixels.
pub(super) struct Group {
    cr: F64x4,
    ci: F64x4,
    zr: F64x4,
    zi: F64x4,
    /// All ones where the pixel has not escaped.
    active: I64x4,
    count: I64x4,
}

impl Group {
    /// Four neighbours at their start.
    #[inline(always)]
    pub(super) fn new(cr: [f64; 4], ci: f64) -> Self {
        Self {
            cr: F64x4::new(cr),
            ci: F64x4::splat(ci),
            zr: F64x4::splat(0.0),
            zi: F64x4::splat(0.0),
            active: I64x4::splat(-1),
            count: I64x4::splat(0),
        }
    }

    /// Whether one of them has not escaped.
    #[inline(always)]
    pub(super) fn is_active(&self) -> bool {
        self.active.any()
    }

    /// How many steps each made before it escaped.
    #[inline(always)]
    pub(super) fn counts(&self) -> [i64; 4] {
        self.count.to_array()
    }

    /// One step; an escaped pixel goes on to infinity, where |z|² <= 4 stays false, and is no longer
    /// counted.
    #[inline(always)]
    pub(super) fn advance(&mut self) {
        let (rr, ii) = (self.zr * self.zr, self.zi * self.zi);
        self.active = self.active.and((rr + ii).at_most(F64x4::splat(4.0)));
        // An active lane is -1.
        self.count = self.count - self.active;
        let ri = self.zr * self.zi;
        self.zi = ri + ri + self.ci;
        self.zr = rr - ii + self.cr;
    }
}
