//! The coordinator's side of the shell: the socket, and what is fetched and stored. Whatever comes of it is heard in
//! a later turn.
use super::work::clip;
use super::{Shell, State, now_ms, whole};
use crate::fetch::{self, FetchError};
use crate::link::{Link, LinkEvent};
use bytes::Bytes;
use protocol::ids::{BlobHash, LeaseId, ProgramHash};
use protocol::wire::{Cause, Failure};
use std::rc::Rc;
use wasm_bindgen_futures::spawn_local;
use worker::Input;

impl Shell {
    /// First the ticket, then the socket: a socket that waits for its hello would be closed.
    pub(super) fn connect(self: &Rc<Self>, state: &mut State) {
        state.link_number += 1;
        let (shell, number) = (Rc::clone(self), state.link_number);
        spawn_local(async move {
            match fetch::ticket(&shell.options).await {
                Ok(ticket) => shell.open_link(number, Some(ticket)),
                // The answer to the hello says in the heart's words what is wrong with the token.
                Err(FetchError::Status(401 | 403)) => shell.open_link(number, shell.options.token.clone()),
                Err(error) => shell.closed(number, error.to_string()),
            }
        });
    }

    fn open_link(self: &Rc<Self>, number: u32, ticket: Option<String>) {
        let shell = Rc::clone(self);
        let mut state = self.state.borrow_mut();
        if state.link_number != number {
            return;
        }
        let opened = Link::open(&self.options.socket_url(), move |event| {
            shell.heard(number, event);
        });
        match opened {
            Ok(link) => {
                state.link = Some(link);
                state.ticket = ticket;
            }
            // An address that is none: heard like a connection that could not be opened.
            Err(reason) => {
                drop(state);
                self.closed(number, reason);
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
    /// Ends the connection, or the attempt at one that still waits for its ticket.
    pub(super) fn hang_up(&mut self) {
        self.link = None;
        self.link_number += 1;
    }

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
