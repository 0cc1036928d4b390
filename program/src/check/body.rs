//! The caps inside one function's body: what keeps its compilation short.
use super::at_most;
use crate::limits::{BLOCK_NEST_MAX, BODY_BYTES_MAX, BRANCH_TARGETS_MAX, LOCALS_MAX, LOOP_NEST_MAX};
use crate::refusal::Refusal;
use wasmparser::{FunctionBody, Operator};

/// Checks the body of a function that has `parameters`.
pub(crate) fn check(body: &FunctionBody<'_>, parameters: u32) -> Result<(), Refusal> {
    let range = body.range();
    let bytes = u32::try_from(range.len()).unwrap_or(u32::MAX);
    let bytes_max = u32::try_from(BODY_BYTES_MAX).unwrap_or(u32::MAX);
    at_most(
        "bytes in one function",
        bytes,
        bytes_max,
        "split the function or inline less",
        range.start,
    )?;
    locals(body, parameters)?;
    operators(body)
}

fn locals(body: &FunctionBody<'_>, parameters: u32) -> Result<(), Refusal> {
    let mut sum = parameters;
    for group in body.get_locals_reader()? {
        let (count, _) = group?;
        sum = sum.saturating_add(count);
    }
    at_most(
        "locals of one function",
        sum,
        LOCALS_MAX,
        "split the function",
        body.range().start,
    )
}

fn operators(body: &FunctionBody<'_>) -> Result<(), Refusal> {
    let mut nest = Nest::default();
    for operator in body.get_operators_reader()?.into_iter_with_offsets() {
        let (operator, offset) = operator?;
        match operator {
            Operator::Loop { .. } => nest.open(true, offset)?,
            Operator::Block { .. } | Operator::If { .. } => nest.open(false, offset)?,
            Operator::End => nest.close(),
            Operator::BrTable { targets } => {
                let advice = "use a table in memory for so many cases";
                at_most(
                    "targets of one branch table",
                    targets.len(),
                    BRANCH_TARGETS_MAX,
                    advice,
                    offset,
                )?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The open blocks, outermost first; true for a loop.
#[derive(Default)]
struct Nest {
    open: Vec<bool>,
    loops: u32,
}

impl Nest {
    fn open(&mut self, is_loop: bool, offset: usize) -> Result<(), Refusal> {
        self.open.push(is_loop);
        self.loops += u32::from(is_loop);
        let blocks = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        let advice = "move the inner ones into a function of their own";
        at_most(
            "loops inside each other",
            self.loops,
            LOOP_NEST_MAX,
            advice,
            offset,
        )?;
        at_most("blocks inside each other", blocks, BLOCK_NEST_MAX, advice, offset)
    }

    /// The last `end` closes the function itself, which is not in the list.
    fn close(&mut self) {
        if self.open.pop() == Some(true) {
            self.loops -= 1;
        }
    }
}
