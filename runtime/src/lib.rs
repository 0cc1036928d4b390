//! The native sandbox: Wasmtime with limits and a cache of compiled code.
