//! Makes the bits of NaNs the same on every engine, where they can be seen.
//!
//! # What is open
//! WebAssembly leaves the sign and payload of a NaN open where arithmetic makes one: add, subtract,
//! multiply, divide, square root, minimum, maximum, the roundings, promote and demote, each also on
//! vectors (core specification, "NaN propagation"). x86 makes 0/0 negative, others positive. All else
//! moves bits as they are: loads, constants, locals, `neg`, `abs`, `copysign`, `select`, `pmin`.
//!
//! # What is done
//! A NaN that arithmetic made becomes *the canonical one* (positive, only the quiet bit) at the latest
//! where its bits are looked at. So the admitted module is one of the executions that the specification
//! allows for the original: never is a NaN changed that the program loaded or wrote itself, as engines
//! that box values in NaNs do.
//!
//! Bits are looked at by everything that is not known here to only compute with the number: stores,
//! reinterpretations, the sign operand of `copysign`, integer and bit operations on vectors, float
//! operations on lanes of the other width, `global.set`, arguments, results. Hence the invariant
//! between functions: **what memory, globals, arguments and results hold is the same everywhere.**
//! Inside a function, arithmetic may flow into arithmetic and comparisons unseen: a loop that adds
//! up is not slowed.
//!
//! # How
//! Every value that holds floats is a node; where one may become another (locals without regard to
//! order, the results of blocks, selections, moved lanes) there is an edge. A node's [`Class`] is what
//! may flow into it. Where the bits of a node are looked at that holds nothing but arithmetic of
//! one width, the value is made canonical right where that node is pushed. Where arithmetic may be mixed with
//! bits that must stay as they are, or had its sign changed, it is made canonical where it was computed.
//! Both insert instructions behind one that has just pushed the value, so nothing else moves.
//!
//! Assumed of engines, and tested in both of Wasmtime's levels and V8's two compilers: they move floats
//! without changing bits.
mod flow;
mod graph;
mod operators;
mod pattern;

pub(crate) use flow::{Flow, Step};
