//! The search index stays what the library says, whoever changes it, and is mended where it is not.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sea_orm::ConnectionTrait;
use serde_json::{Value as Json, json};
use service::database::{DatabaseError, Transaction};
use service::library::ImportFormat;
use service::search::{SearchDrift, search_drift};
use tokio::sync::Notify;

use crate::harness::{
    Backend, Scratch, World, block_on, catalogue, import, pharos_binary, resource,
};
use crate::search::search;

matrix![
    a_library_that_only_pharos_changes_has_no_drift,
    what_another_tool_deletes_is_found_no_more,
    every_kind_of_drift_is_counted_and_mended,
    a_mended_document_is_found_at_once_by_its_new_words,
    changing_a_language_analyses_that_resource_alone,
    changes_during_a_rebuild_are_kept,
    a_rebuild_that_is_killed_goes_on_where_it_was,
    the_doctor_says_what_to_mend,
];

async fn drift(world: &World) -> SearchDrift {
    search_drift(world.pharos.database()).await.unwrap()
}

async fn total(world: &World, query: &str) -> u64 {
    search(world, &[("q", query)]).await["total"]
        .as_u64()
        .unwrap()
}

async fn execute(world: &World, sql: &str) {
    if let Err(error) = world.scratch.execute(sql).await {
        panic!("{sql}: {error}");
    }
}

fn path(item: &Json) -> String {
    format!("resources/{}", item["id"].as_str().unwrap())
}

async fn a_library_that_only_pharos_changes_has_no_drift(world: World) {
    assert_eq!(drift(&world).await, SearchDrift::default());
    let created = catalogue(&world).await;
    let titles = ["Other words", "", "Words, words, and other words", "東京"];
    for (number, item) in created.iter().enumerate() {
        let title = titles[number % titles.len()];
        if title.is_empty() {
            world.editor.delete(&path(item), "*").await.is(204);
        } else {
            let patch = json!({"title": title, "description": null});
            world.editor.patch(&path(item), "*", &patch).await.is(200);
        }
    }
    import(
        &world.pharos,
        ImportFormat::NdJson,
        "{\"title\": \"One\", \"identifier\": \"x\"}\n{\"title\": \"Two\", \"identifier\": \"x\"}\n",
    )
    .await;
    assert_eq!(drift(&world).await, SearchDrift::default());
    assert_eq!(
        world
            .scratch
            .number("SELECT count(*) FROM search_documents")
            .await,
        world.scratch.number("SELECT count(*) FROM resources").await
    );
}

async fn what_another_tool_deletes_is_found_no_more(world: World) {
    catalogue(&world).await;
    assert_eq!(
        (
            total(&world, "database").await,
            total(&world, "running").await
        ),
        (2, 1)
    );
    let cascade = match world.backend {
        Backend::Sqlite => "PRAGMA foreign_keys = ON; ",
        Backend::Postgres => "",
    };
    execute(
        &world,
        &format!("{cascade}DELETE FROM resources WHERE title = 'Database Systems'"),
    )
    .await;
    assert_eq!(
        (total(&world, "database").await, total(&world, "").await),
        (1, 9)
    );
    assert_eq!(drift(&world).await, SearchDrift::default());
    // Its document alone: the resource is there, and found again after it was mended.
    execute(
        &world,
        "DELETE FROM search_documents WHERE resource_id IN (SELECT id FROM resources WHERE title LIKE 'Running%')",
    )
    .await;
    assert_eq!(total(&world, "running").await, 0);
    let expected = SearchDrift {
        resources_without_document: 1,
        ..SearchDrift::default()
    };
    assert_eq!(drift(&world).await, expected);
    let report = world.pharos.rebuild_search(false, |_| {}).await.unwrap();
    assert_eq!((report.outdated, report.rebuilt, report.removed), (1, 1, 0));
    assert_eq!(total(&world, "running").await, 1);
    assert_eq!(drift(&world).await, SearchDrift::default());
}

async fn every_kind_of_drift_is_counted_and_mended(world: World) {
    catalogue(&world).await;
    execute(
        &world,
        "UPDATE resources SET title = 'Changed by a tool' WHERE title = 'Database Systems'",
    )
    .await;
    execute(&world, "UPDATE search_documents SET analysis = 0 WHERE resource_id IN (SELECT id FROM resources WHERE title LIKE 'The Art%')").await;
    let mut expected = SearchDrift {
        documents_of_another_version: 1,
        documents_of_another_analysis: 1,
        documents_indexed_differently: 1,
        ..SearchDrift::default()
    };
    match world.backend {
        Backend::Sqlite => {
            execute(&world, "DELETE FROM search_index WHERE rowid = (SELECT doc FROM search_documents d JOIN resources r ON r.id = d.resource_id WHERE r.title LIKE 'Running%')").await;
            execute(
                &world,
                "INSERT INTO search_index (rowid, tokens) VALUES (999, 'stray entry')",
            )
            .await;
            execute(
                &world,
                "PRAGMA foreign_keys = OFF; DELETE FROM resources WHERE title = 'Untitled notes'",
            )
            .await;
            expected.stray_index_entries = 1;
            expected.documents_without_resource = 1;
        }
        Backend::Postgres => {
            execute(&world, "UPDATE search_documents SET tokens = 'other' WHERE resource_id = (SELECT id FROM resources WHERE title LIKE 'Running%')").await;
        }
    }
    assert_eq!(drift(&world).await, expected);
    assert_eq!(total(&world, "tool").await, 0);
    let report = world.pharos.rebuild_search(false, |_| {}).await.unwrap();
    let removed = u64::from(world.backend == Backend::Sqlite) * 2;
    assert_eq!(
        (report.outdated, report.rebuilt, report.removed),
        (3, 3, removed)
    );
    assert_eq!(drift(&world).await, SearchDrift::default());
    for (query, found) in [
        ("tool", 1),
        ("harbour", 1),
        ("\"database systems\"", 0),
        ("stray", 0),
        ("run*", 1),
    ] {
        assert_eq!(total(&world, query).await, found, "{query}");
    }
    let again = world.pharos.rebuild_search(false, |_| {}).await.unwrap();
    assert_eq!(again, Default::default());
    let all = world.pharos.rebuild_search(true, |_| {}).await.unwrap();
    assert_eq!(all.rebuilt, all.outdated);
    assert_eq!(drift(&world).await, SearchDrift::default());
}

async fn a_mended_document_is_found_at_once_by_its_new_words(world: World) {
    let created = resource(&world, json!({"title": "Walrus"})).await;
    assert_eq!(total(&world, "walrus").await, 1);
    // A tool that keeps the version: what is in memory is of this version already.
    execute(&world, "UPDATE resources SET title = 'Narwhal', version = 1, updated_at = '2030-01-01T00:00:00.000000Z'").await;
    let report = world.pharos.rebuild_search(true, |_| {}).await.unwrap();
    assert_eq!(report.rebuilt, 1);
    assert_eq!(
        (
            total(&world, "walrus").await,
            total(&world, "narwhal").await
        ),
        (0, 1)
    );
    assert_eq!(
        (
            total(&world, "walrus*").await,
            total(&world, "narwhal*").await
        ),
        (0, 1)
    );
    let version = world.reader.get(&path(&created)).await.json()["version"].clone();
    assert_eq!(version, 1);
}

async fn changing_a_language_analyses_that_resource_alone(world: World) {
    for number in 0..3 {
        resource(
            &world,
            json!({"title": format!("Häuser {number}"), "language": "en"}),
        )
        .await;
    }
    let changed = resource(&world, json!({"title": "Die Häuser", "language": "en"})).await;
    let last = world
        .scratch
        .number("SELECT max(changed) FROM search_documents")
        .await;
    assert_eq!(total(&world, "haus language:de").await, 0);
    world
        .editor
        .patch(&path(&changed), "*", &json!({"language": "de"}))
        .await
        .is(200);
    assert_eq!(total(&world, "haus language:de").await, 1);
    let written = format!("SELECT count(*) FROM search_documents WHERE changed > {last}");
    assert_eq!(world.scratch.number(&written).await, 1);
    assert_eq!(drift(&world).await, SearchDrift::default());
}

fn rows(count: usize) -> String {
    (0..count)
        .map(|number| format!("{{\"title\": \"Number {number}\", \"description\": \"one of several\", \"identifier\": \"{number}\"}}\n"))
        .collect()
}

async fn changes_during_a_rebuild_are_kept(world: World) {
    import(&world.pharos, ImportFormat::NdJson, rows(300)).await;
    let items = world
        .reader
        .all("resources", &[("limit", "200"), ("sort", "id")])
        .await;
    let rebuild = world.pharos.rebuild_search(true, |_| {});
    let edit = async {
        for (number, item) in items
            .iter()
            .enumerate()
            .filter(|(number, _)| number % 5 == 0)
        {
            if number % 10 == 0 {
                world.editor.delete(&path(item), "*").await.is(204);
            } else {
                let patch = json!({"title": format!("Edited {number}")});
                world.editor.patch(&path(item), "*", &patch).await.is(200);
            }
        }
    };
    let (report, ()) = tokio::join!(rebuild, edit);
    assert!(report.unwrap().rebuilt >= 270);
    assert_eq!(drift(&world).await, SearchDrift::default());
    assert_eq!(
        (
            total(&world, "edited").await,
            total(&world, "several").await
        ),
        (30, 270)
    );
    assert_eq!(total(&world, "edit*").await, 30);
}

async fn a_rebuild_that_is_killed_goes_on_where_it_was(world: World) {
    const ROWS: i64 = 1_500;
    import(&world.pharos, ImportFormat::NdJson, rows(1_500)).await;
    execute(&world, "UPDATE search_documents SET analysis = 0").await;
    let outdated = async || drift(&world).await.documents_of_another_analysis;
    assert_eq!(outdated().await, ROWS);
    let command = || {
        let mut command = Command::new(pharos_binary());
        command
            .args(["reindex", "--json"])
            .env("DATABASE_URL", &world.scratch.url)
            .env("DATABASE_MIN_CONNECTIONS", "0")
            .env("RUST_LOG", "error")
            .stdin(Stdio::null());
        command
    };
    let mut killed = command().stdout(Stdio::null()).spawn().unwrap();
    while outdated().await == ROWS {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let left = outdated().await;
    println!("{:?}: killed with {left} of {ROWS} left", world.backend);
    let output = command().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["outdated"], &report["rebuilt"]),
        (&json!(left), &json!(left))
    );
    assert_eq!(drift(&world).await, SearchDrift::default());
    assert_eq!(total(&world, "several").await, 1_500);
}

async fn the_doctor_says_what_to_mend(world: World) {
    catalogue(&world).await;
    let run = |arguments: &[&str]| {
        let output = Command::new(pharos_binary())
            .args(arguments)
            .env("DATABASE_URL", &world.scratch.url)
            .env("DATABASE_MIN_CONNECTIONS", "0")
            .output()
            .unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let report = |arguments: &[&str]| {
        let (code, output) = run(arguments);
        (code, serde_json::from_str::<Json>(&output).unwrap())
    };
    let (code, healthy) = report(&["doctor", "--json"]);
    assert_eq!((code, &healthy["ok"]), (0, &json!(true)), "{healthy}");
    execute(&world, "UPDATE search_documents SET analysis = 0").await;
    let (code, ill) = report(&["doctor", "--json"]);
    assert_eq!((code, &ill["ok"]), (1, &json!(false)), "{ill}");
    let wrong: Vec<&Json> = ill["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["ok"] == false)
        .collect();
    assert_eq!(
        wrong,
        [&json!({
            "name": "analysis", "ok": false, "count": 10, "mend": "run `pharos reindex`",
            "detail": "10 search documents from the analysis of another version of Pharos",
        })]
    );
    let (code, said) = run(&["doctor"]);
    assert_eq!(code, 1);
    assert!(said.contains("run `pharos reindex`"), "{said}");
    let (code, said) = run(&["reindex"]);
    assert_eq!(
        (code, said.as_str()),
        (0, "outdated 10, rebuilt 10, removed 0\n")
    );
    assert_eq!(run(&["doctor"]).0, 0);
}

/// On PostgreSQL transactions end in another order than they begin; on SQLite they follow each other.
#[test]
fn a_change_that_is_committed_after_a_later_one_is_seen() {
    block_on(async {
        let world = World::start(Backend::Postgres).await;
        catalogue(&world).await;
        let found = [
            total(&world, "database").await,
            total(&world, "running").await,
        ];
        assert_eq!(found, [2, 1]);
        let (begun, commit) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (told, waits) = (Arc::clone(&begun), Arc::clone(&commit));
        let database = world.pharos.database().clone();
        let change = tokio::spawn(async move {
            database
                .write(move |transaction: Transaction| {
                    let (told, waits) = (Arc::clone(&told), Arc::clone(&waits));
                    async move {
                        for sql in [
                            "DELETE FROM resources WHERE title = 'Database Systems'",
                            "UPDATE search_documents d SET terms = o.terms, tokens = o.tokens, \
                             changed = pg_current_xact_id()::text::bigint \
                             FROM search_documents o JOIN resources r ON r.id = o.resource_id \
                             WHERE r.title LIKE 'Running%' AND d.resource_id = \
                             (SELECT id FROM resources WHERE title = 'The Art of Indexing')",
                        ] {
                            let changed = transaction.execute_unprepared(sql).await;
                            let changed = changed.map_err(DatabaseError::from)?;
                            assert_eq!(changed.rows_affected(), 1, "{sql}");
                        }
                        told.notify_one();
                        waits.notified().await;
                        Ok(())
                    }
                })
                .await
        });
        begun.notified().await;
        resource(&world, json!({"title": "A later zebra"})).await;
        let seen = [
            total(&world, "zebra").await,
            total(&world, "database").await,
            total(&world, "running").await,
        ];
        assert_eq!(seen, [1, 2, 1]);
        commit.notify_one();
        change.await.unwrap().unwrap();
        let seen = [
            total(&world, "zebra").await,
            total(&world, "database").await,
            total(&world, "running").await,
        ];
        assert_eq!(seen, [1, 0, 2]);
    });
}

/// What PostgreSQL's token index has on its list is sorted in by one call, and the call leaves nothing behind. No server
/// runs beside it, nor does a vacuum, which would empty the list as well.
#[test]
fn new_documents_are_sorted_into_the_token_index() {
    const DOCUMENTS: &str = "\
        WITH made AS ( \
            INSERT INTO resources (id, title, relation, subject, metadata, created_at, updated_at) \
            SELECT gen_random_uuid(), 'A title', '[]', '[]', '{}', now(), now() FROM generate_series(1, 300) \
            RETURNING id) \
        INSERT INTO search_documents (kind, resource_id, terms, facets, length, version, changed, tokens) \
        SELECT 'resource', id, '', '', 0, 0, 0, array_to_tsvector( \
            (SELECT array_agg('word' || number) FROM generate_series(1, 20) AS number) || id::text) \
        FROM made";
    const PENDING: &str = "SELECT gin_clean_pending_list('idx_search_documents_tokens')";
    block_on(async {
        let scratch = Scratch::migrated(Backend::Postgres).await;
        let alone = "ALTER TABLE search_documents SET (autovacuum_enabled = off)";
        scratch.execute(alone).await.unwrap();
        scratch.execute(DOCUMENTS).await.unwrap();
        let pages = scratch.number(PENDING).await;
        assert!(pages > 8, "{pages} pages are less than the call sorts in");
        scratch.execute(DOCUMENTS).await.unwrap();
        let sort_in = "SELECT pharos_sort_in_new_documents()";
        scratch.execute(sort_in).await.unwrap();
        assert_eq!(scratch.number(PENDING).await, 0);
        let rows = "SELECT count(*) FROM search_documents";
        assert_eq!(scratch.number(rows).await, 600);
    });
}
