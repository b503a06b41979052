//! What was acknowledged is there after `kill -9`, once.
//!
//! In the usual run three rounds of 500 creates; `PHAROS_KILL_ROUNDS=20` asks for twenty of 10,000.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};
use tokio::task::JoinHandle;

use crate::harness::{Backend, Chance, Client, Process, Scratch};

backend_matrix![
    what_was_acknowledged_survives_a_kill_and_nothing_is_doubled,
    a_server_that_is_told_to_stop_finishes_what_it_began
];

const CONNECTIONS: usize = 16;

struct Plan {
    rounds: usize,
    creates: usize,
}

impl Plan {
    fn of_this_run() -> Self {
        match std::env::var("PHAROS_KILL_ROUNDS")
            .ok()
            .and_then(|rounds| rounds.parse().ok())
        {
            Some(rounds) => Self {
                rounds,
                creates: 10_000,
            },
            None => Self {
                rounds: 3,
                creates: 500,
            },
        }
    }
}

/// What happened to the creates of a round: by title, the id that was acknowledged.
struct Round {
    acknowledged: BTreeMap<String, String>,
    attempted: usize,
}

async fn what_was_acknowledged_survives_a_kill_and_nothing_is_doubled(backend: Backend) {
    let plan = Plan::of_this_run();
    // The moments differ from run to run, and are printed.
    let seed = u64::try_from(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_nanos()
            & 0xffff_ffff,
    )
    .unwrap();
    let mut chance = Chance::new(seed);
    println!(
        "{backend:?}: {} rounds of up to {} creates, seed {seed}",
        plan.rounds, plan.creates
    );
    let scratch = Scratch::empty(backend).await;
    let mut server = Process::start(&scratch.url).await;
    let mut admin = server.first_admin().await;
    let (mut acknowledged, mut unanswered) = (0, 0);
    for number in 0..plan.rounds {
        // At any time from the first acknowledgement to the last.
        let kill_after = 1 + chance.below(plan.creates);
        let delay = Duration::from_micros(u64::try_from(chance.below(20_000)).unwrap());
        let round =
            create_until_killed(server, &admin, number, plan.creates, kill_after, delay).await;
        let began = Instant::now();
        server = Process::start(&scratch.url).await;
        let restarted = began.elapsed();
        admin = admin.at(server.address);
        let stored = check(&admin, number, &round).await;
        acknowledged += round.acknowledged.len();
        unanswered += stored - round.acknowledged.len();
        println!(
            "{backend:?} round {number}: killed {delay:?} after {kill_after}; {} acknowledged of {} attempted, {stored} stored; answered again after {restarted:?}",
            round.acknowledged.len(),
            round.attempted
        );
    }
    println!(
        "{backend:?}: {acknowledged} acknowledged creates are all there once; {unanswered} more were stored, their reply lost"
    );
    assert!(
        acknowledged >= plan.rounds,
        "too few creates for a test: {acknowledged}"
    );
    server.kill().await;
}

async fn create_until_killed(
    server: Process,
    admin: &Client,
    number: usize,
    creates: usize,
    kill_after: usize,
    delay: Duration,
) -> Round {
    let next = Arc::new(AtomicUsize::new(0));
    let answered = Arc::new(AtomicUsize::new(0));
    let writers = (0..CONNECTIONS).map(|_| {
        let (admin, next, answered) = (admin.clone(), Arc::clone(&next), Arc::clone(&answered));
        tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::SeqCst);
                if index >= creates {
                    return acknowledged;
                }
                let title = format!("kept r{number}n{index}");
                let body = json!({"title": title, "source": format!("round {number}"), "subject": [format!("round{number}")], "metadata": {"index": index}});
                // The first connection that breaks ends this writer.
                let Some(reply) = admin.request("POST", "resources").json(&body).try_send().await else { return acknowledged };
                let id = reply.is(201).json()["id"].as_str().unwrap().to_owned();
                acknowledged.push((title, id));
                answered.fetch_add(1, Ordering::SeqCst);
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    while answered.load(Ordering::SeqCst) < kill_after {
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    tokio::time::sleep(delay).await;
    server.kill().await;
    let mut acknowledged = BTreeMap::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    Round {
        acknowledged,
        attempted: next.load(Ordering::SeqCst).min(creates),
    }
}

/// Compares what is stored and found with what was acknowledged; gives how many are stored.
async fn check(admin: &Client, number: usize, round: &Round) -> usize {
    let filter = format!("source = \"round {number}\"");
    let listed = admin
        .all(
            "resources",
            &[("filter", &filter), ("sort", "id"), ("limit", "200")],
        )
        .await;
    let mut by_title: BTreeMap<&str, &Json> = BTreeMap::new();
    for item in &listed {
        let twice = by_title.insert(item["title"].as_str().unwrap(), item);
        assert!(twice.is_none(), "stored twice: {item}");
    }
    assert!(
        listed.len() <= round.attempted,
        "{} stored of {} attempted",
        listed.len(),
        round.attempted
    );
    for (title, id) in &round.acknowledged {
        let stored = by_title
            .get(title.as_str())
            .unwrap_or_else(|| panic!("{title} was acknowledged as {id} and is not there"));
        assert_eq!(stored["id"], **id, "{title}");
        assert_eq!(stored["version"], 1, "{title}");
    }
    // What is stored can be found, and the other way round: they commit together.
    let query = format!("subject:round{number}");
    let found = admin
        .all("search", &[("q", &query), ("limit", "200")])
        .await;
    let ids = |items: &[Json]| {
        items
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(found.len(), listed.len());
    assert!(
        ids(&found) == ids(&listed),
        "the search finds other resources than there are"
    );
    let total = admin
        .query("search", &[("q", ""), ("limit", "1")])
        .await
        .is(200)
        .json()["total"]
        .clone();
    let counted = admin
        .query("resources", &[("total", "true"), ("limit", "1")])
        .await
        .is(200)
        .json()["total"]
        .clone();
    assert_eq!(total, counted);
    listed.len()
}

async fn a_server_that_is_told_to_stop_finishes_what_it_began(backend: Backend) {
    let scratch = Scratch::empty(backend).await;
    let mut server = Process::start(&scratch.url).await;
    let admin = server.first_admin().await;
    let acknowledged = Arc::new(AtomicI64::new(0));
    let writers = (0..8).map(|number| {
        let admin = admin.clone();
        let acknowledged = Arc::clone(&acknowledged);
        tokio::spawn(async move {
            for count in 0.. {
                let body = json!({"title": format!("writer {number} wrote {count}")});
                match admin
                    .request("POST", "resources")
                    .json(&body)
                    .try_send()
                    .await
                {
                    Some(reply) => drop(reply.is(201)),
                    None => return,
                }
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    // However slow the machine is, the signal comes amid the writes. Writers that all give up
    // before it are seen in what they did.
    while acknowledged.load(Ordering::Relaxed) < 20 && !writers.iter().all(JoinHandle::is_finished)
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let code = server.terminate().await;
    assert_eq!(code, Some(0));
    for writer in writers {
        writer.await.unwrap();
    }
    let acknowledged = acknowledged.load(Ordering::Relaxed);
    let stored = scratch.number("SELECT count(*) FROM resources").await;
    assert!(
        acknowledged >= 20 && stored >= acknowledged && stored <= acknowledged + 8,
        "{acknowledged} acknowledged, {stored} stored"
    );
}
