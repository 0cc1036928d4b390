//! The types of a module's functions and globals.
use wasmparser::{BlockType, FuncType, ValType};

/// What can be called and read, by index.
#[derive(Debug, Default)]
pub(crate) struct Signatures {
    pub(crate) types: Vec<Option<FuncType>>,
    /// The type of every function, imports first.
    pub(crate) functions: Vec<u32>,
    pub(crate) globals: Vec<ValType>,
    pub(crate) imported: u32,
}

impl Signatures {
    pub(crate) fn of_type(&self, index: u32) -> Option<&FuncType> {
        self.types.get(index as usize)?.as_ref()
    }

    pub(crate) fn function(&self, index: u32) -> Option<&FuncType> {
        self.of_type(*self.functions.get(index as usize)?)
    }

    pub(crate) fn global(&self, index: u32) -> Option<ValType> {
        self.globals.get(index as usize).copied()
    }

    /// What a block takes and leaves.
    pub(crate) fn of_block(&self, block: BlockType) -> (Vec<ValType>, Vec<ValType>) {
        match block {
            BlockType::Empty => (Vec::new(), Vec::new()),
            BlockType::Type(ty) => (Vec::new(), vec![ty]),
            BlockType::FuncType(index) => self.of_type(index).map_or_else(Default::default, |ty| {
                (ty.params().to_vec(), ty.results().to_vec())
            }),
        }
    }
}
