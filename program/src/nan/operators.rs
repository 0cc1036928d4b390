//! What each instruction does to the bits of floats.
use super::graph::Width::{self, W32, W64};
use super::pattern::is_number;
use wasmparser::Operator;

/// What an instruction without control flow does to the floats that it takes and leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Computes with numbers of one width; a NaN that it leaves has open bits of the other.
    Arithmetic(Width, Width),
    /// Computes with numbers and leaves no open bits: comparisons, conversions to integers.
    Reads(Width),
    /// Moves lanes as they are.
    Moves(Width),
    /// Moves halves of a vector as they are.
    MovesAny,
    /// Changes the sign and nothing else.
    Signs(Width),
    /// Takes the number from below and the sign from the top.
    CopiesSign(Width),
    /// Leaves a number or the canonical NaN.
    Number,
    /// All else: looks at the bits of all it takes, leaves bits that are the same everywhere.
    Exact,
}

/// The effect of `operator`. What is not listed is taken to look at the bits, which is always right;
/// what leaves open bits must be listed, and the specification's list of those is short.
pub(super) fn effect(operator: &Operator<'_>) -> Effect {
    scalar(operator)
        .or_else(|| vector(operator))
        .unwrap_or(Effect::Exact)
}

fn scalar(operator: &Operator<'_>) -> Option<Effect> {
    use Operator as O;
    Some(match operator {
        O::F32Add | O::F32Sub | O::F32Mul | O::F32Div | O::F32Min | O::F32Max | O::F32Sqrt => {
            Effect::Arithmetic(W32, W32)
        }
        O::F32Ceil | O::F32Floor | O::F32Trunc | O::F32Nearest => Effect::Arithmetic(W32, W32),
        O::F64Add | O::F64Sub | O::F64Mul | O::F64Div | O::F64Min | O::F64Max | O::F64Sqrt => {
            Effect::Arithmetic(W64, W64)
        }
        O::F64Ceil | O::F64Floor | O::F64Trunc | O::F64Nearest => Effect::Arithmetic(W64, W64),
        O::F32DemoteF64 => Effect::Arithmetic(W64, W32),
        O::F64PromoteF32 => Effect::Arithmetic(W32, W64),
        O::F32Eq | O::F32Ne | O::F32Lt | O::F32Gt | O::F32Le | O::F32Ge => Effect::Reads(W32),
        O::F64Eq | O::F64Ne | O::F64Lt | O::F64Gt | O::F64Le | O::F64Ge => Effect::Reads(W64),
        O::I32TruncF32S | O::I32TruncF32U | O::I64TruncF32S | O::I64TruncF32U => Effect::Reads(W32),
        O::I32TruncF64S | O::I32TruncF64U | O::I64TruncF64S | O::I64TruncF64U => Effect::Reads(W64),
        O::I32TruncSatF32S | O::I32TruncSatF32U | O::I64TruncSatF32S | O::I64TruncSatF32U => {
            Effect::Reads(W32)
        }
        O::I32TruncSatF64S | O::I32TruncSatF64U | O::I64TruncSatF64S | O::I64TruncSatF64U => {
            Effect::Reads(W64)
        }
        O::F32Abs | O::F32Neg => Effect::Signs(W32),
        O::F64Abs | O::F64Neg => Effect::Signs(W64),
        O::F32Copysign => Effect::CopiesSign(W32),
        O::F64Copysign => Effect::CopiesSign(W64),
        O::F32ConvertI32S | O::F32ConvertI32U | O::F32ConvertI64S | O::F32ConvertI64U => Effect::Number,
        O::F64ConvertI32S | O::F64ConvertI32U | O::F64ConvertI64S | O::F64ConvertI64U => Effect::Number,
        O::F32Const { value } if !f32::from_bits(value.bits()).is_nan() => Effect::Number,
        O::F64Const { value } if !f64::from_bits(value.bits()).is_nan() => Effect::Number,
        _ => return None,
    })
}

fn vector(operator: &Operator<'_>) -> Option<Effect> {
    use Operator as O;
    Some(match operator {
        O::F32x4Add | O::F32x4Sub | O::F32x4Mul | O::F32x4Div | O::F32x4Min | O::F32x4Max => {
            Effect::Arithmetic(W32, W32)
        }
        O::F32x4Sqrt | O::F32x4Ceil | O::F32x4Floor | O::F32x4Trunc | O::F32x4Nearest => {
            Effect::Arithmetic(W32, W32)
        }
        O::F64x2Add | O::F64x2Sub | O::F64x2Mul | O::F64x2Div | O::F64x2Min | O::F64x2Max => {
            Effect::Arithmetic(W64, W64)
        }
        O::F64x2Sqrt | O::F64x2Ceil | O::F64x2Floor | O::F64x2Trunc | O::F64x2Nearest => {
            Effect::Arithmetic(W64, W64)
        }
        O::F32x4DemoteF64x2Zero => Effect::Arithmetic(W64, W32),
        O::F64x2PromoteLowF32x4 => Effect::Arithmetic(W32, W64),
        O::F32x4Eq | O::F32x4Ne | O::F32x4Lt | O::F32x4Gt | O::F32x4Le | O::F32x4Ge => Effect::Reads(W32),
        O::F64x2Eq | O::F64x2Ne | O::F64x2Lt | O::F64x2Gt | O::F64x2Le | O::F64x2Ge => Effect::Reads(W64),
        O::I32x4TruncSatF32x4S | O::I32x4TruncSatF32x4U => Effect::Reads(W32),
        O::I32x4TruncSatF64x2SZero | O::I32x4TruncSatF64x2UZero => Effect::Reads(W64),
        O::F32x4PMin | O::F32x4PMax | O::F32x4Splat => Effect::Moves(W32),
        O::F32x4ExtractLane { .. } | O::F32x4ReplaceLane { .. } => Effect::Moves(W32),
        O::F64x2PMin | O::F64x2PMax | O::F64x2Splat => Effect::Moves(W64),
        O::F64x2ExtractLane { .. } | O::F64x2ReplaceLane { .. } => Effect::Moves(W64),
        O::F32x4Abs | O::F32x4Neg => Effect::Signs(W32),
        O::F64x2Abs | O::F64x2Neg => Effect::Signs(W64),
        O::I8x16Shuffle { lanes } if moves_whole(lanes, 8) => Effect::MovesAny,
        O::I8x16Shuffle { lanes } if moves_whole(lanes, 4) => Effect::Moves(W32),
        O::V128Const { value } if is_number(value.bytes()) => Effect::Number,
        _ => return None,
    })
}

/// Whether a shuffle moves lanes of `bytes` as wholes.
fn moves_whole(lanes: &[u8; 16], bytes: u8) -> bool {
    lanes.chunks(usize::from(bytes)).all(|lane| {
        let aligned = lane[0] % bytes == 0;
        aligned && lane.iter().zip(lane[0]..).all(|(found, wanted)| *found == wanted)
    })
}
