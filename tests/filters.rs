//! The filter language.

use serde_json::{Value as Json, json};

use crate::harness::{Backend, World, catalogue, resource};

matrix![
    every_filter_finds_exactly_what_it_says,
    a_filter_that_cannot_be_understood_is_answered_with_its_position,
    what_a_resource_belongs_to_includes_what_is_beneath,
];

/// Filter, and which resources of the catalogue it finds, counted from 1.
const FILTERS: &[(&str, &[usize])] = &[
    ("", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ("  ", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    (r#"language = "en""#, &[1, 5]),
    ("language = en", &[1, 5]),
    (r#"language != "en""#, &[2, 3, 4, 6, 7, 8, 9, 10]),
    (r#"NOT language = "en""#, &[2, 3, 4, 6, 7, 8, 9, 10]),
    (r#"-language = "en""#, &[2, 3, 4, 6, 7, 8, 9, 10]),
    (r#"NOT language != "en""#, &[1, 5]),
    ("language:*", &[1, 2, 3, 4, 5, 6, 7]),
    ("NOT language:*", &[8, 9, 10]),
    ("language = null", &[8, 9, 10]),
    ("language != null", &[1, 2, 3, 4, 5, 6, 7]),
    (r#"language = "en*""#, &[1, 2, 5]),
    (r#"NOT language = "en*""#, &[3, 4, 6, 7, 8, 9, 10]),
    (r#"language < "f""#, &[1, 2, 5, 7]),
    (r#"NOT language < "f""#, &[3, 4, 6, 8, 9, 10]),
    (r#"language <= "en""#, &[1, 5, 7]),
    (r#"language > "en" AND language < "g""#, &[2, 3]),
    (r#"title = "untitled notes""#, &[9]),
    (r#"title:"title""#, &[8, 9]),
    (r#"title:"<b>""#, &[5]),
    (r#"title > "a""#, &[3, 4, 6, 7, 9]),
    (r#"title = "Über*""#, &[4]),
    (r#"description:"café""#, &[3]),
    ("year = 2001", &[6, 10]),
    ("year < 0", &[4]),
    ("year >= 2001 AND year <= 2012", &[1, 2, 6, 10]),
    ("NOT year > 2000", &[3, 4, 7, 8, 9]),
    ("year != 2001", &[1, 2, 3, 4, 5, 7, 8, 9]),
    ("year:*", &[1, 2, 3, 4, 5, 6, 10]),
    (r#"date >= "2001-02""#, &[1, 2, 5, 6, 10]),
    ("quality_score = 72", &[2, 5]),
    ("quality_score > 72", &[1, 9]),
    ("quality_score <= 72.0", &[2, 4, 5]),
    ("quality_score = 90.5", &[1]),
    ("quality_score = -0.0", &[4]),
    ("quality_score != 72", &[1, 3, 4, 6, 7, 8, 9, 10]),
    ("quality_score:*", &[1, 2, 4, 5, 9]),
    ("read_status = unread", &[3, 4, 5, 6, 7, 8, 10]),
    (r#"subject:"Databases""#, &[1, 2]),
    (r#"NOT subject:"Databases""#, &[3, 4, 5, 6, 7, 8, 9, 10]),
    (r#"subject:"databases""#, &[]),
    (r#"subject = "Databases""#, &[1, 2]),
    ("subject:*", &[1, 2, 3, 4, 5, 6, 10]),
    ("NOT subject:*", &[7, 8, 9]),
    (r#"subject:"🎉""#, &[10]),
    (r#"relation:"isbn:1""#, &[3]),
    ("metadata.pages > 200", &[1, 2]),
    ("metadata.pages >= 120 AND metadata.pages <= 300", &[2, 3]),
    ("NOT metadata.pages > 200", &[3, 4, 5, 6, 7, 8, 9, 10]),
    ("metadata.pages = 300", &[2]),
    ("metadata.pages = 300.0", &[2]),
    ("metadata.pages = 3e2", &[2]),
    (r#"metadata.pages = "300""#, &[4]),
    (r#"metadata.pages >= "300""#, &[4]),
    ("metadata.pages != 300", &[1, 3, 4, 5, 6, 7, 8, 9, 10]),
    ("metadata.pages:*", &[1, 2, 3, 4]),
    ("metadata.n:*", &[]),
    ("metadata.n = null", &[1]),
    (r#"metadata.doi = "10.1/a""#, &[1]),
    ("metadata.doi:*", &[1, 2, 5]),
    ("NOT metadata.doi:*", &[3, 4, 6, 7, 8, 9, 10]),
    (r#"metadata.tags:"y""#, &[1, 2]),
    (r#"metadata.tags:"x""#, &[1]),
    ("metadata.nested.deep.er = true", &[1]),
    ("metadata.nested:deep", &[1]),
    ("metadata.size.y.0 = 1", &[4]),
    (r#"metadata.size.y."-1" = 3"#, &[4]),
    ("metadata.size.y.3:*", &[]),
    ("metadata.size.y:2", &[4]),
    ("metadata.size.y:4", &[]),
    ("metadata.open = true", &[5]),
    ("metadata.flag = false", &[10]),
    ("metadata.zero = 0", &[10]),
    ("metadata.zero = -0.0", &[10]),
    ("metadata.score < 0", &[5]),
    ("metadata.score = -1.5", &[5]),
    ("metadata.big = 9007199254740993", &[7]),
    ("metadata.big = 9007199254740992", &[]),
    ("metadata.big > 9007199254740992", &[7]),
    (r#"metadata."a b"."c.d" = "dots""#, &[6]),
    (r#"metadata."quote\"d" = "it's \\ \"fine\"""#, &[7]),
    ("metadata.ページ = 10", &[6]),
    (r#"metadata."🎉":"🎈""#, &[10]),
    (r#"metadata."🎉".1.k = 1"#, &[10]),
    ("metadata.list.0:2", &[10]),
    ("metadata.list.1:2", &[]),
    ("metadata:*", &[1, 2, 3, 4, 5, 6, 7, 10]),
    ("metadata:doi", &[1, 2, 5]),
    (
        r#"language = "en" AND type = "book" OR type = "paper""#,
        &[1, 5],
    ),
    (r#"language = "en" type = "book""#, &[1]),
    (
        r#"type = "paper" OR language = "fre" OR quality_score = 100"#,
        &[3, 5, 6, 7, 9],
    ),
    (
        r#"NOT (language = "en" OR language = "fre")"#,
        &[2, 4, 6, 7, 8, 9, 10],
    ),
    (
        r#"NOT (type = "book" AND quality_score > 50)"#,
        &[3, 4, 5, 6, 7, 8, 9, 10],
    ),
    (
        r#"created_at > "2026-01-01""#,
        &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    ),
    ("created_at < 2026-01-01T00:00:00Z", &[]),
    (r#"updated_at >= "2026-01-02T00:00:00+01:00""#, &[]),
    ("version = 1", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ("version > 1", &[]),
    ("created_by:*", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    (r#"coverage:"%_of""#, &[9]),
    (r#"coverage:"%of""#, &[]),
    (r#"coverage:"\\it""#, &[9]),
    (r#"contributor = "O'Neil""#, &[10]),
    (r"contributor = 'O\'Neil'", &[10]),
    (r#"title = "*notes""#, &[8, 9]),
    (r#"title = "*titled*""#, &[8, 9]),
    (r#"title = "*""#, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    (r#"language = "*n""#, &[1, 5, 6]),
    (r#"metadata.doi = "10.1/*""#, &[1, 2, 5]),
    (r#"metadata.doi = "*b""#, &[2]),
    (r#"metadata.doi = "*.1/*""#, &[1, 2, 5]),
    (r#"metadata.doi != "*b""#, &[1, 3, 4, 5, 6, 7, 8, 9, 10]),
    (r#"metadata.doi = "10.1/\*""#, &[]),
    (r#"contains(metadata, '{"tags": ["y"]}')"#, &[1, 2]),
    (
        r#"NOT contains(metadata, '{"tags": ["y"]}')"#,
        &[3, 4, 5, 6, 7, 8, 9, 10],
    ),
    (r#"contains(metadata.nested, '{"deep": {}}')"#, &[1]),
    (r#"contains(metadata.size.y, '[3, 1.0]')"#, &[4]),
    (r#"contained(metadata.tags, '["y", "z", 1]')"#, &[2, 3]),
    (r#"has_any(metadata.tags, "x", "z")"#, &[1, 2]),
    (r#"has_all(metadata.tags, "y", "z")"#, &[2]),
    (r#"has_any(metadata, "open", "flag")"#, &[5, 10]),
    (r#"has_any(subject, "Databases", "Sport")"#, &[1, 2, 5]),
    (
        r#"contains(metadata, '{"doi": "10.1/a"}') OR metadata.price >= 12.5 AND metadata.price < 13"#,
        &[2],
    ),
    ("metadata.big > 9007199254740992.5", &[7]),
    ("metadata.pages < 99999999999999999999999999", &[1, 2, 3]),
    (
        r#"created_at > now() - duration("1d")"#,
        &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    ),
    ("created_at > now()", &[]),
    (
        r#"created_at < timestamp("2026-01-01") + duration("1.5h") -language:*"#,
        &[8, 9, 10],
    ),
    (r#"created_at < timestamp("2025-12-31T23:59:60Z")"#, &[]),
    (r#"title = "'; DROP TABLE resources; --""#, &[]),
];

async fn every_filter_finds_exactly_what_it_says(world: World) {
    let created = catalogue(&world).await;
    let number = |item: &Json| {
        1 + created
            .iter()
            .position(|known| known["id"] == item["id"])
            .unwrap()
    };
    for (filter, expected) in FILTERS {
        let page = world
            .reader
            .query(
                "resources",
                &[("filter", filter), ("sort", "id"), ("total", "true")],
            )
            .await;
        assert_eq!(page.status, 200, "{filter}: {}", page.text());
        let page = page.json();
        let found: Vec<usize> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(number)
            .collect();
        assert_eq!(found, *expected, "{filter}");
        assert_eq!(page["total"], expected.len(), "{filter}");
    }
    let third = created[2]["id"].as_str().unwrap();
    for (filter, found) in [
        (format!("id = \"{third}\""), 1),
        (format!("id != {third}"), 9),
        (
            format!(
                "created_at = \"{}\"",
                created[2]["created_at"].as_str().unwrap()
            ),
            1,
        ),
    ] {
        let page = world
            .reader
            .query("resources", &[("filter", &filter)])
            .await
            .is(200)
            .json();
        assert_eq!(page["items"].as_array().unwrap().len(), found, "{filter}");
    }
}

async fn a_filter_that_cannot_be_understood_is_answered_with_its_position(world: World) {
    let many = vec!["year = 1"; 101].join(" OR ");
    let long = format!("title = \"{}\"", "x".repeat(8_000));
    for (filter, position, code) in [
        ("colour = 1", 0, "unknown_field"),
        (r#"language = "en" AND colour = 1"#, 20, "unknown_field"),
        ("ä = 1", 0, "unknown_field"),
        (r#"title = "ä" AND ö = 1"#, 16, "unknown_field"),
        ("language.x = 1", 0, "unknown_field"),
        (r#"year = "x""#, 7, "type"),
        ("year = 1.5", 7, "type"),
        ("year > 9223372036854775808", 7, "type"),
        ("quality_score > abc", 16, "type"),
        ("quality_score > NaN", 16, "type"),
        (r#"created_at > "soon""#, 13, "type"),
        ("id = 5", 5, "type"),
        ("id > 01890000-0000-7000-8000-000000000000", 5, "operator"),
        ("language", 8, "syntax"),
        ("language =", 10, "syntax"),
        ("= 1", 0, "syntax"),
        (r#"language = "en"#, 11, "syntax"),
        (r#"(language = "en""#, 16, "syntax"),
        ("year = 1 )", 9, "syntax"),
        ("year = 1 AND", 12, "syntax"),
        ("year = 1 OR OR year = 2", 15, "syntax"),
        ("NOT", 3, "syntax"),
        ("metadata. = 1", 10, "syntax"),
        ("year & 1", 5, "syntax"),
        ("a b c", 2, "syntax"),
        (r#"subject > "a""#, 10, "operator"),
        ("metadata = 1", 11, "operator"),
        ("metadata.pages > true", 17, "type"),
        ("metadata.pages > 1e1000", 17, "out_of_range"),
        ("contains(metadata, '{')", 19, "type"),
        ("contains(title, '1')", 9, "operator"),
        ("contains(metadata '1')", 18, "syntax"),
        ("has_any(metadata)", 0, "type"),
        ("year = 1 foo(metadata)", 9, "unknown_function"),
        ("created_at > now() - 5", 22, "syntax"),
        (r#"created_at > now() - duration("1 day")"#, 30, "type"),
        (r#"year > now() - duration("1d")"#, 7, "type"),
        (r#"created_at > duration("1d")"#, 13, "type"),
        (r#"collection > "a""#, 13, "operator"),
        ("title = \"a\u{0}\"", 10, "nul"),
        ("\u{0}", 0, "nul"),
        (&many, 1_200, "too_long"),
        (&long, 8_000, "too_long"),
    ] {
        for path in ["resources", "search"] {
            let reply = world.reader.query(path, &[("filter", filter)]).await;
            let shown: String = filter.chars().take(60).collect();
            assert_eq!(
                reply.faults(400),
                [(format!("filter@{position}"), code.to_owned())],
                "{shown}: {}",
                reply.text()
            );
        }
    }
}

/// A UUID that ends in `number`, as SQL has it.
fn id(world: &World, number: u32) -> String {
    match world.backend {
        Backend::Sqlite => format!("x'018900000000700080000000{number:08}'"),
        Backend::Postgres => format!("'01890000-0000-7000-8000-0000{number:08}'"),
    }
}

async fn what_a_resource_belongs_to_includes_what_is_beneath(world: World) {
    let now = "'2026-01-01T00:00:00.000000Z'";
    let user = |email: &str| format!("(SELECT id FROM users WHERE email = '{email}')");
    let (reader, editor) = (user("reader@example.org"), user("editor@example.org"));
    for number in 1..=3 {
        resource(&world, json!({"title": format!("R{number}")})).await;
    }
    let book = |number: u32| format!("(SELECT id FROM resources WHERE title = 'R{number}')");
    let mut statements = Vec::new();
    for (number, parent, owner, name, visibility) in [
        (1, "NULL".to_owned(), &reader, "Top", "private"),
        (2, id(&world, 1), &reader, "Beneath", "private"),
        (3, "NULL".to_owned(), &editor, "Hidden", "private"),
        (4, "NULL".to_owned(), &editor, "Shown", "public"),
    ] {
        statements.push(format!(
            "INSERT INTO collections (id, parent_id, owner_id, name, visibility, created_at, updated_at) \
             VALUES ({}, {parent}, {owner}, '{name}', '{visibility}', {now}, {now})",
            id(&world, number)
        ));
    }
    for (collection, number) in [(1, 1), (2, 2), (3, 3), (4, 3)] {
        statements.push(format!(
            "INSERT INTO collection_resources (collection_id, resource_id, position, added_at) VALUES ({}, {}, 1, {now})",
            id(&world, collection),
            book(number)
        ));
    }
    for (number, parent, path, slug) in [
        (5, "NULL".to_owned(), "science", "science"),
        (6, id(&world, 5), "science/physics", "physics"),
    ] {
        statements.push(format!(
            "INSERT INTO taxonomy_nodes (id, parent_id, slug, label, path, level, created_at, updated_at) \
             VALUES ({}, {parent}, '{slug}', 'Label {slug}', '{path}', 1, {now}, {now})",
            id(&world, number)
        ));
    }
    for (node, number) in [(5, 1), (6, 2)] {
        statements.push(format!(
            "INSERT INTO resource_taxonomy (resource_id, node_id, source, created_at) VALUES ({}, {}, 'manual', {now})",
            book(number),
            id(&world, node)
        ));
    }
    for sql in statements {
        if let Err(error) = world.scratch.execute(&sql).await {
            panic!("{sql}: {error}");
        }
    }
    for (filter, expected) in [
        (r#"collection:"Top""#, "R1 R2"),
        (r#"collection = "Beneath""#, "R2"),
        (r#"collection:"Hidden""#, ""),
        (r#"collection:"Shown""#, "R3"),
        ("collection:01890000-0000-7000-8000-000000000001", "R1 R2"),
        (r#"-collection:"Beneath""#, "R1 R3"),
        (r#"collection = "Top""#, "R1"),
        (r#"collection != "Top""#, "R2 R3"),
        (r#"-collection:"Top""#, "R3"),
        ("collection:*", "R1 R2 R3"),
        ("collection = null", ""),
        (r#"taxonomy:"science""#, "R1 R2"),
        (r#"taxonomy:"science/physics""#, "R2"),
        (r#"taxonomy:"Label physics""#, "R2"),
        (r#"taxonomy:"physics" OR collection:"Shown""#, "R2 R3"),
        ("taxonomy:*", "R1 R2"),
        ("taxonomy = null", "R3"),
    ] {
        let page = world
            .reader
            .query("resources", &[("filter", filter), ("sort", "title")])
            .await
            .is(200)
            .json();
        let titles: Vec<&str> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["title"].as_str().unwrap())
            .collect();
        assert_eq!(titles.join(" "), expected, "{filter}");
    }
}
