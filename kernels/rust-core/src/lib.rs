//! The standard kernels: one program, one entry a kernel.
//!
//! The same code is the program that tabs and Wasmtime run, a native library, and (with the feature
//! `bindgen`) the npm package `@elytra/rust-core`. Nothing here asks the host for anything: floats
//! are rounded as IEEE 754 says, never fused, and what is not a basic operation comes from `libm` or
//! from polynomials written here, so the bits of an answer are the same everywhere.
pub mod align;
#[cfg(feature = "bindgen")]
pub mod bindgen;
mod lanes;
pub mod mandelbrot;
pub mod mersenne;
pub mod montecarlo;
pub mod null;

use elytra_kernel::Entry;

/// Every entry of the program.
pub const ENTRIES: [&Entry; 5] = [
    &null::NULL,
    &mandelbrot::MANDELBROT,
    &mersenne::MERSENNE,
    &align::ALIGN,
    &montecarlo::MONTECARLO,
];
