//! The real binary against a real `elytra dev` on a free port.
mod dev;
mod ends;
mod house;
mod input;
mod programs;
mod steer;
mod words;
