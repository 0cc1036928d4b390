//! The walk through a module: validation, the import list, the exports and the structural caps.
use crate::bulk::Segments;
use crate::limits::{
    DATA_SEGMENTS_MAX, DESCRIPTION_BYTES_MAX, ELEMENT_SEGMENTS_MAX, EXPORTS_MAX, FEATURES, FUNCTIONS_MAX,
    GLOBALS_MAX, MEMORY_BYTES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX, TYPES_MAX, WASM_PAGE_BYTES,
};
use crate::refusal::{Cause, Refusal};
use imports::Side;
use kernel_abi::DESCRIPTION_SECTION;
use protocol::description::ProgramKind;
use wasmparser::{
    CompositeInnerType, ConstExpr, ElementItems, Export, ExternalKind, FuncType, FuncValidator,
    FuncValidatorAllocations, FunctionBody, Import, MemoryType, Operator, Parser, Payload, TableType,
    ValidPayload, Validator, ValidatorResources,
};

mod body;
mod function;
pub(crate) mod imports;
mod signatures;

pub(crate) use function::Function;
pub(crate) use signatures::Signatures;

/// What the walk found out about a module that passed.
#[derive(Default)]
pub(crate) struct Shape {
    /// The form in which it was brought.
    pub(crate) kind: ProgramKind,
    /// Exported functions without parameters and results, in the module's order.
    pub(crate) entries: Vec<String>,
    /// The description sections, one after the other.
    pub(crate) description: Vec<u8>,
    pub(crate) signatures: Signatures,
    /// The module's own functions, in order.
    pub(crate) functions: Vec<Function>,
    /// Functions that tables and globals can hold.
    pub(crate) referenced: Vec<u32>,
    /// How long the data segments are.
    pub(crate) segments: Segments,
    /// Bytes that its memory begins with, and the maximum that it declares.
    pub(crate) memory: (u64, Option<u64>),
    /// Names of the WASI functions that it imports.
    pub(crate) wasi: Vec<String>,
    exports_memory: bool,
    exports_start: bool,
    /// The start function.
    pub(crate) start: Option<u32>,
    /// The exported function `_initialize`.
    pub(crate) initialize: Option<u32>,
    /// What can be called from outside: the entries, and `_start`.
    pub(crate) callable: Vec<(String, u32)>,
    imports_kernel: bool,
    imports_wasi: bool,
}

/// Walks through the module once; stops at the first thing that is wrong.
pub(crate) fn check(module: &[u8]) -> Result<Shape, Refusal> {
    let mut validator = Validator::new_with_features(FEATURES);
    let mut allocations = FuncValidatorAllocations::default();
    let mut shape = Shape::default();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        let valid = validator.payload(&payload)?;
        if let ValidPayload::Func(to_validate, body) = valid {
            let index = shape.signatures.imported + count(&shape.functions);
            let mut validator = to_validate.into_validator(allocations);
            let function = shape.function(&mut validator, &body, index);
            shape
                .functions
                .push(function.map_err(|refusal| refusal.in_function(index))?);
            allocations = validator.into_allocations();
        }
        shape.section(payload)?;
    }
    shape.finish()
}

fn count<T>(list: &[T]) -> u32 {
    length(list.len())
}

/// No module is so long.
fn length(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

impl Shape {
    fn function(
        &self,
        validator: &mut FuncValidator<ValidatorResources>,
        body: &FunctionBody<'_>,
        index: u32,
    ) -> Result<Function, Refusal> {
        let empty = FuncType::new([], []);
        let ty = self.signatures.function(index).unwrap_or(&empty);
        // The caps come first: they bound what validating this body can cost.
        body::check(body, count(ty.params()))?;
        function::check(validator, body, &self.signatures, ty)
    }

    fn section(&mut self, payload: Payload<'_>) -> Result<(), Refusal> {
        match payload {
            Payload::TypeSection(section) => self.types(section),
            Payload::ImportSection(section) => section.into_imports_with_offsets().try_for_each(|import| {
                let (offset, import) = import?;
                self.import(offset, &import)
            }),
            Payload::FunctionSection(section) => {
                self.signatures.imported = count(&self.signatures.functions);
                at_most(
                    "functions",
                    section.count(),
                    FUNCTIONS_MAX,
                    "split the program",
                    section.range().start,
                )?;
                section.into_iter().try_for_each(|ty| {
                    self.signatures.functions.push(ty?);
                    Ok(())
                })
            }
            Payload::TableSection(section) => {
                at_most(
                    "tables",
                    section.count(),
                    TABLES_MAX,
                    "link without externref",
                    section.range().start,
                )?;
                section.into_iter_with_offsets().try_for_each(|table| {
                    let (offset, table) = table?;
                    check_table(offset, &table.ty)
                })
            }
            Payload::MemorySection(section) => section.into_iter_with_offsets().try_for_each(|memory| {
                let (offset, memory) = memory?;
                let bytes = |pages: u64| pages.saturating_mul(WASM_PAGE_BYTES);
                self.memory = (bytes(memory.initial), memory.maximum.map(bytes));
                check_memory(&memory).map_err(|cause| cause.at(offset))
            }),
            Payload::GlobalSection(section) => self.globals(section),
            Payload::ElementSection(section) => self.elements(section),
            Payload::DataSection(section) => {
                at_most(
                    "data segments",
                    section.count(),
                    DATA_SEGMENTS_MAX,
                    "merge them",
                    section.range().start,
                )?;
                section.into_iter().try_for_each(|segment| {
                    self.segments.data.note(length(segment?.data.len()));
                    Ok(())
                })
            }
            Payload::StartSection { func, .. } => {
                self.start = Some(func);
                Ok(())
            }
            Payload::ExportSection(section) => {
                at_most(
                    "exports",
                    section.count(),
                    EXPORTS_MAX,
                    "export the entries only",
                    section.range().start,
                )?;
                section.into_iter().try_for_each(|export| {
                    self.export(&export?);
                    Ok(())
                })
            }
            Payload::CustomSection(section) if section.name() == DESCRIPTION_SECTION => {
                self.describe(section.data_offset(), section.data())
            }
            _ => Ok(()),
        }
    }

    fn globals(&mut self, section: wasmparser::GlobalSectionReader<'_>) -> Result<(), Refusal> {
        at_most(
            "globals",
            section.count(),
            GLOBALS_MAX,
            "keep state in memory",
            section.range().start,
        )?;
        for global in section {
            let global = global?;
            self.signatures.globals.push(global.ty.content_type);
            self.references(&global.init_expr)?;
        }
        Ok(())
    }

    fn elements(&mut self, section: wasmparser::ElementSectionReader<'_>) -> Result<(), Refusal> {
        at_most(
            "element segments",
            section.count(),
            ELEMENT_SEGMENTS_MAX,
            "merge them",
            section.range().start,
        )?;
        for segment in section {
            match segment?.items {
                ElementItems::Functions(functions) => {
                    self.segments.elements.note(functions.count());
                    for function in functions {
                        self.referenced.push(function?);
                    }
                }
                ElementItems::Expressions(_, expressions) => {
                    self.segments.elements.note(expressions.count());
                    for expression in expressions {
                        self.references(&expression?)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn references(&mut self, expression: &ConstExpr<'_>) -> Result<(), Refusal> {
        for operator in expression.get_operators_reader() {
            if let Operator::RefFunc { function_index } = operator? {
                self.referenced.push(function_index);
            }
        }
        Ok(())
    }

    fn types(&mut self, section: wasmparser::TypeSectionReader<'_>) -> Result<(), Refusal> {
        at_most(
            "types",
            section.count(),
            TYPES_MAX,
            "split the program",
            section.range().start,
        )?;
        for group in section {
            self.signatures
                .types
                .extend(group?.into_types().map(|ty| match ty.composite_type.inner {
                    CompositeInnerType::Func(ty) => Some(ty),
                    _ => None,
                }));
        }
        Ok(())
    }

    fn import(&mut self, offset: usize, import: &Import<'_>) -> Result<(), Refusal> {
        let (side, ty) = imports::check(&self.signatures.types, offset, import)?;
        match side {
            Side::Kernel => self.imports_kernel = true,
            Side::Wasi => {
                self.imports_wasi = true;
                self.wasi.push(import.name.to_owned());
            }
        }
        self.signatures.functions.push(ty);
        Ok(())
    }

    fn export(&mut self, export: &Export<'_>) {
        match export.kind {
            ExternalKind::Memory if export.name == "memory" => self.exports_memory = true,
            ExternalKind::Func => {
                let callable = |ty: &FuncType| ty.params().is_empty() && ty.results().is_empty();
                if self.signatures.function(export.index).is_some_and(callable) {
                    self.callable(export.name, export.index);
                }
            }
            _ => {}
        }
    }

    fn callable(&mut self, name: &str, function: u32) {
        match name {
            "_start" => self.exports_start = true,
            "_initialize" => return self.initialize = Some(function),
            // Toolchains begin the names of their own helpers with an underscore.
            _ if name.starts_with('_') => return,
            _ => self.entries.push(name.to_owned()),
        }
        self.callable.push((name.to_owned(), function));
    }

    fn describe(&mut self, offset: usize, data: &[u8]) -> Result<(), Refusal> {
        let bytes = self.description.len() + data.len();
        let found = u32::try_from(bytes).unwrap_or(u32::MAX);
        let max = u32::try_from(DESCRIPTION_BYTES_MAX).unwrap_or(u32::MAX);
        at_most("bytes of description", found, max, "shorten the texts", offset)?;
        self.description.extend_from_slice(data);
        Ok(())
    }

    fn finish(mut self) -> Result<Self, Refusal> {
        if !self.exports_memory {
            return Err(Cause::NoMemory.into());
        }
        if self.imports_kernel && self.imports_wasi {
            return Err(Cause::MixedImports.into());
        }
        if self.imports_wasi || (self.exports_start && !self.imports_kernel) {
            self.kind = ProgramKind::Command;
        }
        let problem = match self.kind {
            ProgramKind::Command if self.exports_start => None,
            ProgramKind::Command if self.initialize.is_some() => Some(Cause::Reactor),
            ProgramKind::Command => Some(Cause::NoStart),
            _ if self.entries.is_empty() => Some(Cause::NoEntry),
            _ => None,
        };
        problem.map_or(Ok(self), |cause| Err(cause.into()))
    }
}

/// Refuses when `found` is over `max`.
pub(crate) fn at_most(
    what: &'static str,
    found: u32,
    max: u32,
    advice: &'static str,
    offset: usize,
) -> Result<(), Refusal> {
    if found <= max {
        return Ok(());
    }
    Err(Cause::OverLimit {
        what,
        found: found.into(),
        max: max.into(),
        advice,
    }
    .at(offset))
}

fn check_table(offset: usize, table: &TableType) -> Result<(), Refusal> {
    if table.initial <= TABLE_ELEMENTS_MAX {
        return Ok(());
    }
    let what = "table elements";
    let advice = "take fewer functions by reference";
    Err(Cause::OverLimit {
        what,
        found: table.initial,
        max: TABLE_ELEMENTS_MAX,
        advice,
    }
    .at(offset))
}

/// Admission sets the maximum; what the memory begins with cannot be helped.
fn check_memory(memory: &MemoryType) -> Result<(), Cause> {
    let bytes = memory.initial.saturating_mul(WASM_PAGE_BYTES);
    if bytes > MEMORY_BYTES_MAX {
        Err(Cause::MemoryTooLarge { bytes })
    } else {
        Ok(())
    }
}
