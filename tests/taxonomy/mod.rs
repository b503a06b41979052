//! The taxonomy: nodes with their paths, assignments, predictions and their review.

mod assignments;
mod likeness;
mod nodes;
mod requests;
mod storm;

use serde_json::{Value as Json, json};

use crate::harness::World;

pub async fn node(world: &World, fields: Json) -> Json {
    world.editor.post("taxonomy", &fields).await.is(201).json()
}

pub fn id(item: &Json) -> &str {
    item["id"].as_str().unwrap()
}

pub async fn read(world: &World, node: &Json) -> Json {
    world
        .reader
        .get(&format!("taxonomy/{}?subtree_counts=true", id(node)))
        .await
        .is(200)
        .json()
}

pub async fn paths(world: &World) -> String {
    let nodes = world.reader.all("taxonomy", &[("limit", "200")]).await;
    let paths: Vec<String> = nodes
        .iter()
        .map(|node| {
            format!(
                "{}@{}",
                node["path"].as_str().unwrap(),
                node["level"].as_i64().unwrap()
            )
        })
        .collect();
    paths.join(" ")
}

pub async fn assign(world: &World, item: &Json, node: &Json, status: u16) -> Json {
    let path = format!("resources/{}/taxonomy", id(item));
    world
        .editor
        .post(&path, &json!({"node_id": id(node)}))
        .await
        .is(status)
        .json()
}

/// science/physics/optics, science/chemistry, arts
pub async fn small_tree(world: &World) -> [Json; 5] {
    let science = node(world, json!({"label": "Science"})).await;
    let physics = node(
        world,
        json!({"label": "Physics", "parent_id": id(&science)}),
    )
    .await;
    let optics = node(world, json!({"label": "Optics", "parent_id": id(&physics)})).await;
    let chemistry = node(
        world,
        json!({"label": "Chemistry", "parent_id": id(&science)}),
    )
    .await;
    let arts = node(world, json!({"label": "Arts"})).await;
    [science, physics, optics, chemistry, arts]
}

pub async fn titles(world: &World, path: &str, parameters: &[(&str, &str)]) -> String {
    let items = world.reader.all(path, parameters).await;
    let titles: Vec<&str> = items
        .iter()
        .map(|item| item["title"].as_str().unwrap())
        .collect();
    titles.join(" ")
}
