//! Workers that speak raw frames and answer without computing, and come back when they are cut off.
use futures_util::{SinkExt as _, StreamExt as _};
use protocol::frame::{decode_to_worker, encode_from_worker};
use protocol::ids::WorkerId;
use protocol::run::OutputsBuilder;
use protocol::wire::{FromWorker, Hello, Lease, ToWorker, WorkerKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How soon a worker that was cut off tries again.
const AGAIN: Duration = Duration::from_millis(10);
/// Execution time of a shard, as these workers say it.
const BUSY_US: u64 = 50;
/// The output of an item, as JSON: any function that no two neighbours share does.
pub(crate) fn output(item: u64) -> u64 {
    item * 2_654_435_761 % 1_000_003
}

/// What a worker is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Most shards it wants in flight.
    pub(crate) window: u32,
    /// Most shards it answers in one frame.
    pub(crate) run_max: u32,
    /// Length of every output, in bytes: numbers are filled up with zeros behind the point.
    pub(crate) output_bytes: usize,
    /// How long it takes for a lease.
    pub(crate) lease_ms: u64,
    /// Whether it goes when the coordinator says that it stops.
    pub(crate) goes_when_told: bool,
}

impl Manner {
    /// Fast, and deaf to a coordinator that stops.
    pub(crate) const PLAIN: Self = Self {
        window: 256,
        run_max: 64,
        output_bytes: 0,
        lease_ms: 0,
        goes_when_told: false,
    };
}

impl Default for Manner {
    fn default() -> Self {
        Self::PLAIN
    }
}

/// Some workers, at work as long as this lives.
pub(crate) struct Crew {
    gate: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    /// Shards that were executed, counted each time.
    executed: Arc<AtomicU64>,
}

impl Crew {
    /// Workers `first..first + count` of the coordinator at this address. They wait at the gate.
    pub(crate) fn new(address: SocketAddr, first: u64, count: u64, manner: Manner) -> Self {
        let (gate, waits) = watch::channel(false);
        let executed = Arc::<AtomicU64>::default();
        let join = |worker| {
            tokio::spawn(always(
                address,
                worker,
                manner,
                waits.clone(),
                Arc::clone(&executed),
            ))
        };
        let tasks = (first..first + count).map(join).collect();
        Self {
            gate,
            tasks,
            executed,
        }
    }

    /// How many shards they executed, each time counted.
    pub(crate) fn executed(&self) -> u64 {
        self.executed.load(Ordering::Relaxed)
    }

    /// Lets them connect, again and again.
    pub(crate) fn open(&self) {
        self.gate.send_replace(true);
    }

    /// Holds back those that are cut off from now on.
    pub(crate) fn close(&self) {
        self.gate.send_replace(false);
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn always(
    address: SocketAddr,
    worker: u64,
    manner: Manner,
    mut gate: watch::Receiver<bool>,
    executed: Arc<AtomicU64>,
) {
    while gate.wait_for(|open| *open).await.is_ok() {
        // However the session ends, it is tried again.
        let _ = session(address, worker, manner, &executed).await;
        tokio::time::sleep(AGAIN).await;
    }
}

async fn session(
    address: SocketAddr,
    worker: u64,
    manner: Manner,
    executed: &AtomicU64,
) -> Result<(), Error> {
    let mut socket = connect(address).await?;
    socket.send(frame(&hello(worker, None, manner.window))).await?;
    work_counted(&mut socket, manner, executed).await?;
    // What was sent arrives before the end does.
    socket.close(None).await
}

/// Answers every lease, until the coordinator ends the session.
pub(crate) async fn work(socket: &mut Socket, manner: Manner) -> Result<(), Error> {
    work_counted(socket, manner, &AtomicU64::new(0)).await
}

async fn work_counted(socket: &mut Socket, manner: Manner, executed: &AtomicU64) -> Result<(), Error> {
    while let Some(message) = socket.next().await {
        let Message::Binary(bytes) = message? else {
            continue;
        };
        match decode_to_worker(&bytes).unwrap() {
            ToWorker::Lease(lease) => {
                tokio::time::sleep(Duration::from_millis(manner.lease_ms)).await;
                executed.fetch_add(u64::from(lease.shards), Ordering::Relaxed);
                answer(socket, &lease, manner).await?;
            }
            ToWorker::Drain if manner.goes_when_told => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}

pub(crate) async fn connect(address: SocketAddr) -> Result<Socket, Error> {
    Ok(tokio_tungstenite::connect_async(request(address)?).await?.0)
}

/// The same from one of this machine's addresses.
pub(crate) async fn connect_from(address: SocketAddr, source: Ipv4Addr) -> Result<Socket, Error> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    let stream = MaybeTlsStream::Plain(socket.connect(address).await?);
    Ok(tokio_tungstenite::client_async(request(address)?, stream)
        .await?
        .0)
}

fn request(address: SocketAddr) -> Result<Request, Error> {
    let mut request = format!("ws://{address}/api/v1/work").into_client_request()?;
    let protocol = protocol::WIRE_SUBPROTOCOL.parse().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    Ok(request)
}

pub(crate) fn frame(message: &FromWorker) -> Message {
    Message::Binary(encode_from_worker(message).into())
}

pub(crate) fn hello(worker: u64, token: Option<&str>, window_max: u32) -> FromWorker {
    FromWorker::Hello(Hello {
        worker: WorkerId(worker),
        token: token.map(str::to_owned),
        kind: WorkerKind::Native,
        name: "raw".into(),
        agent: "test 0".into(),
        slots: 4,
        window_max,
        memory_mib: 512,
        simd: true,
        cached: Vec::new(),
        account: None,
    })
}

/// The framed output of a shard, as a kernel would write it.
pub(crate) fn shard_output(lease: &Lease, shard: u32, bytes: usize) -> Vec<u8> {
    let first = lease.first_item + u64::from(shard - lease.first_shard) * u64::from(lease.grain);
    let end = (first + u64::from(lease.grain)).min(lease.end_item);
    let mut framed = Vec::new();
    for item in first..end {
        let text = format!("{:<bytes$}", output(item));
        kernel_abi::write_framed(&mut framed, text.as_bytes());
    }
    framed
}

pub(crate) async fn answer(socket: &mut Socket, lease: &Lease, manner: Manner) -> Result<(), Error> {
    let end = lease.first_shard + lease.shards;
    let mut outputs = OutputsBuilder::default();
    for shard in lease.first_shard..end {
        outputs.push(shard, &shard_output(lease, shard, manner.output_bytes));
        let done = shard + 1 - lease.first_shard;
        if done.is_multiple_of(manner.run_max) || shard + 1 == end {
            socket.feed(frame(&finished(lease, &mut outputs))).await?;
        }
    }
    socket.flush().await
}

fn finished(lease: &Lease, outputs: &mut OutputsBuilder) -> FromWorker {
    let outputs = outputs.finish().unwrap();
    FromWorker::Finished {
        lease: lease.lease,
        busy_us: u64::from(outputs.run.count) * BUSY_US,
        outputs,
    }
}
