//! Full-text search.

use serde_json::{Value as Json, json};

use crate::harness::{World, catalogue, resource};

matrix![
    every_query_finds_what_it_says,
    better_matches_come_first,
    matches_are_marked_and_everything_else_is_escaped,
    facets_count_all_matches,
    pages_visit_every_match_once,
    a_blank_query_matches_everything_and_a_query_without_words_nothing,
    no_string_is_an_error,
    changes_are_found_at_once,
    words_are_stemmed_by_the_language_of_the_text,
    a_filter_narrows_a_search,
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
];

async fn search(world: &World, parameters: &[(&str, &str)]) -> Json {
    world.reader.query("search", parameters).await.is(200).json()
}

async fn every_query_finds_what_it_says(world: World) {
    let created = catalogue(&world).await;
    for (query, expected) in QUERIES {
        let reply = search(&world, &[("q", query), ("limit", "200")]).await;
        let items = reply["items"].as_array().unwrap();
        let mut found: Vec<usize> =
            items.iter().map(|item| 1 + created.iter().position(|known| known["id"] == item["id"]).unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, *expected, "{query}");
        assert_eq!(reply["total"], expected.len(), "{query}");
        for item in items {
            assert_eq!((&item["kind"], &item["id"]), (&json!("resource"), &item["resource"]["id"]));
            assert!(created.contains(&item["resource"]), "{item}");
        }
    }
    let all = search(&world, &[("q", "grace indexing"), ("match", "all")]).await;
    assert_eq!((&all["total"], &all["items"][0]["resource"]["title"]), (&json!(1), &json!("The Art of Indexing")));
    let best = search(&world, &[("q", "grace indexing"), ("match", "best")]).await;
    assert_eq!(best["total"], 2);
}

async fn better_matches_come_first(world: World) {
    for (title, description) in [
        ("A long walk", "about a whale that somebody once saw from far away while walking along the shore"),
        ("The whale", "about something that somebody once saw from far away while walking along the shore"),
        ("The whale and the kraken", "about something else that somebody saw from far away on the shore"),
        ("The lighthouse", "about something that somebody once saw, the shore"),
        ("Another walk", "about the shore"),
    ] {
        resource(&world, json!({"title": title, "description": description})).await;
    }
    let titles = async |query: &str| {
        let reply = search(&world, &[("q", query)]).await;
        let items = reply["items"].as_array().unwrap().clone();
        let scores: Vec<f64> = items.iter().map(|item| item["score"].as_f64().unwrap()).collect();
        assert!(scores.iter().all(|score| *score > 0.0), "{scores:?}");
        assert!(scores.is_sorted_by(|one, other| one >= other), "{scores:?}");
        items.iter().map(|item| item["resource"]["title"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // In the title rather than in the description, in a shorter title, with more of the words, with the rarer word.
    assert_eq!(titles("whale").await, ["The whale", "The whale and the kraken", "A long walk"]);
    assert_eq!(titles("whale kraken").await[0], "The whale and the kraken");
    assert_eq!(titles("kraken shore").await[0], "The whale and the kraken");
    assert_eq!(titles("lighthouse whale").await[0], "The lighthouse");
}

async fn matches_are_marked_and_everything_else_is_escaped(world: World) {
    catalogue(&world).await;
    let reply = search(&world, &[("q", "running cafe script")]).await;
    let of = |title: &str| {
        let items = reply["items"].as_array().unwrap();
        let item = items.iter().find(|item| item["resource"]["title"] == title);
        item.unwrap_or_else(|| panic!("no {title} in {reply}"))["highlights"].clone()
    };
    let marked = of("Running <b>fast</b> & far");
    assert_eq!(marked["title"], "<mark>Running</mark> &lt;b&gt;fast&lt;/b&gt; &amp; far");
    let description = marked["description"].as_str().unwrap();
    assert!(description.contains("Runners <mark>run</mark>; <mark>running</mark> is what"), "{description}");
    assert!(description.contains("R&amp;D &lt;<mark>script</mark>&gt;alert(1)&lt;/<mark>script</mark>&gt;"), "{description}");
    assert!(!description.contains("<script"), "{description}");
    let marked = of("Éléments de café");
    assert_eq!(marked["title"], "Éléments de <mark>café</mark>");
    assert_eq!(marked["description"], "Les livres sur le <mark>café</mark>, du grain à la tasse.");
}

async fn facets_count_all_matches(world: World) {
    catalogue(&world).await;
    let names = "subject,creator,language,type,year,classification";
    let reply = search(&world, &[("facets", names), ("limit", "1")]).await;
    let facets = &reply["facets"];
    assert_eq!(facets["type"], json!([{"value": "book", "count": 4}, {"value": "paper", "count": 3}]));
    let languages: Vec<&str> = facets["language"].as_array().unwrap().iter().map(|value| value["value"].as_str().unwrap()).collect();
    assert_eq!(languages, ["en", "ara", "en-US", "fre", "ger", "jpn"]);
    assert_eq!(facets["subject"][0], json!({"value": "Databases", "count": 2}));
    assert_eq!(facets["creator"][0], json!({"value": "Grace Hopper", "count": 2}));
    assert_eq!(facets["year"][0], json!({"value": "2001", "count": 2}));
    assert_eq!(facets["classification"], json!([{"value": "005.74", "count": 1}, {"value": "005.741", "count": 1}]));
    assert_eq!(reply["total"], 10);
    let narrowed = search(&world, &[("q", "database"), ("facets", "language")]).await;
    assert_eq!(narrowed["facets"], json!({"language": [{"value": "en", "count": 1}, {"value": "en-US", "count": 1}]}));
    assert_eq!(search(&world, &[("q", "nowhere"), ("facets", "type")]).await["facets"], json!({"type": []}));
    assert_eq!(search(&world, &[("q", "database")]).await["facets"], json!({}));
}

async fn pages_visit_every_match_once(world: World) {
    let created = catalogue(&world).await;
    for (query, matches) in [("", 10), ("type:book OR type:paper", 7), ("database running cafe", 4)] {
        for limit in ["1", "2", "3", "200"] {
            let items = world.reader.all("search", &[("q", query), ("limit", limit)]).await;
            let mut ids: Vec<&str> = items.iter().map(|item| item["id"].as_str().unwrap()).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!((items.len(), ids.len()), (matches, matches), "{query} limit={limit}");
            let scores: Vec<f64> = items.iter().map(|item| item["score"].as_f64().unwrap()).collect();
            assert!(scores.is_sorted_by(|one, other| one >= other), "{scores:?}");
        }
    }
    let first = world.reader.query("search", &[("q", "type:book"), ("limit", "2")]).await.is(200);
    let link = first.header("link").unwrap();
    let next = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap();
    let second = world.reader.get(next).await.is(200).json();
    assert_eq!((second["items"].as_array().unwrap().len(), &second["total"]), (2, &json!(4)));
    let cursor = first.json()["next_cursor"].as_str().unwrap().to_owned();
    for parameters in [
        [("q", "type:paper"), ("cursor", cursor.as_str())],
        [("q", "type:book "), ("cursor", cursor.as_str())],
        [("q", ""), ("cursor", cursor.as_str())],
    ] {
        world.reader.query("search", &parameters).await.has_fault(400, "cursor", "bad_cursor");
    }
    let narrower = [("q", "type:book"), ("filter", "year > 0"), ("cursor", cursor.as_str())];
    world.reader.query("search", &narrower).await.has_fault(400, "cursor", "bad_cursor");
    assert_eq!(created.len(), 10);
}

async fn a_blank_query_matches_everything_and_a_query_without_words_nothing(world: World) {
    catalogue(&world).await;
    for query in ["", " ", "\t\n"] {
        assert_eq!(search(&world, &[("q", query)]).await["total"], 10, "{query:?}");
    }
    assert_eq!(search(&world, &[]).await["total"], 10);
    for query in ["!", "🎉", "\"\"", "...", "*"] {
        assert_eq!(search(&world, &[("q", query)]).await["total"], 0, "{query:?}");
    }
}

async fn no_string_is_an_error(world: World) {
    catalogue(&world).await;
    let mut queries: Vec<String> = [
        "\"", "\"\"\"", "\"open", "a \"b", "(", ")", "((((", "[", "]", "{}", "<", ">", "a:b:c", "title:", "title:\"", "year:", "year:x", "year:..",
        "year:1..99999999999999999999", "year:-500..500", "language:", "language:''", "type:\u{0}", "OR", "OR OR", "AND", "NOT", "a OR", "OR b", "-", "--",
        "- a", "-\"\"", "-OR", "+", "^2", "~", "*", "**", "a*b", "*a", "'", "''", "\\", "\\\\", "\\'", "&", "|", "!", "a & b", "a | !b", "a <-> b", "a:*", ":*",
        "NEAR(a b)", "tokens:a", "rowid", "%", "_", "%00", "\u{0}", "a\u{0}b", "\u{feff}", "\u{200b}", "\u{202e}drawkcab", "שלום עולם", "مرحبا", "東京 本",
        "한국어", "🎉", "👩‍👩‍👧", "e\u{301}", "İ", "ß", "ﬁ", "Ǆ", "\u{1f468}\u{200d}", "\r\n", "; DROP TABLE resources", "<script>alert(1)</script>", "=l:en", "=y:2001",
        "${jndi:x}", "a'b\"c\\d", "title:creator:x", "-title:-x", "\u{fffd}", "\u{10ffff}",
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
            let parameters = [("q", query.as_str()), ("match", mode), ("facets", "subject"), ("limit", "3")];
            let reply = world.reader.query("search", &parameters).await;
            assert_eq!(reply.status, 200, "{shown:?} {mode}: {}", reply.text());
            let reply = reply.json();
            if let Some(cursor) = reply["next_cursor"].as_str() {
                let next = world.reader.query("search", &[&parameters[..], &[("cursor", cursor)]].concat()).await;
                assert_eq!(next.is(200).json()["total"], reply["total"], "{shown:?}");
            }
        }
    }
}

async fn changes_are_found_at_once(world: World) {
    let created = resource(&world, json!({"title": "Caterpillar", "subject": ["leaf"]})).await;
    let path = format!("resources/{}", created["id"].as_str().unwrap());
    let total = async |query: &str| search(&world, &[("q", query)]).await["total"].clone();
    assert_eq!((total("caterpillar").await, total("butterfly").await), (json!(1), json!(0)));
    world.editor.patch(&path, "*", &json!({"title": "Butterfly", "date": "2020"})).await.is(200);
    assert_eq!((total("caterpillar").await, total("butterfly").await), (json!(0), json!(1)));
    assert_eq!((total("leaf year:2020").await, total("").await), (json!(1), json!(1)));
    world.editor.patch(&path, "*", &json!({"subject": null, "description": "of the caterpillar"})).await.is(200);
    assert_eq!((total("caterpillar").await, total("leaf").await), (json!(1), json!(0)));
    world.editor.delete(&path, "*").await.is(204);
    assert_eq!((total("butterfly").await, total("").await), (json!(0), json!(0)));
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
        ("книга language:ru", 1),
        ("книги", 1),
    ] {
        assert_eq!(search(&world, &[("q", query)]).await["total"], total, "{query}");
    }
}

async fn a_filter_narrows_a_search(world: World) {
    catalogue(&world).await;
    for (query, filter, total) in [
        ("database", "metadata.pages > 500", 1),
        ("", "metadata.pages > 200", 2),
        ("running", "language = \"fre\"", 0),
        ("", "", 10),
        ("hopper", "type = \"paper\"", 1),
    ] {
        assert_eq!(search(&world, &[("q", query), ("filter", filter)]).await["total"], total, "{query} {filter}");
    }
    world.reader.query("search", &[("q", "nowhere"), ("filter", "colour = 1")]).await.has_fault(400, "filter@0", "unknown_field");
}

async fn the_reply_tells_how_the_query_was_understood(world: World) {
    let reply = search(&world, &[("q", "running -\"old books\" title:art OR year:2001..2010 sys*")]).await;
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
}
