//! A load generator that costs little: on a small machine it shares the cores with the server it measures.
//!
//! One thread, keep-alive connections driven by readiness events, each with one request at a time (a closed loop), and
//! request bytes that were made beforehand.

mod histogram;
mod response;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};

use crate::Result;
use crate::process::check_interrupt;
use histogram::Histogram;
pub use response::ResponseReader;

/// Connections open one after the other, under load: servers with several processes on one socket share them out better
/// than when all arrive at once at the one that wakes first.
const OPENING_INTERVAL: Duration = Duration::from_millis(4);
/// How long answers that are still due at the end may take, so that the next turn meets idle servers.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

pub struct Load<'a> {
    pub address: SocketAddr,
    /// Whole requests, sent in turn; must not be empty.
    pub requests: &'a [Vec<u8>],
    pub connections: usize,
    /// Starts when all connections are open; nothing counts before its end.
    pub warm_up: Duration,
    pub duration: Duration,
}

#[derive(Debug)]
pub struct Outcome {
    pub completed: u64,
    pub per_second: f64,
    pub p50: Duration,
    pub p99: Duration,
    /// Bytes of the bodies, headers not counted.
    pub body_bytes: u64,
    /// Of all answers, those of the warm-up too.
    pub statuses: BTreeMap<u16, u64>,
    /// Of the first answer that is no 2xx: its status and the beginning of its body.
    pub failure: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    WarmingUp,
    Measuring,
    Draining,
}

/// # Errors
/// When a connection cannot be opened or breaks within an answer, or an answer is not HTTP/1.1 with a known length.
/// Answers that are no 2xx are no error here: see [`Outcome::failure`].
pub fn run(load: &Load<'_>) -> Result<Outcome> {
    Generator::new(load)?.run()
}

struct Generator<'a> {
    load: &'a Load<'a>,
    poll: Poll,
    connections: Vec<Connection>,
    next_request: usize,
    phase: Phase,
    latencies: Histogram,
    body_bytes: u64,
    statuses: BTreeMap<u16, u64>,
    failure: Option<String>,
    buffer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    reader: ResponseReader,
    request: usize,
    /// Bytes of the request that are out.
    written: usize,
    started: Instant,
    waiting: bool,
}

impl<'a> Generator<'a> {
    fn new(load: &'a Load<'a>) -> Result<Self> {
        Ok(Self {
            load,
            poll: Poll::new()?,
            connections: Vec::with_capacity(load.connections),
            next_request: 0,
            phase: Phase::WarmingUp,
            latencies: Histogram::new(),
            body_bytes: 0,
            statuses: BTreeMap::new(),
            failure: None,
            buffer: vec![0; 256 * 1024],
        })
    }

    fn run(mut self) -> Result<Outcome> {
        for _ in 0..self.load.connections {
            self.open()?;
            self.drive_until(Instant::now() + OPENING_INTERVAL)?;
        }
        self.drive_until(Instant::now() + self.load.warm_up)?;
        self.phase = Phase::Measuring;
        let start = Instant::now();
        self.drive_until(start + self.load.duration)?;
        let elapsed = start.elapsed();
        self.phase = Phase::Draining;
        self.drive_until(Instant::now() + DRAIN_LIMIT)?;

        let completed = self.latencies.count();
        if completed == 0 {
            return Err(format!("no answer within {} s", elapsed.as_secs()).into());
        }
        Ok(Outcome {
            completed,
            per_second: completed as f64 / elapsed.as_secs_f64(),
            p50: self.latencies.quantile(0.50),
            p99: self.latencies.quantile(0.99),
            body_bytes: self.body_bytes,
            statuses: self.statuses,
            failure: self.failure,
        })
    }

    fn open(&mut self) -> Result<()> {
        let mut stream = connect(self.load.address)?;
        register(self.poll.registry(), &mut stream, self.connections.len())?;
        self.connections.push(Connection {
            stream,
            reader: ResponseReader::new(),
            request: 0,
            written: 0,
            started: Instant::now(),
            waiting: false,
        });
        self.send_next(self.connections.len() - 1)
    }

    fn drive_until(&mut self, deadline: Instant) -> Result<()> {
        let mut events = Events::with_capacity(256);
        loop {
            check_interrupt()?;
            let now = Instant::now();
            if now >= deadline
                || (self.phase == Phase::Draining && self.connections.iter().all(|c| !c.waiting))
            {
                return Ok(());
            }
            match self.poll.poll(&mut events, Some(deadline - now)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                done => done?,
            }
            for event in &events {
                let index = event.token().0;
                if event.is_readable() {
                    self.receive(index)?;
                }
                if event.is_writable() && self.connections[index].waiting {
                    self.write(index)?;
                }
            }
        }
    }

    fn send_next(&mut self, index: usize) -> Result<()> {
        let connection = &mut self.connections[index];
        connection.request = self.next_request;
        self.next_request = (self.next_request + 1) % self.load.requests.len();
        connection.written = 0;
        connection.waiting = true;
        connection.started = Instant::now();
        self.write(index)
    }

    /// Writes what the socket takes of the request; its next writable event brings the rest.
    fn write(&mut self, index: usize) -> Result<()> {
        let connection = &mut self.connections[index];
        let request = &self.load.requests[connection.request];
        while connection.written < request.len() {
            match connection.stream.write(&request[connection.written..]) {
                Ok(written) => connection.written += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("cannot send a request: {error}").into()),
            }
        }
        Ok(())
    }

    fn receive(&mut self, index: usize) -> Result<()> {
        loop {
            let connection = &mut self.connections[index];
            let read = match connection.stream.read(&mut self.buffer) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(format!("cannot receive an answer: {error}").into()),
            };
            if read == 0 {
                return self.closed_by_server(index);
            }
            let bytes = &self.buffer[..read];
            if !connection.waiting {
                return Err("the server sent bytes that nobody asked for".into());
            }
            let Some(response) = connection.reader.feed(bytes)? else {
                if read < self.buffer.len() {
                    return Ok(());
                }
                continue;
            };
            let latency = connection.started.elapsed();
            connection.waiting = false;
            *self.statuses.entry(response.status).or_default() += 1;
            if self.phase == Phase::Measuring {
                self.latencies.record(latency);
                self.body_bytes += response.body_bytes;
            }
            if !(200..300).contains(&response.status) && self.failure.is_none() {
                let body = connection.reader.take_body();
                self.failure = Some(format!(
                    "status {}: {}",
                    response.status,
                    String::from_utf8_lossy(&body)
                ));
            }
            if self.phase == Phase::Draining {
                return Ok(());
            }
            if response.closes {
                self.reopen(index)?;
            }
            // The answer was all there was to read: the next one raises an event of its own.
            return self.send_next(index);
        }
    }

    /// Only an idle connection may be closed: repeating a lost request would hide a server that drops them.
    fn closed_by_server(&self, index: usize) -> Result<()> {
        if self.connections[index].waiting {
            return Err("the server closed a connection that waited for an answer".into());
        }
        Ok(())
    }

    fn reopen(&mut self, index: usize) -> Result<()> {
        let mut stream = connect(self.load.address)?;
        register(self.poll.registry(), &mut stream, index)?;
        self.connections[index].stream = stream;
        self.connections[index].reader = ResponseReader::new();
        Ok(())
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(5))
        .map_err(|e| format!("cannot connect to {address}: {e}"))?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(TcpStream::from_std(stream))
}

fn register(registry: &Registry, stream: &mut TcpStream, index: usize) -> Result<()> {
    Ok(registry.register(
        stream,
        Token(index),
        Interest::READABLE | Interest::WRITABLE,
    )?)
}
