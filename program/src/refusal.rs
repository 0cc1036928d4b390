//! Why a module is refused: the cause, the place in the module, and what to do about it.
use crate::limits::{self, SHOWN_NAME_CHARS_MAX};
use std::fmt;
use wasmparser::{KnownCustom, Name, Parser, Payload};

/// A module that was not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    /// What is wrong.
    pub cause: Cause,
    /// Where, if it is in one place.
    pub place: Option<Box<Place>>,
}

/// Where in the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Bytes from the module's beginning.
    pub offset: usize,
    /// The function, if it is inside one.
    pub function: Option<Function>,
}

/// A function of the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its index; imports count.
    pub index: u32,
    /// Its name, where the module carries one.
    pub name: Option<String>,
}

/// What is wrong with a module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// A script in a container.
    #[error(transparent)]
    Script(crate::script::ScriptError),
    /// The bytes are more than [`limits::MODULE_BYTES_MAX`].
    #[error(
        "the module has {bytes} bytes, more than {}: strip debug information (`strip = \"debuginfo\"`) or optimise for size",
        limits::MODULE_BYTES_MAX
    )]
    ModuleTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The bytes are not a core WebAssembly module.
    #[error(
        "not a valid WebAssembly module ({message}): send the bytes of a core module as the compiler wrote them"
    )]
    Invalid {
        /// What the validator says.
        message: String,
    },
    /// The module uses a part of WebAssembly that is switched off here.
    #[error(
        "the module uses a feature that is not allowed ({message}): build without threads, relaxed SIMD, 64-bit or \
         several memories, GC, exceptions and tail calls"
    )]
    Feature {
        /// What the validator says.
        message: String,
    },
    /// An import from elsewhere, or one that this ABI does not have.
    #[error("the module imports '{module}'.'{name}': {advice}")]
    UnknownImport {
        /// The module it names.
        module: String,
        /// The import's name.
        name: String,
        /// What to do.
        advice: &'static str,
    },
    /// A known import with other parameters or results.
    #[error("the import '{module}'.'{name}' must be a function of type {wanted}: {advice}")]
    ImportType {
        /// The module it names.
        module: &'static str,
        /// The import's name.
        name: &'static str,
        /// The type it should have.
        wanted: Box<str>,
        /// What to do.
        advice: &'static str,
    },
    /// It imports from both sides.
    #[error(
        "the module imports from 'elytra' and from 'wasi_snapshot_preview1': a kernel cannot call WASI; link it \
         without the C library's input and output, or make a command of it that reads standard input"
    )]
    MixedImports,
    /// A WASI library instead of a WASI program.
    #[error(
        "the module is a WASI reactor (it exports _initialize, not _start): build it as a command, that is with a \
         main function (C and Zig: `-mexec-model=command`; Go: without `-buildmode=c-shared`; Rust: a binary, not \
         a cdylib)"
    )]
    Reactor,
    /// A WASI program that cannot be started.
    #[error(
        "the module imports WASI but exports no function _start without parameters and results: build it as a \
         command, that is with a main function"
    )]
    NoStart,
    /// No memory is exported as `memory`.
    #[error("the module exports no memory named 'memory': link it as a library (`cdylib`)")]
    NoMemory,
    /// The memory begins with more than [`limits::MEMORY_BYTES_MAX`].
    #[error(
        "the memory begins with {bytes} bytes, more than {}: make static data and the stack smaller, or link with a \
         smaller `--initial-memory`",
        limits::MEMORY_BYTES_MAX
    )]
    MemoryTooLarge {
        /// What it begins with.
        bytes: u64,
    },
    /// Nothing can be called.
    #[error(
        "the module exports no entry, that is a function without parameters and results: mark one with #[kernel]"
    )]
    NoEntry,
    /// One of the caps of [`limits`] is passed.
    #[error("{what}: {found}, and at most {max} are allowed; {advice}")]
    OverLimit {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// How many there may be.
        max: u64,
        /// What to do.
        advice: &'static str,
    },
    /// A line of the description section cannot be read.
    #[error(
        "line {line} of the description section cannot be read ({message}): build against the current kernel SDK"
    )]
    Description {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// An entry is described that the module does not export.
    #[error("the description names an entry '{name}', but the module exports only: {}", exported.join(", "))]
    DescribedButNotExported {
        /// The described name.
        name: String,
        /// The entries there are.
        exported: Vec<String>,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.cause),
            None => write!(f, "{}", self.cause),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some(Function {
                index,
                name: Some(name),
            }) => write!(f, "in function {index} '{name}', ")?,
            Some(Function { index, name: None }) => write!(f, "in function {index}, ")?,
            None => {}
        }
        write!(f, "at byte {:#x}", self.offset)
    }
}

impl From<Cause> for Refusal {
    fn from(cause: Cause) -> Self {
        Self { cause, place: None }
    }
}

impl Cause {
    /// The refusal with its place.
    pub(crate) fn at(self, offset: usize) -> Refusal {
        Refusal {
            cause: self,
            place: Some(Box::new(Place {
                offset,
                function: None,
            })),
        }
    }
}

impl Refusal {
    /// The same, known to be inside function `index`.
    pub(crate) fn in_function(mut self, index: u32) -> Self {
        if let Some(place) = &mut self.place {
            place.function = Some(Function { index, name: None });
        }
        self
    }

    /// The same, with the function's name looked up in the module's name section.
    pub(crate) fn named_from(mut self, module: &[u8]) -> Self {
        let function = self.place.as_mut().and_then(|place| place.function.as_mut());
        if let Some(function) = function {
            function.name = function_name(module, function.index);
        }
        self
    }
}

impl From<wasmparser::BinaryReaderError> for Refusal {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        let message = shown(error.message());
        let switched_off = [
            "not enabled",
            "disabled",
            "disallowed",
            "must be enabled",
            "not supported",
            "multiple memories",
            "multi-memory",
        ];
        let cause = if switched_off.iter().any(|part| message.contains(part)) {
            Cause::Feature { message }
        } else {
            Cause::Invalid { message }
        };
        cause.at(error.offset())
    }
}

/// `text`, cut to a length that an error can carry.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(SHOWN_NAME_CHARS_MAX).collect()
}

/// The name section comes last, so it is read only once a function must be named.
fn function_name(module: &[u8], index: u32) -> Option<String> {
    let sections = Parser::new(0).parse_all(module).map_while(Result::ok);
    let names = sections.filter_map(|payload| match payload {
        Payload::CustomSection(custom) => match custom.as_known() {
            KnownCustom::Name(names) => Some(names),
            _ => None,
        },
        _ => None,
    });
    names
        .flat_map(|section| section.into_iter().map_while(Result::ok))
        .find_map(|name| match name {
            Name::Function(map) => map
                .into_iter()
                .map_while(Result::ok)
                .find(|naming| naming.index == index)
                .map(|naming| shown(naming.name)),
            _ => None,
        })
}
