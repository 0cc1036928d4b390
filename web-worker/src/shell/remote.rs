//! The coordinator's side of the shell: the socket, and what is fetched and stored. Whatever comes of it is heard in
//! a later turn.
use super::work::clip;
use super::{Shell, State, now_ms, whole};
use crate::fetch;
use crate::link::{Link, LinkEvent};
use bytes::Bytes;
use gloo::timers::callback::Timeout;
use protocol::ids::{BlobHash, LeaseId, ProgramHash};
use protocol::wire::{Cause, Failure};
use std::rc::Rc;
use wasm_bindgen_futures::spawn_local;
use worker::Input;

impl Shell {
    pub(super) fn connect(self: &Rc<Self>, state: &mut State) {
        state.link_number += 1;
        let (shell, number) = (Rc::clone(self), state.link_number);
        let opened = Link::open(&self.options.socket_url(), move |event| {
            shell.heard(number, event);
        });
        match opened {
            Ok(link) => state.link = Some(link),
            // An address that is none: heard like a connection that could not be opened, in a turn of its own.
            Err(reason) => {
                let (shell, number) = (Rc::clone(self), state.link_number);
                Timeout::new(0, move || shell.closed(number, reason)).forget();
            }
        }
    }

    pub(super) fn heard(self: &Rc<Self>, number: u32, event: LinkEvent) {
        if self.state.borrow().link_number != number {
            return;
        }
        match event {
            LinkEvent::Open => self.turn([Input::Connected]),
            LinkEvent::Frame(bytes) => {
                self.state
                    .borrow_mut()
                    .worker
                    .handle_frame(whole(now_ms()), &bytes);
                self.turn([]);
            }
            LinkEvent::Malformed(reason) => self.turn([Input::FrameMalformed { reason }]),
            LinkEvent::Closed(reason) => self.closed(number, reason),
        }
    }

    pub(super) fn closed(self: &Rc<Self>, number: u32, reason: String) {
        {
            let mut state = self.state.borrow_mut();
            if state.link_number != number {
                return;
            }
            state.link = None;
            state.shown.connection_errors += 1;
        }
        self.turn([Input::Disconnected { reason }]);
    }

    pub(super) fn fetch_program(self: &Rc<Self>, program: ProgramHash) {
        let shell = Rc::clone(self);
        spawn_local(async move {
            match fetch::program(&shell.options, program).await {
                Ok(bytes) => shell.distribute(program, bytes),
                Err(error) => shell.turn([program_failed(program, error.to_string())]),
            }
        });
    }

    pub(super) fn fetch_input(self: &Rc<Self>, lease: LeaseId, blob: BlobHash, offset: u64, length: u64) {
        let shell = Rc::clone(self);
        spawn_local(async move {
            let input = match fetch::input(&shell.options, blob, offset, length).await {
                Ok(bytes) => Input::InputFetched {
                    lease,
                    bytes: bytes.into(),
                },
                Err(error) => Input::InputMissing {
                    lease,
                    reason: error.to_string(),
                },
            };
            shell.turn([input]);
        });
    }

    pub(super) fn upload(self: &Rc<Self>, lease: LeaseId, shard: u32, bytes: Bytes) {
        let shell = Rc::clone(self);
        spawn_local(async move {
            let input = match fetch::upload(&shell.options, &bytes).await {
                Ok(blob) => Input::BlobUploaded { lease, shard, blob },
                Err(error) => Input::UploadFailed {
                    lease,
                    shard,
                    reason: error.to_string(),
                },
            };
            shell.turn([input]);
        });
    }
}

impl State {
    /// Writes a frame; where there is no connection any more the heart hears of it by itself.
    pub(super) fn send(&mut self, frame: &[u8]) {
        if let Some(Err(error)) = self.link.as_ref().map(|link| link.send(frame)) {
            gloo::console::warn!(format!("a message could not be sent: {error}"));
        }
    }
}

pub(super) fn program_failed(program: ProgramHash, detail: String) -> Input {
    let failure = clip(Failure {
        cause: Cause::Refused,
        detail,
    });
    Input::ProgramFailed { program, failure }
}
