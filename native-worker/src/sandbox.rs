//! Where programs are made ready and run: in this process, or in guest processes of it.
use crate::RunError;
use crate::config::NativeWorkerConfig;
use crate::guests::Guests;
use crate::shell::Event;
use crate::slots::Threads;
use protocol::ids::{LeaseId, ProgramHash};
use runtime::guest::GuestOptions;
use runtime::{Code, Codes, PrepareError, Prepared, Runtime};
use std::sync::Arc;
use tokio::sync::mpsc::Sender;
use worker::{Batch, Input};

/// What makes programs ready. Copies share it.
#[derive(Clone)]
pub(crate) enum Programs {
    Here(Arc<Runtime>),
    InGuests(Arc<Codes>),
}

/// A program that can be executed.
#[derive(Clone)]
pub(crate) enum Ready {
    Here(Prepared),
    InGuests(Code),
}

/// What executes them.
pub(crate) enum Slots {
    Here(Threads),
    InGuests(Box<Guests>),
}

impl Programs {
    /// Both halves of it, as the worker was told.
    pub(crate) async fn start(
        config: &NativeWorkerConfig,
        tell: Sender<Event>,
    ) -> Result<(Self, Slots), RunError> {
        let Some(program) = config.guests.clone() else {
            let runtime = Arc::new(Runtime::new(config.runtime())?);
            return Ok((Self::Here(runtime), Slots::Here(Threads::new(tell))));
        };
        let of_runtime = config.runtime();
        let options = GuestOptions {
            program,
            slots: of_runtime.slots,
            memory_bytes_max: of_runtime.memory_bytes_max,
        };
        let codes = Arc::new(Codes::new(of_runtime)?);
        let guests = Guests::start(options, tell).await?;
        Ok((Self::InGuests(codes), Slots::InGuests(Box::new(guests))))
    }

    pub(crate) fn ready(&self, program: ProgramHash) -> Option<Ready> {
        match self {
            Self::Here(runtime) => runtime.ready(program).map(Ready::Here),
            Self::InGuests(codes) => codes.ready(program).map(Ready::InGuests),
        }
    }

    pub(crate) fn prepare_cached(&self, program: ProgramHash) -> Option<Ready> {
        match self {
            Self::Here(runtime) => runtime.prepare_cached(program).map(Ready::Here),
            Self::InGuests(codes) => codes.prepare_cached(program).map(Ready::InGuests),
        }
    }

    pub(crate) fn prepare(&self, program: ProgramHash, module: &[u8]) -> Result<Ready, PrepareError> {
        match self {
            Self::Here(runtime) => runtime.prepare(program, module).map(Ready::Here),
            Self::InGuests(codes) => codes.prepare(program, module).map(Ready::InGuests),
        }
    }

    pub(crate) fn prepare_ahead(&self, program: ProgramHash, module: &[u8]) -> Result<(), PrepareError> {
        match self {
            Self::Here(runtime) => runtime.prepare_ahead(program, module),
            Self::InGuests(codes) => codes.prepare_ahead(program, module),
        }
    }

    pub(crate) fn stop_preparing_ahead(&self) {
        match self {
            Self::Here(runtime) => runtime.stop_preparing_ahead(),
            Self::InGuests(codes) => codes.stop_preparing_ahead(),
        }
    }
}

impl Slots {
    /// Executes a batch in a slot that has nothing to do. Where that cannot be, every shard is answered all the
    /// same: with what is returned.
    pub(crate) fn execute(&mut self, slot: u16, program: Ready, batch: Batch) -> Vec<Input> {
        match (self, program) {
            (Self::Here(threads), Ready::Here(prepared)) => threads.execute(slot, prepared, batch),
            (Self::InGuests(guests), Ready::InGuests(code)) => guests.execute(slot, code, batch),
            // Both halves come from one place, so this slot is simply fresh.
            (Self::Here(_), Ready::InGuests(_)) | (Self::InGuests(_), Ready::Here(_)) => {
                vec![Input::SlotReset { slot }]
            }
        }
    }

    /// Stops shards where they run; those not begun are skipped.
    pub(crate) fn stop(&self, slot: u16, lease: LeaseId, shards: &[u32]) {
        match self {
            Self::Here(threads) => threads.stop(slot, lease, shards),
            Self::InGuests(guests) => guests.stop(slot, lease, shards),
        }
    }
}
