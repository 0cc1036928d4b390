//! The kernel SDK: write a function, get a program.
//!
//! ```
//! use elytra_kernel::{kernel, Params};
//!
//! /// How the numbers are added up.
//! #[derive(Params)]
//! pub struct Options {
//!     /// What every number is multiplied with.
//!     #[param(default = 2, min = 0, max = 100)]
//!     factor: i64,
//! }
//!
//! /// The item times the factor.
//! #[kernel(title = "Times", item = "any number")]
//! pub fn times(item: i64, options: &Options) -> Result<i64, String> {
//!     item.checked_mul(options.factor).ok_or_else(|| format!("{item} is too large"))
//! }
//!
//! // The same code that runs in the sandbox runs natively, from bytes to bytes.
//! let input = elytra_kernel::abi::encode_range(br#"{"factor":3}"#, 5, 1, 2);
//! let output = elytra_kernel::run_native(&TIMES, &input).unwrap();
//! let answers: Vec<_> = elytra_kernel::abi::split_framed(&output).map(Result::unwrap).collect();
//! assert_eq!(answers, [b"15", b"18"]);
//! ```
//!
//! An item is anything serde can read. What a kernel gives back is anything serde can write (it
//! becomes JSON), or [`Bytes`], or a `Result` of either, spelled with the name `Result`. An item
//! that fails fails its shard: the cause is logged and the program traps.
//!
//! A program has no clock and no chance, and its answer must depend on its input alone: no
//! `HashMap` with a random state, no maths that a host would have to provide.
mod describe;
mod entry;
mod export;
#[cfg(all(target_family = "wasm", not(feature = "library")))]
#[doc(hidden)]
pub mod guest;
mod item;
mod output;
mod params;

pub use entry::{Entry, Failure, run_native};
pub use kernel_abi as abi;
pub use kernel_macros::{Choice, Params, kernel};
pub use output::{Bytes, IntoOutput};
pub use params::{Choice, NoParams, Params};

/// What the macros' code needs; not for people.
#[doc(hidden)]
pub mod macros {
    pub use crate::describe::{join, length};
    pub use crate::entry::{Host, drive};
    pub use crate::params::{Object, Rules};
}
