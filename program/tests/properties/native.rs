//! Runs every entry of a module in Wasmtime and tells what can be seen of it.
use protocol::ids::Digest;
use wasmtime::{Config, Engine, Instance, Module, OptLevel, Store, Trap};

/// How the engine is set.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) level: OptLevel,
    /// Every NaN that arithmetic makes is canonical: the specification's deterministic profile.
    pub(crate) canonical: bool,
}

/// An entry's end, and its memory then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) entry: String,
    pub(crate) trap: Option<String>,
    pub(crate) memory: String,
}

pub(crate) fn engine(settings: Settings) -> Engine {
    let mut config = Config::new();
    config
        .cranelift_opt_level(settings.level)
        .cranelift_nan_canonicalization(settings.canonical)
        .max_wasm_stack(512 << 10);
    Engine::new(&config).expect("the settings are sound")
}

/// Runs each entry on a fresh instance.
pub(crate) fn run(engine: &Engine, module: &[u8]) -> Vec<Seen> {
    let module = Module::new(engine, module).expect("the engine takes the module");
    let entries = module.exports().filter(|export| export.ty().func().is_some());
    entries
        .map(|export| run_entry(engine, &module, export.name()))
        .collect()
}

fn run_entry(engine: &Engine, module: &Module, entry: &str) -> Seen {
    let mut store = Store::new(engine, ());
    let instance = match Instance::new(&mut store, module, &[]) {
        Ok(instance) => instance,
        Err(error) => return seen(entry, Some(&error), b""),
    };
    let function = instance
        .get_typed_func::<(), ()>(&mut store, entry)
        .expect("an entry");
    let ended = function.call(&mut store, ());
    let memory = instance.get_memory(&mut store, "memory").expect("a memory");
    seen(entry, ended.err().as_ref(), memory.data(&store))
}

fn seen(entry: &str, error: Option<&wasmtime::Error>, memory: &[u8]) -> Seen {
    let trap = error.map(|error| match error.downcast_ref::<Trap>() {
        Some(trap) if exceeded(error) => format!("{trap:?} {}", program::EXCEEDED),
        Some(trap) => format!("{trap:?}"),
        None => error.to_string(),
    });
    Seen {
        entry: entry.to_owned(),
        trap,
        memory: Digest::of(memory).to_string(),
    }
}

/// Whether the function that says so lies on top of the backtrace.
pub(crate) fn exceeded(error: &wasmtime::Error) -> bool {
    let trace = error.downcast_ref::<wasmtime::WasmBacktrace>();
    let top = trace.and_then(|trace| {
        trace
            .frames()
            .first()
            .and_then(|frame| frame.func_name().map(str::to_owned))
    });
    top.as_deref() == Some(program::EXCEEDED)
}
