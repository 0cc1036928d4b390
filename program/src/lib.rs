//! Admission: checks and describes a WebAssembly module.
