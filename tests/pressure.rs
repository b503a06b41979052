//! Many writers at once: on SQLite from two processes on one file, on PostgreSQL in each other's way.
//!
//! In the usual run for 3 s; `PHAROS_PRESSURE_SECONDS=60` asks for a minute.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use serde_json::json;
use service::database::{DatabaseError, DatabaseOptions, Transaction};

use crate::harness::{Backend, Process, Scratch, World, block_on, resource, small_options};

const WRITERS: usize = 64;

fn time() -> Duration {
    let seconds = std::env::var("PHAROS_PRESSURE_SECONDS")
        .ok()
        .and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

#[test]
fn two_processes_write_to_one_sqlite_file_and_nobody_is_refused() {
    block_on(async {
        let scratch = Scratch::empty(Backend::Sqlite).await;
        let settings = [("RUST_LOG", "error")];
        let mut one = Process::start_with(&scratch.url, &settings, Stdio::inherit()).await;
        let other = Process::start_with(&scratch.url, &settings, Stdio::inherit()).await;
        let admin = one.first_admin().await;
        let until = Instant::now() + time();
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let address = if number % 2 == 0 {
                    one.address
                } else {
                    other.address
                };
                let writer = admin.at(address);
                tokio::spawn(async move {
                    let (mut written, mut slowest) = (0_u64, Duration::ZERO);
                    while Instant::now() < until {
                        let began = Instant::now();
                        let title = format!("writer {number} wrote {written}");
                        writer
                            .post("resources", &json!({"title": title}))
                            .await
                            .is(201);
                        slowest = slowest.max(began.elapsed());
                        written += 1;
                    }
                    (number % 2, written, slowest)
                })
            })
            .collect();
        let (mut written, mut slowest) = ([0, 0], Duration::ZERO);
        for writer in writers {
            let (process, count, longest) = writer.await.expect("a writer that is never refused");
            written[process] += count;
            slowest = slowest.max(longest);
        }
        println!(
            "{WRITERS} writers for {:?}: {written:?} creates through the two processes, the slowest took {slowest:?}",
            time()
        );
        let stored = scratch.number("SELECT count(*) FROM resources").await;
        assert_eq!(
            stored,
            i64::try_from(written[0] + written[1]).expect("a count")
        );
        let checked: String = scratch
            .sqlite()
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .expect("a check");
        assert_eq!(checked, "ok");
    });
}

#[test]
fn updates_in_opposite_order_show_nobody_a_deadlock() {
    block_on(async {
        let options = DatabaseOptions {
            max_connections: 32,
            ..small_options()
        };
        let world = World::start_with(Backend::Postgres, options).await;
        let mut ids = Vec::new();
        for number in 0..4 {
            let made = resource(
                &world,
                json!({"title": format!("Number {number}"), "quality_score": 0}),
            )
            .await;
            ids.push(made["id"].as_str().expect("an id").to_owned());
        }
        let ids = Arc::new(ids);
        let until = Instant::now() + time();
        let clients: Vec<_> = (0..32)
            .map(|number| {
                let database = world.pharos.database().clone();
                let (ids, editor) = (Arc::clone(&ids), world.editor.clone());
                tokio::spawn(async move {
                    let (mut rounds, mut slowest) = (0_i64, Duration::ZERO);
                    while Instant::now() < until {
                        let mut order = ids.as_ref().clone();
                        if number % 2 == 0 {
                            order.reverse();
                        }
                        let began = Instant::now();
                        let work = move |transaction| touch_all(transaction, order.clone());
                        database.write(work).await.expect("no deadlock");
                        // The same over HTTP, a request each.
                        let id = &ids[number % ids.len()];
                        let path = format!("resources/{id}");
                        editor
                            .patch(&path, "*", &json!({"source": "changed"}))
                            .await
                            .is(200);
                        slowest = slowest.max(began.elapsed());
                        rounds += 1;
                    }
                    (rounds, slowest)
                })
            })
            .collect();
        let (mut rounds, mut slowest) = (0, Duration::ZERO);
        for client in clients {
            let (own, longest) = client.await.expect("a client without a complaint");
            rounds += own;
            slowest = slowest.max(longest);
        }
        let sum = "SELECT sum((metadata ->> 'touched')::bigint)::bigint FROM resources";
        assert_eq!(world.scratch.number(sum).await, rounds * 4, "each once");
        println!(
            "32 clients for {:?}: {rounds} transactions, the slowest round took {slowest:?}, {} were run again",
            time(),
            world.pharos.database().pool_state().repeats
        );
    });
}

async fn touch_all(transaction: Transaction, ids: Vec<String>) -> Result<(), service::Error> {
    for id in ids {
        let sql = format!(
            "UPDATE resources SET metadata = jsonb_set(metadata, '{{touched}}', \
             to_jsonb(coalesce((metadata ->> 'touched')::bigint, 0) + 1)) WHERE id = '{id}'"
        );
        transaction
            .execute_unprepared(&sql)
            .await
            .map_err(DatabaseError::from)?;
    }
    Ok(())
}
