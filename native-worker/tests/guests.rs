//! Guest processes of a real worker: one for each tenant, and what happens when one breaks.
mod server;

use native_worker::{NativeWorkerConfig, RunError, Stop, run};
use protocol::ids::{LeaseId, ProgramHash};
use protocol::wire::{Cause, FromWorker, LeaseInput, ToWorker};
use runtime::guest::{GuestProgram, Sandbox};
use server::{Server, Session, lease, open, within};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// No step of a test takes longer on any machine that can build this.
const BOUND: Duration = Duration::from_secs(60);

struct Worker {
    stop: watch::Sender<Stop>,
    task: JoinHandle<Result<(), RunError>>,
    _cache: tempfile::TempDir,
}

fn start(url: &str, slots: u16) -> Worker {
    let cache = tempfile::tempdir().expect("a folder");
    let mut config = NativeWorkerConfig::new(url, cache.path());
    (config.slots, config.memory_mib, config.token) = (slots, 64, Some("secret".into()));
    config.guests = Sandbox::Auto.guests_of(env!("CARGO_BIN_EXE_native-worker").into());
    let (stop, stopped) = watch::channel(Stop::No);
    Worker {
        stop,
        task: tokio::spawn(run(config, stopped)),
        _cache: cache,
    }
}

impl Worker {
    async fn end(self) {
        self.stop.send_replace(Stop::Now);
        within(self.task).await.expect("no panic").expect("a good end");
    }
}

async fn open_for(session: &mut Session, job: u32, owner: &str, entry: &str, program: ProgramHash) {
    let mut opened = open(job, entry, program);
    opened.owner = owner.into();
    session.send(ToWorker::Open(opened)).await;
}

async fn execute(session: &mut Session, id: u64, job: u32, shards: u32) {
    let lease = lease(id, job, shards, LeaseInput::Computed);
    session.send(ToWorker::Lease(lease)).await;
}

/// The guest processes of this process, oldest first.
fn guests() -> Vec<u32> {
    let own = std::process::id();
    let children = fs::read_dir(format!("/proc/{own}/task")).expect("this process");
    let children =
        children.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
    let children = children.collect::<String>();
    let mut guests: Vec<u32> = children
        .split_ascii_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0)
                .any(|argument| argument == b"__guest")
        })
        .collect();
    guests.sort_unstable();
    guests
}

async fn until<T>(what: &str, mut seen: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + BOUND;
    loop {
        if let Some(seen) = seen() {
            return seen;
        }
        assert!(Instant::now() < until, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How much a process has computed, in ticks of the kernel.
fn computed(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = status.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
    fields.get(11).and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
}

/// One test at a time: their guests are children of one process.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn tenants_have_processes_of_their_own_and_what_breaks_is_only_an_attempt() {
    let _alone = ALONE.lock().await;
    let mut server = Server::start(None).await;
    let worker = start(&server.url, 2);
    let mut session = server.welcome().await;
    let program = server.program;
    for (job, owner, entry) in [
        (1, "one", "echo"),
        (2, "one", "spin"),
        (3, "other", "echo"),
        (4, "other", "spin"),
    ] {
        open_for(&mut session, job, owner, entry, program).await;
    }
    // The spare one has become the tenant's, and there is another.
    execute(&mut session, 1, 1, 1).await;
    assert!(matches!(session.next().await, FromWorker::Finished { .. }));
    until("a tenant's process and a spare one", || {
        (guests().len() == 2).then_some(())
    })
    .await;
    execute(&mut session, 2, 1, 50).await;
    answered(&mut session, 50).await;
    assert_eq!(guests().len(), 2, "the same tenant has the same process");
    execute(&mut session, 3, 3, 1).await;
    answered(&mut session, 1).await;
    until("one for another tenant", || (guests().len() == 3).then_some(())).await;

    // Both compute, and each in its own.
    execute(&mut session, 4, 2, 1).await;
    execute(&mut session, 5, 4, 1).await;
    let busy = || {
        guests()
            .into_iter()
            .filter(|pid| computed(*pid) > 10)
            .collect::<Vec<_>>()
    };
    let busy = until("two processes that compute", || {
        Some(busy()).filter(|busy| busy.len() == 2)
    })
    .await;

    // One of them is killed, as by a machine without memory: what it ran has failed.
    kill(busy[0]);
    let FromWorker::Failed {
        lease: failed,
        failure,
        ..
    } = session.next().await
    else {
        panic!("failed")
    };
    assert!([LeaseId(4), LeaseId(5)].contains(&failed));
    assert_eq!(failure.cause, Cause::Lost);
    assert!(failure.detail.contains("signal 9"), "{}", failure.detail);
    // The worker and the other tenant go on.
    let other = if failed == LeaseId(4) { 3 } else { 1 };
    execute(&mut session, 6, if other == 3 { 1 } else { 3 }, 3).await;
    answered(&mut session, 3).await;
    assert!(
        guests().contains(&busy[1]),
        "the neighbour's process is still there"
    );
    worker.end().await;
    until("nothing stays behind", || guests().is_empty().then_some(())).await;
}

/// The process that computes, though it is another than `not`.
async fn computing(not: u32) -> u32 {
    let busy = || {
        guests()
            .into_iter()
            .find(|pid| *pid != not && computed(*pid) > 10)
    };
    until("a process that computes", busy).await
}

#[tokio::test]
async fn only_the_shard_that_broke_its_process_has_failed() {
    let _alone = ALONE.lock().await;
    let mut server = Server::start(None).await;
    let worker = start(&server.url, 1);
    let mut session = server.welcome().await;
    open_for(&mut session, 1, "one", "twenty", server.program).await;
    // Items begin at 7. After these it is known how short they are, so that the next come as one batch.
    execute(&mut session, 1, 1, 8).await;
    answered(&mut session, 8).await;
    execute(&mut session, 2, 1, 40).await;
    // What ended before it is told while it runs.
    answered(&mut session, 13).await;
    let first = computing(0).await;
    kill(first);
    // Everything that was not answered is run again; the second time it is known what ran.
    kill(computing(first).await);
    let FromWorker::Failed { shard, failure, .. } = session.next().await else {
        panic!("failed")
    };
    assert_eq!((shard, failure.cause), (13, Cause::Lost));
    answered(&mut session, 26).await;
    worker.end().await;
    until("nothing stays behind", || guests().is_empty().then_some(())).await;
}

fn kill(pid: u32) {
    let killed = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    assert!(killed.expect("kill").success());
}

async fn answered(session: &mut Session, shards: u32) {
    let mut seen = 0;
    while seen < shards {
        match session.next().await {
            FromWorker::Finished { outputs, .. } => seen += outputs.run.count,
            other => panic!("not finished: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_worker_without_processes_for_programs_does_not_start() {
    let cache = tempfile::tempdir().expect("a folder");
    let mut config = NativeWorkerConfig::new("http://127.0.0.1:9", cache.path());
    config.guests = Some(GuestProgram {
        program: "/bin/false".into(),
        required: false,
    });
    let (_stop, stopped) = watch::channel(Stop::No);
    let error = within(run(config, stopped)).await.expect_err("it cannot");
    assert!(error.to_string().contains("--sandbox off"), "{error}");
}
