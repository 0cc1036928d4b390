//! Two f64 side by side, said with plain arrays: the compiler makes WebAssembly SIMD and SSE2 of
//! them, with the same bits as two numbers computed one by one.

/// Two floats.
#[derive(Clone, Copy)]
pub(super) struct F64x2([f64; 2]);

/// Two counters, or two masks: all ones or all zeros.
#[derive(Clone, Copy)]
pub(super) struct I64x2([i64; 2]);

impl F64x2 {
    #[inline(always)]
    pub(super) fn new(values: [f64; 2]) -> Self {
        Self(values)
    }

    #[inline(always)]
    pub(super) fn add(self, other: Self) -> Self {
        Self([self.0[0] + other.0[0], self.0[1] + other.0[1]])
    }

    #[inline(always)]
    pub(super) fn sub(self, other: Self) -> Self {
        Self([self.0[0] - other.0[0], self.0[1] - other.0[1]])
    }

    #[inline(always)]
    pub(super) fn mul(self, other: Self) -> Self {
        Self([self.0[0] * other.0[0], self.0[1] * other.0[1]])
    }

    /// A mask: where the float is 4 or less. Not a number is not.
    #[inline(always)]
    pub(super) fn at_most_four(self) -> I64x2 {
        I64x2([-i64::from(self.0[0] <= 4.0), -i64::from(self.0[1] <= 4.0)])
    }
}

impl I64x2 {
    #[inline(always)]
    pub(super) fn new(values: [i64; 2]) -> Self {
        Self(values)
    }

    #[inline(always)]
    pub(super) fn and(self, other: Self) -> Self {
        Self([self.0[0] & other.0[0], self.0[1] & other.0[1]])
    }

    #[inline(always)]
    pub(super) fn sub(self, other: Self) -> Self {
        Self([self.0[0] - other.0[0], self.0[1] - other.0[1]])
    }

    #[inline(always)]
    pub(super) fn any(self) -> bool {
        self.0[0] | self.0[1] != 0
    }

    #[inline(always)]
    pub(super) fn to_array(self) -> [i64; 2] {
        self.0
    }
}
