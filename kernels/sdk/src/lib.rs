//! The kernel SDK: write a function, get a program.
