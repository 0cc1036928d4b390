//! A disk that is full: said at once, nothing accepted is lost, and the work goes on when there is room.
use crate::checker::{digest, expected_digest};
use crate::site::{Site, until};
use crate::worker::{Crew, Manner};
use protocol::job::JobState;
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const DISK_MIB: u64 = 64;
/// Shards of 4 KiB: less than the disk, more than what the ballast leaves.
const SHARDS: u64 = 5_000;
const MANNER: Manner = Manner {
    window: 256,
    run_max: 64,
    output_bytes: 4_096,
    ..Manner::PLAIN
};
/// The promise: so soon after there is room again.
const BACK_MAX: Duration = Duration::from_secs(5);
/// What is left beside the ballast.
const ROOM_BYTES: u64 = 10 << 20;

/// The coordinator in a mount namespace of its own, where a small disk lies over its data folder, with what
/// was in the folder. It goes with the process, and nobody has to be root for it.
fn on_small_disk(command: &Command, folder: &Path) -> Command {
    let script = format!(
        "cp -a \"$0\" \"$0.kept\" && mount -t tmpfs -o size={DISK_MIB}m tmpfs \"$0\" && cp -a \"$0.kept/.\" \"$0\" \
         && exec \"$@\""
    );
    let mut small = Command::new("unshare");
    small
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .arg(folder)
        .arg(command.get_program())
        .args(command.get_args());
    small
}

/// A file that takes the room away.
struct Ballast(PathBuf);

impl Ballast {
    /// Fills all but `room` bytes of the disk that the process sees at `folder`.
    fn fill(pid: u32, folder: &Path, room: u64) -> Self {
        let seen = PathBuf::from(format!("/proc/{pid}/root")).join(folder.strip_prefix("/").unwrap());
        let used: u64 = used_bytes(&seen);
        let path = seen.join("ballast");
        let bytes = (DISK_MIB << 20).saturating_sub(used + room);
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(&vec![0; usize::try_from(bytes).unwrap()]).unwrap();
        Self(path)
    }

    fn remove(self) {
        std::fs::remove_file(self.0).unwrap();
    }
}

fn used_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let bytes = entries.map(|entry| match entry.metadata().unwrap() {
        data if data.is_dir() => used_bytes(&entry.path()),
        data => data.len(),
    });
    bytes.sum()
}

/// What SQLite says of the whole database, as the process sees it.
fn integrity(pid: u32, folder: &Path) -> String {
    let seen = PathBuf::from(format!("/proc/{pid}/root")).join(folder.strip_prefix("/").unwrap());
    let database = rusqlite::Connection::open(seen.join("elytra.db")).unwrap();
    let verdict = database.query_row("PRAGMA integrity_check", [], |row| row.get(0));
    verdict.unwrap()
}

/// A coordinator whose data lies on a small disk.
async fn site_on_small_disk() -> Site {
    let mut site = Site::embedded(&[]);
    let mut command = on_small_disk(&site.command(), &site.folder());
    site.spawn(&mut command);
    site.until_ready().await;
    site
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disk_full_degrades() {
    let mut site = site_on_small_disk().await;
    let id = site.submit(SHARDS).await;
    let body = site.job_body(json!({"range": {"end": 5}})).await;
    let ballast = Ballast::fill(site.process().pid(), &site.folder(), ROOM_BYTES);
    let crew = Crew::new(site.address, 1, 2, MANNER);
    crew.open();
    let problem = until("the disk is full", || site.unready()).await;
    assert!(
        problem["detail"].as_str().unwrap().contains("is full"),
        "{problem}"
    );
    let overview = site.get("/overview").await;
    assert!(
        overview["store_problem"].as_str().unwrap().contains("Make room"),
        "{overview}"
    );
    let (status, refused) = site.post("/jobs", &body).await;
    assert_eq!(status, StatusCode::INSUFFICIENT_STORAGE, "{refused}");
    assert_eq!(refused["type"], "store_full");
    assert!(
        refused["detail"].as_str().unwrap().contains("is full"),
        "{refused}"
    );
    let too_large = vec![7; usize::try_from(DISK_MIB << 20).unwrap()];
    let upload = site.api(Method::POST, "/blobs").body(too_large);
    assert_eq!(
        upload.send().await.unwrap().status(),
        StatusCode::INSUFFICIENT_STORAGE
    );
    let shown = site.job(id).await.counts.accepted;
    assert!(shown > 0 && shown < SHARDS, "{shown}");
    ballast.remove();
    let since = Instant::now();
    let taken = || async {
        let (status, _) = site.post("/jobs", &body).await;
        (status == StatusCode::CREATED).then_some(())
    };
    until("jobs are taken again", taken).await;
    let back = since.elapsed();
    assert!(back <= BACK_MAX, "back after {back:?}");
    let job = site.until_over(id).await;
    assert_eq!((job.state, job.counts.accepted), (JobState::Succeeded, SHARDS));
    assert!(site.is_ready().await);
    let results = site.results(id, "index").await;
    assert_eq!(
        digest(results.into_iter().map(|(_, output)| output)),
        expected_digest(SHARDS)
    );
    assert_eq!(integrity(site.process().pid(), &site.folder()), "ok");
    site.assert_no_panic();
    promise::kept(
        "disk_full_degrades",
        &format!(
            "{DISK_MIB} MiB disk filled under load with {shown} of {SHARDS} shards accepted: 507 to submitters, 0 lost, the database whole; jobs are taken {:.2} s after there is room again",
            back.as_secs_f64()
        ),
    );
}
