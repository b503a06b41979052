//! When there is more to do than the database can: some are told to come again, and nobody waits for ever.

use std::time::Duration;

use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::json;
use service::database::DatabaseOptions;

use crate::harness::{Backend, Reply, World, resource, small_options};

backend_matrix![
    writes_that_cannot_begin_are_answered_503_and_the_rest_goes_on,
    reads_that_cannot_begin_are_answered_503
];

fn impatient() -> DatabaseOptions {
    DatabaseOptions {
        max_connections: 2,
        sqlite_readers: 1,
        acquire_timeout: Duration::from_millis(500),
        statement_timeout: Duration::from_secs(2),
        ..small_options()
    }
}

fn is_told_to_come_again(reply: &Reply) {
    let problem = reply.json();
    reply.problem(503, problem["code"].as_str().unwrap());
    assert!(
        reply
            .header("retry-after")
            .and_then(|seconds| seconds.parse::<u64>().ok())
            .is_some_and(|seconds| seconds > 0)
    );
    let text = reply.text().to_lowercase();
    for inside in [
        "sqlite",
        "postgres",
        "lock",
        "pool",
        "sqlx",
        "select",
        "statement_timeout",
    ] {
        assert!(!text.contains(inside), "{text}");
    }
}

/// Holds the table until it is dropped.
enum Held {
    Sqlite {
        _connection: rusqlite::Connection,
    },
    Postgres {
        _transaction: sea_orm::DatabaseTransaction,
    },
}

async fn hold(world: &World, lock: &str) -> Held {
    match world.backend {
        Backend::Sqlite => {
            let connection = world.scratch.sqlite();
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            Held::Sqlite {
                _connection: connection,
            }
        }
        Backend::Postgres => {
            let transaction = world.scratch.postgres().await.begin().await.unwrap();
            transaction
                .execute_unprepared(&format!("LOCK TABLE resources IN {lock} MODE"))
                .await
                .unwrap();
            Held::Postgres {
                _transaction: transaction,
            }
        }
    }
}

async fn writes_that_cannot_begin_are_answered_503_and_the_rest_goes_on(backend: Backend) {
    let world = World::start_with(backend, impatient()).await;
    resource(&world, json!({"title": "Before"})).await;
    let held = hold(&world, "EXCLUSIVE").await;
    let creates = (0..8).map(|number| {
        let editor = world.editor.clone();
        tokio::spawn(async move {
            editor
                .post("resources", &json!({"title": format!("Held {number}")}))
                .await
        })
    });
    let creates: Vec<_> = creates.collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.anonymous.get("/livez").await.is(200).text(), "ok\n");
    for create in creates {
        is_told_to_come_again(&create.await.unwrap());
        world.anonymous.get("/livez").await.is(200);
    }
    drop(held);
    let after = resource(&world, json!({"title": "After"})).await;
    let listed = world
        .reader
        .get("resources?total=true")
        .await
        .is(200)
        .json();
    assert_eq!(
        (&listed["total"], &listed["items"][0]),
        (&json!(2), &after),
        "what was refused was not written"
    );
}

/// On SQLite readers never wait for a writer: there the one reader's connection is what is short.
async fn reads_that_cannot_begin_are_answered_503(backend: Backend) {
    let world = World::start_with(backend, impatient()).await;
    resource(&world, json!({"title": "There"})).await;
    let held = hold(&world, "ACCESS EXCLUSIVE").await;
    let reads = (0..12).map(|_| {
        let reader = world.reader.clone();
        tokio::spawn(async move { reader.get("resources").await })
    });
    let mut refused = 0;
    let reads: Vec<_> = reads.collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.anonymous.get("/livez").await.is(200);
    for read in reads {
        let reply = read.await.unwrap();
        if reply.status != 200 {
            is_told_to_come_again(&reply);
            refused += 1;
        }
    }
    assert_eq!(
        refused > 0,
        backend == Backend::Postgres,
        "{refused} were refused"
    );
    world.anonymous.get("/livez").await.is(200);
    drop(held);
    world.reader.get("resources").await.is(200);
}
