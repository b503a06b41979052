//! Many at once: patches of one document, and pages while others write.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value as Json, json};

use sea_orm::ConnectionTrait;
use service::Error;
use service::database::{DatabaseError, Transaction};

use crate::harness::{Backend, Chance, World, block_on, resource, small_options};
use crate::lists::SORTABLE;

matrix![
    no_patch_of_one_document_is_lost,
    pages_have_every_row_that_was_there_throughout_exactly_once,
    a_failing_write_is_undone_alone,
];

const PATCHERS: usize = 20;
/// Keys that each of them keeps.
const KEPT: usize = 10;
const WRITERS: u64 = 8;
/// Rows that stay, for each sort.
const STEADY: usize = 60;

/// Patches in all: `PHAROS_PATCHES`, 400 when absent.
fn patches() -> usize {
    std::env::var("PHAROS_PATCHES").map_or(400, |text| {
        text.parse().expect("a number in PHAROS_PATCHES")
    })
}

async fn no_patch_of_one_document_is_lost(world: World) {
    let created = resource(
        &world,
        json!({"title": "Shared", "metadata": {"kept": true}}),
    )
    .await;
    let path = Arc::new(format!("resources/{}", created["id"].as_str().unwrap()));
    let each = patches() / PATCHERS;
    let writers = (0..PATCHERS).map(|writer| {
        let (client, path) = (world.editor.clone(), Arc::clone(&path));
        tokio::spawn(async move {
            for number in 0..each {
                // A key is added, a value replaced, and an old key taken away.
                let mut own = json!({"last": number});
                own[format!("k{number}")] = json!(number);
                if number >= KEPT {
                    own[format!("k{}", number - KEPT)] = Json::Null;
                }
                let patch = json!({"metadata": {format!("w{writer}"): own}});
                let reply = client.patch(&path, "*", &patch).await.is(200).json();
                // Nobody else changes this part: whatever was lost of it would show.
                assert_eq!(
                    reply["metadata"][format!("w{writer}")],
                    after(number),
                    "writer {writer}"
                );
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let found = world.reader.get(&path).await.is(200).json();
    assert_eq!(found["version"], 1 + PATCHERS * each);
    assert_eq!(found["metadata"]["kept"], true);
    for writer in 0..PATCHERS {
        assert_eq!(
            found["metadata"][format!("w{writer}")],
            after(each - 1),
            "writer {writer}"
        );
    }
}

/// What a writer has left behind with its patch of this number.
fn after(number: usize) -> Json {
    let mut own = json!({"last": number});
    for kept in (number + 1).saturating_sub(KEPT)..=number {
        own[format!("k{kept}")] = json!(kept);
    }
    own
}

/// Values with many ties, and none at all in a third of the rows.
fn fields(chance: &mut Chance, number: usize) -> Json {
    let mut fields = json!({"title": format!("T {}", chance.below(5))});
    for name in [
        "creator",
        "publisher",
        "contributor",
        "type",
        "format",
        "identifier",
        "source",
        "classification_code",
    ] {
        if chance.percent(66) {
            fields[name] = json!(chance.pick(&["a", "B", "é", "ё", "z", ""]));
        }
    }
    if chance.percent(66) {
        fields["date"] = json!(chance.pick(&["1813", "-50", "2001-02", "2001-02-03", "119"]));
        fields["language"] = json!(chance.pick(&["en", "fr", "en-US"]));
        fields["quality_score"] = json!(chance.below(3));
        fields["read_status"] = json!(chance.pick(&["read", "unread", "reading"]));
    }
    fields["metadata"] = json!({"number": number});
    fields
}

async fn pages_have_every_row_that_was_there_throughout_exactly_once(world: World) {
    let mut chance = Chance::new(6);
    let mut steady = Vec::new();
    for number in 0..STEADY {
        let created = resource(&world, fields(&mut chance, number)).await;
        steady.push(created["id"].as_str().unwrap().to_owned());
    }
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (client, done) = (world.editor.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let mut chance = Chance::new(100 + writer);
                let (mut made, mut writes) = (Vec::new(), 0);
                while !done.load(Ordering::Relaxed) {
                    writes += 1;
                    if made.len() > 5 && chance.percent(50) {
                        let path: String = made.swap_remove(chance.below(made.len()));
                        client.delete(&path, "*").await.is(204);
                    } else {
                        let created = client.post("resources", &fields(&mut chance, 1_000)).await;
                        let id = created.is(201).json()["id"].as_str().unwrap().to_owned();
                        made.push(format!("resources/{id}"));
                    }
                }
                writes
            })
        })
        .collect();
    for field in SORTABLE {
        for direction in ["", "-"] {
            let sort = format!("{direction}{field}");
            let items = world
                .reader
                .all("resources", &[("sort", &sort), ("limit", "7")])
                .await;
            let mut seen: HashMap<&str, usize> = HashMap::new();
            for item in &items {
                *seen.entry(item["id"].as_str().unwrap()).or_default() += 1;
            }
            for id in &steady {
                assert_eq!(seen.get(id.as_str()), Some(&1), "{sort}: {id}");
            }
        }
    }
    done.store(true, Ordering::Relaxed);
    let mut writes = 0;
    for writer in writers {
        writes += writer.await.unwrap();
    }
    assert!(writes > 50, "only {writes} writes happened meanwhile");
}

/// What becomes of a unit of work.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Succeeds,
    FailsBeforeAChange,
    FailsAfterAChange,
    BreaksAKey,
}

async fn insert(transaction: &Transaction, path: &str) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO json_paths (path, created_at) VALUES ('{path}', '2026-01-01T00:00:00.000000Z')"
    );
    let done = transaction.execute_unprepared(&sql).await;
    done.map(|_| ())
        .map_err(|error| Error::from(DatabaseError::from(error)))
}

async fn a_failing_write_is_undone_alone(world: World) {
    let mut chance = Chance::new(20);
    world
        .scratch
        .execute("INSERT INTO json_paths (path, created_at) VALUES ('taken', '2026-01-01T00:00:00.000000Z')")
        .await
        .unwrap();
    // Waves in which nearly all succeed, and waves in which most fail.
    for (wave, failing) in [0, 1, 60, 1, 30].into_iter().enumerate() {
        let fates: Vec<Fate> = (0..100)
            .map(|_| match chance.below(300) {
                roll if roll >= 3 * failing => Fate::Succeeds,
                roll if roll % 3 == 0 => Fate::FailsBeforeAChange,
                roll if roll % 3 == 1 => Fate::FailsAfterAChange,
                _ => Fate::BreaksAKey,
            })
            .collect();
        let writes = fates.iter().copied().enumerate().map(|(number, fate)| {
            let database = world.pharos.database().clone();
            tokio::spawn(async move {
                let write = database.write(move |transaction| async move {
                    let refused = || Err(Error::Conflict("on purpose".to_owned()));
                    match fate {
                        Fate::Succeeds => {
                            insert(&transaction, &format!("{wave}.{number}.a")).await?;
                            insert(&transaction, &format!("{wave}.{number}.b")).await
                        }
                        Fate::FailsBeforeAChange => refused(),
                        Fate::FailsAfterAChange => {
                            insert(&transaction, &format!("{wave}.{number}.lost")).await?;
                            refused()
                        }
                        Fate::BreaksAKey => {
                            insert(&transaction, &format!("{wave}.{number}.lost")).await?;
                            insert(&transaction, "taken").await
                        }
                    }
                });
                (number, fate, write.await)
            })
        });
        let mut expected = Vec::new();
        for write in writes.collect::<Vec<_>>() {
            let (number, fate, result) = write.await.unwrap();
            match (fate, result) {
                (Fate::Succeeds, Ok(())) => {
                    expected.extend(["a", "b"].map(|part| format!("{wave}.{number}.{part}")));
                }
                (Fate::FailsBeforeAChange | Fate::FailsAfterAChange, Err(Error::Conflict(_)))
                | (Fate::BreaksAKey, Err(Error::Database(DatabaseError::Duplicate(_)))) => {}
                (fate, result) => panic!("{fate:?} ends as {result:?}"),
            }
        }
        for path in &expected {
            let there = format!("SELECT count(*) FROM json_paths WHERE path = '{path}'");
            assert_eq!(world.scratch.number(&there).await, 1, "{path}");
        }
        let all = format!("SELECT count(*) FROM json_paths WHERE path LIKE '{wave}.%'");
        assert_eq!(
            world.scratch.number(&all).await,
            i64::try_from(expected.len()).unwrap(),
            "wave {wave}"
        );
    }
}

/// PostgreSQL cancels a statement whose lock comes just when the time for it is over.
#[test]
fn a_write_that_the_server_cancels_runs_again() {
    block_on(async {
        let world = World::start_with(Backend::Postgres, small_options()).await;
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let work = move |transaction: Transaction| {
            let sql = match counted.fetch_add(1, Ordering::Relaxed) {
                0 => "SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(5)",
                _ => "SELECT 1",
            };
            async move {
                let result = transaction.execute_unprepared(sql).await;
                result
                    .map(|_| ())
                    .map_err(|error| DatabaseError::from(error).into())
            }
        };
        world.pharos.database().write(work).await.unwrap();
        assert_eq!(runs.load(Ordering::Relaxed), 2);
    });
}
