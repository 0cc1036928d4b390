//! The wall clock jumps, and nobody's lease notices.
//!
//! The coordinator runs with a small library before the system's own, compiled here, which adds what a file
//! says to every look at the wall clock; the monotonic clock is left alone, as by a person or a time server.
use crate::site::{Site, until, until_accepted};
use crate::worker::{Crew, Manner};
use protocol::job::JobState;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const HOUR_S: i64 = 3_600;
const YEAR_S: i64 = 365 * 24 * HOUR_S;
/// What the clock is off by, one after the other.
const JUMPS_S: [i64; 8] = [HOUR_S, -HOUR_S, YEAR_S, -YEAR_S, 0, -1, -YEAR_S - HOUR_S, 90];
/// Every lease takes so long, so that some are out at every jump.
const MANNER: Manner = Manner {
    window: 8,
    lease_ms: 20,
    ..Manner::PLAIN
};
const WORKERS: u64 = 4;
/// The promise: the job takes at most so much longer.
const LONGER_MAX: Duration = Duration::from_secs(1);

const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
static volatile long *offset;
__attribute__((constructor)) static void begin(void) {
    int file = open(getenv("CLOCK_OFFSET"), O_RDONLY);
    void *page = mmap(0, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) offset = page;
}
static long off(void) { return offset ? *offset : 0; }
int clock_gettime(clockid_t clock, struct timespec *out) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, out);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) out->tv_sec += off();
    return result;
}
int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    static int (*real)(struct timeval *, void *);
    if (!real) real = dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(out, zone);
    out->tv_sec += off();
    return result;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
"#;

/// A wall clock that the test sets.
pub(crate) struct WallClock {
    library: PathBuf,
    offset: PathBuf,
}

impl WallClock {
    pub(crate) fn new(folder: &Path) -> Self {
        let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
        fs::write(&source, SHIM).unwrap();
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .status();
        assert!(
            compiled.unwrap().success(),
            "the shim of the clock does not compile"
        );
        let clock = Self {
            library,
            offset: folder.join("offset"),
        };
        fs::write(&clock.offset, 0_i64.to_ne_bytes()).unwrap();
        clock
    }

    /// The command under this clock.
    pub(crate) fn over(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("CLOCK_OFFSET", &self.offset);
    }

    /// Now, and for everything that is asked from now on. The file keeps its place, or the map would be of
    /// one that is gone.
    pub(crate) fn jump(&self, offset_s: i64) {
        use std::io::Write as _;
        let mut file = fs::File::options().write(true).open(&self.offset).unwrap();
        file.write_all(&offset_s.to_ne_bytes()).unwrap();
    }
}

async fn lost(site: &Site) -> u64 {
    let workers = site.get("/workers").await;
    let workers = workers["workers"].as_array().unwrap().iter();
    workers.map(|worker| worker["lost"].as_u64().unwrap()).sum()
}

/// How long a job takes, with the clock jumping so often.
async fn job_under(site: &Site, clock: &WallClock, shards: u64, jumps: &[i64]) -> Duration {
    let start = Instant::now();
    let id = site.submit(shards).await;
    for (number, offset_s) in jumps.iter().enumerate() {
        let at = shards * (number as u64 + 1) / (jumps.len() as u64 + 2);
        until_accepted(site, id, at).await;
        clock.jump(*offset_s);
        let seen = || async { Some((site.job(id).await.submitted_ms > 0).then_some(())).flatten() };
        until("the API answers after the jump", seen).await;
    }
    let job = site.until_over(id).await;
    assert_eq!((job.state, job.counts.accepted), (JobState::Succeeded, shards));
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clock_jumps() {
    let (rounds, shards) = promise::amount((1, 2_000), (20, 8_000));
    let mut site = Site::embedded(&[]);
    let clock = WallClock::new(&site.root());
    let mut command = site.command();
    clock.over(&mut command);
    site.spawn(&mut command);
    site.until_ready().await;
    let crew = Crew::new(site.address, 1, WORKERS, MANNER);
    crew.open();
    let still = job_under(&site, &clock, shards, &[]).await;
    let mut slowest = Duration::ZERO;
    for _ in 0..rounds {
        slowest = slowest.max(job_under(&site, &clock, shards, &JUMPS_S).await);
    }
    let executed = crew.executed();
    let all = shards * (rounds + 1);
    assert_eq!(lost(&site).await, 0, "leases ran out early");
    // What is offered twice at the end of a job is no lease that ran out.
    let again_max = (rounds + 1) * WORKERS * u64::from(MANNER.window);
    assert!(
        executed <= all + again_max,
        "{executed} executions of {all} shards"
    );
    let longer = slowest.saturating_sub(still);
    assert!(longer <= LONGER_MAX, "{slowest:?} instead of {still:?}");
    // The clock is off: what people are shown says so, or nothing jumped.
    clock.jump(YEAR_S);
    let id = site.submit(1).await;
    let shown_ms = i64::try_from(site.job(id).await.submitted_ms).unwrap();
    let now_ms = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let ahead_ms = shown_ms - i64::try_from(now_ms).unwrap();
    assert!(
        ahead_ms > (YEAR_S - HOUR_S) * 1_000,
        "the shim does nothing: {ahead_ms} ms"
    );
    site.assert_no_panic();
    promise::kept(
        "clock_jumps",
        &format!(
            "{} jumps of the wall clock by up to a year, either way, under {executed} executions: 0 leases ended \
             early, 0 stuck; the job took at most {:.2} s longer than {:.2} s",
            rounds * JUMPS_S.len() as u64,
            longer.as_secs_f64(),
            still.as_secs_f64()
        ),
    );
}
