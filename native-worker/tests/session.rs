//! The real worker against a server that speaks raw frames: its sandbox, threads and HTTP are real.
mod server;

use bytes::Bytes;
use native_worker::{NativeWorkerConfig, RunError, Stop, run};
use protocol::ids::{BlobHash, LeaseId, ProgramHash};
use protocol::wire::{Cause, FromWorker, LeaseInput, RefusalCode, ToWorker};
use server::{Server, Session, lease, open, within};
use tokio::sync::watch;
use tokio::task::JoinHandle;

struct Worker {
    stop: watch::Sender<Stop>,
    task: JoinHandle<Result<(), RunError>>,
    cache: tempfile::TempDir,
}

fn start(url: &str, slots: u16) -> Worker {
    start_with(url, slots, |_| ())
}

fn start_with(url: &str, slots: u16, change: impl FnOnce(&mut NativeWorkerConfig)) -> Worker {
    let cache = tempfile::tempdir().expect("a folder");
    let mut config = NativeWorkerConfig::new(url, cache.path());
    (config.slots, config.memory_mib, config.token) = (slots, 64, Some("secret".into()));
    change(&mut config);
    let (stop, stopped) = watch::channel(Stop::No);
    Worker {
        stop,
        task: tokio::spawn(run(config, stopped)),
        cache,
    }
}

impl Worker {
    async fn ended(self) -> Result<(), RunError> {
        within(self.task).await.expect("no panic")
    }
}

async fn execute(session: &mut Session, id: u64, job: u32) -> FromWorker {
    session
        .send(ToWorker::Lease(lease(id, job, 1, LeaseInput::Computed)))
        .await;
    session.next().await
}

#[tokio::test]
async fn a_session_from_hello_to_goodbye() {
    let mut server = Server::start(None).await;
    let worker = start(&server.url, 1);
    whole_session(&mut server, worker).await;
}

#[tokio::test]
async fn the_same_session_with_guest_processes() {
    let mut server = Server::start(None).await;
    let worker = start_with(&server.url, 1, |config| {
        let program = env!("CARGO_BIN_EXE_native-worker").into();
        config.guests = runtime::guest::Sandbox::Auto.guests_of(program);
    });
    whole_session(&mut server, worker).await;
}

async fn whole_session(server: &mut Server, worker: Worker) {
    let mut session = server.welcome().await;
    for (job, entry) in [(1, "echo"), (2, "long"), (3, "trap"), (4, "spin")] {
        session
            .send(ToWorker::Open(open(job, entry, server.program)))
            .await;
    }

    let FromWorker::Finished { outputs, .. } = execute(&mut session, 1, 1).await else {
        panic!("finished")
    };
    assert_eq!(outputs.data, kernel_abi_input(7));

    let FromWorker::FinishedBlob { blob, length, .. } = execute(&mut session, 2, 2).await else {
        panic!("a blob")
    };
    let long = server.uploaded().await;
    assert_eq!((blob, length), (BlobHash::of(&long), long.len() as u64));

    let FromWorker::Failed { failure, .. } = execute(&mut session, 3, 3).await else {
        panic!("failed")
    };
    assert_eq!(failure.cause, Cause::Trapped);
    assert!(failure.detail.contains("unreachable"), "{}", failure.detail);

    // A program that never ends is stopped, and its only slot goes on with something else.
    session
        .send(ToWorker::Lease(lease(4, 4, 1, LeaseInput::Computed)))
        .await;
    session
        .send(ToWorker::Cancel {
            lease: LeaseId(4),
            shards: Vec::new(),
        })
        .await;
    assert!(matches!(
        execute(&mut session, 5, 1).await,
        FromWorker::Finished { .. }
    ));

    worker.stop.send_replace(Stop::Drain);
    assert!(matches!(
        session.next().await,
        FromWorker::Availability { slots: 0, .. }
    ));
    assert_eq!(session.next().await, FromWorker::Goodbye);
    worker.ended().await.expect("a good end");
}

fn kernel_abi_input(first: i64) -> Bytes {
    // No parameters, one item of a range with step 1.
    let parts: [&[u8]; 5] = [
        &[0; 4],
        &[0],
        &1u32.to_le_bytes(),
        &first.to_le_bytes(),
        &1i64.to_le_bytes(),
    ];
    parts.concat().into()
}

#[tokio::test]
async fn a_program_that_is_not_what_its_name_says_is_refused() {
    let mut server = Server::start(None).await;
    let worker = start(&server.url, 1);
    let mut session = server.welcome().await;
    let other = ProgramHash::of(b"another program");
    session.send(ToWorker::Open(open(1, "echo", other))).await;
    let FromWorker::ProgramRefused { failure, .. } = session.next().await else {
        panic!("refused")
    };
    assert!(failure.detail.contains("SHA-256"), "{}", failure.detail);
    worker.stop.send_replace(Stop::Now);
    worker.ended().await.expect("a good end");
}

#[tokio::test]
async fn a_wrong_token_ends_the_worker_with_the_reason() {
    let mut server = Server::start(None).await;
    let worker = start(&server.url, 1);
    let (mut session, hello) = server.session().await;
    assert_eq!(hello.token.as_deref(), Some("secret"));
    let detail = "the token is unknown; make one with `elytra token create`".to_owned();
    session
        .send(ToWorker::Refused {
            code: RefusalCode::TokenWrong,
            detail,
        })
        .await;
    let error = worker.ended().await.expect_err("an error");
    assert_eq!(error.exit_code(), 3);
    assert!(error.to_string().contains("elytra token create"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_away_is_waited_for_and_finds_the_same_worker_again() {
    let port = server::free_port().await;
    let worker = start(&format!("http://{port}"), 1);
    let mut server = Server::start(Some(port)).await;
    let (session, hello) = server.session().await;
    drop(session);
    let (mut session, again) = server.session().await;
    assert_eq!(hello.worker, again.worker);
    session.welcome().await;
    // What it sends shows that it has read the welcome.
    session
        .send(ToWorker::Open(open(1, "echo", server.program)))
        .await;
    assert!(matches!(
        execute(&mut session, 1, 1).await,
        FromWorker::Finished { .. }
    ));
    worker.stop.send_replace(Stop::Now);
    assert_eq!(session.next().await, FromWorker::Goodbye);
    worker.ended().await.expect("a good end");
}

/// The server's answer to the upgrade names a program; no job does.
#[tokio::test]
async fn a_program_that_the_server_names_is_compiled_before_a_job_does() {
    let mut server = Server::start(None).await;
    let worker = start_with(&server.url, 1, |config| {
        let program = env!("CARGO_BIN_EXE_native-worker").into();
        config.compiler = runtime::Compiler::Child { program };
    });
    let session = server.welcome().await;
    let code = worker.cache.path().join("code");
    let named = server.program.to_string();
    let compiled = || {
        let files = std::fs::read_dir(&code).into_iter().flatten().flatten();
        files
            .filter_map(|file| file.file_name().into_string().ok())
            .any(|name| name.starts_with(&named))
    };
    within(async {
        while !compiled() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
    worker.stop.send_replace(Stop::Now);
    worker.ended().await.expect("a good end");
    drop(session);
}
