//! Generated names mean the same on both databases.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value as Json, json};

use crate::harness::{Backend, World, block_on, resource, small_options};

/// Names with the case, accents, spacing and scripts at which databases tend to differ.
fn any_name() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select(vec![
            "a",
            "A",
            "á",
            "A\u{301}",
            "ß",
            "ss",
            "SS",
            "İ",
            "i",
            "ı",
            "Ł",
            "l",
            " ",
            "  ",
            "\u{a0}",
            ",",
            "-",
            "'",
            "Ω",
            "ω",
            "ς",
            "Ж",
            "ж",
            "上",
            "ﬁ",
            "fi",
            "\u{ad}",
            "\u{200b}",
            "%",
            "_",
            "\\",
            "\"",
            "é",
            "\u{1f600}",
        ]),
        1..6,
    )
    .prop_map(|parts| parts.concat())
    .prop_filter("visible", |name| !name.trim().is_empty())
}

/// The same authorities and resources on both databases: the same refusals, names, counts and completions.
#[test]
fn names_are_resolved_alike_on_both_databases() {
    block_on(async {
        let worlds = [
            World::start_with(Backend::Sqlite, small_options()).await,
            World::start_with(Backend::Postgres, small_options()).await,
        ];
        let names = prop::collection::vec(any_name(), 2..5);
        let case = (any_name(), names, any_name());
        let mut runner = TestRunner::new(Config {
            cases: 60,
            failure_persistence: None,
            ..Config::default()
        });
        let mut cases = Vec::new();
        for _ in 0..60 {
            cases.push(case.new_tree(&mut runner).unwrap().current());
        }
        let [sqlite, postgres] = &worlds;
        for (name, given, prefix) in cases {
            let (one, other) = (
                ask(sqlite, &name, &given, &prefix).await,
                ask(postgres, &name, &given, &prefix).await,
            );
            assert_eq!(one, other, "{name:?} {given:?} {prefix:?}");
        }
    });
}

async fn ask(world: &World, name: &str, given: &[String], prefix: &str) -> Vec<Json> {
    let body = json!({"name": name, "variants": &given[1..]});
    let made = world.editor.post("authorities/subjects", &body).await;
    assert!(matches!(made.status, 201 | 409), "{}", made.text());
    let created = resource(
        world,
        json!({"title": "T", "subject": given, "creator": name}),
    )
    .await;
    let completed = world
        .reader
        .query(
            "authorities/subjects",
            &[("prefix", prefix), ("limit", "50")],
        )
        .await
        .is(200)
        .json();
    let shown: Vec<Json> = completed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| json!([item["name"], item["variants"], item["usage_count"]]))
        .collect();
    vec![json!(made.status), created["subject"].clone(), json!(shown)]
}
