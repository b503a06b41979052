//! The query language of the search.

use serde_json::json;

use crate::harness::{World, catalogue, resource};
use crate::search::search;

matrix![
    every_query_finds_what_it_says,
    a_blank_query_matches_everything_and_a_query_without_words_nothing,
    no_string_is_an_error,
    words_are_stemmed_by_the_language_of_the_text,
    the_reply_tells_how_the_query_was_understood,
];

/// Query, and which resources of the catalogue it finds, counted from 1.
const QUERIES: &[(&str, &[usize])] = &[
    ("database", &[1, 2]),
    ("DATABASES", &[1, 2]),
    ("running", &[5]),
    ("indexing systems", &[1, 2]),
    ("\"database systems\"", &[1]),
    ("\"systems database\"", &[]),
    ("\"databases systems\"", &[1]),
    ("\"database systems\" OR cuisine", &[1, 3]),
    ("cuisine OR sport", &[3, 5]),
    ("database -indexing", &[1]),
    ("database -\"database systems\"", &[2]),
    ("-database", &[3, 4, 5, 6, 7, 8, 9, 10]),
    ("inde*", &[2]),
    ("d*", &[1, 2, 3, 4, 5]),
    ("title:art", &[2]),
    ("title:databases", &[1]),
    ("subject:databases", &[1, 2]),
    ("creator:hopper", &[2, 5]),
    ("creator:\"grace hopper\"", &[2, 5]),
    ("title:hopper", &[]),
    ("description:crash", &[1]),
    ("-creator:hopper language:en", &[1]),
    ("language:en", &[1, 2, 5]),
    ("language:en-US", &[2]),
    ("language:fr", &[3]),
    ("type:paper", &[5, 6, 7]),
    ("year:2001", &[6, 10]),
    ("year:2001..2012", &[1, 2, 6, 10]),
    ("year:..0", &[4]),
    ("year:2012..", &[2, 5]),
    ("year:2012..2001", &[]),
    ("type:book year:2000..", &[1, 2]),
    ("cafe", &[3]),
    ("CAFÉ", &[3]),
    ("Größe", &[4]),
    ("grosse", &[4]),
    ("muller", &[4]),
    ("zoe", &[3]),
    ("東京", &[6]),
    ("本", &[6]),
    ("البحر", &[7]),
    ("o'neil", &[10]),
    ("oneil", &[10]),
    ("party", &[10]),
    ("isbn:1", &[1]),
    ("\"doi:10.1/c\"", &[5]),
    ("005.741", &[2]),
    ("harbour", &[1]),
    ("nowhere", &[]),
    // Brackets nest; `-` binds more tightly than AND, and AND than OR.
    ("database -(indexing OR sport)", &[1]),
    ("-(database OR creator:hopper)", &[3, 4, 6, 7, 8, 9, 10]),
    ("(database OR sport) AND creator:hopper", &[2, 5]),
    ("database AND creator:hopper OR cuisine", &[2, 3]),
    ("cuisine OR creator:hopper AND database", &[2, 3]),
    ("database AND (creator:hopper OR cuisine)", &[2]),
    ("cuisine OR (database AND -(title:art OR sport))", &[1, 3]),
    ("cuisine OR -database", &[3, 4, 5, 6, 7, 8, 9, 10]),
    ("database AND -indexing", &[1]),
    ("title:(databases OR art)", &[1, 2]),
    ("title:(databases art)", &[1, 2]),
    ("title:(databases AND art)", &[]),
    ("creator:(\"grace hopper\" OR nobody)", &[2, 5]),
    ("-title:(databases OR art) database", &[]),
    ("year:(2001 OR 2012)", &[2, 6, 10]),
    ("language:(fr OR en)", &[1, 2, 3, 5]),
    ("(((database)))", &[1, 2]),
    ("((database) -(\"database systems\"))", &[2]),
    ("(database", &[1, 2]),
    ("database)) AND ((indexing", &[2]),
    ("year:abc database", &[1, 2]),
    ("database -(-indexing)", &[2]),
];

async fn every_query_finds_what_it_says(world: World) {
    let created = catalogue(&world).await;
    for (query, expected) in QUERIES {
        let reply = search(&world, &[("q", query), ("limit", "200")]).await;
        let items = reply["items"].as_array().unwrap();
        let mut found: Vec<usize> = items
            .iter()
            .map(|item| {
                1 + created
                    .iter()
                    .position(|known| known["id"] == item["id"])
                    .unwrap()
            })
            .collect();
        found.sort_unstable();
        assert_eq!(found, *expected, "{query}");
        assert_eq!(reply["total"], expected.len(), "{query}");
        for item in items {
            assert_eq!(
                (&item["kind"], &item["id"]),
                (&json!("resource"), &item["resource"]["id"])
            );
            assert!(created.contains(&item["resource"]), "{item}");
        }
    }
    let all = search(&world, &[("q", "grace indexing"), ("match", "all")]).await;
    assert_eq!(
        (&all["total"], &all["items"][0]["resource"]["title"]),
        (&json!(1), &json!("The Art of Indexing"))
    );
    let best = search(&world, &[("q", "grace indexing"), ("match", "best")]).await;
    assert_eq!(best["total"], 2);
}

async fn a_blank_query_matches_everything_and_a_query_without_words_nothing(world: World) {
    catalogue(&world).await;
    for query in ["", " ", "\t\n"] {
        assert_eq!(
            search(&world, &[("q", query)]).await["total"],
            10,
            "{query:?}"
        );
    }
    assert_eq!(search(&world, &[]).await["total"], 10);
    for query in ["!", "🎉", "\"\"", "...", "*"] {
        assert_eq!(
            search(&world, &[("q", query)]).await["total"],
            0,
            "{query:?}"
        );
    }
}

async fn no_string_is_an_error(world: World) {
    catalogue(&world).await;
    let mut queries: Vec<String> = [
        "\"",
        "\"\"\"",
        "\"open",
        "a \"b",
        "(",
        ")",
        "((((",
        "[",
        "]",
        "{}",
        "<",
        ">",
        "a:b:c",
        "title:",
        "title:\"",
        "year:",
        "year:x",
        "year:..",
        "year:1..99999999999999999999",
        "year:-500..500",
        "language:",
        "language:''",
        "type:\u{0}",
        "OR",
        "OR OR",
        "AND",
        "NOT",
        "a OR",
        "OR b",
        "-",
        "--",
        "- a",
        "-\"\"",
        "-OR",
        "+",
        "^2",
        "~",
        "*",
        "**",
        "a*b",
        "*a",
        "'",
        "''",
        "\\",
        "\\\\",
        "\\'",
        "&",
        "|",
        "!",
        "a & b",
        "a | !b",
        "a <-> b",
        "a:*",
        ":*",
        "NEAR(a b)",
        "tokens:a",
        "rowid",
        "%",
        "_",
        "%00",
        "\u{0}",
        "a\u{0}b",
        "\u{feff}",
        "\u{200b}",
        "\u{202e}drawkcab",
        "שלום עולם",
        "مرحبا",
        "東京 本",
        "한국어",
        "🎉",
        "👩‍👩‍👧",
        "e\u{301}",
        "İ",
        "ß",
        "ﬁ",
        "Ǆ",
        "\u{1f468}\u{200d}",
        "\r\n",
        "; DROP TABLE resources",
        "<script>alert(1)</script>",
        "=l:en",
        "=y:2001",
        "${jndi:x}",
        "a'b\"c\\d",
        "title:creator:x",
        "-title:-x",
        "\u{fffd}",
        "\u{10ffff}",
    ]
    .map(str::to_owned)
    .to_vec();
    queries.push("x".repeat(10_000));
    queries.push("word ".repeat(2_000));
    queries.push("\"".repeat(10_000));
    queries.push("é".repeat(5_000));
    queries.push("- ".repeat(5_000));
    queries.push("a OR ".repeat(2_000));
    queries.push("title:a ".repeat(1_000));
    for query in &queries {
        for mode in ["best", "all"] {
            let shown: String = query.chars().take(40).collect();
            let parameters = [
                ("q", query.as_str()),
                ("match", mode),
                ("facets", "subject"),
                ("limit", "3"),
            ];
            let reply = world.reader.query("search", &parameters).await;
            assert_eq!(reply.status, 200, "{shown:?} {mode}: {}", reply.text());
            let reply = reply.json();
            if let Some(cursor) = reply["next_cursor"].as_str() {
                let next = world
                    .reader
                    .query("search", &[&parameters[..], &[("cursor", cursor)]].concat())
                    .await;
                assert_eq!(next.is(200).json()["total"], reply["total"], "{shown:?}");
            }
        }
    }
}

async fn words_are_stemmed_by_the_language_of_the_text(world: World) {
    for (title, language) in [
        ("Les chevaux mangeaient", Some("fr")),
        ("Die Häuser der Königinnen", Some("de")),
        ("He organised the libraries", Some("en-GB")),
        ("She organises a library", None),
        ("Книги библиотеки", Some("rus")),
        ("Libraries of Klingon", Some("tlh")),
    ] {
        resource(&world, json!({"title": title, "language": language})).await;
    }
    for (query, total) in [
        ("library", 2),
        ("libraries", 3),
        ("organising", 2),
        ("mangeaient", 1),
        ("manger language:fr", 1),
        ("chevaux", 1),
        ("häuser", 1),
        ("hauser", 1),
        ("haus language:de", 1),
        ("language:fr OR language:de haus", 2),
        ("language:(fr OR de) \"haus\"", 1),
        ("книга language:ru", 1),
        ("книги", 1),
    ] {
        assert_eq!(
            search(&world, &[("q", query)]).await["total"],
            total,
            "{query}"
        );
    }
}

async fn the_reply_tells_how_the_query_was_understood(world: World) {
    let reply = search(
        &world,
        &[(
            "q",
            "running -\"old books\" title:art OR year:2001..2010 sys*",
        )],
    )
    .await;
    let expected = json!({"match": "best", "clauses": [
        {"occurs": "should", "any_of": [{"text": "running", "terms": [["run", "running"]]}]},
        {"occurs": "must_not", "any_of": [{"text": "old books", "terms": [["old"], ["book", "books"]]}]},
        {"occurs": "must", "any_of": [
            {"text": "art", "field": "title", "terms": [["art"]]},
            {"text": "2001..2010", "field": "year", "terms": [], "years": [2001, 2010]},
        ]},
        {"occurs": "should", "any_of": [{"text": "sys*", "terms": [["sys"]], "prefix": true}]},
    ]});
    assert_eq!(reply["query"], expected, "{reply}");
    let reply = search(&world, &[("q", "old OR (new AND -title:art)")]).await;
    let expected = json!({"match": "best", "clauses": [{"occurs": "must", "any_of": [
        {"text": "old", "terms": [["old"]]},
        {"clauses": [
            {"occurs": "must", "any_of": [{"text": "new", "terms": [["new"]]}]},
            {"occurs": "must_not", "any_of": [{"text": "art", "field": "title", "terms": [["art"]]}]},
        ]},
    ]}]});
    assert_eq!(reply["query"], expected, "{reply}");
}
