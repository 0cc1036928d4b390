//! The client against a real server with a real worker, both in this process.
use coordinator::config::Config;
use coordinator::{Coordinator, auth};
use elytra_client::{Cause, Elytra, Error, JobState, Options};
use native_worker::{NativeWorkerConfig, Stop};
use protocol::api::{Scope, TokenRequest};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long anything may take: a debug build on a busy machine.
const WAIT_MAX: Duration = Duration::from_secs(60);
const SCRIPT: &str = "\
export default (n) => n * n;
export const wave = (n) => Math.sin(n) / (n + 1);
export const add = (a, b) => a + b;
export const even = (n) => (n % 2 === 0 ? n : null);
export const plus = (n, { plus }) => n + plus;
export const forever = () => { for (;;); };
export const point = ({ x, y }) => ({ x: y, y: x });
export const careful = (n) => {
  if (n === 13) throw new Error(`no luck with ${n}`);
  return n;
};
";

/// One server for all tests, in a thread of its own.
async fn elytra() -> Elytra {
    static OPTIONS: OnceLock<Options> = OnceLock::new();
    let options = tokio::task::spawn_blocking(|| OPTIONS.get_or_init(serve).clone());
    Elytra::connect(options.await.unwrap()).await.unwrap()
}

fn serve() -> Options {
    let (tell, told) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(run(tell)).unwrap();
    });
    told.recv_timeout(WAIT_MAX).unwrap()
}

async fn run(tell: mpsc::SyncSender<Options>) -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let flags = [("data_dir".to_owned(), data.path().display().to_string())];
    let settings = Config::load(None, std::iter::empty(), &flags)?.settings;
    let mut store = coordinator::open_store(&settings)?;
    let scopes = Scope::ALL.map(|(scope, _)| scope).to_vec();
    let request = TokenRequest {
        name: "test".into(),
        scopes,
        expires_ms: None,
    };
    let token = auth::make_token_offline(&mut *store, request)?.token;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let server = format!("http://{}", listener.local_addr()?);
    let coordinator = Coordinator::start(store, &settings).await?;
    // Compiled code outlives the run, so that only the first one compiles the script engine.
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("client-worker");
    let mut worker = NativeWorkerConfig::new(&server, kept);
    worker.token = Some(token.clone());
    worker.slots = 2;
    let (_stop, stopping) = watch::channel(Stop::No);
    tell.send(Options::new(server).token(token))?;
    tokio::select! {
        served = coordinator.serve(listener, None, std::future::pending()) => served,
        worked = native_worker::run(worker, stopping) => Ok(worked?),
    }
}

#[tokio::test]
async fn outputs_come_in_the_order_of_their_items() {
    let elytra = elytra().await;
    let script = elytra.script("square.js", SCRIPT).unwrap();
    let squares: Vec<u64> = elytra
        .range(0..1000)
        .map(script.entry("default"))
        .collect()
        .await
        .unwrap();
    assert_eq!(squares, (0..1000).map(|n| n * n).collect::<Vec<u64>>());
    let thirds: Vec<i64> = elytra
        .range(0..10)
        .step_by(3)
        .map(script.entry("plus"))
        .params(json!({ "plus": 1 }))
        .collect()
        .await
        .unwrap();
    assert_eq!(thirds, [1, 4, 7, 10]);
    let even: Vec<u32> = elytra
        .items([1, 2, 3, 4])
        .filter_map(script.entry("even"))
        .collect()
        .await
        .unwrap();
    assert_eq!(even, [2, 4]);
    let none: Vec<u32> = elytra
        .items(Vec::<u32>::new())
        .map(script.entry("even"))
        .collect()
        .await
        .unwrap();
    assert!(none.is_empty());
}

#[tokio::test]
async fn a_sum_has_the_same_bits_however_its_items_travel() {
    let elytra = elytra().await;
    let script = elytra.script("wave.js", SCRIPT).unwrap();
    let (wave, add) = (|| script.entry("wave"), || script.entry("add"));
    let total: f64 = elytra.range(0..2000).map(wave()).reduce(add()).await.unwrap();
    let lines = elytra.items(0..2000).map(wave()).grain(7);
    let again: f64 = lines.reduce(add()).await.unwrap();
    assert_eq!(total.to_bits(), again.to_bits());
    let plain: f64 = (0..2000).map(|n| f64::from(n).sin() / f64::from(n + 1)).sum();
    assert!((total - plain).abs() < 1e-9, "{total} {plain}");

    let nothing = elytra.range(5..5).map(wave()).reduce::<f64>(add()).await;
    assert!(matches!(nothing, Err(Error::Empty)), "{nothing:?}");
    let other = elytra.built_in("rust-core").entry("null");
    let strangers = elytra.range(0..5).map(wave()).reduce::<f64>(other).await;
    assert!(matches!(strangers, Err(Error::Usage(_))), "{strangers:?}");
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: u32,
    y: u32,
}

#[tokio::test]
async fn an_endless_iterator_is_asked_for_no_more_than_may_be_in_flight() {
    const IN_FLIGHT: u64 = 500;
    const TAKEN: u64 = 2_000;
    let elytra = elytra().await;
    let script = elytra.script("point.js", SCRIPT).unwrap();
    let asked = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&asked);
    let points = (0..).map(move |x| {
        counter.fetch_add(1, Ordering::Relaxed);
        Point { x, y: 7 }
    });
    let mapped = elytra
        .items(points)
        .map(script.entry("point"))
        .in_flight(IN_FLIGHT);
    let mut outputs = mapped.stream::<Point>().await.unwrap();
    for n in 0..TAKEN {
        let point = outputs.next().await.unwrap().unwrap();
        let y = u32::try_from(n).unwrap();
        assert_eq!(point, Point { x: 7, y });
        // Beyond the window: what waits between the iterator and the sender, and one in each hand.
        let ahead = asked.load(Ordering::Relaxed) - n;
        assert!(ahead <= IN_FLIGHT + 256 + 3, "{ahead} at {n}");
    }
    let job = outputs.job().unwrap();
    drop(outputs);
    until_canceled(&elytra, job).await;
}

#[tokio::test]
async fn a_job_whose_outputs_nobody_waits_for_is_cancelled() {
    let elytra = elytra().await;
    let script = elytra.script("forever.js", SCRIPT).unwrap();
    let mapped = elytra.range(0..4).map(script.entry("forever"));
    let outputs = mapped.unordered().stream::<u32>().await.unwrap();
    let job = outputs.job().unwrap();
    assert!(!elytra.client().job(job).await.unwrap().state.is_over());
    drop(outputs);
    until_canceled(&elytra, job).await;
}

async fn until_canceled(elytra: &Elytra, job: elytra_client::JobId) {
    let start = Instant::now();
    loop {
        let state = elytra.client().job(job).await.unwrap().state;
        if state == JobState::Canceled {
            return;
        }
        assert!(start.elapsed() < WAIT_MAX, "the job stays {state}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_mistake_names_the_item_and_the_authors_line() {
    let elytra = elytra().await;
    let script = elytra.script("careful.js", SCRIPT).unwrap();
    let mapped = || elytra.range(0..30).map(script.entry("careful")).attempts(1);
    let error = mapped().grain(5).collect::<Vec<u32>>().await.unwrap_err();
    let Error::ItemFailed {
        items, cause, detail, ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!((items.clone(), *cause), (13..14, Cause::ItemFailed));
    assert!(
        detail.contains("no luck with 13") && detail.contains("careful.js:9:"),
        "{detail}"
    );
    // The others are there all the same for who wants them.
    let mut outputs = mapped().grain(1).skip_failures().stream::<u32>().await.unwrap();
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    while let Some(output) = outputs.next_with_index().await {
        match output {
            Ok((index, output)) => good.push((index, output)),
            Err(Error::ItemFailed { items, .. }) => bad.extend(items),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((good.len(), bad), (29, vec![13]));
    assert_eq!(good.last(), Some(&(29, 29)));
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_place() {
    let elytra = elytra().await;
    let script = elytra.script("open.js", "export default (n) => {\n").unwrap();
    let run = elytra.range(0..3).map(script.entry("default"));
    let error = run.collect::<Vec<u32>>().await.unwrap_err();
    let Error::Problem(problem) = &error else {
        panic!("{error}");
    };
    assert_eq!(problem.status, 422);
    assert!(error.to_string().contains("open.js:"), "{error}");

    let script = elytra.script("square.js", SCRIPT).unwrap();
    let texts = elytra
        .range(0..3)
        .map(script.entry("default"))
        .collect::<Vec<String>>();
    let error = texts.await.unwrap_err();
    assert!(matches!(error, Error::Output { index: 0, .. }), "{error}");

    // Nothing listens on port 1.
    let nobody = Elytra::connect(Options::new("http://127.0.0.1:1")).await;
    assert!(matches!(nobody, Err(Error::Unreachable { .. })));
    let stranger = Options::new(elytra.client().server()).token("elytra_wrong_wrong");
    let stranger = Elytra::connect(stranger).await;
    assert!(matches!(stranger, Err(Error::Problem(problem)) if problem.status == 401));
}

#[tokio::test]
async fn a_command_writes_bytes() {
    let elytra = elytra().await;
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/commands/built/words.wasm");
    let words = elytra.program_file(built).unwrap();
    let counted = elytra.items(["one two", "three"]).map(words.entry("main"));
    let counted: Vec<String> = counted.params(json!({ "each": true })).collect().await.unwrap();
    assert_eq!(counted, ["1 2 8\n", "1 1 6\n"]);
}
