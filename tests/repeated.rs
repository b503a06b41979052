//! Requests that are repeated at once while servers are killed, or by two servers.
//!
//! In the usual run 60 keys are used ten times each while the server is killed; `PHAROS_IDEMPOTENCY_KEYS=10000` asks for
//! more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Backend, Chance, Client, Process, Reply, Scratch};
use crate::idempotency::{essence, keyed};

backend_matrix![
    ten_at_once_with_one_key_make_one_whatever_is_killed,
    two_servers_of_one_library_make_one_of_one_key,
];

async fn two_servers_of_one_library_make_one_of_one_key(backend: Backend) {
    let scratch = Scratch::empty(backend).await;
    let mut one = Process::start(&scratch.url).await;
    let admin = one.first_admin().await;
    let two = Process::start(&scratch.url).await;
    let clients = [admin.clone(), admin.at(two.address)];
    for number in 0..30 {
        // A unique address: who comes second must get the reply of the first, not be told that it is taken.
        let body = json!({"email": format!("once{number}@example.org")});
        let key = format!("user-{number}");
        let posts = (0..10).map(|index| {
            let client = clients[index % 2].clone();
            let (body, key) = (&body, &key);
            async move {
                loop {
                    let reply = keyed(&client, "users", key, body).send().await;
                    match reply.status {
                        201 => return reply,
                        409 => drop(reply.problem(409, "idempotency_key_in_use")),
                        _ => drop(reply.is(503)),
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        });
        let replies = futures_util::future::join_all(posts).await;
        let different: BTreeSet<_> = replies.iter().map(essence).collect();
        assert_eq!(different.len(), 1, "{different:?}");
    }
    assert_eq!(scratch.number("SELECT count(*) FROM users").await, 31);
    one.kill().await;
    two.kill().await;
}

/// Keys that are used at the same time.
const KEYS_AT_ONCE: usize = 6;

/// Requests with each of them.
const REPEATS: usize = 10;

struct Run {
    keys: usize,
    next: AtomicUsize,
    finished: AtomicUsize,
    is_over: AtomicBool,
    /// Where the server is now.
    admin: tokio::sync::watch::Receiver<Client>,
}

async fn ten_at_once_with_one_key_make_one_whatever_is_killed(backend: Backend) {
    let keys = std::env::var("PHAROS_IDEMPOTENCY_KEYS")
        .ok()
        .and_then(|keys| keys.parse().ok())
        .unwrap_or(60);
    let scratch = Scratch::empty(backend).await;
    let mut server = Process::start(&scratch.url).await;
    let admin = server.first_admin().await;
    let (moved, admin) = tokio::sync::watch::channel(admin);
    let run = Arc::new(Run {
        keys,
        next: AtomicUsize::new(0),
        finished: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
        admin,
    });
    let began = Instant::now();
    let users: Vec<_> = (0..KEYS_AT_ONCE)
        .map(|_| tokio::spawn(use_keys(Arc::clone(&run))))
        .collect();
    // Killed again and again, each time after some more keys and at any moment of a request.
    let every = (keys / 40).max(10);
    let mut chance = Chance::new(u64::from(std::process::id()));
    let mut kills = 0;
    loop {
        let until = run.finished.load(Ordering::SeqCst) + 1 + chance.below(2 * every);
        while run.finished.load(Ordering::SeqCst) < until && !run.is_over.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_micros(500)).await;
            if run.finished.load(Ordering::SeqCst) >= keys {
                run.is_over.store(true, Ordering::SeqCst);
            }
        }
        if run.is_over.load(Ordering::SeqCst) {
            break;
        }
        let moment = u64::try_from(chance.below(5_000)).unwrap();
        tokio::time::sleep(Duration::from_micros(moment)).await;
        server.kill().await;
        kills += 1;
        server = Process::start(&scratch.url).await;
        moved.send_modify(|admin| *admin = admin.at(server.address));
    }
    let mut attempts = 0;
    for user in users {
        attempts += user.await.unwrap();
    }
    println!(
        "{backend:?}: {keys} keys, {REPEATS} requests each, {attempts} attempts, {kills} kills, {:?}",
        began.elapsed()
    );
    assert!(kills > 0 || keys < 2 * every, "the server was never killed");
    let number = |sql: &'static str| scratch.number(sql);
    let expected = i64::try_from(keys).unwrap();
    assert_eq!(number("SELECT count(*) FROM resources").await, expected);
    assert_eq!(
        number("SELECT count(DISTINCT title) FROM resources").await,
        expected
    );
    assert_eq!(
        number("SELECT count(*) FROM search_documents").await,
        expected
    );
    server.kill().await;
}

async fn use_keys(run: Arc<Run>) -> usize {
    let mut attempts = 0;
    loop {
        let number = run.next.fetch_add(1, Ordering::SeqCst);
        if number >= run.keys {
            return attempts;
        }
        let posts = (0..REPEATS).map(|_| repeat(&run, number));
        let replies = futures_util::future::join_all(posts).await;
        attempts += replies.iter().map(|(tries, _)| tries).sum::<usize>();
        let different: BTreeSet<_> = replies.iter().map(|(_, reply)| essence(reply)).collect();
        assert_eq!(different.len(), 1, "{different:?}");
        run.finished.fetch_add(1, Ordering::SeqCst);
    }
}

/// Repeats one request as a client does whose connection broke, or who was told to come again.
async fn repeat(run: &Run, number: usize) -> (usize, Reply) {
    let body = json!({"title": format!("made once {number}"), "subject": ["once"]});
    let key = format!("\"key-{number}\"");
    let mut tries = 0;
    loop {
        tries += 1;
        let admin = run.admin.borrow().clone();
        match keyed(&admin, "resources", &key, &body).try_send().await {
            Some(reply) if reply.status == 201 => return (tries, reply),
            Some(reply) => {
                assert!(matches!(reply.status, 409 | 503), "{}", reply.text());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
