//! Completing titles, subjects and creators.

use serde_json::{Value as Json, json};

use crate::harness::{World, catalogue, resource};

matrix![
    what_was_typed_is_completed_by_every_word_of_a_text,
    completions_come_in_a_documented_order,
    completions_follow_the_library_at_once,
    what_cannot_be_completed_has_no_completions,
];

async fn suggest(world: &World, parameters: &[(&str, &str)]) -> Vec<Json> {
    let reply = world
        .reader
        .query("search/suggest", parameters)
        .await
        .is(200)
        .json();
    assert_eq!(reply.as_object().unwrap().len(), 1, "{reply}");
    reply["items"].as_array().unwrap().clone()
}

fn shown(items: &[Json]) -> Vec<String> {
    let show = |item: &Json| {
        format!(
            "{} {}",
            item["kind"].as_str().unwrap(),
            item["text"].as_str().unwrap()
        )
    };
    items.iter().map(show).collect()
}

async fn what_was_typed_is_completed_by_every_word_of_a_text(world: World) {
    let created = catalogue(&world).await;
    for (typed, expected) in [
        ("data", &["subject Databases", "title Database Systems"][..]),
        ("DATAB", &["subject Databases", "title Database Systems"]),
        ("database sys", &["title Database Systems"]),
        ("sys", &["subject Systems", "title Database Systems"]),
        ("systems data", &["title Database Systems"]),
        ("sys data", &[]),
        ("datab sys", &[]),
        ("syst ", &["subject Systems", "title Database Systems"]),
        ("ind", &["subject Indexes", "title The Art of Indexing"]),
        ("hop", &["creator Grace Hopper"]),
        ("hopper g", &["creator Grace Hopper"]),
        ("elem", &["title Éléments de café"]),
        ("cafe", &["title Éléments de café"]),
        ("muller", &["creator Jörg Müller"]),
        ("gross", &["title Über die Größe der Meere"]),
        ("東", &["title 東京の本", "subject 東京"]),
        ("東京の", &["title 東京の本"]),
        ("البح", &["title كتاب البحر"]),
        (
            "untitled",
            &["title Untitled notes", "title untitled notes"],
        ),
        ("b", &["title Running <b>fast</b> & far"]),
        ("nowhere", &[]),
        ("harbour", &[]),
    ] {
        assert_eq!(
            shown(&suggest(&world, &[("q", typed)]).await),
            expected,
            "{typed}"
        );
    }
    let items = suggest(&world, &[("q", "database")]).await;
    assert_eq!(
        items,
        [
            json!({"text": "Databases", "kind": "subject", "count": 2}),
            json!({"text": "Database Systems", "kind": "title", "count": 1, "resource_id": created[0]["id"]}),
        ]
    );
}

async fn completions_come_in_a_documented_order(world: World) {
    let mut ids = Vec::new();
    for (title, creator, subject) in [
        ("Sea stories", "Seaman", json!(["Sea", "The sea", "Sea"])),
        ("Sea stories", "Of the Sea", json!(["The sea"])),
        ("A sea", "Seaman", json!(["Seaside"])),
        ("Sea", "Seaman", json!([])),
    ] {
        let fields = json!({"title": title, "creator": creator, "subject": subject});
        ids.push(resource(&world, fields).await["id"].clone());
    }
    let items = suggest(&world, &[("q", "sea")]).await;
    let expected = [
        "creator Seaman",
        "title Sea stories",
        "title Sea",
        "subject Sea",
        "subject Seaside",
        "subject The sea",
        "title A sea",
        "creator Of the Sea",
    ];
    assert_eq!(shown(&items), expected);
    let counts: Vec<u64> = items
        .iter()
        .map(|item| item["count"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [3, 2, 1, 1, 1, 2, 1, 1]);
    assert_eq!(items[1]["resource_id"], ids[0]);
    assert_eq!(
        shown(&suggest(&world, &[("q", "sea"), ("limit", "3")]).await),
        expected[..3]
    );
}

async fn completions_follow_the_library_at_once(world: World) {
    let created = resource(
        &world,
        json!({"title": "Caterpillar", "subject": ["leaf", "leaf"]}),
    )
    .await;
    let path = format!("resources/{}", created["id"].as_str().unwrap());
    let texts = async |typed: &str| shown(&suggest(&world, &[("q", typed)]).await);
    assert_eq!(texts("cat").await, ["title Caterpillar"]);
    assert_eq!(texts("leaf").await, ["subject leaf"]);
    world
        .editor
        .patch(
            &path,
            "*",
            &json!({"title": "Butterfly", "subject": ["leaves"], "creator": "Cat"}),
        )
        .await
        .is(200);
    assert_eq!(texts("cat").await, ["creator Cat"]);
    assert_eq!(texts("lea").await, ["subject leaves"]);
    assert_eq!(texts("butter").await, ["title Butterfly"]);
    world.editor.delete(&path, "*").await.is(204);
    for typed in ["cat", "lea", "butter"] {
        assert!(texts(typed).await.is_empty(), "{typed}");
    }
    resource(&world, json!({"title": "Cat again"})).await;
    assert_eq!(texts("cat").await, ["title Cat again"]);
    let world = world.restart().await;
    assert_eq!(
        shown(&suggest(&world, &[("q", "cat")]).await),
        ["title Cat again"]
    );
}

async fn what_cannot_be_completed_has_no_completions(world: World) {
    catalogue(&world).await;
    for typed in ["", " ", "!", "🎉", "\u{0}", "'", "\"", "\u{202e}", "%"] {
        assert!(
            suggest(&world, &[("q", typed)]).await.is_empty(),
            "{typed:?}"
        );
    }
    assert!(suggest(&world, &[]).await.is_empty());
    assert!(
        suggest(&world, &[("q", &"a".repeat(10_000))])
            .await
            .is_empty()
    );
    for (limit, code) in [
        ("0", "out_of_range"),
        ("201", "out_of_range"),
        ("x", "type"),
    ] {
        world
            .reader
            .query("search/suggest", &[("q", "a"), ("limit", limit)])
            .await
            .has_fault(400, "limit", code);
    }
    world
        .reader
        .query("search/suggest", &[("query", "a")])
        .await
        .problem(400, "unknown_parameter");
}
