//! Modules made by wasm-smith from a seed, with an entry for every function that shows all that can be seen.
use arbitrary::Unstructured;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, Instruction, MemArg, Module,
    RawSection, TypeSection, ValType,
};
use wasmparser::{CompositeInnerType, FuncType, Parser, Payload};

/// Turns of loops and calls before a generated module stops itself.
const FUEL: u32 = 300;
/// Random bytes that a module is made of.
const SEED_BYTES: usize = 6_000;
/// Functions of a module.
const FUNCTIONS_MAX: usize = 8;

/// Values that arithmetic finds hard: NaNs with payloads and signs, zeros, infinities.
pub(crate) const F32_BITS: [u32; 8] = [
    0x7fc0_1234,
    0xffc0_0000,
    0x7f80_0001,
    0x8000_0000,
    0x7f80_0000,
    0x3f80_0000,
    0xff80_0000,
    0x4049_0fdb,
];
pub(crate) const F64_BITS: [u64; 6] = [
    0x7ff8_0000_dead_beef,
    0xfff8_0000_0000_0000,
    0x7ff0_0000_0000_0001,
    0x8000_0000_0000_0000,
    0x7ff0_0000_0000_0000,
    0x3ff0_0000_0000_0000,
];

/// The same numbers from the same seed (SplitMix64, Steele et al. 2014).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn choose<T: Copy>(&mut self, of: &[T]) -> T {
        let length = u64::try_from(of.len()).expect("short");
        of[usize::try_from(self.next() % length).expect("short")]
    }
}

fn config() -> wasm_smith::Config {
    wasm_smith::Config {
        allowed_instructions: "numeric,vector,parametric,variable,control,memory"
            .parse()
            .expect("known kinds"),
        allow_start_export: false,
        exceptions_enabled: false,
        extended_const_enabled: false,
        gc_enabled: false,
        max_imports: 0,
        max_funcs: FUNCTIONS_MAX,
        min_funcs: FUNCTIONS_MAX / 2,
        max_instructions: 250,
        min_memories: 1,
        max_memories: 1,
        max_memory32_bytes: 4 << 16,
        max_table_elements: 100,
        max_data_segments: 3,
        max_element_segments: 3,
        max_types: 12,
        max_values: 4,
        memory64_enabled: false,
        // Admission sets a maximum, and then growing fails where it did not before.
        memory_max_size_required: true,
        // Tables of other references are refused.
        reference_types_enabled: false,
        relaxed_simd_enabled: false,
        shared_everything_threads_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        ..wasm_smith::Config::default()
    }
}

/// The module of a seed; `None` where the seed makes none that is of use.
pub(crate) fn module(seed: u64) -> Option<Vec<u8>> {
    let mut random = Random::new(seed);
    let bytes: Vec<u8> = (0..SEED_BYTES / 8)
        .flat_map(|_| random.next().to_le_bytes())
        .collect();
    let mut made = wasm_smith::Module::new(config(), &mut Unstructured::new(&bytes)).ok()?;
    made.ensure_termination(FUEL).ok()?;
    with_entries(&made.to_bytes(), &mut random)
}

/// What is needed of the original to call its functions.
#[derive(Default)]
struct Original {
    types: Vec<Option<FuncType>>,
    functions: Vec<u32>,
    globals: Vec<(u32, wasmparser::ValType)>,
}

/// Exports the memory, and for every function an entry that calls it and stores what it returns and all globals.
fn with_entries(bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut module = Module::new();
    let mut original = Original::default();
    let mut reencoder = RoundtripReencoder;
    let mut bodies = CodeSection::new();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.ok()? {
            Payload::TypeSection(section) => {
                original.note_types(section.clone());
                let mut types = TypeSection::new();
                reencoder.parse_type_section(&mut types, section).ok()?;
                types.ty().function([], []);
                module.section(&types);
            }
            Payload::FunctionSection(section) => {
                original.functions = section.clone().into_iter().collect::<Result<_, _>>().ok()?;
                let mut functions = FunctionSection::new();
                reencoder.parse_function_section(&mut functions, section).ok()?;
                let entry = u32::try_from(original.types.len()).ok()?;
                for _ in &original.functions {
                    functions.function(entry);
                }
                module.section(&functions);
            }
            Payload::GlobalSection(section) => {
                for (index, global) in (0..).zip(section.clone()) {
                    original.globals.push((index, global.ok()?.ty.content_type));
                }
                copy(&mut module, bytes, 6, section.range());
                original.export(&mut module);
            }
            Payload::ExportSection(_) | Payload::StartSection { .. } | Payload::CustomSection(_) => {}
            Payload::CodeSectionStart { range, .. } => {
                let reader = wasmparser::BinaryReader::new(&bytes[range], 0);
                reencoder
                    .parse_code_section(&mut bodies, wasmparser::CodeSectionReader::new(reader).ok()?)
                    .ok()?;
                for function in 0..u32::try_from(original.functions.len()).ok()? {
                    bodies.function(&original.entry(function, random));
                }
                module.section(&bodies);
            }
            other => {
                if let Some((id, range)) = other.as_section() {
                    copy(&mut module, bytes, id, range);
                }
            }
        }
    }
    (!original.functions.is_empty() && !original.globals.is_empty()).then(|| module.finish())
}

fn copy(module: &mut Module, bytes: &[u8], id: u8, range: std::ops::Range<usize>) {
    module.section(&RawSection {
        id,
        data: &bytes[range],
    });
}

impl Original {
    fn note_types(&mut self, section: wasmparser::TypeSectionReader<'_>) {
        for group in section.into_iter().map_while(Result::ok) {
            let types = group.into_types().map(|ty| match ty.composite_type.inner {
                CompositeInnerType::Func(ty) => Some(ty),
                _ => None,
            });
            self.types.extend(types);
        }
    }

    fn export(&self, module: &mut Module) {
        let mut exports = ExportSection::new();
        exports.export("memory", ExportKind::Memory, 0);
        let functions = u32::try_from(self.functions.len()).expect("few");
        for function in 0..functions {
            exports.export(&format!("f{function}"), ExportKind::Func, functions + function);
        }
        module.section(&exports);
    }

    fn entry(&self, function: u32, random: &mut Random) -> Function {
        let ty = self.types[self.functions[function as usize] as usize]
            .clone()
            .expect("a function's type");
        let results: Vec<ValType> = ty
            .results()
            .iter()
            .filter_map(|ty| (*ty).try_into().ok())
            .collect();
        let mut body = Function::new_with_locals_types(results.iter().copied());
        for parameter in ty.params() {
            argument(&mut body, *parameter, random);
        }
        body.instruction(&Instruction::Call(function));
        for local in (0..u32::try_from(results.len()).expect("few")).rev() {
            body.instruction(&Instruction::LocalSet(local));
        }
        let mut at = 0;
        for (local, ty) in (0..).zip(ty.results()) {
            store(&mut body, &mut at, *ty, &Instruction::LocalGet(local));
        }
        for (global, ty) in &self.globals {
            store(&mut body, &mut at, *ty, &Instruction::GlobalGet(*global));
        }
        body.instruction(&Instruction::End);
        body
    }
}

fn argument(body: &mut Function, ty: wasmparser::ValType, random: &mut Random) {
    use wasmparser::ValType as T;
    let instruction = match ty {
        T::I32 => Instruction::I32Const(random.choose(&[0, 1, -1, 64, i32::MIN])),
        T::I64 => Instruction::I64Const(random.choose(&[0, 1, -1, 64, i64::MIN])),
        T::F32 => Instruction::F32Const(f32::from_bits(random.choose(&F32_BITS)).into()),
        T::F64 => Instruction::F64Const(f64::from_bits(random.choose(&F64_BITS)).into()),
        T::V128 => {
            let (low, high) = (random.choose(&F64_BITS), random.choose(&F32_BITS));
            Instruction::V128Const(
                i128::from(low) << 64 | i128::from(high) << 32 | i128::from(random.choose(&F32_BITS)),
            )
        }
        T::Ref(ty) if ty.is_extern_ref() => Instruction::RefNull(wasm_encoder::HeapType::EXTERN),
        T::Ref(_) => Instruction::RefNull(wasm_encoder::HeapType::FUNC),
    };
    body.instruction(&instruction);
}

/// Stores a value's bits at `at`; references have none.
fn store(body: &mut Function, at: &mut i32, ty: wasmparser::ValType, value: &Instruction<'_>) {
    use wasmparser::ValType as T;
    let place = MemArg {
        offset: 0,
        align: 0,
        memory_index: 0,
    };
    let store = match ty {
        T::I32 => Instruction::I32Store(place),
        T::I64 => Instruction::I64Store(place),
        T::F32 => Instruction::F32Store(place),
        T::F64 => Instruction::F64Store(place),
        T::V128 => Instruction::V128Store(place),
        T::Ref(_) => return,
    };
    body.instruction(&Instruction::I32Const(*at))
        .instruction(value)
        .instruction(&store);
    *at += 16;
}
