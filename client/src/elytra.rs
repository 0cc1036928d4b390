//! A server to compute on: where programs and items come from.
use crate::job::Input;
use crate::program::Program;
use crate::{Client, Error, Options, feed};
use protocol::job::RangeSpec;
use serde::Serialize;
use std::ops::Range;
use std::path::Path;

/// A server to compute on. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Elytra {
    client: Client,
}

impl Elytra {
    /// Connects, and finds out whether the server answers and knows the token.
    ///
    /// # Errors
    /// [`Error::Usage`] for an address that is none, [`Error::Unreachable`] where no server answers,
    /// [`Error::Problem`] for a token that it does not know.
    pub async fn connect(options: Options) -> Result<Self, Error> {
        let client = Client::new(options)?;
        match client.programs().await {
            // A token that may submit need not be able to read.
            Err(Error::Problem(problem)) if problem.status == 403 => {}
            answer => drop(answer?),
        }
        Ok(Self { client })
    }

    /// The API as it is, for what has no name here.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A JavaScript or TypeScript module. It is uploaded when it first runs; `file` is how its errors
    /// name it, and its ending tells the language.
    ///
    /// # Errors
    /// [`Error::Usage`] when it is too long.
    pub fn script(&self, file: &str, source: &str) -> Result<Program, Error> {
        Program::from_bytes(file, source.as_bytes().to_vec())
    }

    /// A program in a file: a kernel or a WASI command (`.wasm`), or a script. It is uploaded when it
    /// first runs.
    ///
    /// # Errors
    /// [`Error::Usage`] when the file cannot be read or is too long.
    pub fn program_file(&self, path: impl AsRef<Path>) -> Result<Program, Error> {
        let (file, bytes) = crate::read_program(path.as_ref())?;
        Program::from_bytes(&file, bytes)
    }

    /// A program that the server carries, such as `rust-core`.
    pub fn built_in(&self, name: &str) -> Program {
        Program::known(name)
    }

    /// A program that the server has, by its hash.
    pub fn program(&self, hash: protocol::ids::ProgramHash) -> Program {
        Program::known(&hash.to_string())
    }

    /// Numbers as items. Nothing of them travels.
    pub fn range(&self, range: Range<i64>) -> Input {
        let Range { start, end } = range;
        let range = RangeSpec { start, end, step: 1 };
        Input::range(&self.client, range)
    }

    /// Anything that serde writes as items. The iterator is asked in a thread of its own, for no more
    /// than may be in flight, so it may be endless, and it may block.
    pub fn items<I>(&self, items: I) -> Input
    where
        I: IntoIterator,
        I::Item: Serialize,
        I::IntoIter: Send + 'static,
    {
        let lines = (0..).zip(items).map(|(index, item)| feed::line(index, &item));
        Input::lines(&self.client, Box::new(lines))
    }
}
