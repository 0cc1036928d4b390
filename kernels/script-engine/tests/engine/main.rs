//! The engine as workers run it: admitted, in the native sandbox, and in V8.
mod answers;
mod examples;
mod harness;
mod misuse;
mod places;
mod recursion;
