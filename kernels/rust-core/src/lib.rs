//! The standard kernels.
