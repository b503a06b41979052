//! Nothing that was shown before is shown again when it has changed meanwhile, whoever changed it.

use serde_json::{Value as Json, json};

use crate::harness::{Backend, World};

matrix![
    what_another_tool_changes_shows_on_the_next_page,
    a_page_shows_one_moment_while_its_rows_change,
];

/// The publishers on the page of a list and on that of a search.
async fn publishers(world: &World) -> [Vec<Json>; 2] {
    let list = world.reader.query("resources", &[("sort", "title")]).await;
    let found = world.reader.query("search", &[("q", "tides")]).await;
    let list = list.is(200).json()["items"].clone();
    let found = found.is(200).json()["items"].clone();
    let of = |items: Json, path: &str| {
        let items = items.as_array().unwrap().clone();
        let values = items.iter().map(|item| item.pointer(path).unwrap().clone());
        values.collect::<Vec<_>>()
    };
    [of(list, "/publisher"), of(found, "/resource/publisher")]
}

async fn what_another_tool_changes_shows_on_the_next_page(world: World) {
    for title in ["Tides I", "Tides II"] {
        let body = json!({"title": title, "publisher": "First"});
        world.editor.post("resources", &body).await.is(201);
    }
    let both =
        |first: Json, second: Json| [vec![first.clone(), second.clone()], vec![first, second]];
    for _ in 0..2 {
        assert_eq!(
            publishers(&world).await,
            both(json!("First"), json!("First"))
        );
    }
    let change = "UPDATE resources SET publisher = 'Second' WHERE title = 'Tides II'";
    world.scratch.execute(change).await.unwrap();
    assert_eq!(
        publishers(&world).await,
        both(json!("First"), json!("Second"))
    );

    // Also when neither the version nor the time tells of the change.
    let without_trigger = match world.backend {
        Backend::Sqlite => "DROP TRIGGER resources_touch",
        Backend::Postgres => "ALTER TABLE resources DISABLE TRIGGER resources_touch",
    };
    world.scratch.execute(without_trigger).await.unwrap();
    let change = "UPDATE resources SET publisher = NULL WHERE title = 'Tides I'";
    world.scratch.execute(change).await.unwrap();
    assert_eq!(publishers(&world).await, both(Json::Null, json!("Second")));

    let removal = "DELETE FROM resources WHERE title = 'Tides I'";
    world.scratch.execute(removal).await.unwrap();
    assert_eq!(publishers(&world).await[0], [json!("Second")]);
}

async fn a_page_shows_one_moment_while_its_rows_change(world: World) {
    const ROWS: usize = 12;
    let mut ids = Vec::new();
    for number in 0..ROWS {
        let body = json!({"title": format!("{number:04}")});
        let reply = world.editor.post("resources", &body).await.is(201);
        ids.push(reply.json()["id"].as_str().unwrap().to_owned());
    }
    let writers = ids.chunks(3).map(|ids| async {
        for round in 1..=12 {
            for (place, id) in ids.iter().enumerate() {
                // Every change moves the row to another place.
                let title = format!("{:04}", (round * 7919 + place * 6007) % 10_000);
                let path = format!("resources/{id}");
                world
                    .editor
                    .patch(&path, "*", &json!({"title": title}))
                    .await
                    .is(200);
            }
        }
    });
    let readers = (0..3).map(|_| async {
        let mut different = std::collections::BTreeSet::new();
        for _ in 0..40 {
            let page = world
                .reader
                .query("resources", &[("sort", "title")])
                .await
                .is(200);
            let items = page.json()["items"].as_array().unwrap().clone();
            let titles: Vec<_> = items
                .iter()
                .map(|item| item["title"].as_str().unwrap().to_owned())
                .collect();
            let shown: std::collections::BTreeSet<_> =
                items.iter().map(|item| item["id"].to_string()).collect();
            assert_eq!(shown.len(), ROWS, "each row once: {titles:?}");
            assert!(
                titles.is_sorted(),
                "in the order of what is shown: {titles:?}"
            );
            different.insert(titles);
        }
        different.len()
    });
    let (_, pages) = tokio::join!(
        futures_util::future::join_all(writers),
        futures_util::future::join_all(readers),
    );
    assert!(
        pages.iter().sum::<usize>() > 3,
        "no page was read while rows changed"
    );
}
