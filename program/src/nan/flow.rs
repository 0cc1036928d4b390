//! Follows the floats of one function from instruction to instruction.
use super::graph::{Class, Graph, Kind, NO_FLOAT, NodeId, Width};
use super::operators::{Effect, effect};
use super::pattern;
use crate::check::Signatures;
use crate::edit::Edit;
use wasmparser::{BlockType, FuncType, Operator, ValType};

/// A block that is open.
struct Frame {
    /// The block lies in code that is never reached.
    born_dead: bool,
    /// The stack below the block's parameters.
    height: usize,
    /// The values that it was given: again the beginning of an `else`, and its results without one.
    given: Vec<NodeId>,
    /// What a branch to it carries: a loop's parameters, another block's results.
    label: Vec<NodeId>,
    results: Vec<NodeId>,
    is_if: bool,
}

/// What the validator knows of an instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Where it ends in the module.
    pub(crate) end: usize,
    /// Values that it takes and leaves; 0 for control flow.
    pub(crate) takes: u32,
    pub(crate) leaves: u32,
    /// The type of what lies on top of the stack behind it.
    pub(crate) top: Option<ValType>,
}

/// The floats of one function, followed so far.
pub(crate) struct Flow<'m> {
    signatures: &'m Signatures,
    graph: Graph,
    stack: Vec<NodeId>,
    locals: Vec<NodeId>,
    frames: Vec<Frame>,
    /// The code here is never reached, so nothing flows.
    dead: bool,
    results: usize,
}

fn kind(ty: ValType) -> Option<Kind> {
    match ty {
        ValType::F32 => Some(Kind::F32),
        ValType::F64 => Some(Kind::F64),
        ValType::V128 => Some(Kind::V128),
        _ => None,
    }
}

impl<'m> Flow<'m> {
    /// Begins a function of type `ty` with `locals` of its own.
    pub(crate) fn new(
        signatures: &'m Signatures,
        ty: &FuncType,
        locals: impl Iterator<Item = ValType>,
    ) -> Self {
        let mut graph = Graph::new();
        let mut local = |ty: &ValType, own| kind(*ty).map_or(NO_FLOAT, |kind| graph.add(kind, own, None));
        let mut nodes: Vec<NodeId> = ty.params().iter().map(|ty| local(ty, Class::EXACT)).collect();
        nodes.extend(locals.map(|ty| local(&ty, Class::NUMBER)));
        Self {
            signatures,
            graph,
            stack: Vec::new(),
            locals: nodes,
            frames: Vec::new(),
            dead: false,
            results: ty.results().len(),
        }
    }

    /// One instruction that the validator has accepted.
    pub(crate) fn step(&mut self, operator: &Operator<'_>, step: Step) {
        use Operator as O;
        let end = step.end;
        match operator {
            O::Block { blockty } => return self.open(*blockty, false, false, end),
            O::Loop { blockty } => return self.open(*blockty, true, false, end),
            O::If { blockty } => {
                self.drop_top();
                return self.open(*blockty, false, true, end);
            }
            O::Else => return self.otherwise(),
            O::End => return self.close(end),
            _ if self.dead => return,
            O::Br { relative_depth } => self.branch(*relative_depth),
            O::BrIf { relative_depth } => {
                self.drop_top();
                return self.branch(*relative_depth);
            }
            O::BrTable { targets } => {
                self.drop_top();
                let depths = targets.targets().filter_map(Result::ok);
                depths
                    .chain([targets.default()])
                    .for_each(|depth| self.branch(depth));
            }
            O::Return => self.see_top(self.results),
            O::Unreachable => {}
            _ => return self.plain(operator, step),
        }
        self.dead = true;
    }

    fn plain(&mut self, operator: &Operator<'_>, step: Step) {
        use Operator as O;
        let end = step.end;
        match operator {
            O::LocalGet { local_index } => {
                let local = self.locals[*local_index as usize];
                self.push_copy(&[local], end);
            }
            O::LocalSet { local_index } => {
                let value = self.pop();
                self.graph.flow(value, self.locals[*local_index as usize]);
            }
            O::LocalTee { local_index } => {
                let value = self.stack.last().copied().unwrap_or(NO_FLOAT);
                self.graph.flow(value, self.locals[*local_index as usize]);
            }
            O::Drop => self.drop_top(),
            O::Select | O::TypedSelect { .. } => {
                self.drop_top();
                let values = [self.pop(), self.pop()];
                self.push_copy(&values, end);
            }
            O::GlobalGet { global_index } => self.push_new(self.signatures.global(*global_index), end),
            O::Call { function_index } => self.call(self.signatures.function(*function_index)),
            O::CallIndirect { type_index, .. } => {
                self.drop_top();
                self.call(self.signatures.of_type(*type_index));
            }
            _ => self.compute(operator, step),
        }
    }

    fn compute(&mut self, operator: &Operator<'_>, step: Step) {
        let taken = self
            .stack
            .split_off(self.stack.len().saturating_sub(step.takes as usize));
        let effect = effect(operator);
        self.take(effect, &taken);
        if step.leaves == 0 {
            return;
        }
        let Some(kind) = step.top.and_then(kind) else {
            self.stack.push(NO_FLOAT);
            return;
        };
        let own = match effect {
            Effect::Arithmetic(_, made) => made.open(),
            Effect::Signs(_) | Effect::CopiesSign(_) => Class::SIGNED,
            Effect::Number | Effect::Moves(_) | Effect::MovesAny => Class::NUMBER,
            Effect::Reads(_) | Effect::Exact => Class::EXACT,
        };
        let result = self.graph.add(kind, own, Some(step.end));
        for &value in &taken {
            match effect {
                Effect::Moves(width) | Effect::Signs(width) => self.graph.flow_lanes(value, result, width),
                Effect::MovesAny => self.graph.flow(value, result),
                _ => {}
            }
        }
        if let Effect::CopiesSign(_) = effect {
            self.graph.flow(taken[0], result);
        }
        self.stack.push(result);
    }

    /// What an instruction does with the values that it takes.
    fn take(&mut self, effect: Effect, taken: &[NodeId]) {
        match effect {
            Effect::Arithmetic(width, _)
            | Effect::Reads(width)
            | Effect::Moves(width)
            | Effect::Signs(width) => {
                self.read(taken, width);
            }
            Effect::CopiesSign(_) => taken.last().into_iter().for_each(|sign| self.graph.see(*sign)),
            Effect::MovesAny | Effect::Number => {}
            Effect::Exact => taken.iter().for_each(|value| self.graph.see(*value)),
        }
    }

    fn read(&mut self, taken: &[NodeId], width: Width) {
        for &value in taken {
            self.graph.read(value, width);
        }
    }

    fn call(&mut self, callee: Option<&FuncType>) {
        let Some(callee) = callee else { return };
        self.see_top(callee.params().len());
        self.stack
            .truncate(self.stack.len().saturating_sub(callee.params().len()));
        for ty in callee.results() {
            // What a function returns is the same everywhere: it is made so where it is returned.
            let result = kind(*ty).map_or(NO_FLOAT, |kind| self.graph.add(kind, Class::EXACT, None));
            self.stack.push(result);
        }
    }

    /// Pushes bits that come from outside the function.
    fn push_new(&mut self, ty: Option<ValType>, end: usize) {
        let node = ty
            .and_then(kind)
            .map(|kind| self.graph.add(kind, Class::EXACT, Some(end)));
        self.stack.push(node.unwrap_or(NO_FLOAT));
    }

    /// Pushes one of `values`.
    fn push_copy(&mut self, values: &[NodeId], end: usize) {
        let Some(&float) = values.iter().find(|value| **value != NO_FLOAT) else {
            self.stack.push(NO_FLOAT);
            return;
        };
        let copy = self.graph.add(self.graph.kind(float), Class::NUMBER, Some(end));
        values.iter().for_each(|value| self.graph.flow(*value, copy));
        self.stack.push(copy);
    }

    fn open(&mut self, ty: BlockType, is_loop: bool, is_if: bool, end: usize) {
        let (params, results) = self.signatures.of_block(ty);
        let born_dead = self.dead;
        let given = if born_dead {
            Vec::new()
        } else {
            self.stack
                .split_off(self.stack.len().saturating_sub(params.len()))
        };
        let height = self.stack.len();
        let results = self.joins(&results, None);
        let label = if is_loop {
            self.joins(&params, Some(end))
        } else {
            results.clone()
        };
        if !born_dead {
            if is_loop {
                given
                    .iter()
                    .zip(&label)
                    .for_each(|(from, to)| self.graph.flow(*from, *to));
                self.stack.extend(&label);
            } else {
                self.stack.extend(&given);
            }
        }
        self.frames.push(Frame {
            born_dead,
            height,
            given,
            label,
            results,
            is_if,
        });
    }

    /// Nodes in which the values of several ways meet; only the last lies on top of the stack.
    fn joins(&mut self, types: &[ValType], end: Option<usize>) -> Vec<NodeId> {
        let last = types.len().saturating_sub(1);
        let mut join = |(place, ty): (usize, &ValType)| {
            let pushed_at = end.filter(|_| place == last);
            kind(*ty).map_or(NO_FLOAT, |kind| self.graph.add(kind, Class::NUMBER, pushed_at))
        };
        types.iter().enumerate().map(&mut join).collect()
    }

    fn otherwise(&mut self) {
        let Some(mut frame) = self.frames.pop() else {
            return;
        };
        self.leave(&frame);
        frame.is_if = false;
        self.dead = frame.born_dead;
        if !self.dead {
            self.stack.truncate(frame.height);
            self.stack.extend(&frame.given);
        }
        self.frames.push(frame);
    }

    fn close(&mut self, end: usize) {
        let Some(frame) = self.frames.pop() else {
            if !self.dead {
                self.see_top(self.results);
            }
            return;
        };
        self.leave(&frame);
        self.dead = frame.born_dead;
        if self.dead {
            return;
        }
        if frame.is_if {
            let ways = frame.given.iter().zip(&frame.results);
            ways.for_each(|(from, to)| self.graph.flow(*from, *to));
        }
        self.stack.truncate(frame.height);
        for (place, join) in frame.results.iter().enumerate() {
            let on_top = place + 1 == frame.results.len();
            let ty = (*join != NO_FLOAT).then(|| self.graph.kind(*join));
            let node = ty.map(|kind| self.graph.add(kind, Class::NUMBER, on_top.then_some(end)));
            node.iter().for_each(|node| self.graph.flow(*join, *node));
            self.stack.push(node.unwrap_or(NO_FLOAT));
        }
    }

    /// What lies on the stack at a block's end is its result.
    fn leave(&mut self, frame: &Frame) {
        if !self.dead {
            self.flow_top(&frame.results.clone());
        }
    }

    fn branch(&mut self, depth: u32) {
        let Some(place) = self.frames.len().checked_sub(depth as usize + 1) else {
            return self.see_top(self.results);
        };
        let label = self.frames[place].label.clone();
        self.flow_top(&label);
    }

    fn flow_top(&mut self, to: &[NodeId]) {
        let from = self.stack.len().saturating_sub(to.len());
        for (from, to) in self.stack[from..].iter().zip(to) {
            self.graph.flow(*from, *to);
        }
    }

    fn see_top(&mut self, values: usize) {
        let from = self.stack.len().saturating_sub(values);
        self.stack[from..].iter().for_each(|value| self.graph.see(*value));
    }

    fn pop(&mut self) -> NodeId {
        self.stack.pop().unwrap_or(NO_FLOAT)
    }

    /// In code that is never reached nothing lies on the stack.
    fn drop_top(&mut self) {
        if !self.dead {
            self.stack.pop();
        }
    }

    /// Whether any value is a float or a vector.
    pub(crate) fn has_floats(&self) -> bool {
        self.graph.has_values()
    }

    /// The edits that make the function's NaNs canonical, and the types of the locals that they need behind
    /// `locals` others.
    pub(crate) fn finish(self, locals: u32) -> (Vec<Edit>, Vec<ValType>) {
        let mut scratch: Vec<(Kind, u32)> = Vec::new();
        let mut edits = Vec::new();
        for repair in self.graph.repairs() {
            let known = scratch.iter().find(|(kind, _)| *kind == repair.kind);
            let local = known.map(|(_, local)| *local).unwrap_or_else(|| {
                let next = locals + u32::try_from(scratch.len()).unwrap_or_default();
                scratch.push((repair.kind, next));
                next
            });
            let code = pattern::canonical(repair.kind, repair.width, local);
            edits.push(Edit::insert(repair.at, code));
        }
        let types = scratch.iter().map(|(kind, _)| match kind {
            Kind::F32 => ValType::F32,
            Kind::F64 => ValType::F64,
            Kind::V128 => ValType::V128,
        });
        (edits, types.collect())
    }
}
