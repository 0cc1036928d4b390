//! The instructions that turn a NaN on top of the stack into the canonical one:
//! `x == x ? x : canonical`, lane by lane on vectors.
use super::graph::{Kind, Width};
use crate::edit::write_leb;

const LOCAL_TEE: u8 = 0x22;
const LOCAL_GET: u8 = 0x20;
const F32_CONST: u8 = 0x43;
const F64_CONST: u8 = 0x44;
const F32_EQ: u8 = 0x5b;
const F64_EQ: u8 = 0x61;
const SELECT: u8 = 0x1b;
const V128_CONST: [u8; 2] = [0xfd, 0x0c];
const F32X4_EQ: [u8; 2] = [0xfd, 0x41];
const F64X2_EQ: [u8; 2] = [0xfd, 0x47];
const V128_BITSELECT: [u8; 2] = [0xfd, 0x52];

const CANONICAL_32: u32 = 0x7fc0_0000;
const CANONICAL_64: u64 = 0x7ff8_0000_0000_0000;

/// The instructions; `scratch` is a local of the value's type that nothing else uses.
pub(super) fn canonical(kind: Kind, width: Width, scratch: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(40);
    local(&mut out, LOCAL_TEE, scratch);
    match (kind, width) {
        (Kind::V128, Width::W32) => {
            out.extend(V128_CONST);
            (0..4).for_each(|_| out.extend(CANONICAL_32.to_le_bytes()));
        }
        (Kind::V128, Width::W64) => {
            out.extend(V128_CONST);
            (0..2).for_each(|_| out.extend(CANONICAL_64.to_le_bytes()));
        }
        (Kind::F32, _) => {
            out.push(F32_CONST);
            out.extend(CANONICAL_32.to_le_bytes());
        }
        (Kind::F64, _) => {
            out.push(F64_CONST);
            out.extend(CANONICAL_64.to_le_bytes());
        }
    }
    local(&mut out, LOCAL_GET, scratch);
    local(&mut out, LOCAL_GET, scratch);
    match (kind, width) {
        (Kind::V128, Width::W32) => out.extend([F32X4_EQ, V128_BITSELECT].concat()),
        (Kind::V128, Width::W64) => out.extend([F64X2_EQ, V128_BITSELECT].concat()),
        (Kind::F32, _) => out.extend([F32_EQ, SELECT]),
        (Kind::F64, _) => out.extend([F64_EQ, SELECT]),
    }
    out
}

fn local(out: &mut Vec<u8>, instruction: u8, local: u32) {
    out.push(instruction);
    write_leb(out, local as usize);
}

/// Whether a vector constant holds no NaN, however its lanes are read.
pub(super) fn is_number(bytes: &[u8; 16]) -> bool {
    let (singles, _) = bytes.as_chunks::<4>();
    let (doubles, _) = bytes.as_chunks::<8>();
    singles.iter().all(|lane| !f32::from_le_bytes(*lane).is_nan())
        && doubles.iter().all(|lane| !f64::from_le_bytes(*lane).is_nan())
}
