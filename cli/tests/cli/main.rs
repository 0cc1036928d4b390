//! The real binary against a real `elytra dev` on a free port.
mod backup;
mod bad;
mod dev;
mod ends;
mod house;
mod init;
mod input;
mod programs;
mod receipts;
mod secure;
mod steer;
mod words;
