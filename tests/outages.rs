//! PostgreSQL goes away in the middle of traffic: clients see what they asked for, or are told to come again; nothing
//! that was acknowledged is lost, nothing is there twice, and nobody has to restart Pharos.
//!
//! In the usual run each outage is short; `PHAROS_OUTAGES=long` asks for five restarts, a minute of ended connections
//! and 20 s of a server that stands still, and holds the times of recovery against what is promised.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use serde_json::{Value as Json, json};

use crate::harness::{Client, Cluster, Process, Reply, block_on};

/// Half of them write.
const CLIENTS: usize = 16;

/// Over which time a rate is measured.
const WINDOW: Duration = Duration::from_millis(250);

fn is_long() -> bool {
    std::env::var("PHAROS_OUTAGES").is_ok_and(|value| value == "long")
}

#[test]
fn a_restart_of_postgresql_is_survived() {
    let restarts = if is_long() { 5 } else { 1 };
    block_on(outage(Duration::from_secs(2), false, async |cluster| {
        let mut over = Vec::new();
        for _ in 0..restarts {
            cluster.restart_immediately().expect("a restart");
            over.push(Instant::now());
            tokio::time::sleep(Duration::from_secs(4)).await;
        }
        over
    }));
}

#[test]
fn connections_that_postgresql_ends_again_and_again_are_survived() {
    let time = Duration::from_secs(if is_long() { 60 } else { 2 });
    block_on(outage(
        Duration::from_secs(2),
        false,
        async move |cluster| {
            let mut options = ConnectOptions::new(cluster.url("postgres", "postgres"));
            options.max_connections(1).sqlx_logging(false);
            let other = Database::connect(options).await.expect("a connection");
            let began = Instant::now();
            while began.elapsed() < time {
                let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pharos'";
                other.execute_unprepared(end).await.expect("an end");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let over = Instant::now();
            tokio::time::sleep(Duration::from_secs(3)).await;
            vec![over]
        },
    ));
}

#[test]
fn a_postgresql_that_stands_still_is_survived() {
    let time = Duration::from_secs(if is_long() { 20 } else { 5 });
    block_on(outage(
        Duration::from_secs(10),
        true,
        async move |cluster| {
            cluster.signal("STOP");
            tokio::time::sleep(time).await;
            cluster.signal("CONT");
            let over = Instant::now();
            tokio::time::sleep(Duration::from_secs(if is_long() { 12 } else { 5 })).await;
            vec![over]
        },
    ));
}

/// What the clients have seen.
#[derive(Default)]
struct Seen {
    /// When each good answer came.
    good: Vec<Instant>,
    /// How many were told to come again, by code.
    refused: BTreeMap<String, usize>,
    slowest: Duration,
    /// By title, the id that was acknowledged.
    acknowledged: BTreeMap<String, String>,
    /// Titles of which it was said that they are not stored, or that nobody knows.
    not_stored: BTreeSet<String>,
    unknown: BTreeSet<String>,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.good.extend(other.good);
        for (code, count) in other.refused {
            *self.refused.entry(code).or_default() += count;
        }
        self.slowest = self.slowest.max(other.slowest);
        self.acknowledged.extend(other.acknowledged);
        self.not_stored.extend(other.not_stored);
        self.unknown.extend(other.unknown);
    }

    /// Notes an answer; the code of a refusal.
    fn note(&mut self, began: Instant, reply: &Reply) -> Option<String> {
        self.slowest = self.slowest.max(began.elapsed());
        if (200..300).contains(&reply.status) {
            self.good.push(Instant::now());
            return None;
        }
        let code = reply.json()["code"].as_str().unwrap_or("none").to_owned();
        reply.problem(503, &code);
        let again = reply.header("retry-after");
        assert!(
            again.is_some_and(|seconds| seconds.parse::<u64>().is_ok_and(|seconds| seconds > 0))
        );
        *self.refused.entry(code.clone()).or_default() += 1;
        Some(code)
    }
}

/// Traffic, an outage in its middle, and what has come of it. One that `lasts` is noticed by whoever asks now and then.
/// `happen` gives the moments at which the server was back.
async fn outage(
    promise: Duration,
    lasts: bool,
    happen: impl AsyncFnOnce(&Cluster) -> Vec<Instant>,
) {
    let cluster = match Cluster::start("max_connections = 100\nsynchronous_commit = on\n") {
        Ok(cluster) => cluster,
        Err(trouble) => return println!("skipped: {trouble}"),
    };
    let url = cluster.url("postgres", "postgres");
    let mut server = Process::start_with(&url, &[("RUST_LOG", "error")], Stdio::inherit()).await;
    let admin = server.first_admin().await;
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (client, stop) = (admin.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                if number % 2 == 0 {
                    create(&client, number, &stop).await
                } else {
                    change_and_read(&client, number, &stop).await
                }
            })
        })
        .collect();
    let alive = tokio::spawn(ask_how_it_is(admin.clone(), Arc::clone(&stop)));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let began = Instant::now();
    let over = happen(&cluster).await;
    stop.store(true, Ordering::SeqCst);
    let mut seen = Seen::default();
    for client in clients {
        seen.add(client.await.expect("a client without a complaint"));
    }
    let (slowest_livez, slowest_readyz, not_ready) = alive.await.expect("answers");
    println!(
        "{} good answers, refused: {:?}; slowest answer {:?}, of /livez {slowest_livez:?}, of /readyz {slowest_readyz:?}",
        seen.good.len(),
        seen.refused,
        seen.slowest
    );
    let before = rate(
        &seen.good,
        began - Duration::from_secs(1),
        Duration::from_secs(1),
    );
    let timeline: Vec<String> = (0..48)
        .map(|step| {
            let from = began + WINDOW * step;
            format!("{:.0}", rate(&seen.good, from, WINDOW))
        })
        .collect();
    println!(
        "answers a second in each quarter from the outage on: {}",
        timeline.join(" ")
    );
    for over in over {
        let back = (0..)
            .map(|step| over + Duration::from_millis(50) * step)
            .find(|from| {
                rate(&seen.good, *from, WINDOW) >= 0.9 * before || from.elapsed().is_zero()
            });
        let back = back.expect("a moment") - over;
        println!(
            "{before:.0} answers a second before; 90 % of that again {back:?} after the server was back"
        );
        assert!(!is_long() || back <= promise, "not within {promise:?}");
    }
    assert!(not_ready || !lasts, "/readyz has noticed nothing");
    check(&admin, &seen).await;
}

/// Answers a second in the time after `from`.
fn rate(good: &[Instant], from: Instant, time: Duration) -> f64 {
    let count = good
        .iter()
        .filter(|at| **at >= from && **at < from + time)
        .count();
    count as f64 / time.as_secs_f64()
}

async fn create(client: &Client, number: usize, stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    for index in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let title = format!("outage {number} {index}");
        let began = Instant::now();
        let body = json!({"title": title, "source": "outage"});
        let reply = client.post("resources", &body).await;
        match seen.note(began, &reply).as_deref() {
            None => {
                let id = reply.json()["id"].as_str().expect("an id").to_owned();
                seen.acknowledged.insert(title, id);
            }
            Some(code) => {
                let list = if code == "outcome_unknown" {
                    &mut seen.unknown
                } else {
                    &mut seen.not_stored
                };
                list.insert(title);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    seen
}

/// Every acknowledged change is there, and none twice: the version counts them.
async fn change_and_read(client: &Client, number: usize, stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let body = json!({"title": format!("changed by {number}"), "metadata": {"changes": 0}});
    let mut known = client.post("resources", &body).await.is(201).json();
    let path = format!("resources/{}", known["id"].as_str().expect("an id"));
    while !stop.load(Ordering::SeqCst) {
        let version = known["version"].as_i64().expect("a version");
        let began = Instant::now();
        let change = json!({"metadata": {"changes": version}});
        let reply = client
            .patch(&path, &format!("\"{version}\""), &change)
            .await;
        let refused = seen.note(began, &reply);
        if refused.is_none() {
            known = reply.json();
            assert_eq!(known["version"], version + 1);
        }
        let now = loop {
            let began = Instant::now();
            let reply = client.get(&path).await;
            if seen.note(began, &reply).is_none() {
                break reply.json();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let stored = now["version"].as_i64().expect("a version");
        match refused.as_deref() {
            None => assert_eq!(now, known, "an acknowledged change is there, once"),
            Some("outcome_unknown") => assert!((version..=version + 1).contains(&stored)),
            Some(code) => assert_eq!(stored, version, "{code} says that nothing was stored"),
        }
        assert_eq!(now["metadata"]["changes"], stored - 1);
        known = now;
    }
    seen
}

/// The slowest answers of `/livez` and `/readyz`, and whether that ever said that it is not.
async fn ask_how_it_is(client: Client, stop: Arc<AtomicBool>) -> (Duration, Duration, bool) {
    let (mut livez, mut readyz, mut not_ready) = (Duration::ZERO, Duration::ZERO, false);
    while !stop.load(Ordering::SeqCst) {
        let began = Instant::now();
        client.get("/livez").await.is(200);
        livez = livez.max(began.elapsed());
        let began = Instant::now();
        let reply = client.get("/readyz").await;
        readyz = readyz.max(began.elapsed());
        if reply.status != 200 {
            reply.problem(503, "not_ready");
            not_ready = true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (livez, readyz, not_ready)
}

async fn check(admin: &Client, seen: &Seen) {
    let parameters = [
        ("filter", "source = \"outage\""),
        ("sort", "id"),
        ("limit", "200"),
    ];
    let mut stored: BTreeMap<String, String> = BTreeMap::new();
    for item in admin.all("resources", &parameters).await {
        let text = |name: &str| item[name].as_str().expect("a text").to_owned();
        let twice = stored.insert(text("title"), text("id"));
        assert!(twice.is_none(), "stored twice: {item}");
    }
    for (title, id) in &seen.acknowledged {
        assert_eq!(stored.get(title), Some(id), "{title} was acknowledged");
    }
    for title in &seen.not_stored {
        assert!(
            !stored.contains_key(title),
            "{title}: it was said that nothing was stored"
        );
    }
    let unknown = seen
        .unknown
        .iter()
        .filter(|title| stored.contains_key(*title))
        .count();
    println!(
        "{} acknowledged creates are there once; of {} with unknown outcome {unknown} are",
        seen.acknowledged.len(),
        seen.unknown.len()
    );
    assert_eq!(stored.len(), seen.acknowledged.len() + unknown);
    let found = admin
        .query("search", &[("q", "outage"), ("limit", "1")])
        .await
        .is(200)
        .json();
    let listed: Json = json!(stored.len());
    assert_eq!(found["total"], listed, "what is stored is found");
}
