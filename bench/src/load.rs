//! Simulated workers: they answer without computing, so that only the coordinator is measured.
//!
//! Written by hand on a bare socket, as the skeleton's own load is, so that both are driven alike.
use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use protocol::cut::ShardRun;
use protocol::frame::{decode_to_worker, encode_from_worker};
use protocol::ids::WorkerId;
use protocol::run::{Lengths, Outputs};
use protocol::wire::{FromWorker, Hello, ToWorker, WorkerKind};
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What a simulated worker says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Simulated {
    /// Most shards in flight.
    pub(crate) window: u32,
    /// Length of every output in bytes, its frame of 4 bytes included.
    pub(crate) output_bytes: usize,
}

/// A connected simulated worker.
pub(crate) struct Connection {
    socket: TcpStream,
    simulated: Simulated,
    received: BytesMut,
    /// Time from each answer to the next lease, in nanoseconds.
    pub(crate) turns_ns: Vec<u64>,
}

impl Connection {
    /// Connects and says hello.
    pub(crate) async fn open(port: u16, id: u64, simulated: Simulated) -> Result<Self> {
        Self::open_as(port, id, simulated, None).await
    }

    /// Connects as who bears the token, and says hello.
    pub(crate) async fn open_as(
        port: u16,
        id: u64,
        simulated: Simulated,
        token: Option<&str>,
    ) -> Result<Self> {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).await?;
        socket.set_nodelay(true)?;
        let upgrade = "GET /api/v1/work HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Protocol: elytra.v2\r\n\r\n";
        socket.write_all(upgrade.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await?);
        }
        ensure!(
            head.starts_with(b"HTTP/1.1 101"),
            "no upgrade: {}",
            String::from_utf8_lossy(&head)
        );
        let received = BytesMut::with_capacity(1 << 14);
        let mut connection = Self {
            socket,
            simulated,
            received,
            turns_ns: Vec::new(),
        };
        connection
            .send(&[FromWorker::Hello(hello(id, simulated, token))])
            .await?;
        Ok(connection)
    }

    async fn send(&mut self, messages: &[FromWorker]) -> Result<()> {
        let mut out = Vec::new();
        for message in messages {
            write_frame(&mut out, &encode_from_worker(message));
        }
        Ok(self.socket.write_all(&out).await?)
    }

    /// Waits for the welcome.
    pub(crate) async fn welcomed(&mut self) -> Result<()> {
        loop {
            for message in self.receive().await? {
                if let ToWorker::Welcome { .. } = message {
                    return Ok(());
                }
            }
        }
    }

    async fn receive(&mut self) -> Result<Vec<ToWorker>> {
        ensure!(
            self.socket.read_buf(&mut self.received).await? > 0,
            "the coordinator closed the connection"
        );
        let mut messages = Vec::new();
        while let Some(frame) = take_frame(&mut self.received)? {
            messages.push(decode_to_worker(&frame)?);
        }
        Ok(messages)
    }

    /// Answers every lease until the connection ends. All that arrived together is answered together.
    pub(crate) async fn work(&mut self) -> Result<()> {
        let mut turn = Instant::now();
        loop {
            let mut answers = Vec::new();
            for message in self.receive().await? {
                match message {
                    ToWorker::Lease(lease) => {
                        let run = ShardRun {
                            first: lease.first_shard,
                            count: lease.shards,
                        };
                        let outputs = self.outputs(run);
                        answers.push(FromWorker::Finished {
                            lease: lease.lease,
                            outputs,
                            busy_us: u64::from(run.count),
                        });
                    }
                    ToWorker::Refused { code, detail } => bail!("refused: {code:?}: {detail}"),
                    _ => {}
                }
            }
            if !answers.is_empty() {
                self.turns_ns.push(u64::try_from(turn.elapsed().as_nanos())?);
                turn = Instant::now();
                self.send(&answers).await?;
            }
        }
    }

    /// Answers one lease and waits until its job is closed; the time between them.
    pub(crate) async fn one_job(&mut self) -> Result<std::time::Duration> {
        let mut leased = None;
        loop {
            for message in self.receive().await? {
                match message {
                    ToWorker::Lease(lease) => {
                        leased = Some(Instant::now());
                        let run = ShardRun {
                            first: lease.first_shard,
                            count: lease.shards,
                        };
                        let outputs = self.outputs(run);
                        self.send(&[FromWorker::Finished {
                            lease: lease.lease,
                            outputs,
                            busy_us: 1,
                        }])
                        .await?;
                    }
                    ToWorker::Close { .. } => {
                        return leased
                            .map(|at| at.elapsed())
                            .context("a job was closed that was not leased");
                    }
                    ToWorker::Refused { code, detail } => bail!("refused: {code:?}: {detail}"),
                    _ => {}
                }
            }
        }
    }

    /// Outputs with the frame that items have, and the shard's number in the first bytes.
    fn outputs(&self, run: ShardRun) -> Outputs {
        let length = self.simulated.output_bytes;
        let item = u32::try_from(length - 4).unwrap_or_default();
        let mut data = Vec::with_capacity(length * run.count as usize);
        for shard in run.first..run.end() {
            let start = data.len();
            data.extend_from_slice(&item.to_le_bytes());
            data.extend_from_slice(&shard.to_le_bytes());
            data.resize(start + length, 7);
        }
        Outputs {
            run,
            lengths: Lengths::Equal(item + 4),
            data: Bytes::from(data),
        }
    }
}

fn hello(id: u64, simulated: Simulated, token: Option<&str>) -> Hello {
    Hello {
        worker: WorkerId(id + 1),
        token: token.map(str::to_owned),
        kind: WorkerKind::Native,
        name: String::new(),
        agent: "bench".into(),
        slots: 1,
        window_max: simulated.window,
        memory_mib: 1_024,
        simd: true,
        cached: Vec::new(),
        account: None,
    }
}

/// A binary frame of RFC 6455 with the mask key 0, so that bytes go out as they are.
fn write_frame(out: &mut Vec<u8>, payload: &[u8]) {
    out.push(0x82);
    match payload.len() {
        short @ 0..=125 => out.push(0x80 | u8::try_from(short).unwrap_or_default()),
        middle @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&u16::try_from(middle).unwrap_or_default().to_be_bytes());
        }
        long => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

fn take_frame(received: &mut BytesMut) -> Result<Option<BytesMut>> {
    if received.len() < 2 {
        return Ok(None);
    }
    ensure!(
        received[0] == 0x82,
        "the coordinator sent frame type {:#x}",
        received[0]
    );
    let (head, length) = match received[1] & 0x7f {
        126 if received.len() >= 4 => (4, usize::from(u16::from_be_bytes([received[2], received[3]]))),
        127 if received.len() >= 10 => {
            let mut length = [0; 8];
            length.copy_from_slice(&received[2..10]);
            (10, usize::try_from(u64::from_be_bytes(length))?)
        }
        126 | 127 => return Ok(None),
        short => (2, usize::from(short)),
    };
    if received.len() < head + length {
        return Ok(None);
    }
    let mut frame = received.split_to(head + length);
    Ok(Some(frame.split_off(head)))
}
