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
    parts_of_texts_are_found_by_their_trigrams,
    parts_of_texts_are_compared_as_they_stand,
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
        assert!(world.pharos.add_index(&path).await.unwrap(), "{path}");
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
    assert!(pharos.add_index("resources.metadata.b").await.unwrap());
    assert!(
        pharos
            .add_index("resources.metadata.\"a b\".0")
            .await
            .unwrap()
    );
    assert!(!pharos.add_index("resources.metadata.\"b\"").await.unwrap());
    assert_eq!(
        pharos.indexed_paths().await.unwrap(),
        ["resources.metadata.\"a b\".0", "resources.metadata.b"]
    );
    for wrong in [
        "metadata.b",
        "resources.year",
        "resources.nothing",
        "resources.title.x",
        "resources.metadata",
        "resources.metadata.\"it's\"",
    ] {
        assert!(pharos.add_index(wrong).await.is_err(), "{wrong}");
    }
    resource(
        &world,
        json!({"title": "t", "metadata": {"b": "x".repeat(100_000)}}),
    )
    .await;
    assert_eq!(count(&world, "metadata.b >= \"x\"").await, 1);
    assert!(pharos.drop_index("resources.metadata.b").await.unwrap());
    assert!(!pharos.drop_index("resources.metadata.b").await.unwrap());
    assert_eq!(pharos.indexed_paths().await.unwrap().len(), 1);
    if world.backend == Backend::Postgres {
        let left = "SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'idx\\_json\\_%'";
        assert_eq!(world.scratch.number(left).await, 3);
    }
    let _: Json = world.reader.get("resources").await.is(200).json();
}

/// Filters for parts and ends, and the index that answers each on PostgreSQL where `pg_trgm` is installed.
const PARTS: [(&str, &str); 5] = [
    (r#"title:"w 1999""#, "idx_text_title_part"),
    (r#"title = "*w 19990""#, "idx_text_title_part"),
    (r#"title = "*ow 1777*""#, "idx_text_title_part"),
    (r#"metadata.doi = "*19995""#, "_part"),
    (r#"metadata.doi = "*/1234*""#, "_part"),
];

async fn parts_of_texts_are_found_by_their_trigrams(world: World) {
    let pharos = &world.pharos;
    let (report, _) = import(pharos, ImportFormat::NdJson, rows()).await;
    assert_eq!(report.inserted, ROWS as u64);
    let mut found = Vec::new();
    for (filter, _) in PARTS {
        found.push(count(&world, filter).await);
    }
    assert_eq!(found, [11, 1, 11, 1, 10]);
    assert!(pharos.add_index("resources.metadata.doi").await.unwrap());
    if world.backend == Backend::Postgres {
        let refused = pharos.add_index("resources.title").await.unwrap_err();
        assert!(refused.to_string().contains("pg_trgm"), "{refused}");
        assert_eq!(pharos.indexed_paths().await.unwrap().len(), 1);
        let available = "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'";
        if world.scratch.number(available).await == 0 {
            eprintln!("skipped: this PostgreSQL comes without pg_trgm");
            return;
        }
        // Not where names are looked for.
        for sql in [
            "CREATE SCHEMA \"more of it\"",
            "CREATE EXTENSION pg_trgm SCHEMA \"more of it\"",
        ] {
            world.scratch.execute(sql).await.unwrap();
        }
        // One that was interrupted before it was whole.
        let half = "CREATE INDEX idx_text_title_part ON resources (id)";
        world.scratch.execute(half).await.unwrap();
        let invalid = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_text_title_part'::regclass";
        world.scratch.execute(invalid).await.unwrap();
    }
    assert!(pharos.add_index("resources.title").await.unwrap());
    // Declared before the extension was there: what could not be made is made.
    assert!(!pharos.add_index("resources.metadata.doi").await.unwrap());
    assert_eq!(
        pharos.indexed_paths().await.unwrap(),
        ["resources.metadata.doi", "resources.title"]
    );
    for ((filter, index), before) in PARTS.into_iter().zip(found) {
        assert_eq!(count(&world, filter).await, before, "{filter}");
        let request = ListRequest {
            filter: Some(filter.to_owned()),
            ..ListRequest::default()
        };
        let plan = pharos.explain_resources(&request).await.unwrap().join("\n");
        if world.backend == Backend::Postgres {
            assert!(
                plan.contains(index),
                "{filter} does not use {index}:\n{plan}"
            );
        }
    }
    // A declaration of a text means nothing for conditions on JSON, and one that is dropped nothing at all.
    assert!(pharos.drop_index("resources.title").await.unwrap());
    assert!(!pharos.drop_index("resources.title").await.unwrap());
    assert_eq!(count(&world, PARTS[0].0).await, 11);
    if world.backend == Backend::Postgres {
        let left = "SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'idx\\_text\\_%'";
        assert_eq!(world.scratch.number(left).await, 0);
        // Whoever takes the extension away takes its indexes with it, and nothing else.
        let away = "DROP EXTENSION pg_trgm CASCADE";
        world.scratch.execute(away).await.unwrap();
        assert_eq!(count(&world, PARTS[3].0).await, 1);
    }
}

async fn parts_of_texts_are_compared_as_they_stand(world: World) {
    for text in [
        "100% sure",
        "100 sure",
        "a_b",
        "aXb",
        r"back\slash",
        "backslash",
        "Straße",
        "STRASSE",
        "é",
        "e\u{301}",
        "😀!",
        "",
    ] {
        let metadata = json!({"text": text});
        resource(
            &world,
            json!({"title": format!("-{text}-"), "description": text, "metadata": metadata}),
        )
        .await;
    }
    resource(&world, json!({"title": "none"})).await;
    for (part, everywhere, at_end, at_beginning) in [
        ("0% s", 1, 0, 0),
        ("100%", 1, 0, 1),
        ("% sure", 1, 1, 0),
        ("%", 1, 0, 0),
        ("_", 1, 0, 0),
        ("a_", 1, 0, 1),
        ("_b", 1, 1, 0),
        ("aXb", 1, 1, 1),
        ("axb", 0, 0, 0),
        (r"\", 1, 0, 0),
        (r"k\s", 1, 0, 0),
        (r"\slash", 1, 1, 0),
        ("slash", 2, 2, 0),
        ("ß", 1, 0, 0),
        ("SS", 1, 0, 0),
        ("é", 1, 1, 1),
        ("e\u{301}", 1, 1, 1),
        ("\u{301}", 1, 1, 0),
        ("😀", 1, 0, 1),
        ("!", 1, 1, 0),
        ("sure, and more than there is", 0, 0, 0),
    ] {
        let quoted = part.replace('\\', r"\\");
        for field in ["description", "metadata.text"] {
            let counts = [
                format!("{field} = \"*{quoted}*\""),
                format!("{field} = \"*{quoted}\""),
                format!("{field} = \"{quoted}*\""),
            ];
            for (filter, expected) in counts.iter().zip([everywhere, at_end, at_beginning]) {
                assert_eq!(count(&world, filter).await, expected, "{filter}");
                let others = format!("NOT {filter}");
                assert_eq!(count(&world, &others).await, 13 - expected, "{others}");
            }
        }
        let has = format!("title:\"{quoted}\"");
        assert_eq!(count(&world, &has).await, everywhere, "{has}");
    }
    // An empty part is in everything that is there.
    for filter in ["\"**\"", "\"*\"", "**"] {
        for field in ["description", "metadata.text"] {
            let filter = format!("{field} = {filter}");
            assert_eq!(count(&world, &filter).await, 12, "{filter}");
        }
    }
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
