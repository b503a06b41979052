//! Generated trees mean the same on both databases: slugs, clashes, ranges of paths, order.

use serde_json::{Value as Json, json};

use super::{id, titles};
use crate::harness::{Backend, Chance, World, block_on, resource, small_options};

const TREES: u64 = 6;
const NODES: usize = 25;

/// What stands beside `/` in some order or other, and what folds together.
const PARTS: [&str; 30] = [
    "a",
    "A",
    "b",
    "-",
    ".",
    "0",
    "1",
    "!",
    "é",
    "E\u{301}",
    "ß",
    "ẞ",
    "İ",
    "i",
    "ı",
    "Ω",
    "Σ",
    "ς",
    "Ж",
    "上",
    "\u{a0}",
    "%",
    "_",
    "\\",
    "\"",
    "'",
    "~",
    "{",
    "ﬁ",
    "\u{1f600}",
];

#[test]
fn trees_are_alike_on_both_databases() {
    block_on(async {
        let worlds = [
            World::start_with(Backend::Sqlite, small_options()).await,
            World::start_with(Backend::Postgres, small_options()).await,
        ];
        for seed in 0..TREES {
            let (one, other) = (grow(&worlds[0], seed).await, grow(&worlds[1], seed).await);
            assert_eq!(one, other, "seed {seed}");
        }
    });
}

/// Everything that is answered while a tree grows, is asked about, and goes.
async fn grow(world: &World, seed: u64) -> Vec<Json> {
    let mut chance = Chance::new(seed);
    let mut answers = Vec::new();
    let mut nodes: Vec<Json> = Vec::new();
    let mut items: Vec<Json> = Vec::new();
    for number in 0..NODES {
        let slug: String = (0..=chance.below(3))
            .map(|_| *chance.pick(&PARTS))
            .collect();
        let mut fields = json!({"label": format!("{slug} {number}"), "slug": slug});
        if !nodes.is_empty() && chance.percent(70) {
            fields["parent_id"] = nodes[chance.below(nodes.len())]["id"].clone();
        }
        let reply = world.editor.post("taxonomy", &fields).await;
        answers.push(json!(reply.status));
        if reply.status != 201 {
            reply.problem(409, "conflict");
            continue;
        }
        let node = reply.json();
        let item = resource(world, json!({"title": format!("R{number}")})).await;
        let place = format!("resources/{}/taxonomy", id(&item));
        let there = json!({"node_id": id(&node)});
        world.editor.post(&place, &there).await.is(201);
        nodes.push(node);
        items.push(item);
    }
    for _ in 0..NODES {
        let node = nodes[chance.below(nodes.len())].clone();
        let body = json!({"parent_id": nodes[chance.below(nodes.len())]["id"]});
        let path = format!("taxonomy/{}/move", id(&node));
        answers.push(json!(world.editor.post(&path, &body).await.status));
    }
    for sort in [
        "path",
        "-path",
        "slug,-level",
        "-label",
        "resource_count,-path",
    ] {
        let parameters = [("sort", sort), ("limit", "7"), ("subtree_counts", "true")];
        let listed = world.reader.all("taxonomy", &parameters).await;
        let shown = listed.iter().map(|node| {
            json!([
                node["path"],
                node["level"],
                node["version"],
                node["subtree_count"],
                node["updated_at"]
            ])
        });
        answers.extend(shown);
    }
    for node in &nodes {
        let now = world
            .reader
            .get(&format!("taxonomy/{}", id(node)))
            .await
            .is(200)
            .json();
        let name = now["path"].as_str().unwrap().to_uppercase();
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
        let filter = format!("taxonomy:\"{quoted}\"");
        let parameters = [("filter", filter.as_str()), ("sort", "title")];
        answers.push(json!([name, titles(world, "resources", &parameters).await]));
    }
    for item in items {
        let path = format!("resources/{}", id(&item));
        world.editor.delete(&path, "*").await.is(204);
    }
    let tops = [("filter", "parent_id = null"), ("limit", "200")];
    for node in world.reader.all("taxonomy", &tops).await {
        assert_eq!(node["resource_count"], 0, "{node}");
        let path = format!("taxonomy/{}?recursive=true", id(&node));
        world.editor.delete(&path, "*").await.is(204);
    }
    answers
}
