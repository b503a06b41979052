//! Authority files: names on every way in, rewriting, merging, counts, completion, and all of that at once.

mod at_once;
mod likeness;
mod requests;
mod writes;

use serde_json::{Value as Json, json};

use crate::harness::World;

pub async fn authority(world: &World, file: &str, name: &str, variants: &[&str]) -> Json {
    let body = json!({"name": name, "variants": variants});
    world
        .editor
        .post(&format!("authorities/{file}"), &body)
        .await
        .is(201)
        .json()
}

pub fn id(item: &Json) -> &str {
    item["id"].as_str().unwrap()
}

pub async fn read(world: &World, file: &str, authority: &Json) -> Json {
    world
        .reader
        .get(&format!("authorities/{file}/{}", id(authority)))
        .await
        .is(200)
        .json()
}

pub async fn read_resource(world: &World, resource: &Json) -> Json {
    world
        .reader
        .get(&format!("resources/{}", id(resource)))
        .await
        .is(200)
        .json()
}

pub async fn names(world: &World, file: &str, parameters: &[(&str, &str)]) -> String {
    let items = world
        .reader
        .all(&format!("authorities/{file}"), parameters)
        .await;
    let names: Vec<&str> = items
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect();
    names.join(" | ")
}
