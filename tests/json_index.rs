//! The indexes over JSON: that filters use them, and that they are true whoever writes.

use serde_json::{Value as Json, json};
use service::library::ImportFormat;
use service::lists::ListRequest;

use crate::harness::{Backend, World, import, resource};
use crate::search::search;

matrix![
    every_listed_filter_is_answered_from_an_index,
    rows_that_other_tools_write_are_found,
    the_step_can_be_taken_back_and_what_is_there_is_indexed_anew,
    declared_paths_are_listed_and_dropped,
    changes_of_the_text_and_of_the_metadata_at_once_lose_neither,
];

/// Rows that are enough for a scan to be the worse plan.
const ROWS: usize = 20_000;

/// Filters, and the index that answers each on PostgreSQL; where it is empty, PostgreSQL may also follow the order of the
/// list, because it takes JSON for more frequent than it is, but may not read the whole table. On SQLite it is always `json_index` or its terms. `docs/api.md`
/// lists the same shapes.
const SHAPES: [(&str, &str); 13] = [
    (
        r#"contains(metadata, '{"shelf": "S 7", "tags": ["t 7"]}')"#,
        "idx_resources_metadata_subject",
    ),
    (
        r#"metadata.shelf = "S 7""#,
        "idx_resources_metadata_subject",
    ),
    ("metadata.number = 77", "idx_resources_metadata_subject"),
    ("metadata.rare.deep = 7", "idx_resources_metadata_subject"),
    (r#"subject:"s 7""#, "idx_resources_metadata_subject"),
    ("metadata.rare:*", "_type"),
    ("metadata.number > 19990", "_number"),
    (
        "metadata.number >= 100 AND metadata.number < 110",
        "_number",
    ),
    (r#"metadata.doi > "10.1/19995""#, "_string"),
    (r#"metadata.doi = "10.1/1999*""#, "_string"),
    (r#"metadata.shelf = "S 7" OR metadata.shelf = "S 8""#, ""),
    (
        r#"metadata.shelf = "S 7" AND language = "en""#,
        "idx_resources_metadata_subject",
    ),
    (
        r#"metadata.shelf = "S 7" AND NOT metadata.number > 9"#,
        "idx_resources_metadata_subject",
    ),
];

fn rows() -> String {
    let mut lines = String::new();
    for number in 0..ROWS {
        let mut metadata = json!({
            "number": number,
            "doi": format!("10.1/{number:05}"),
            "shelf": format!("S {}", number % 2_000),
            "tags": [format!("t {}", number % 10), "all"],
            "common": true,
        });
        if number % 250 == 0 {
            metadata["rare"] = json!({"deep": number / 250});
        }
        let row = json!({
            "identifier": format!("row:{number}"),
            "title": format!("Row {number}"),
            "language": "en",
            "subject": [format!("s {}", number % 400)],
            "metadata": metadata,
        });
        lines += &format!("{row}\n");
    }
    lines
}

async fn every_listed_filter_is_answered_from_an_index(world: World) {
    let (report, _) = import(&world.pharos, ImportFormat::NdJson, rows()).await;
    assert_eq!(report.inserted, ROWS as u64);
    for path in ["number", "doi", "rare"] {
        let path = format!("resources.metadata.{path}");
        assert!(world.pharos.add_json_index(&path).await.unwrap(), "{path}");
    }
    world.pharos.database().analyse().await.unwrap();
    if world.backend == Backend::Postgres {
        // Merges what waits to be merged into the GIN indexes.
        world
            .scratch
            .execute("VACUUM ANALYZE resources")
            .await
            .unwrap();
    }
    for (filter, index) in SHAPES {
        let request = ListRequest {
            filter: Some(filter.to_owned()),
            ..ListRequest::default()
        };
        let found = world.pharos.list_resources(&request).await.unwrap().items;
        assert!(!found.is_empty(), "{filter} finds nothing");
        let plan = world.pharos.explain_resources(&request).await.unwrap();
        let shown = plan.join("\n");
        let has = |text: &str| plan.iter().any(|line| line.contains(text));
        match world.backend {
            Backend::Sqlite => {
                assert!(
                    !has("SCAN resources") && !has("SCAN search_documents"),
                    "{filter}:\n{shown}"
                );
                assert!(has("json_index") || has("json_terms"), "{filter}:\n{shown}");
            }
            Backend::Postgres => {
                assert!(!has("Seq Scan on resources"), "{filter}:\n{shown}");
                assert!(has(index), "{filter} does not use {index}:\n{shown}");
            }
        }
    }
}

async fn count(world: &World, filter: &str) -> u64 {
    let page = world
        .reader
        .query("resources", &[("filter", filter), ("total", "true")])
        .await
        .is(200)
        .json();
    page["total"].as_u64().unwrap()
}

async fn rows_that_other_tools_write_are_found(world: World) {
    let one = resource(
        &world,
        json!({"title": "One", "metadata": {"a": 1, "b": "x"}}),
    )
    .await;
    resource(&world, json!({"title": "Two", "metadata": {"a": 2}})).await;
    let now = "'2026-01-01T00:00:00.000000Z'";
    let id = match world.backend {
        Backend::Sqlite => "x'01890000000070008000000000000001'",
        Backend::Postgres => "'01890000-0000-7000-8000-000000000001'",
    };
    for sql in [
        "UPDATE resources SET metadata = '{\"a\": 3, \"c\": [1, {\"d\": 5}]}' WHERE title = 'One'"
            .to_owned(),
        format!(
            "INSERT INTO resources (id, title, relation, subject, metadata, created_at, updated_at) \
             VALUES ({id}, 'Three', '[]', '[\"s\"]', '{{\"a\": 3}}', {now}, {now})"
        ),
    ] {
        world.scratch.execute(&sql).await.unwrap();
    }
    for round in ["before they are indexed", "after"] {
        for (filter, expected) in [
            ("metadata.a = 3", 2),
            ("metadata.a = 1", 0),
            ("metadata.a >= 2", 3),
            ("metadata.b:*", 0),
            ("contains(metadata, '{\"c\": [{\"d\": 5}]}')", 1),
            ("metadata.c.1.d = 5.0", 1),
            ("subject:\"s\"", 1),
        ] {
            assert_eq!(count(&world, filter).await, expected, "{filter} {round}");
        }
        let indexed = world.pharos.index_waiting().await.unwrap();
        let waiting = if world.backend == Backend::Sqlite && round != "after" {
            2
        } else {
            0
        };
        assert_eq!(indexed, waiting, "{round}");
    }
    let found = world.reader.get("search?q=three").await.is(200).json();
    let searchable = u64::from(world.backend == Backend::Sqlite);
    assert_eq!(
        found["total"], searchable,
        "indexing makes a row searchable"
    );
    let path = format!("resources/{}", one["id"].as_str().unwrap());
    world.editor.delete(&path, "*").await.is(204);
    assert_eq!(count(&world, "metadata.a = 3").await, 1);
}

async fn the_step_can_be_taken_back_and_what_is_there_is_indexed_anew(world: World) {
    for number in 0..250 {
        resource(&world, json!({"title": "t", "metadata": {"n": number}})).await;
    }
    let database = world.pharos.database();
    let steps = database.migration_status().await.unwrap();
    let after = steps
        .iter()
        .rev()
        .position(|step| step.name.contains("_json"))
        .unwrap();
    let back = u32::try_from(after).unwrap() + 1;
    assert_eq!(database.migrate_down(back).await.unwrap(), after + 1);
    database.migrate_up().await.unwrap();
    assert_eq!(count(&world, "metadata.n = 77").await, 1);
    let indexed = world.pharos.index_waiting().await.unwrap();
    assert_eq!(
        indexed,
        if world.backend == Backend::Sqlite {
            250
        } else {
            0
        }
    );
    assert_eq!(count(&world, "metadata.n = 77").await, 1);
    assert_eq!(count(&world, "metadata.n >= 200").await, 50);
}

async fn declared_paths_are_listed_and_dropped(world: World) {
    let pharos = &world.pharos;
    assert!(pharos.add_json_index("resources.metadata.b").await.unwrap());
    assert!(
        pharos
            .add_json_index("resources.metadata.\"a b\".0")
            .await
            .unwrap()
    );
    assert!(
        !pharos
            .add_json_index("resources.metadata.\"b\"")
            .await
            .unwrap()
    );
    assert_eq!(
        pharos.json_indexes().await.unwrap(),
        ["resources.metadata.\"a b\".0", "resources.metadata.b"]
    );
    for wrong in [
        "metadata.b",
        "resources.title",
        "resources.metadata",
        "resources.metadata.\"it's\"",
    ] {
        assert!(pharos.add_json_index(wrong).await.is_err(), "{wrong}");
    }
    resource(
        &world,
        json!({"title": "t", "metadata": {"b": "x".repeat(100_000)}}),
    )
    .await;
    assert_eq!(count(&world, "metadata.b >= \"x\"").await, 1);
    assert!(
        pharos
            .drop_json_index("resources.metadata.b")
            .await
            .unwrap()
    );
    assert!(
        !pharos
            .drop_json_index("resources.metadata.b")
            .await
            .unwrap()
    );
    assert_eq!(pharos.json_indexes().await.unwrap().len(), 1);
    if world.backend == Backend::Postgres {
        let left = "SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'idx\\_json\\_%'";
        assert_eq!(world.scratch.number(left).await, 3);
    }
    let _: Json = world.reader.get("resources").await.is(200).json();
}

async fn changes_of_the_text_and_of_the_metadata_at_once_lose_neither(world: World) {
    let made = resource(&world, json!({"title": "Anew", "metadata": {"k": 0}})).await;
    let path = format!("resources/{}", made["id"].as_str().unwrap());
    for round in 1..=12 {
        let changes = (0..8).map(|number| match number % 2 {
            0 => json!({"title": format!("Anew r{round}n{number}")}),
            _ => json!({"metadata": {format!("k{number}"): round}}),
        });
        let changes: Vec<Json> = changes.collect();
        let patches = changes
            .iter()
            .map(|change| world.editor.patch(&path, "*", change));
        for reply in futures_util::future::join_all(patches).await {
            reply.is(200);
        }
        for number in [1, 3, 5, 7] {
            let filter = format!("metadata.k{number} = {round}");
            let found = world.editor.all("resources", &[("filter", &filter)]).await;
            assert_eq!(found.len(), 1, "{filter}");
        }
        let title = world.editor.get(&path).await.is(200).json()["title"].clone();
        let word = title.as_str().unwrap().split(' ').next_back().unwrap();
        let phrase = format!("\"anew {word}\"");
        let found = search(&world, &[("q", &phrase)]).await;
        assert_eq!(found["total"], 1, "{phrase}");
        if world.backend == Backend::Sqlite {
            let listed = "SELECT count(*) FROM json_unindexed";
            assert_eq!(world.scratch.number(listed).await, 0);
        }
    }
}
