//! The filter language.

use serde_json::Value as Json;

use crate::harness::{World, catalogue};

matrix![
    every_filter_finds_exactly_what_it_says,
    a_filter_that_cannot_be_understood_is_answered_with_its_position,
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
