//! What bombs and slow clients cost the others: measured, not asserted, since figures depend on the machine.
//!
//! Run it alone, with a release build of the program:
//!
//! ```sh
//! cargo build --release && ulimit -n 8192
//! PHAROS_TEST_BINARY=target/release/pharos cargo test --release -p tests costs -- --ignored --nocapture --test-threads 1
//! ```

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Backend, Client, Process, Scratch, block_on};

const ROUNDS: usize = 20;
const AT_ONCE: usize = 8;
const SLOW_CONNECTIONS: usize = 1_000;
/// So many that each turn has waves of slow connections which are cut off and begin anew.
const READS: usize = 40_000;

#[test]
#[ignore = "measures: needs a machine of its own"]
fn bombs_on_sqlite() {
    block_on(bombs(Backend::Sqlite));
}

#[test]
#[ignore = "measures: needs a machine of its own"]
fn bombs_on_postgres() {
    block_on(bombs(Backend::Postgres));
}

#[test]
#[ignore = "measures: needs a machine of its own"]
fn slow_connections_on_sqlite() {
    block_on(slow_connections(Backend::Sqlite));
}

#[test]
#[ignore = "measures: needs a machine of its own"]
fn slow_connections_on_postgres() {
    block_on(slow_connections(Backend::Postgres));
}

/// Kilobytes that a process has resident.
fn resident(process: u32) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

struct Bomb {
    name: &'static str,
    head: String,
    body: Arc<Vec<u8>>,
    /// Sent again and again until the server has had enough.
    is_endless: bool,
}

fn arsenal(client: &Client) -> Vec<Bomb> {
    let head = |path: &str, kind: &str, more: &str| {
        format!(
            "POST /api/v1/{path} HTTP/1.1\r\nhost: pharos\r\nconnection: close\r\nauthorization: Bearer {}\r\ncontent-type: {kind}\r\n{more}\r\n",
            client.key().unwrap()
        )
    };
    let (json, lines) = ("application/json", "application/x-ndjson");
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&vec![b'['; 256 << 20]).unwrap();
    let packed = Arc::new(packed.finish().unwrap());
    let deep = Arc::new(format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes());
    let deep_objects =
        Arc::new(format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000)).into_bytes());
    let chunk = Arc::new(format!("10000\r\n{}\r\n", "[".repeat(0x10000)).into_bytes());
    let bomb = |name, path: &str, kind: &str, more: &str, body: &Arc<Vec<u8>>, is_endless| {
        let length = if is_endless {
            "transfer-encoding: chunked\r\n".to_owned()
        } else {
            format!("content-length: {}\r\n", body.len())
        };
        Bomb {
            name,
            head: head(path, kind, &(more.to_owned() + &length)),
            body: Arc::clone(body),
            is_endless,
        }
    };
    let gzip = "content-encoding: gzip\r\n";
    vec![
        bomb("gzip 1000:1", "resources", json, gzip, &packed, false),
        bomb(
            "gzip 1000:1, batch",
            "resources/batch",
            lines,
            gzip,
            &packed,
            false,
        ),
        bomb("100,000 arrays deep", "resources", json, "", &deep, false),
        bomb(
            "100,000 objects deep",
            "resources",
            json,
            "",
            &deep_objects,
            false,
        ),
        bomb(
            "100,000 deep, batch",
            "resources/batch",
            lines,
            "",
            &deep,
            false,
        ),
        bomb("endless chunks", "resources", json, "", &chunk, true),
        bomb(
            "endless chunks, with a key",
            "resources",
            json,
            "idempotency-key: bomb\r\n",
            &chunk,
            true,
        ),
        bomb(
            "endless line, batch",
            "resources/batch",
            lines,
            "",
            &chunk,
            true,
        ),
        Bomb {
            name: "a terabyte announced",
            head: head("resources", json, "content-length: 1099511627776\r\n"),
            body: Arc::default(),
            is_endless: false,
        },
    ]
}

/// Sends a bomb; gives the status (for a batch that of its line) and how long it took.
async fn throw(client: &Client, bomb: &Bomb) -> (String, Duration) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(client.address()).await.unwrap();
    stream.write_all(bomb.head.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let (body, is_endless) = (Arc::clone(&bomb.body), bomb.is_endless);
    let sending = tokio::spawn(async move {
        while writer.write_all(&body).await.is_ok() && is_endless {}
        // Kept open until the reply is there.
        writer
    });
    let mut reply = String::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let is_answered = reply.contains("\"code\":");
        if is_answered {
            break;
        }
        match reader.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(read) => reply.push_str(&String::from_utf8_lossy(&buffer[..read])),
        }
    }
    let took = began.elapsed();
    sending.abort();
    let at = reply.find("\"status\":").map_or(0, |at| at + 9);
    (reply.chars().skip(at).take(3).collect(), took)
}

/// Runs `work` and tells by how many kilobytes the process has grown at most meanwhile.
async fn watched<T>(process: u32, work: impl Future<Output = T>) -> (T, i64) {
    let before = resident(process);
    let is_over = Arc::new(AtomicBool::new(false));
    let watching = tokio::task::spawn_blocking({
        let is_over = Arc::clone(&is_over);
        move || {
            let mut most = before;
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(resident(process));
                std::thread::sleep(Duration::from_millis(1));
            }
            most
        }
    });
    let result = work.await;
    is_over.store(true, Ordering::Relaxed);
    (result, watching.await.unwrap() - before)
}

async fn bombs(backend: Backend) {
    let scratch = Scratch::empty(backend).await;
    let mut server = Process::start(&scratch.url).await;
    let admin = server.first_admin().await;
    for _ in 0..200 {
        admin
            .post("resources", &json!({"title": "Warm"}))
            .await
            .is(201);
        admin.get("resources").await.is(200);
    }
    let process = server.id();
    for bomb in arsenal(&admin) {
        let before = resident(process);
        let (alone, grown_alone) = watched(process, async {
            let mut throws = Vec::new();
            for _ in 0..ROUNDS {
                throws.push(throw(&admin, &bomb).await);
            }
            throws
        })
        .await;
        let (together, grown_together) = watched(process, async {
            let mut throws = Vec::new();
            for _ in 0..ROUNDS {
                let round = (0..AT_ONCE).map(|_| throw(&admin, &bomb));
                throws.extend(futures_util::future::join_all(round).await);
            }
            throws
        })
        .await;
        let longest =
            |throws: &[(String, Duration)]| throws.iter().map(|(_, took)| *took).max().unwrap();
        let mut statuses: Vec<&String> = alone
            .iter()
            .chain(&together)
            .map(|(status, _)| status)
            .collect();
        statuses.sort();
        statuses.dedup();
        println!(
            "{backend:?} {:<28} status {statuses:?}, alone {:>6.1} ms +{:.1} MB, {AT_ONCE} at once {:>6.1} ms +{:.1} MB, of {:.1} MB",
            bomb.name,
            longest(&alone).as_secs_f64() * 1e3,
            grown_alone as f64 / 1024.0,
            longest(&together).as_secs_f64() * 1e3,
            grown_together as f64 / 1024.0,
            before as f64 / 1024.0,
        );
    }
    server.kill().await;
}

/// Reads one resource again and again on one connection; gives the times. In a thread of its own: on the runtime of the slow
/// clients it would wait for those, too, and measure them.
fn read(address: SocketAddr, request: &str, times: usize) -> Vec<Duration> {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut took = Vec::with_capacity(times);
    let mut buffer = [0; 16 * 1024];
    for _ in 0..times {
        let began = Instant::now();
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = Vec::new();
        while !reply.ends_with(b"}") {
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&reply));
            reply.extend_from_slice(&buffer[..read]);
        }
        took.push(began.elapsed());
        // As many a second as leave room.
        std::thread::sleep(Duration::from_millis(2));
    }
    took
}

async fn percentiles(client: &Client, path: &str) -> (f64, f64, f64) {
    let address = client.address();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: pharos\r\nauthorization: Bearer {}\r\n\r\n",
        client.key().unwrap()
    );
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let request = request.clone();
            tokio::task::spawn_blocking(move || read(address, &request, READS / 4))
        })
        .collect();
    let mut took = Vec::with_capacity(READS);
    for reader in readers {
        took.extend(reader.await.unwrap());
    }
    took.sort();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
    (at(0.5), at(0.99), at(1.0))
}

/// Sends a byte every second, and begins anew when it is cut off.
async fn trickle(client: Client, number: usize, cuts: Arc<std::sync::atomic::AtomicUsize>) {
    let key = client.key().unwrap();
    let request = match number % 3 {
        0 => "GET /api/v1/resources HTTP/1.1\r\nx-slow: ".to_owned(),
        1 => format!(
            "POST /api/v1/resources HTTP/1.1\r\nhost: pharos\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n"
        ),
        _ => {
            "GET /livez HTTP/1.1\r\nhost: pharos\r\n\r\nGET /livez HTTP/1.1\r\nx-slow: ".to_owned()
        }
    };
    loop {
        let Ok(mut stream) = TcpStream::connect(client.address()).await else {
            continue;
        };
        let _ = stream.write_all(request.as_bytes()).await;
        while stream.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        cuts.fetch_add(1, Ordering::Relaxed);
    }
}

async fn slow_connections(backend: Backend) {
    let scratch = Scratch::empty(backend).await;
    let mut server = Process::start(&scratch.url).await;
    let admin = server.first_admin().await;
    let made = admin
        .post("resources", &json!({"title": "Read"}))
        .await
        .is(201);
    let path = made.header("location").unwrap().to_owned();
    percentiles(&admin, &path).await;
    let without = percentiles(&admin, &path).await;
    let cuts = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let slow: Vec<_> = (0..SLOW_CONNECTIONS)
        .map(|number| tokio::spawn(trickle(admin.clone(), number, Arc::clone(&cuts))))
        .collect();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.id()))
        .unwrap()
        .count();
    let mut during = Vec::new();
    for _ in 0..3 {
        during.push(percentiles(&admin, &path).await);
    }
    slow.iter().for_each(tokio::task::JoinHandle::abort);
    println!(
        "{backend:?}: {open} files open, {} slow connections cut off",
        cuts.load(Ordering::Relaxed)
    );
    println!(
        "{backend:?}: without      p50 {:.0} us, p99 {:.0} us, longest {:.0} us",
        without.0, without.1, without.2
    );
    for it in during {
        println!(
            "{backend:?}: with {SLOW_CONNECTIONS:>5} slow p50 {:.0} us, p99 {:.0} us, longest {:.0} us: p99 {:.2} times",
            it.0,
            it.1,
            it.2,
            it.1 / without.1
        );
    }
    server.kill().await;
}
