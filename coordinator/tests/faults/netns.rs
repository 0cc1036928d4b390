//! A network that is cut, cut one way, lossy or slow, and whole again: between two network namespaces, made
//! here, in which packets pass through a relay that does what is wanted of it.
//!
//! The test runs itself again in a namespace of its own, so that nothing of the machine's own network is
//! touched; where that is not allowed it says so. Workers ask their peer for a sign of life every second,
//! and come back with waits that double and differ, as ours do.
use crate::chance::Chance;
use crate::checker::{digest, expected_digest};
use crate::site::{Site, until};
use crate::worker::{Manner, Socket, answer, connect, frame, hello};
use futures_util::{SinkExt as _, StreamExt as _};
use protocol::frame::decode_to_worker;
use protocol::job::JobState;
use protocol::wire::{FromWorker, ToWorker};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// Says that the test runs inside its namespace.
const INSIDE: &str = "NETNS_INSIDE";
const OURS: &str = "10.9.0.1";
const THEIRS: &str = "10.9.0.2";
/// The promise: all are back so soon after the network is whole again.
const BACK_MAX: Duration = Duration::from_secs(30);
/// The promise: 99 of 100 are welcome so soon after they knocked.
const WELCOME_MAX: Duration = Duration::from_secs(1);
const BEAT: Duration = Duration::from_secs(1);
/// First and longest wait before a worker comes back, as in `worker`.
const AGAIN_MS: (u64, u64) = (250, 30_000);
const WINDOW: u32 = 4;
const PACKET_BYTES_MAX: usize = 65_536;
/// Packets that wait for the relay: what is lost is lost by the weather alone.
const QUEUE_PACKETS: &str = "100000";

/// What happens to packets one way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Weather {
    /// Packets out of a hundred that are lost.
    lost_percent: u64,
    delay: Duration,
}

const CUT: Weather = Weather {
    lost_percent: 100,
    delay: Duration::ZERO,
};
const CLEAR: Weather = Weather {
    lost_percent: 0,
    delay: Duration::ZERO,
};
const LOSSY: Weather = Weather {
    lost_percent: 30,
    delay: Duration::ZERO,
};
const SLOW: Weather = Weather {
    lost_percent: 0,
    delay: Duration::from_secs(1),
};

type Sky = Arc<Mutex<Weather>>;

/// A network device whose packets this process carries. It is in this namespace until it is moved.
fn tunnel(name: &str) -> File {
    const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
    const IFF_TUN_NO_PI: u16 = 0x0001 | 0x1000;
    let device = File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .unwrap();
    // An `ifreq` of Linux: a name of 16 bytes, then here two bytes of flags.
    let mut request = [0_u8; 40];
    request[..name.len()].copy_from_slice(name.as_bytes());
    request[16..18].copy_from_slice(&IFF_TUN_NO_PI.to_ne_bytes());
    // SAFETY: the descriptor is open and `request` is as long as the `ifreq` that the call reads and writes.
    let result = unsafe {
        libc::ioctl(
            std::os::fd::AsRawFd::as_raw_fd(&device),
            TUNSETIFF as _,
            &mut request,
        )
    };
    assert_eq!(
        result,
        0,
        "a tunnel cannot be made: {}",
        std::io::Error::last_os_error()
    );
    device
}

/// Carries packets one way, through the weather.
fn carry(mut from: File, mut to: File, sky: Sky, seed: u64) {
    let waiting = Arc::new((Mutex::new(VecDeque::<(Instant, Vec<u8>)>::new()), Condvar::new()));
    let behind = Arc::clone(&waiting);
    std::thread::spawn(move || {
        let (queue, added) = &*behind;
        loop {
            let mut packets = queue.lock().unwrap();
            while packets.is_empty() {
                packets = added.wait(packets).unwrap();
            }
            let (due, packet) = packets.pop_front().unwrap();
            drop(packets);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            // A device that is gone carries nothing.
            let _ = to.write_all(&packet);
        }
    });
    std::thread::spawn(move || {
        let (mut packet, mut chance) = (vec![0; PACKET_BYTES_MAX], Chance::from(seed));
        while let Ok(length) = from.read(&mut packet) {
            let weather = *sky.lock().unwrap();
            if chance.below(100) >= weather.lost_percent {
                let (queue, added) = &*waiting;
                queue
                    .lock()
                    .unwrap()
                    .push_back((Instant::now() + weather.delay, packet[..length].to_vec()));
                added.notify_one();
            }
        }
    });
}

fn run(program: &str, args: &[&str]) {
    let done = Command::new(program).args(args).output().unwrap();
    assert!(
        done.status.success(),
        "{program} {args:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// The command in a namespace of its own, as soon as its device is there.
fn in_namespace(command: &Command) -> Command {
    let script = format!(
        "ip link set lo up; until ip -4 addr show t1 2>/dev/null | grep -q {THEIRS}; do sleep 0.02; done; exec \"$@\""
    );
    let mut inside = Command::new("unshare");
    inside
        .args(["--net", "sh", "-c", &script, "sh"])
        .arg(command.get_program())
        .args(command.get_args());
    inside
}

/// What workers count.
#[derive(Default)]
struct Counted {
    welcomes: AtomicU64,
    here: AtomicU64,
    /// When each knocked, and how long it took to a welcome.
    waits: Mutex<Vec<(Instant, Duration)>>,
}

/// A worker that comes back.
async fn always(address: SocketAddr, worker: u64, silence: Duration, counted: Arc<Counted>) {
    let (mut failures, mut chance) = (0_u32, Chance::from(worker));
    loop {
        let start = Instant::now();
        let greeted = tokio::time::timeout(silence.max(Duration::from_secs(5)), greet(address, worker)).await;
        if let Ok(Some(mut socket)) = greeted {
            counted.waits.lock().unwrap().push((start, start.elapsed()));
            counted.welcomes.fetch_add(1, Ordering::SeqCst);
            counted.here.fetch_add(1, Ordering::SeqCst);
            work(&mut socket, silence).await;
            counted.here.fetch_sub(1, Ordering::SeqCst);
            failures = 0;
        }
        let full_ms = (AGAIN_MS.0 << failures.min(16)).min(AGAIN_MS.1);
        failures += 1;
        tokio::time::sleep(Duration::from_millis(full_ms / 2 + chance.below(full_ms / 2))).await;
    }
}

async fn greet(address: SocketAddr, worker: u64) -> Option<Socket> {
    let mut socket = connect(address).await.ok()?;
    socket.send(frame(&hello(worker, None, WINDOW))).await.ok()?;
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Binary(bytes) = message
            && matches!(decode_to_worker(&bytes).unwrap(), ToWorker::Welcome { .. })
        {
            return Some(socket);
        }
    }
    None
}

/// Answers leases until nothing was heard for too long.
async fn work(socket: &mut Socket, silence: Duration) {
    let (mut heard, mut beat) = (Instant::now(), tokio::time::interval(BEAT));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut leases = VecDeque::new();
    while heard.elapsed() < silence {
        tokio::select! {
            message = socket.next() => {
                let Some(Ok(message)) = message else { return };
                heard = Instant::now();
                if let Message::Binary(bytes) = message
                    && let ToWorker::Lease(lease) = decode_to_worker(&bytes).unwrap()
                {
                    leases.push_back(lease);
                }
            }
            _ = beat.tick() => {
                let ids = leases.iter().map(|lease: &protocol::wire::Lease| lease.lease).collect();
                let life = async {
                    socket.feed(frame(&FromWorker::Heartbeat { leases: ids })).await?;
                    socket.send(Message::Ping(Bytes::new())).await
                };
                if !matches!(tokio::time::timeout(silence, life).await, Ok(Ok(()))) {
                    return;
                }
            }
            () = tokio::time::sleep(Duration::from_millis(20)), if !leases.is_empty() => {
                let Some(lease) = leases.pop_front() else { continue };
                let sent = tokio::time::timeout(silence, answer(socket, &lease, Manner::PLAIN)).await;
                if !matches!(sent, Ok(Ok(()))) {
                    return;
                }
            }
        }
    }
}

/// What the network does, one after the other: towards the coordinator, and from it.
const PHASES: [(&str, Weather, Weather); 5] = [
    ("30 % lost", LOSSY, LOSSY),
    ("cut", CUT, CUT),
    ("cut towards the coordinator", CUT, CLEAR),
    ("cut from the coordinator", CLEAR, CUT),
    ("2 s there and back", SLOW, SLOW),
];

#[test]
fn netns_partition() {
    let allowed = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--net",
            "sh",
            "-c",
            "ip tuntap add dev t0 mode tun",
        ])
        .output();
    if !allowed.is_ok_and(|tried| tried.status.success()) {
        let why = "not run: this machine allows no network namespaces, or no tunnels in them";
        println!("{why}");
        return promise::kept("netns_partition", why);
    }
    let inside = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "netns::inside_its_namespace",
            "--ignored",
            "--nocapture",
        ])
        .env(INSIDE, "1")
        .status();
    assert!(inside.unwrap().success(), "see above");
}

#[test]
#[ignore = "it is run by `netns_partition`, in a namespace of its own"]
fn inside_its_namespace() {
    assert!(std::env::var_os(INSIDE).is_some(), "run `netns_partition`");
    let tasks = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    tasks.block_on(partitions());
}

/// The coordinator on the other side of the relay; the weather towards it, and from it.
async fn beyond_the_relay() -> (Site, Sky, Sky) {
    let (near, far) = (tunnel("t0"), tunnel("t1"));
    let many = [
        "--connections-per-address-max",
        "100000",
        "--requests-per-second-max",
        "1000000",
    ];
    let mut site = Site::embedded(&many);
    site.address.set_ip(THEIRS.parse().unwrap());
    let mut command = in_namespace(&site.command());
    site.spawn(&mut command);
    let pid = site.process().pid().to_string();
    let namespace = format!("--net=/proc/{pid}/ns/net");
    // Until the child is in its namespace, its device would be moved to ours.
    let own = std::fs::read_link("/proc/self/ns/net").unwrap();
    let left = || async { (std::fs::read_link(format!("/proc/{pid}/ns/net")).ok()? != own).then_some(()) };
    until("the coordinator has its namespace", left).await;
    run("ip", &["link", "set", "lo", "up"]);
    run("ip", &["link", "set", "t1", "netns", &pid]);
    run("ip", &["addr", "add", &format!("{OURS}/24"), "dev", "t0"]);
    run("ip", &["link", "set", "t0", "txqueuelen", QUEUE_PACKETS, "up"]);
    let up = ["ip", "link", "set", "t1", "txqueuelen", QUEUE_PACKETS, "up"];
    run("nsenter", &[&[namespace.as_str()], &up[..]].concat());
    run(
        "nsenter",
        &[
            &namespace,
            "ip",
            "addr",
            "add",
            &format!("{THEIRS}/24"),
            "dev",
            "t1",
        ],
    );
    let (there, back) = (Sky::default(), Sky::default());
    carry(
        near.try_clone().unwrap(),
        far.try_clone().unwrap(),
        Arc::clone(&there),
        1,
    );
    carry(far, near, Arc::clone(&back), 2);
    site.until_ready().await;
    (site, there, back)
}

/// How long all but the slowest hundredth waited.
fn p99(waits: &mut [Duration]) -> Duration {
    waits.sort_unstable();
    waits.get(waits.len() * 99 / 100).copied().unwrap_or_default()
}

async fn partitions() {
    // Long enough for 10,000 that come back.
    let phases = promise::amount(2, 2 * PHASES.len());
    let (workers, length_s, silence_s, shards) = promise::amount((40, 4, 3, 4_000), (2_000, 20, 8, 400_000));
    let (length, silence) = (Duration::from_secs(length_s), Duration::from_secs(silence_s));
    let (site, there, back) = beyond_the_relay().await;
    let id = site.submit(shards).await;
    let counted = Arc::<Counted>::default();
    let spawn = |worker| tokio::spawn(always(site.address, worker, silence, Arc::clone(&counted)));
    let tasks: Vec<_> = (1..=workers).map(spawn).collect();
    let all_here = || async { (counted.here.load(Ordering::SeqCst) == workers).then_some(()) };
    until("all workers are there", all_here).await;
    let mut longest = Duration::ZERO;
    let mut waits = Vec::new();
    for (name, towards, from) in PHASES.iter().cycle().take(phases) {
        (*there.lock().unwrap(), *back.lock().unwrap()) = (*towards, *from);
        tokio::time::sleep(length).await;
        (*there.lock().unwrap(), *back.lock().unwrap()) = (CLEAR, CLEAR);
        let whole = Instant::now();
        let accepted = || async { site.try_job(id).await.map(|job| job.counts.accepted) };
        let before = until("the API answers", accepted).await;
        // Who is still waiting for a sign of life finds out first.
        tokio::time::sleep(silence).await;
        until("all workers are back", all_here).await;
        let goes_on = || async {
            let job = site.try_job(id).await?;
            (job.counts.accepted > before || job.state.is_over()).then_some(())
        };
        until("the job goes on", goes_on).await;
        longest = longest.max(whole.elapsed());
        let knocked = std::mem::take(&mut *counted.waits.lock().unwrap()).into_iter();
        let of_phase = knocked.filter(|(start, _)| *start >= whole).map(|(_, wait)| wait);
        let mut of_phase: Vec<Duration> = of_phase.collect();
        println!(
            "{name}: all {workers} are back and at work after {:?}, {} came anew, 99 of 100 welcome within {:?}",
            whole.elapsed(),
            of_phase.len(),
            p99(&mut of_phase)
        );
        waits.append(&mut of_phase);
    }
    assert!(longest <= BACK_MAX, "{longest:?}");
    let p99 = p99(&mut waits);
    assert!(p99 <= WELCOME_MAX, "{p99:?} until a welcome");
    let job = site.until_over(id).await;
    assert_eq!((job.state, job.counts.accepted), (JobState::Succeeded, shards));
    let outputs = site
        .results(id, "index")
        .await
        .into_iter()
        .map(|(_, output)| output);
    assert_eq!(digest(outputs), expected_digest(shards));
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    site.assert_no_panic();
    let names: Vec<&str> = PHASES.iter().take(phases).map(|(name, ..)| *name).collect();
    promise::kept(
        "netns_partition",
        &format!(
            "{workers} workers, {length_s} s each of: {}; {phases} times in all; {} connections; all back and at work at most {:.1} s after it \
             was whole, a welcome within {:.2} s for 99 of 100; 0 of {shards} shards lost or double",
            names.join(", "),
            counted.welcomes.load(Ordering::SeqCst),
            longest.as_secs_f64(),
            p99.as_secs_f64()
        ),
    );
}
