//! What readers make of the library: the same random changes and questions, by two people, on both databases.

use serde_json::{Value as Json, json};

use super::{comparable, show};
use crate::harness::{Backend, Chance, Client, Reply, World, block_on, tenant, with_query};

const OPERATIONS: usize = 1_200;

const TEXTS: [&str; 6] = [
    "Über die Größe der Meere, und über Meere",
    "a rose is a rose is a rose",
    "Das Meer 🌊 und die Größe",
    "rose, rose",
    "",
    "Éclairs in C++ and 東京",
];
const WORDS: [&str; 10] = [
    "rose", "Meer", "größe", "über", "C++", "東", "eclair", "a is", "nothing", "🌊",
];
const IDENTIFIERS: [&str; 8] = [
    "10.1000/1",
    "doi:10.1000/2",
    "https://doi.org/10.1000/1",
    "0-306-40615-2",
    "isbn:9780306406157",
    "arXiv:2101.00001v2",
    "https://arxiv.org/abs/2101.00001",
    "Shelf 3",
];

/// Ids that were answered, by kind; the same on both databases.
#[derive(Default)]
struct Known {
    resources: Vec<String>,
    collections: Vec<String>,
    annotations: Vec<String>,
    citations: Vec<String>,
    users: Vec<String>,
}

struct Operation {
    by_rival: bool,
    method: &'static str,
    path: String,
    if_match: Option<String>,
    body: Option<Json>,
}

#[test]
fn what_readers_do_and_ask_gives_the_same_bytes() {
    block_on(async {
        let sqlite = World::start(Backend::Sqlite).await;
        let postgres = World::start(Backend::Postgres).await;
        let rivals = (
            tenant(&sqlite, "rival@example.org", "editor").await,
            tenant(&postgres, "rival@example.org", "editor").await,
        );
        let seed = std::env::var("PHAROS_EQUALITY_SEED");
        let seed = seed.map_or(7, |seed| seed.parse().expect("a number"));
        let mut chance = Chance::new(seed);
        let mut known = Known::default();
        for client in [&sqlite.editor, &rivals.0] {
            let me = client.get("me").await.json();
            let other = if known.users.is_empty() {
                postgres.editor.get("me").await.json()
            } else {
                rivals.1.get("me").await.json()
            };
            assert_eq!(me["user"], other["user"]);
            known
                .users
                .push(me["user"]["id"].as_str().unwrap().to_owned());
        }
        let mut statuses = std::collections::BTreeMap::new();
        for number in 0..OPERATIONS {
            let operation = next(&mut chance, &known, number);
            let one = send(&operation, &sqlite.editor, &rivals.0).await;
            let other = send(&operation, &postgres.editor, &rivals.1).await;
            assert!(
                one == other,
                "{number} {} {} {:?}\n\nSQLite: {}\n\nPostgreSQL: {}",
                operation.method,
                operation.path,
                operation.body,
                show(&one),
                show(&other)
            );
            assert!(one.status < 500, "{} {}", operation.path, show(&one));
            *statuses
                .entry((operation.method, one.status))
                .or_insert(0_usize) += 1;
            remember(&mut known, &operation, &one);
        }
        println!("{statuses:?}");
        for (method, status) in [
            ("GET", 200),
            ("GET", 404),
            ("POST", 201),
            ("POST", 200),
            ("POST", 409),
            ("PATCH", 200),
            ("PATCH", 404),
            ("PATCH", 412),
            ("PUT", 200),
            ("DELETE", 204),
        ] {
            let times = statuses.get(&(method, status)).copied().unwrap_or(0);
            assert!(
                times > 2,
                "{method} {status} only {times} times: {statuses:?}"
            );
        }
    });
}

async fn send(operation: &Operation, editor: &Client, rival: &Client) -> Reply {
    let client = if operation.by_rival { rival } else { editor };
    let mut request = client.request(operation.method, &operation.path);
    if let Some(tag) = &operation.if_match {
        request = request.header("if-match", tag);
    }
    if let Some(body) = &operation.body {
        request = request.json(body);
    }
    comparable(request.send().await)
}

fn remember(known: &mut Known, operation: &Operation, reply: &Reply) {
    if reply.status != 201 || operation.method != "POST" {
        return;
    }
    let id = reply.json()["id"].as_str().unwrap().to_owned();
    let kind = operation.path.rsplit('/').next().unwrap();
    match kind {
        "resources" => known.resources.push(id),
        "collections" => known.collections.push(id),
        "annotations" => known.annotations.push(id),
        _ => known.citations.push(id),
    }
}

fn one_of(chance: &mut Chance, ids: &[String]) -> String {
    // The first ones more often: something happens to them.
    let end = if chance.percent(50) {
        ids.len().min(4)
    } else {
        ids.len()
    };
    match ids.get(chance.below(end)) {
        Some(id) => id.clone(),
        None => "01890000-0000-7000-8000-000000000000".to_owned(),
    }
}

fn next(chance: &mut Chance, known: &Known, number: usize) -> Operation {
    let mut operation = Operation {
        by_rival: chance.percent(30),
        method: "GET",
        path: String::new(),
        if_match: None,
        body: None,
    };
    let kind = if number < 12 { 0 } else { chance.below(20) };
    let resource = one_of(chance, &known.resources);
    let collection = one_of(chance, &known.collections);
    match kind {
        0 => {
            operation.method = "POST";
            operation.path = "resources".to_owned();
            operation.body = Some(json!({
                "title": format!("R{number}"), "description": chance.pick(&TEXTS), "identifier": chance.pick(&IDENTIFIERS),
                "language": chance.pick(&["en", "ger", "fre"]),
            }));
        }
        1 => {
            operation.path = format!("resources/{resource}");
            if chance.percent(15) {
                operation.method = "DELETE";
            } else {
                operation.method = "PATCH";
                operation.body = Some(match chance.below(3) {
                    0 => json!({"identifier": chance.pick(&IDENTIFIERS)}),
                    1 => {
                        json!({"description": format!("{}{}", chance.pick(&WORDS), chance.pick(&TEXTS))})
                    }
                    _ => {
                        json!({"description": chance.pick(&TEXTS), "language": chance.pick(&["en", "ger"])})
                    }
                });
            }
        }
        2 => {
            operation.method = "POST";
            operation.path = "collections".to_owned();
            let parent = chance.percent(60).then(|| collection.clone());
            operation.body = Some(json!({
                "name": format!("C{}", chance.below(9)), "parent_id": parent,
                "visibility": chance.pick(&["private", "shared", "public"]),
            }));
        }
        3 => {
            operation.method = "PATCH";
            operation.path = format!("collections/{collection}");
            let other = one_of(chance, &known.collections);
            operation.body = Some(if chance.percent(50) {
                json!({ "parent_id": other })
            } else {
                json!({"visibility": chance.pick(&["shared", "public"])})
            });
        }
        4 => {
            operation.method = "DELETE";
            let children = *chance.pick(&["", "?children=delete", "?children=lift"]);
            operation.path = format!("collections/{collection}{children}");
            if !chance.percent(30) {
                operation.method = "GET";
                operation.path = format!("collections/{collection}");
            }
        }
        5 | 6 => {
            let ids: Vec<String> = (0..1 + chance.below(4))
                .map(|_| one_of(chance, &known.resources))
                .collect();
            operation.method = if chance.percent(75) { "POST" } else { "DELETE" };
            operation.path = format!("collections/{collection}/resources");
            operation.body = Some(json!({ "resource_ids": ids }));
        }
        7 => {
            operation.method = "PUT";
            operation.path = format!("collections/{collection}/resources/{resource}");
            operation.body = Some(if chance.percent(80) {
                json!({"position": 1 + chance.below(4)})
            } else {
                json!({})
            });
        }
        8 => {
            operation.method = "PUT";
            let user = chance.pick(&known.users);
            operation.path = format!("collections/{collection}/members/{user}");
            operation.body = Some(json!({"role": chance.pick(&["viewer", "editor"])}));
        }
        9 | 10 => {
            operation.method = "POST";
            operation.path = format!("resources/{resource}/annotations");
            let start = chance.below(20);
            operation.body = Some(json!({
                "field": if chance.percent(80) { "description" } else { "title" }, "start": start,
                "end": start + 1 + chance.below(6), "note": chance.pick(&WORDS), "tags": [chance.pick(&WORDS)],
                "visibility": chance.pick(&["private", "shared"]),
            }));
        }
        11 => {
            operation.path = format!("annotations/{}", one_of(chance, &known.annotations));
            operation.method = *chance.pick(&["PATCH", "PATCH", "DELETE"]);
            operation.body = (operation.method == "PATCH").then(|| {
                json!({"note": chance.pick(&TEXTS), "visibility": chance.pick(&["private", "shared"])})
            });
        }
        12 | 13 => {
            operation.method = "POST";
            operation.path = format!("resources/{resource}/citations");
            let cited = one_of(chance, &known.resources);
            operation.body = Some(if chance.percent(30) {
                json!({"type": "extends", "cited_id": cited})
            } else {
                json!({"identifier": chance.pick(&IDENTIFIERS), "raw_text": chance.pick(&TEXTS)})
            });
        }
        14 => {
            operation.path = format!("citations/{}", one_of(chance, &known.citations));
            operation.method = *chance.pick(&["PATCH", "GET", "DELETE"]);
            operation.body = (operation.method == "PATCH")
                .then(|| json!({"identifier": chance.pick(&IDENTIFIERS)}));
        }
        15 if chance.percent(30) => {
            operation.method = "POST";
            operation.path = "citations/importance".to_owned();
            operation.body = Some(json!({}));
        }
        _ => question(chance, &mut operation, &resource, &collection),
    }
    if matches!(operation.method, "PATCH" | "DELETE") && !operation.path.ends_with("/resources") {
        let tag = if chance.percent(80) { "*" } else { "\"2\"" };
        operation.if_match = Some(tag.to_owned());
    }
    operation
}

fn question(chance: &mut Chance, operation: &mut Operation, resource: &str, collection: &str) {
    let word = *chance.pick(&WORDS);
    let name = format!("C{}", chance.below(9));
    let (path, filters, sorts): (String, Vec<String>, &[&str]) = match chance.below(8) {
        0 => (
            "collections".to_owned(),
            vec![
                "parent_id = null".to_owned(),
                format!("parent_id = {collection}"),
                format!("name > \"{name}\" OR visibility = public"),
            ],
            &[
                "name",
                "-name,id",
                "visibility,-updated_at",
                "-version,name",
            ],
        ),
        1 => (
            format!("collections/{collection}/resources"),
            vec![
                "position > 1".to_owned(),
                format!("description:\"{word}\""),
                format!("collection = \"{name}\""),
            ],
            &[
                "position",
                "-position",
                "added_at,title",
                "-title",
                "language,-position",
            ],
        ),
        2 => (
            format!("collections/{collection}/members"),
            vec!["role = editor".to_owned()],
            &["added_at", "-role", "user_id"],
        ),
        3 | 4 => (
            if chance.percent(50) {
                "annotations".to_owned()
            } else {
                format!("resources/{resource}/annotations")
            },
            vec![
                "stale = true".to_owned(),
                format!("tags:\"{word}\""),
                format!("NOT note:\"{word}\" AND start > 3"),
                "field = title OR visibility = shared".to_owned(),
            ],
            &[
                "created_at",
                "-updated_at",
                "field,start,-end",
                "colour,-version",
                "resource_id,start",
            ],
        ),
        5 => (
            if chance.percent(50) {
                "citations".to_owned()
            } else {
                format!(
                    "resources/{resource}/citations?direction={}",
                    chance.pick(&["in", "out"])
                )
            },
            vec![
                "cited_id = null".to_owned(),
                "cited_id:*".to_owned(),
                format!("cited_id = {resource}"),
                "identifier = \"10*\"".to_owned(),
            ],
            &[
                "created_at",
                "type,-id",
                "identifier",
                "-identifier,citing_id",
            ],
        ),
        6 => (
            "citations/importance".to_owned(),
            vec!["cited_by > 1".to_owned(), "importance < 0.1".to_owned()],
            &["-importance", "cited_by", "resource_id"],
        ),
        _ => (
            "resources".to_owned(),
            vec![
                format!("collection:\"{name}\""),
                format!("collection = \"{name}\""),
                format!("NOT collection:{collection}"),
                "collection:*".to_owned(),
            ],
            &["title", "-updated_at"],
        ),
    };
    let (base, query) = path.split_once('?').unwrap_or((&path, ""));
    let mut parameters = vec![("limit", *chance.pick(&["2", "25", "200"]))];
    parameters.extend(query.split_once('='));
    if chance.percent(60) {
        let filter = &filters[chance.below(filters.len())];
        parameters.push(("filter", filter));
    }
    if chance.percent(70) {
        let sort: &str = sorts[chance.below(sorts.len())];
        parameters.push(("sort", sort));
    }
    if chance.percent(40) {
        parameters.push(("total", "true"));
    }
    if base.ends_with("annotations") && chance.percent(50) {
        parameters.push(("q", word));
    }
    operation.path = with_query(base, &parameters);
}
