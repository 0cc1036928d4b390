//! The guest's side: one thread more than there are slots, which take turns at the socket.
//!
//! Whoever has its turn reads frames until one asks for a run, hands the turn on, and runs that. So there is no
//! thread between the socket and a run, and somebody always reads: a stop, or the end, when the parent is gone.
use super::lock::{self, Room};
use super::wire::{self, FromGuest, NoRun, Run, ToGuest};
use super::{Arguments, GUEST_ARGUMENT, PROGRAMS_MAX};
use crate::cache::Code;
use crate::config::{RuntimeConfig, StopHandle};
use crate::host::Ticked;
use crate::{PrepareError, Prepared, RunReport, Runtime};
use protocol::ids::ProgramHash;
use std::any::Any;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{self, ExitCode};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

/// The sandbox wants 1 MiB of stack; the rest is for what calls it.
const STACK_BYTES: usize = 2 << 20;
/// Reports that wait to be written together.
const WAITING_BYTES_MAX: usize = 64 << 10;
/// How long the first of them waits for a next shard's end. A tick of the run (5 ms) ends the wait, too.
const WAITING_MAX: Duration = Duration::from_micros(200);
/// What is read from the socket at once.
const READ_BYTES: usize = 64 << 10;
/// A frame's inputs come from one frame of the network, or from parts of blobs that are no longer than outputs.
const TO_GUEST_BYTES_MAX: usize = 1 << 30;

/// The whole of a guest process; `None` when this process is none.
pub(crate) fn serve() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != GUEST_ARGUMENT {
        return None;
    }
    let arguments = Arguments::parse(arguments);
    // What goes wrong here is told by the socket's end: nobody reads words of this process.
    let served = arguments.ok_or(io::ErrorKind::InvalidInput.into()).and_then(run);
    Some(served.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS))
}

fn run(arguments: Arguments) -> io::Result<()> {
    let confined = lock::confine();
    // As a file, so that it takes `read` and `write` and no call of the network.
    let socket = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let Ok(sandbox) = Runtime::new(RuntimeConfig {
        slots: arguments.slots,
        memory_bytes_max: arguments.memory_bytes_max,
        ..RuntimeConfig::default()
    }) else {
        return Err(io::ErrorKind::OutOfMemory.into());
    };
    let guest = Arc::new(Guest {
        sandbox,
        input: Mutex::new(BufReader::with_capacity(READ_BYTES, socket.try_clone()?)),
        output: Mutex::new(socket),
        programs: Mutex::default(),
        stops: Mutex::default(),
    });
    // Nobody reads before all threads are there and the door is shut: this lock is held until then.
    let turn = crate::lock(&guest.input);
    let begun = Arc::new(Barrier::new(arguments.slots as usize + 2));
    let threads: Vec<_> = (0..=arguments.slots)
        .map(|number| start(Arc::clone(&guest), Arc::clone(&begun), number))
        .collect::<io::Result<_>>()?;
    // A thread's first steps take calls that are forbidden afterwards.
    begun.wait();
    let missing = confined.lock(&Room {
        slots: arguments.slots,
        memory_bytes_max: arguments.memory_bytes_max,
    });
    let is_fit = missing.is_empty() || !arguments.required;
    guest.say(&FromGuest::Ready { missing })?;
    if !is_fit {
        return Err(io::ErrorKind::Unsupported.into());
    }
    drop(turn);
    // They end with the process.
    threads.into_iter().try_for_each(|thread| {
        let ended = thread.join();
        ended.map_err(|_| io::Error::other("a thread broke"))
    })
}

fn start(guest: Arc<Guest>, begun: Arc<Barrier>, number: u32) -> io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new()
        .name(format!("guest-{number}"))
        .stack_size(STACK_BYTES)
        .spawn(move || {
            crate::alarm::prepare();
            begun.wait();
            guest.work();
        })
}

/// What the threads share.
struct Guest {
    sandbox: Runtime,
    input: Mutex<BufReader<File>>,
    output: Mutex<File>,
    programs: Mutex<HashMap<ProgramHash, Loaded>>,
    /// What runs, or ran last, by slot.
    stops: Mutex<HashMap<u16, Vec<(u32, StopHandle)>>>,
}

/// A program, or why it cannot run.
type Loaded = Result<Prepared, String>;

/// A run, and what stops its shards.
struct Task {
    run: Run,
    program: Loaded,
    stops: Vec<(u32, StopHandle)>,
}

impl Guest {
    fn work(self: Arc<Self>) {
        let outbox = Arc::new(Outbox {
            guest: Arc::clone(&self),
            waiting: Mutex::default(),
        });
        while let Ok(task) = self.next() {
            if self.perform(&task, &outbox).is_err() {
                break;
            }
        }
        // The parent is gone, or talks nonsense: nothing here is of use to anybody.
        process::exit(0);
    }

    /// Takes the turn until there is something to run.
    fn next(&self) -> io::Result<Task> {
        let mut input = crate::lock(&self.input);
        loop {
            match read(&mut *input)? {
                ToGuest::Load { program, bytes } => {
                    let mut code = vec![0; bytes as usize];
                    input.read_exact(&mut code)?;
                    self.load(program, code);
                }
                ToGuest::Forget { program } => drop(crate::lock(&self.programs).remove(&program)),
                ToGuest::Stop { slot, shards } => self.stop(slot, &shards),
                ToGuest::Run(run) => return Ok(self.task(run)),
            }
        }
    }

    fn load(&self, program: ProgramHash, code: Vec<u8>) {
        let loaded = self.sandbox.load(&Code::from_parent(code));
        let loaded = loaded.map_err(|error: PrepareError| error.to_string());
        let mut programs = crate::lock(&self.programs);
        // The parent keeps the count; this only bounds what a mistake of it would cost.
        if programs.len() < PROGRAMS_MAX || programs.contains_key(&program) {
            programs.insert(program, loaded);
        }
    }

    fn stop(&self, slot: u16, shards: &[u32]) {
        let stops = crate::lock(&self.stops);
        let of_slot = stops.get(&slot).into_iter().flatten();
        let meant = of_slot.filter(|(shard, _)| shards.contains(shard));
        meant.for_each(|(_, stop)| stop.stop());
    }

    /// Under the turn, so that a stop that follows finds what it stops.
    fn task(&self, run: Run) -> Task {
        let program = crate::lock(&self.programs).get(&run.program).cloned();
        let program = program.unwrap_or_else(|| Err(String::from("the program was not loaded")));
        let stops: Vec<_> = run
            .shards
            .iter()
            .map(|(shard, _)| (*shard, StopHandle::new()))
            .collect();
        crate::lock(&self.stops).insert(run.slot, stops.clone());
        Task { run, program, stops }
    }

    fn perform(&self, task: &Task, outbox: &Arc<Outbox>) -> io::Result<()> {
        let for_ticks = Arc::clone(outbox);
        // A socket that is gone is seen when the shard ends.
        let ticked: Ticked = Arc::new(move || drop(for_ticks.flush()));
        for ((shard, input), (_, stop)) in task.run.shards.iter().zip(&task.stops) {
            let result = match &task.program {
                Err(why) => Err(NoRun::Unfit(why.clone())),
                Ok(program) => {
                    let (entry, limits) = (&task.run.entry, &task.run.limits);
                    guarded(|| {
                        program.run_ticked(entry, input.clone(), limits, stop, Some(Arc::clone(&ticked)))
                    })
                }
            };
            let (slot, shard) = (task.run.slot, *shard);
            outbox.push(&FromGuest::Ended { slot, shard, result }, task.run.carefully)?;
        }
        outbox.flush()
    }

    fn say(&self, message: &FromGuest) -> io::Result<()> {
        let mut frame = Vec::new();
        wire::encode(message, &mut frame);
        crate::lock(&self.output).write_all(&frame)
    }
}

fn guarded(run: impl FnOnce() -> RunReport) -> Result<RunReport, NoRun> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| NoRun::Broken(words(&*panic).to_owned()))
}

fn words(panic: &dyn Any) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("the sandbox itself failed")
}

fn read(input: &mut impl Read) -> io::Result<ToGuest> {
    let mut length = [0; wire::LENGTH_BYTES];
    input.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > TO_GUEST_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; length];
    input.read_exact(&mut frame)?;
    wire::decode(&frame).map_err(io::Error::other)
}

/// Reports of one thread that wait to be written together.
struct Outbox {
    guest: Arc<Guest>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    frames: Vec<u8>,
    /// When the first of them came.
    since: Option<Instant>,
}

impl Outbox {
    fn push(&self, message: &FromGuest, at_once: bool) -> io::Result<()> {
        let mut waiting = crate::lock(&self.waiting);
        wire::encode(message, &mut waiting.frames);
        let since = *waiting.since.get_or_insert_with(Instant::now);
        let is_due = at_once || waiting.frames.len() >= WAITING_BYTES_MAX || since.elapsed() >= WAITING_MAX;
        if is_due { self.write(&mut waiting) } else { Ok(()) }
    }

    fn flush(&self) -> io::Result<()> {
        self.write(&mut crate::lock(&self.waiting))
    }

    fn write(&self, waiting: &mut Waiting) -> io::Result<()> {
        if waiting.frames.is_empty() {
            return Ok(());
        }
        let written = crate::lock(&self.guest.output).write_all(&waiting.frames);
        waiting.frames.clear();
        // A large output must not stay in memory for good.
        waiting.frames.shrink_to(2 * WAITING_BYTES_MAX);
        waiting.since = None;
        written
    }
}
