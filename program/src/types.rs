//! The function types of a module while admission adds to them.
use crate::check::Signatures;
use crate::edit::write_leb;
use std::collections::BTreeMap;
use wasmparser::{FuncType, ValType};

/// The module's types, and those that are added.
pub(crate) struct Types {
    known: BTreeMap<FuncType, u32>,
    next: u32,
    added: Vec<Vec<u8>>,
}

impl Types {
    pub(crate) fn new(signatures: &Signatures) -> Self {
        let mut known = BTreeMap::new();
        for (index, ty) in (0u32..).zip(&signatures.types) {
            if let Some(ty) = ty {
                known.entry(ty.clone()).or_insert(index);
            }
        }
        let next = u32::try_from(signatures.types.len()).unwrap_or(u32::MAX);
        Self {
            known,
            next,
            added: Vec::new(),
        }
    }

    /// The index of a type, which is added where the module has none like it.
    pub(crate) fn index(&mut self, ty: &FuncType) -> u32 {
        if let Some(index) = self.known.get(ty) {
            return *index;
        }
        let mut bytes = vec![0x60];
        for list in [ty.params(), ty.results()] {
            write_leb(&mut bytes, list.len());
            bytes.extend(list.iter().map(|ty| encoded(*ty)));
        }
        self.added.push(bytes);
        self.known.insert(ty.clone(), self.next);
        self.next += 1;
        self.next - 1
    }

    /// Those that are added, encoded.
    pub(crate) fn added(self) -> Vec<Vec<u8>> {
        self.added
    }
}

/// A type of a value in the module's encoding.
pub(crate) fn encoded(ty: ValType) -> u8 {
    match ty {
        ValType::I32 => 0x7f,
        ValType::I64 => 0x7e,
        ValType::F32 => 0x7d,
        ValType::F64 => 0x7c,
        ValType::V128 => 0x7b,
        ValType::Ref(ty) if ty.is_extern_ref() => 0x6f,
        ValType::Ref(_) => 0x70,
    }
}
