//! The macros of the kernel SDK.
