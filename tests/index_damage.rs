//! A search index that is damaged, or that another tool has written, is seen by `pharos doctor` and mended by
//! `pharos reindex`.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value as Json, json};
use service::library::ImportFormat;
use service::search::{SearchDrift, search_drift};

use crate::harness::{Backend, World, block_on, import, pharos_binary};
use crate::search::search;

matrix![
    documents_that_another_tool_emptied_are_found_and_mended,
    a_change_that_keeps_the_version_is_found_and_mended,
    other_tokens_in_the_same_number_are_found_and_mended,
    a_rebuild_of_everything_that_is_killed_goes_on_where_it_was,
];

const ROWS: u64 = 300;

async fn library(world: &World) {
    let rows: String = (0..ROWS)
        .map(|number| {
            format!(
                "{{\"title\": \"Number {number}\", \"creator\": \"Somebody\", \"description\": \"one of several volume{number:06}issue\", \
                 \"metadata\": {{\"number\": {number}}}}}\n"
            )
        })
        .collect();
    import(&world.pharos, ImportFormat::NdJson, rows).await;
}

async fn drift(world: &World) -> SearchDrift {
    search_drift(world.pharos.database()).await.unwrap()
}

/// A query with a phrase asks the database's token index.
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

fn pharos(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(pharos_binary());
    command
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .env("DATABASE_URL", &world.scratch.url)
        .env("DATABASE_MIN_CONNECTIONS", "0")
        .env("RUST_LOG", "error")
        .stdin(Stdio::null());
    command
}

fn run(world: &World, arguments: &[&str]) -> Output {
    pharos(world, arguments).output().unwrap()
}

/// The checks that fail, by name, each with what mends it.
fn failing(world: &World) -> Vec<(String, String)> {
    let output = run(world, &["doctor", "--json"]);
    let report: Json = serde_json::from_slice(&output.stdout).unwrap();
    let failing: Vec<_> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["ok"] == false)
        .map(|check| {
            let text = |name: &str| check[name].as_str().unwrap().to_owned();
            (text("name"), text("mend"))
        })
        .collect();
    assert_eq!(output.status.code(), Some(i32::from(!failing.is_empty())));
    failing
}

async fn documents_that_another_tool_emptied_are_found_and_mended(world: World) {
    library(&world).await;
    let somebody = async || {
        let reply = search(&world, &[("q", "several"), ("facets", "creator")]).await;
        reply["facets"]["creator"].clone()
    };
    let all = json!([{"value": "Somebody", "count": ROWS}]);
    assert_eq!(somebody().await, all);
    execute(&world, "UPDATE search_documents SET facets = ''").await;
    assert_eq!(somebody().await, json!([]));
    let expected = SearchDrift {
        documents_of_other_content: 300,
        ..SearchDrift::default()
    };
    assert_eq!(drift(&world).await, expected);
    let mend = "run `pharos reindex`".to_owned();
    assert_eq!(failing(&world), [("content".to_owned(), mend)]);
    let report = world.pharos.rebuild_search(false, |_| {}).await.unwrap();
    assert_eq!((report.outdated, report.rebuilt), (ROWS, ROWS));
    assert_eq!(somebody().await, all);
    assert_eq!(drift(&world).await, SearchDrift::default());
}

async fn a_change_that_keeps_the_version_is_found_and_mended(world: World) {
    library(&world).await;
    // Whoever sets the time says what the version is.
    execute(
        &world,
        "UPDATE resources SET title = 'A narwhal', updated_at = '2030-01-01T00:00:00.000000Z' \
         WHERE title = 'Number 7'",
    )
    .await;
    assert_eq!(total(&world, "narwhal").await, 0);
    let expected = SearchDrift {
        documents_of_other_content: 1,
        ..SearchDrift::default()
    };
    assert_eq!(drift(&world).await, expected);
    let report = world.pharos.rebuild_search(false, |_| {}).await.unwrap();
    assert_eq!((report.outdated, report.rebuilt), (1, 1));
    let found = (
        total(&world, "\"a narwhal\"").await,
        total(&world, "\"number 7\"").await,
    );
    assert_eq!(found, (1, 0));
    assert_eq!(drift(&world).await, SearchDrift::default());
}

async fn other_tokens_in_the_same_number_are_found_and_mended(world: World) {
    library(&world).await;
    let change = match world.backend {
        Backend::Sqlite => {
            "WITH RECURSIVE numbers (doc, left, tokens) AS ( \
             SELECT doc, (SELECT count(*) FROM search_terms t WHERE t.doc = d.doc), '' FROM search_documents d \
             WHERE resource_id = (SELECT id FROM resources WHERE title = 'Number 7') \
             UNION ALL SELECT doc, left - 1, tokens || ' x' || left FROM numbers WHERE left > 0) \
             INSERT OR REPLACE INTO search_index (rowid, tokens) SELECT doc, tokens FROM numbers WHERE left = 0"
        }
        Backend::Postgres => {
            "UPDATE search_documents SET tokens = (SELECT array_to_tsvector(array_agg('x' || n)) \
             FROM generate_series(1, length(tokens)) n) \
             WHERE resource_id = (SELECT id FROM resources WHERE title = 'Number 7')"
        }
    };
    execute(&world, change).await;
    assert_eq!(total(&world, "\"number 7\"").await, 0);
    let expected = SearchDrift {
        documents_indexed_differently: 1,
        ..SearchDrift::default()
    };
    assert_eq!(drift(&world).await, expected);
    let report = world.pharos.rebuild_search(false, |_| {}).await.unwrap();
    assert_eq!((report.outdated, report.rebuilt), (1, 1));
    assert_eq!(total(&world, "\"number 7\"").await, 1);
    assert_eq!(drift(&world).await, SearchDrift::default());
}

async fn a_rebuild_of_everything_that_is_killed_goes_on_where_it_was(world: World) {
    for _ in 0..5 {
        library(&world).await;
    }
    let all = 5 * ROWS;
    let mut killed = pharos(&world, &["reindex", "--all"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let position = "SELECT count(*) FROM settings WHERE name = 'reindex_all'";
    while world.scratch.number(position).await == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(world.scratch.number(position).await, 1, "it was too fast");
    let report = || {
        let output = run(&world, &["reindex", "--all", "--json"]);
        assert!(output.status.success(), "{output:?}");
        let report: Json = serde_json::from_slice(&output.stdout).unwrap();
        let count = |name: &str| report[name].as_u64().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (count("written_before"), count("rebuilt"), said)
    };
    let (before, rebuilt, said) = report();
    println!("{:?}: killed after {before} of {all}", world.backend);
    assert!(before > 0);
    assert_eq!(before + rebuilt, all);
    let goes_on = format!("goes on behind {before} documents");
    assert!(said.contains(&goes_on), "{said}");
    assert!(
        said.contains(&format!("{rebuilt} of {rebuilt} documents")),
        "{said}"
    );
    // That one has come to the end: the next begins anew.
    let (before, rebuilt, _) = report();
    assert_eq!((before, rebuilt), (0, all));
    assert_eq!(drift(&world).await, SearchDrift::default());
    assert_eq!(total(&world, "\"one of several\"").await, all);
}

const DAMAGES: [&str; 4] = [
    "DELETE FROM {index}_idx",
    "DELETE FROM {index}_data WHERE id > 20",
    "DELETE FROM {index}_data WHERE id = 10",
    "DELETE FROM {index}_config",
];

/// On PostgreSQL the index is the server's own matter.
#[test]
fn a_damaged_token_index_is_seen_and_made_anew() {
    block_on(async {
        let world = World::start(Backend::Sqlite).await;
        library(&world).await;
        for (damage, arguments) in DAMAGES.into_iter().zip([
            ["reindex", "--json"].as_slice(),
            &["reindex", "--json"],
            &["reindex", "--all", "--json"],
            &["reindex", "--json"],
        ]) {
            let sql = damage.replace("{index}", "search_index");
            execute(&world, &sql).await;
            let found = search_request(&world, "\"several volume000299issue\"").await;
            // Who has the table open knows its settings.
            assert!(
                found != Some(1) || sql.contains("config"),
                "{sql} did nothing"
            );
            let mend = "run `pharos reindex`, which makes it anew".to_owned();
            assert_eq!(
                failing(&world),
                [("index_damage".to_owned(), mend)],
                "{sql}"
            );
            let output = run(&world, arguments);
            assert!(output.status.success(), "{sql}: {output:?}");
            let report: Json = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(
                (&report["replaced"], &report["rebuilt"]),
                (&json!(1), &json!(ROWS)),
                "{sql}"
            );
            assert_eq!(failing(&world), [], "{sql}");
            assert_eq!(drift(&world).await, SearchDrift::default(), "{sql}");
            assert_eq!(total(&world, "\"one of several\"").await, ROWS, "{sql}");
            assert_eq!(
                total(&world, "\"several volume000299issue\"").await,
                1,
                "{sql}"
            );
        }
        // How it merges stays as it was.
        for (setting, value) in [("automerge", 0), ("crisismerge", 64), ("usermerge", 8)] {
            let read = format!("SELECT v FROM search_index_config WHERE k = '{setting}'");
            assert_eq!(world.scratch.number(&read).await, value, "{setting}");
        }
    });
}

/// How many are found; `None` when the search fails.
async fn search_request(world: &World, query: &str) -> Option<u64> {
    let reply = world.reader.query("search", &[("q", query)]).await;
    (reply.status == 200).then(|| reply.json()["total"].as_u64().unwrap())
}

#[test]
fn a_damaged_json_index_is_seen_and_made_anew() {
    block_on(async {
        let world = World::start(Backend::Sqlite).await;
        library(&world).await;
        let found = async || {
            let reply = world
                .reader
                .query("resources", &[("filter", "metadata.number = 7")])
                .await;
            (reply.status == 200).then(|| reply.json()["items"].as_array().unwrap().len())
        };
        assert_eq!(found().await, Some(1));
        for damage in DAMAGES {
            let sql = damage.replace("{index}", "json_index");
            execute(&world, &sql).await;
            let names: Vec<String> = failing(&world).into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["index_damage"], "{sql}");
            let output = run(&world, &["reindex"]);
            assert!(output.status.success(), "{sql}: {output:?}");
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(said.ends_with("indexes made anew 1\n"), "{sql}: {said}");
            assert_eq!(failing(&world), [], "{sql}");
            assert_eq!(found().await, Some(1), "{sql}");
            let waiting = "SELECT count(*) FROM json_unindexed";
            assert_eq!(world.scratch.number(waiting).await, 0, "{sql}");
        }
    });
}
