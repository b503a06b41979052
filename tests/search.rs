//! Full-text search.

use serde_json::{Value as Json, json};

use crate::harness::{World, catalogue, resource};

matrix![
    better_matches_come_first,
    matches_are_marked_and_everything_else_is_escaped,
    facets_count_all_matches,
    pages_visit_every_match_once,
    changes_are_found_at_once,
    a_filter_narrows_a_search,
];

pub async fn search(world: &World, parameters: &[(&str, &str)]) -> Json {
    world
        .reader
        .query("search", parameters)
        .await
        .is(200)
        .json()
}

async fn better_matches_come_first(world: World) {
    for (title, description) in [
        (
            "A long walk",
            "about a whale that somebody once saw from far away while walking along the shore",
        ),
        (
            "The whale",
            "about something that somebody once saw from far away while walking along the shore",
        ),
        (
            "The whale and the kraken",
            "about something else that somebody saw from far away on the shore",
        ),
        (
            "The lighthouse",
            "about something that somebody once saw, the shore",
        ),
        ("Another walk", "about the shore"),
    ] {
        resource(&world, json!({"title": title, "description": description})).await;
    }
    let titles = async |query: &str| {
        let reply = search(&world, &[("q", query)]).await;
        let items = reply["items"].as_array().unwrap().clone();
        let scores: Vec<f64> = items
            .iter()
            .map(|item| item["score"].as_f64().unwrap())
            .collect();
        assert!(scores.iter().all(|score| *score > 0.0), "{scores:?}");
        assert!(scores.is_sorted_by(|one, other| one >= other), "{scores:?}");
        items
            .iter()
            .map(|item| item["resource"]["title"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    // In the title rather than in the description, in a shorter title, with more of the words, with the rarer word.
    assert_eq!(
        titles("whale").await,
        ["The whale", "The whale and the kraken", "A long walk"]
    );
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
    assert_eq!(
        marked["title"],
        "<mark>Running</mark> &lt;b&gt;fast&lt;/b&gt; &amp; far"
    );
    let description = marked["description"].as_str().unwrap();
    assert!(
        description.contains("Runners <mark>run</mark>; <mark>running</mark> is what"),
        "{description}"
    );
    assert!(
        description
            .contains("R&amp;D &lt;<mark>script</mark>&gt;alert(1)&lt;/<mark>script</mark>&gt;"),
        "{description}"
    );
    assert!(!description.contains("<script"), "{description}");
    let marked = of("Éléments de café");
    assert_eq!(marked["title"], "Éléments de <mark>café</mark>");
    assert_eq!(
        marked["description"],
        "Les livres sur le <mark>café</mark>, du grain à la tasse."
    );
}

async fn facets_count_all_matches(world: World) {
    catalogue(&world).await;
    let names = "subject,creator,language,type,year,classification";
    let reply = search(&world, &[("facets", names), ("limit", "1")]).await;
    let facets = &reply["facets"];
    assert_eq!(
        facets["type"],
        json!([{"value": "book", "count": 4}, {"value": "paper", "count": 3}])
    );
    let languages: Vec<&str> = facets["language"]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value["value"].as_str().unwrap())
        .collect();
    assert_eq!(languages, ["en", "ara", "en-US", "fre", "ger", "jpn"]);
    assert_eq!(
        facets["subject"][0],
        json!({"value": "Databases", "count": 2})
    );
    assert_eq!(
        facets["creator"][0],
        json!({"value": "Grace Hopper", "count": 2})
    );
    assert_eq!(facets["year"][0], json!({"value": "2001", "count": 2}));
    assert_eq!(
        facets["classification"],
        json!([{"value": "005.74", "count": 1}, {"value": "005.741", "count": 1}])
    );
    assert_eq!(reply["total"], 10);
    let narrowed = search(&world, &[("q", "database"), ("facets", "language")]).await;
    assert_eq!(
        narrowed["facets"],
        json!({"language": [{"value": "en", "count": 1}, {"value": "en-US", "count": 1}]})
    );
    assert_eq!(
        search(&world, &[("q", "nowhere"), ("facets", "type")]).await["facets"],
        json!({"type": []})
    );
    assert_eq!(
        search(&world, &[("q", "database")]).await["facets"],
        json!({})
    );
}

async fn pages_visit_every_match_once(world: World) {
    let created = catalogue(&world).await;
    for (query, matches) in [
        ("", 10),
        ("type:book OR type:paper", 7),
        ("database running cafe", 4),
    ] {
        for limit in ["1", "2", "3", "200"] {
            let items = world
                .reader
                .all("search", &[("q", query), ("limit", limit)])
                .await;
            let mut ids: Vec<&str> = items
                .iter()
                .map(|item| item["id"].as_str().unwrap())
                .collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(
                (items.len(), ids.len()),
                (matches, matches),
                "{query} limit={limit}"
            );
            let scores: Vec<f64> = items
                .iter()
                .map(|item| item["score"].as_f64().unwrap())
                .collect();
            assert!(scores.is_sorted_by(|one, other| one >= other), "{scores:?}");
        }
    }
    let first = world
        .reader
        .query("search", &[("q", "type:book"), ("limit", "2")])
        .await
        .is(200);
    let link = first.header("link").unwrap();
    let next = link
        .strip_prefix('<')
        .and_then(|link| link.strip_suffix(">; rel=\"next\""))
        .unwrap();
    let second = world.reader.get(next).await.is(200).json();
    assert_eq!(
        (second["items"].as_array().unwrap().len(), &second["total"]),
        (2, &json!(4))
    );
    let cursor = first.json()["next_cursor"].as_str().unwrap().to_owned();
    for parameters in [
        [("q", "type:paper"), ("cursor", cursor.as_str())],
        [("q", "type:book "), ("cursor", cursor.as_str())],
        [("q", ""), ("cursor", cursor.as_str())],
    ] {
        world
            .reader
            .query("search", &parameters)
            .await
            .has_fault(400, "cursor", "bad_cursor");
    }
    let narrower = [
        ("q", "type:book"),
        ("filter", "year > 0"),
        ("cursor", cursor.as_str()),
    ];
    world
        .reader
        .query("search", &narrower)
        .await
        .has_fault(400, "cursor", "bad_cursor");
    assert_eq!(created.len(), 10);
}

async fn changes_are_found_at_once(world: World) {
    let created = resource(&world, json!({"title": "Caterpillar", "subject": ["leaf"]})).await;
    let path = format!("resources/{}", created["id"].as_str().unwrap());
    let total = async |query: &str| search(&world, &[("q", query)]).await["total"].clone();
    assert_eq!(
        (total("caterpillar").await, total("butterfly").await),
        (json!(1), json!(0))
    );
    world
        .editor
        .patch(&path, "*", &json!({"title": "Butterfly", "date": "2020"}))
        .await
        .is(200);
    assert_eq!(
        (total("caterpillar").await, total("butterfly").await),
        (json!(0), json!(1))
    );
    assert_eq!(
        (total("leaf year:2020").await, total("").await),
        (json!(1), json!(1))
    );
    world
        .editor
        .patch(
            &path,
            "*",
            &json!({"subject": null, "description": "of the caterpillar"}),
        )
        .await
        .is(200);
    assert_eq!(
        (total("caterpillar").await, total("leaf").await),
        (json!(1), json!(0))
    );
    world.editor.delete(&path, "*").await.is(204);
    assert_eq!(
        (total("butterfly").await, total("").await),
        (json!(0), json!(0))
    );
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
        assert_eq!(
            search(&world, &[("q", query), ("filter", filter)]).await["total"],
            total,
            "{query} {filter}"
        );
    }
    world
        .reader
        .query("search", &[("q", "nowhere"), ("filter", "colour = 1")])
        .await
        .has_fault(400, "filter@0", "unknown_field");
}
