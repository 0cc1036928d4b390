//! Lets a module's own beginning run before its entries.
//!
//! Toolchains put what must run first (C++ constructors, top-level code) into a start function or
//! into an exported `_initialize` that the host should call. Nothing may run before an entry is called, and no
//! shell should know of toolchains. So admission puts a function before each entry that calls the
//! beginning and then the entry, and exports that instead. An instance runs one entry once, so the beginning runs once.
use crate::check::Shape;
use crate::edit::{leb, write_leb};
use crate::rewrite::Additions;

/// The name of the functions that are put before entries.
const NAME: &str = "elytra: begin";
const CALL: u8 = 0x10;
const END: u8 = 0x0b;

/// Adds a function before each entry of a module that has a beginning.
pub(crate) fn add(shape: &Shape, additions: &mut Additions) {
    let first: Vec<u32> = [shape.start, shape.initialize].into_iter().flatten().collect();
    if first.is_empty() {
        return;
    }
    for (name, entry) in &shape.callable {
        let own = shape.signatures.functions.len() + additions.functions.len();
        let Some(ty) = shape.signatures.functions.get(*entry as usize) else {
            continue;
        };
        additions.functions.push(leb(*ty as usize));
        additions.bodies.push(body(&first, *entry));
        let own = u32::try_from(own).unwrap_or(u32::MAX);
        additions.names.push((own, NAME));
        additions.exports.push((name.clone(), own));
    }
}

/// Calls `first` and then the entry; its size stands before it.
fn body(first: &[u32], entry: u32) -> Vec<u8> {
    let mut code = vec![0];
    for function in first.iter().chain([&entry]) {
        code.push(CALL);
        write_leb(&mut code, *function as usize);
    }
    code.push(END);
    let mut body = leb(code.len());
    body.extend(code);
    body
}
