//! Counts call depth, so that recursion without end traps at the same call on every engine.
//!
//! Engines give a program stacks of different sizes and its functions frames of different sizes. So
//! the module counts itself: a global holds how many bytes of stack are left, a function takes its
//! weight at its beginning and gives it back at every way out. Where too little is left it calls
//! [`EXCEEDED`], which traps; the name stands on top of the backtrace.
//!
//! A weight is what the frame takes at most in the engine that takes most. V8's baseline compiler gives
//! every local and every value on the operand stack a place of its own (measured in Chromium 156:
//! 48 bytes and 8 for each integer); Wasmtime keeps fewer, but floats in 16 bytes. [`STACK_BYTES_MAX`]
//! fits into what a worker in Chromium gives (508 KB, measured) and leaves room for the host functions
//! under it; the native sandbox gives as much.
//!
//! Only functions that can call themselves, directly or through others, are counted. A call through the table may
//! reach every function of that type that is in a table. The others are in no cycle, so the longest way
//! through them is known: it must fit into [`UNCOUNTED_BYTES_MAX`], else all are counted.
mod graph;

use crate::check::{Function, Signatures};
use crate::edit::{Edit, leb, signed_leb};
use crate::rewrite::Additions;
use crate::types::{Types, encoded};
use graph::Calls;
use std::collections::BTreeMap;
use std::ops::Range;
use wasmparser::{FuncType, Operator, ValType};

pub use kernel_abi::DEPTH_EXCEEDED as EXCEEDED;
/// What all counted frames together may weigh.
pub const STACK_BYTES_MAX: u32 = 400 << 10;
/// What the frames of functions outside every cycle may weigh at most, one upon the other.
pub const UNCOUNTED_BYTES_MAX: u32 = 32 << 10;

/// What every frame takes besides its values.
const FRAME_BYTES: u32 = 64;
const INTEGER_BYTES: u32 = 8;
/// Cranelift saves a whole vector register for every float.
const FLOAT_BYTES: u32 = 16;
/// More parameters than these are put on the stack by the caller too.
const PARAMETERS_IN_REGISTERS: usize = 4;

/// What a function's body says about calls.
#[derive(Debug)]
pub(crate) struct Facts {
    body: Range<usize>,
    /// Behind the locals.
    start: usize,
    calls: Vec<u32>,
    /// Types that it calls through the table.
    calls_types: Vec<u32>,
    /// Functions that it takes a reference to.
    references: Vec<u32>,
    returns: Vec<usize>,
    /// A branch leaves the function.
    branches_out: bool,
    weight: u32,
}

impl Facts {
    pub(crate) fn new(body: Range<usize>, start: usize) -> Self {
        Self {
            body,
            start,
            calls: Vec::new(),
            calls_types: Vec::new(),
            references: Vec::new(),
            returns: Vec::new(),
            branches_out: false,
            weight: 0,
        }
    }

    /// One instruction, `frames` blocks deep; the function itself is one.
    pub(crate) fn note(&mut self, operator: &Operator<'_>, offset: usize, frames: u32) {
        let out = |depth: u32| depth + 1 == frames;
        match operator {
            Operator::Call { function_index } => self.calls.push(*function_index),
            Operator::CallIndirect { type_index, .. } => self.calls_types.push(*type_index),
            Operator::RefFunc { function_index } => self.references.push(*function_index),
            Operator::Return => self.returns.push(offset),
            Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
                self.branches_out |= out(*relative_depth);
            }
            Operator::BrTable { targets } => {
                let mut depths = targets
                    .targets()
                    .filter_map(Result::ok)
                    .chain([targets.default()]);
                self.branches_out |= depths.any(out);
            }
            _ => {}
        }
    }

    /// What its frame takes at most; `has_floats` if any value in it is a float or a vector.
    pub(crate) fn weigh(
        &mut self,
        ty: &FuncType,
        own_locals: &[ValType],
        operands_max: u32,
        has_floats: bool,
    ) {
        for list in [&mut self.calls, &mut self.calls_types] {
            list.sort_unstable();
            list.dedup();
        }
        let values = ty.params().iter().chain(own_locals);
        let named: u32 = values.map(|ty| bytes(*ty)).sum();
        let operand = if has_floats { FLOAT_BYTES } else { INTEGER_BYTES };
        let passed = ty
            .params()
            .iter()
            .skip(PARAMETERS_IN_REGISTERS)
            .chain(ty.results());
        let passed: u32 = passed.map(|ty| bytes(*ty)).sum();
        self.weight = FRAME_BYTES + named + passed + operand * operands_max;
    }
}

fn bytes(ty: ValType) -> u32 {
    match ty {
        ValType::F32 | ValType::F64 | ValType::V128 => FLOAT_BYTES,
        ValType::I32 | ValType::I64 | ValType::Ref(_) => INTEGER_BYTES,
    }
}

/// Adds the counting to `functions`, which are the module's own in order; `referenced` are those that a
/// table or a global can hold. Returns what the module gets besides.
pub(crate) fn count(
    signatures: &Signatures,
    types: &mut Types,
    functions: &mut [Function],
    referenced: &[u32],
) -> Additions {
    let counted = counted(signatures, functions, referenced);
    let mut additions = Additions::default();
    if !counted.contains(&true) {
        return additions;
    }
    let exceeded = u32::try_from(signatures.functions.len()).unwrap_or(u32::MAX);
    let left = u32::try_from(signatures.globals.len()).unwrap_or(u32::MAX);
    for (number, function) in functions
        .iter_mut()
        .enumerate()
        .filter(|(number, _)| counted[*number])
    {
        let ty = signatures.function(signatures.imported + u32::try_from(number).unwrap_or(u32::MAX));
        let results = ty.map_or(&[][..], FuncType::results);
        let block = match results {
            _ if !function.facts.branches_out => None,
            [] => Some(vec![EMPTY_BLOCK]),
            [one] => Some(vec![encoded(*one)]),
            several => Some(signed_leb(
                types.index(&FuncType::new([], several.iter().copied())).into(),
            )),
        };
        additions.counted += 1;
        let edits = edits(&function.facts, left, exceeded, block);
        function.edits.extend(edits);
    }
    additions
        .functions
        .push(leb(types.index(&FuncType::new([], [])) as usize));
    additions.bodies.push([&[3, 0][..], &[UNREACHABLE, END]].concat());
    additions.globals.push(
        [
            &[I32, MUTABLE, I32_CONST][..],
            &signed_leb(STACK_BYTES_MAX.into()),
            &[END],
        ]
        .concat(),
    );
    additions.names.push((exceeded, EXCEEDED));
    additions
}

/// Which functions are counted.
fn counted(signatures: &Signatures, functions: &[Function], referenced: &[u32]) -> Vec<bool> {
    let mut calls = Calls::new(
        functions.len(),
        functions.iter().map(|function| function.facts.weight),
    );
    let own = |index: u32| index.checked_sub(signatures.imported);
    let mut in_tables: Vec<u32> = referenced.to_vec();
    in_tables.extend(functions.iter().flat_map(|function| &function.facts.references));
    in_tables.sort_unstable();
    in_tables.dedup();
    let mut of_type = BTreeMap::new();
    let mut node_of = |calls: &mut Calls, ty: Option<&FuncType>| {
        *of_type.entry(ty.cloned()).or_insert_with(|| calls.add_free())
    };
    for index in in_tables {
        let node = node_of(&mut calls, signatures.function(index));
        own(index).into_iter().for_each(|callee| calls.call(node, callee));
    }
    for (caller, function) in (0u32..).zip(functions) {
        let facts = &function.facts;
        facts
            .calls
            .iter()
            .filter_map(|callee| own(*callee))
            .for_each(|callee| calls.call(caller, callee));
        for ty in &facts.calls_types {
            let node = node_of(&mut calls, signatures.of_type(*ty));
            calls.call(caller, node);
        }
    }
    let (in_cycle, uncounted_bytes) = calls.cycles();
    if uncounted_bytes > UNCOUNTED_BYTES_MAX.into() {
        return vec![true; functions.len()];
    }
    in_cycle.into_iter().take(functions.len()).collect()
}

const EMPTY_BLOCK: u8 = 0x40;
const I32: u8 = 0x7f;
const MUTABLE: u8 = 1;
const UNREACHABLE: u8 = 0x00;
const BLOCK: u8 = 0x02;
const IF: u8 = 0x04;
const END: u8 = 0x0b;
const CALL: u8 = 0x10;
const GLOBAL_GET: u8 = 0x23;
const GLOBAL_SET: u8 = 0x24;
const I32_CONST: u8 = 0x41;
const I32_LT_S: u8 = 0x48;
const I32_ADD: u8 = 0x6a;
const I32_SUB: u8 = 0x6b;

/// Takes the weight at the beginning and gives it back at every way out. `block` is the type of a block round
/// the whole body, where branches out of the function end.
fn edits(facts: &Facts, left: u32, exceeded: u32, block: Option<Vec<u8>>) -> Vec<Edit> {
    let weight = signed_leb(facts.weight.into());
    let left = leb(left as usize);
    let mut enter = Vec::new();
    let mut put = |parts: &[&[u8]]| enter.extend(parts.concat());
    put(&[
        &[GLOBAL_GET],
        &left,
        &[I32_CONST],
        &weight,
        &[I32_LT_S, IF, EMPTY_BLOCK, CALL],
    ]);
    put(&[&leb(exceeded as usize), &[END]]);
    put(&[
        &[GLOBAL_GET],
        &left,
        &[I32_CONST],
        &weight,
        &[I32_SUB, GLOBAL_SET],
        &left,
    ]);
    let leave = [
        &[GLOBAL_GET],
        &left[..],
        &[I32_CONST],
        &weight,
        &[I32_ADD, GLOBAL_SET],
        &left,
    ]
    .concat();
    let mut at_end = Vec::new();
    if let Some(ty) = block {
        enter.push(BLOCK);
        enter.extend(ty);
        at_end.push(END);
    }
    at_end.extend(&leave);
    let mut edits = vec![Edit::insert(facts.start, enter)];
    edits.extend(facts.returns.iter().map(|at| Edit::insert(*at, leave.clone())));
    edits.push(Edit::insert(facts.body.end - 1, at_end));
    edits
}

impl Function {
    /// Where its body lies.
    pub(crate) fn body(&self) -> Range<usize> {
        self.facts.body.clone()
    }
}
