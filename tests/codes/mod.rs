//! Classification codes: the tree, changes, import, counts and the filter.

mod imports;
mod tree;

use serde_json::{Value as Json, json};

use crate::harness::World;

pub async fn code(world: &World, code: &str) -> Json {
    let body = json!({"code": code, "label": format!("Label {code}")});
    world
        .editor
        .post("classification-codes", &body)
        .await
        .is(201)
        .json()
}

pub async fn shown_tree(world: &World) -> String {
    let all = world
        .reader
        .all("classification-codes", &[("limit", "3")])
        .await;
    let codes: Vec<String> = all
        .iter()
        .map(|code| {
            format!(
                "{}<{}@{}",
                code["code"].as_str().unwrap(),
                code["parent_code"].as_str().unwrap_or("-"),
                code["level"]
            )
        })
        .collect();
    codes.join(" ")
}
