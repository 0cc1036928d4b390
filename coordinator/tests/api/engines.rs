//! A script runs in the engine it was built for, also when the coordinator carries a newer one.
use crate::support::{RawWorker, Server};
use coordinator::blobs::Blobs;
use coordinator::config::Settings;
use coordinator::open_store;
use coordinator::store::Op;
use protocol::ids::ProgramHash;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;

/// The engine of another version: here only what it says of itself differs.
fn other_engine() -> Vec<u8> {
    const KEY: &[u8] = b"\"version\":\"";
    let mut module = script_engine::WASM.to_vec();
    let at = module.windows(KEY.len()).position(|part| part == KEY).unwrap() + KEY.len();
    module[at] = b'9';
    module
}

/// A script as a former coordinator stored it: its container names `engine`.
fn script_for(engine: &str) -> program::Admitted {
    let container = program::script::build("double.js", "export const double = (x) => 2 * x;").unwrap();
    let mut admitted = program::admit(container).unwrap();
    let name = script_engine::SHA256.as_bytes();
    let at = admitted
        .bytes
        .windows(name.len())
        .position(|part| part == name)
        .unwrap();
    admitted.bytes[at..at + name.len()].copy_from_slice(engine.as_bytes());
    admitted.hash = ProgramHash::of(&admitted.bytes);
    admitted
}

/// Stores programs where a coordinator that is not running will find them.
async fn store(folder: &Path, programs: Vec<program::Admitted>) {
    let settings = Settings {
        data_dir: folder.into(),
        ..Settings::default()
    };
    let blobs = Blobs::open(settings.blob_dir()).unwrap();
    let mut store = open_store(&settings).unwrap();
    for admitted in programs {
        let add = Op::AddProgram {
            hash: admitted.hash,
            length: admitted.bytes.len() as u64,
            description: Box::new(admitted.description),
        };
        blobs.put(admitted.bytes.into()).await.unwrap();
        store.commit(&[add]).unwrap();
    }
}

fn job(program: ProgramHash) -> Value {
    json!({"program": program, "entry": "double", "input": {"range": {"start": 0, "end": 3}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_is_launched_in_the_engine_that_it_names() {
    let folder = TempDir::new().unwrap();
    let engine = other_engine();
    let script = script_for(&ProgramHash::of(&engine).to_string());
    let (engine, program) = (program::admit(engine).unwrap(), script.hash);
    let wanted = engine.hash;
    store(folder.path(), vec![engine, script]).await;

    let server = Server::start_in(folder.path(), |_| {}).await;
    let mut worker = RawWorker::join(&server, 1).await;
    server.submit(&job(program)).await;
    let opened = worker.opened().await;
    assert_eq!(opened.program, wanted, "the engine that is carried was taken");
    drop(worker);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_whose_engine_is_gone_is_refused_and_says_what_to_do() {
    let folder = TempDir::new().unwrap();
    let script = script_for(&"ab".repeat(32));
    let program = script.hash;
    store(folder.path(), vec![script]).await;

    let server = Server::start_in(folder.path(), |_| {}).await;
    let (status, problem) = server.post("/jobs", &job(program)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("abababab") && detail.contains("upload the script again"),
        "{detail}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_that_is_carried_is_stored_for_the_versions_to_come() {
    let folder = TempDir::new().unwrap();
    Server::start_in(folder.path(), |_| {}).await.stop().await;
    let settings = Settings {
        data_dir: folder.path().into(),
        ..Settings::default()
    };
    let stored = open_store(&settings).unwrap().reader().programs().unwrap();
    let (hash, ..) = stored
        .iter()
        .find(|(_, _, description)| description.name == script_engine::NAME)
        .expect("the engine is not among the stored programs");
    let blobs = Blobs::open(settings.blob_dir()).unwrap();
    let bytes = blobs
        .read_all(protocol::ids::BlobHash(hash.0), 8 << 20)
        .await
        .unwrap()
        .unwrap();
    let before = program::hash_before_admission(&bytes).unwrap();
    assert_eq!(before.to_string(), script_engine::SHA256);
}
