//! One function: validated, its floats followed, and what is to be changed in it noted down.
use super::{Signatures, at_most};
use crate::bulk::Bulk;
use crate::depth::Facts;
use crate::edit::{Edit, growth, leb, read_leb};
use crate::limits::{OPERANDS_MAX, REWRITTEN_BODY_BYTES_MAX};
use crate::nan::{Flow, Step};
use crate::refusal::Refusal;
use crate::types::encoded;
use wasmparser::{
    FuncType, FuncValidator, FunctionBody, Operator, OperatorsReader, ValType, ValidatorResources,
};

/// What was found out about a function.
#[derive(Debug)]
pub(crate) struct Function {
    /// What makes its NaNs canonical.
    pub(crate) edits: Vec<Edit>,
    pub(crate) facts: Facts,
    pub(crate) bulk: Bulk,
    /// Values that are made canonical.
    pub(crate) repairs: u32,
    /// The proposals whose instructions it uses, by the validator's names.
    pub(crate) features: Vec<&'static str>,
}

/// Validates the body of a function of type `ty`.
pub(super) fn check(
    validator: &mut FuncValidator<ValidatorResources>,
    body: &FunctionBody<'_>,
    signatures: &Signatures,
    ty: &FuncType,
) -> Result<Function, Refusal> {
    let mut reader = body.get_binary_reader();
    validator.read_locals(&mut reader)?;
    let own = own_locals(body)?;
    let mut flow = Flow::new(signatures, ty, own.iter().copied());
    let start = reader.original_position();
    let mut facts = Facts::new(body.range(), start);
    let mut bulk = Bulk::default();
    let mut operands_max = 0;
    let mut features = Vec::new();
    let mut reader = OperatorsReader::new(reader);
    while !reader.eof() {
        let offset = reader.original_position();
        let operator = reader.read()?;
        let feature = proposal(&operator);
        if !features.contains(&feature) {
            features.push(feature);
        }
        let frames = validator.control_stack_height();
        validator.op(offset, &operator)?;
        // Behind the validator, so that a branch's depth is that of a block there is.
        facts.note(&operator, offset, frames);
        bulk.note(&operator, offset..reader.original_position());
        operands_max = operands_max.max(validator.operand_stack_height());
        flow.step(&operator, step(validator, &operator, reader.original_position()));
    }
    reader.finish()?;
    let advice = "split the expression into several";
    at_most(
        "values on the operand stack",
        operands_max,
        OPERANDS_MAX,
        advice,
        start,
    )?;
    facts.weigh(ty, &own, operands_max, flow.has_floats());
    let locals = u32::try_from(ty.params().len() + own.len()).unwrap_or(u32::MAX);
    let (mut edits, scratch) = flow.finish(locals);
    let repairs = u32::try_from(edits.len()).unwrap_or(u32::MAX);
    edits.extend(declare(body, &scratch, start)?);
    within_bounds(body, &edits)?;
    Ok(Function {
        edits,
        facts,
        bulk,
        repairs,
        features,
    })
}

/// The proposal that brought an instruction, by the validator's name.
fn proposal(operator: &Operator<'_>) -> &'static str {
    macro_rules! name {
        ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
            match operator {
                $(Operator::$op { .. } => stringify!($proposal),)*
                _ => "",
            }
        };
    }
    wasmparser::for_each_operator!(name)
}

fn step(validator: &FuncValidator<ValidatorResources>, operator: &Operator<'_>, end: usize) -> Step {
    let arity = match operator {
        // The last one leaves no frame to ask.
        Operator::End => None,
        _ => operator.operator_arity(validator),
    };
    let (takes, leaves) = arity.unwrap_or_default();
    Step {
        end,
        takes,
        leaves,
        top: validator.get_operand_type(0).flatten(),
    }
}

fn own_locals(body: &FunctionBody<'_>) -> Result<Vec<ValType>, Refusal> {
    let mut locals = Vec::new();
    for group in body.get_locals_reader()? {
        let (count, ty) = group?;
        locals.extend((0..count).map(|_| ty));
    }
    Ok(locals)
}

/// Declares more locals behind the function's own, which end at `end`.
fn declare(body: &FunctionBody<'_>, more: &[ValType], end: usize) -> Result<Vec<Edit>, Refusal> {
    if more.is_empty() {
        return Ok(Vec::new());
    }
    let at = body.range().start;
    let groups = body.get_locals_reader()?.get_count() as usize;
    let mut declared = Vec::new();
    for ty in more {
        declared.extend([1, encoded(*ty)]);
    }
    let bytes = body.as_bytes();
    let mut rest = bytes;
    let _ = read_leb(&mut rest);
    let count_at = at..at + bytes.len() - rest.len();
    Ok(vec![
        Edit::replace(count_at, leb(groups + more.len())),
        Edit::insert(end, declared),
    ])
}

fn within_bounds(body: &FunctionBody<'_>, edits: &[Edit]) -> Result<(), Refusal> {
    let bytes = i64::try_from(body.range().len()).unwrap_or(i64::MAX) + growth(edits);
    at_most(
        "bytes in one function with its NaNs made canonical",
        u32::try_from(bytes).unwrap_or(u32::MAX),
        u32::try_from(REWRITTEN_BODY_BYTES_MAX).unwrap_or(u32::MAX),
        "split the function",
        body.range().start,
    )
}
