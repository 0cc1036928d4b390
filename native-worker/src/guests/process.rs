//! One guest process: its start, its frames, its end.
use bytes::{Buf as _, BytesMut};
use protocol::ids::ProgramHash;
use runtime::Code;
use runtime::guest::wire::{self, FROM_GUEST_BYTES_MAX, FromGuest, LENGTH_BYTES, ToGuest};
use runtime::guest::{GuestOptions, PROGRAMS_MAX};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// What is read at once.
const READ_BYTES: usize = 64 << 10;
/// How long a guest process may take to read what is written: loading a program is the longest it does between.
const WRITE_MAX: Duration = Duration::from_secs(30);
/// How long a killed process may take to be gone.
const KILLED_MAX: Duration = Duration::from_secs(5);

/// A guest process. It is killed when this is dropped.
pub(super) struct Process {
    child: Child,
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    /// What was read and not taken.
    buffer: BytesMut,
    /// Whether it has said that it is ready, which it says once.
    is_ready: bool,
    /// The program used last comes last.
    loaded: Vec<ProgramHash>,
}

impl Process {
    /// The thread that calls this must live as long as the worker: the process dies with it.
    pub(super) fn start(options: &GuestOptions) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = Command::from(options.command(OwnedFd::from(theirs)));
        let child = command.kill_on_drop(true).spawn()?;
        let (reader, writer) = UnixStream::from_std(ours)?.into_split();
        Ok(Self {
            child,
            reader,
            writer,
            buffer: BytesMut::new(),
            is_ready: false,
            loaded: Vec::new(),
        })
    }

    /// Waits for its first words: the walls that are missing.
    pub(super) async fn ready(&mut self) -> Result<Vec<String>, String> {
        match self.next().await {
            Ok(FromGuest::Ready { missing }) => Ok(missing),
            Ok(FromGuest::Ended { .. }) => Err("it runs what nobody sent".into()),
            Err(why) => Err(self.end(&why).await),
        }
    }

    /// The next message, or why there is none any more. Nothing is lost when the call is given up.
    pub(super) async fn next(&mut self) -> Result<FromGuest, String> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(message);
            }
            self.buffer.reserve(READ_BYTES);
            match self.reader.read_buf(&mut self.buffer).await {
                Ok(0) => return Err("it ended".into()),
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    fn take(&mut self) -> Result<Option<FromGuest>, String> {
        let Some(length) = wire::length(&self.buffer) else {
            return Ok(None);
        };
        if length > FROM_GUEST_BYTES_MAX {
            return Err(format!("it sent a frame of {length} bytes"));
        }
        let end = LENGTH_BYTES + length;
        if self.buffer.len() < end {
            return Ok(None);
        }
        let message = wire::decode(&self.buffer[LENGTH_BYTES..end]).map_err(|error| error.to_string())?;
        self.buffer.advance(end);
        let says_ready = matches!(message, FromGuest::Ready { .. });
        if says_ready == std::mem::replace(&mut self.is_ready, true) {
            return Err("it speaks out of turn".into());
        }
        Ok(Some(message))
    }

    /// Makes sure that a program is loaded.
    pub(super) async fn load(&mut self, program: ProgramHash, code: &Code) -> Result<(), String> {
        if let Some(at) = self.loaded.iter().position(|loaded| *loaded == program) {
            let used = self.loaded.remove(at);
            self.loaded.push(used);
            return Ok(());
        }
        if self.loaded.len() >= PROGRAMS_MAX {
            let program = self.loaded.remove(0);
            self.send(&ToGuest::Forget { program }).await?;
        }
        let bytes = u32::try_from(code.bytes().len()).map_err(|error| error.to_string())?;
        self.send(&ToGuest::Load { program, bytes }).await?;
        self.write(code.bytes()).await?;
        self.loaded.push(program);
        Ok(())
    }

    pub(super) async fn send(&mut self, message: &ToGuest) -> Result<(), String> {
        let mut frame = Vec::new();
        wire::encode(message, &mut frame);
        self.write(&frame).await
    }

    /// Somebody in there always reads, whatever else waits to be written.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        match timeout(WRITE_MAX, self.writer.write_all(bytes)).await {
            Ok(written) => written.map_err(|error| error.to_string()),
            Err(_) => Err("it does not read".into()),
        }
    }

    /// Ends it, where it has not ended by itself; in words, how it came to that.
    pub(super) async fn end(&mut self, why: &str) -> String {
        // Its status is there first when it ended by itself, because the system closes its socket later.
        if let Ok(Ok(status)) = timeout(ENDED_MAX, self.child.wait()).await {
            return words(status);
        }
        let _ = self.child.start_kill();
        let _ = timeout(KILLED_MAX, self.child.wait()).await;
        why.to_owned()
    }
}

/// How long the status of a process may take whose socket is closed.
const ENDED_MAX: Duration = Duration::from_millis(500);

/// How a process ended, for people.
fn words(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => match NAMES.iter().find(|(number, _)| *number == signal) {
            Some((number, name)) => format!("it was ended by signal {number}, {name}"),
            None => format!("it was ended by signal {signal}"),
        },
        None => format!("it ended by itself, {status}"),
    }
}

/// The signals of a process that broke; their numbers are the same on every Linux we build for.
const NAMES: [(i32, &str); 6] = [
    (4, "an illegal instruction"),
    (6, "an abort"),
    (7, "a bus error"),
    (9, "as when the machine runs out of memory"),
    (11, "a segmentation fault"),
    (31, "a forbidden system call"),
];
