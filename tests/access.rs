//! Who may call what: every operation of the served document, by every kind of caller.

use serde_json::{Value as Json, json};

use crate::harness::{Client, Reply, World};

matrix![every_operation_answers_exactly_those_who_may_call_it];

/// What an operation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Nothing,
    AnyKey,
    /// A key that is not narrowed to scopes, or has `admin`.
    WholeKey,
    Scope(&'static str),
}

const OPERATIONS: &[(&str, Need)] = &[
    ("check_liveness", Need::Nothing),
    ("check_readiness", Need::Nothing),
    // From this machine.
    ("show_metrics", Need::Nothing),
    ("list_resources", Need::Scope("library:read")),
    ("create_resource", Need::Scope("library:write")),
    ("create_resources", Need::Scope("library:write")),
    ("export_resources", Need::Scope("library:read")),
    ("delete_resources", Need::Scope("library:write")),
    ("find_resource", Need::Scope("library:read")),
    ("patch_resource", Need::Scope("library:write")),
    ("delete_resource", Need::Scope("library:write")),
    ("list_resource_taxonomy", Need::Scope("library:read")),
    ("assign_taxonomy_node", Need::Scope("library:write")),
    ("unassign_taxonomy_node", Need::Scope("library:write")),
    ("list_taxonomy", Need::Scope("library:read")),
    ("create_taxonomy_node", Need::Scope("library:write")),
    ("list_taxonomy_review", Need::Scope("library:read")),
    ("find_prediction", Need::Scope("library:read")),
    ("accept_prediction", Need::Scope("library:write")),
    ("reject_prediction", Need::Scope("library:write")),
    ("find_taxonomy_node", Need::Scope("library:read")),
    ("patch_taxonomy_node", Need::Scope("library:write")),
    ("delete_taxonomy_node", Need::Scope("library:write")),
    ("move_taxonomy_node", Need::Scope("library:write")),
    ("merge_taxonomy_node", Need::Scope("library:write")),
    ("list_taxonomy_resources", Need::Scope("library:read")),
    ("list_classification_codes", Need::Scope("library:read")),
    ("create_classification_code", Need::Scope("library:write")),
    ("import_classification_codes", Need::Scope("library:write")),
    ("find_classification_code", Need::Scope("library:read")),
    ("patch_classification_code", Need::Scope("library:write")),
    ("delete_classification_code", Need::Scope("library:write")),
    ("list_authorities", Need::Scope("library:read")),
    ("create_authority", Need::Scope("library:write")),
    ("find_authority", Need::Scope("library:read")),
    ("patch_authority", Need::Scope("library:write")),
    ("delete_authority", Need::Scope("library:write")),
    ("merge_authority", Need::Scope("library:write")),
    ("search_library", Need::Scope("library:read")),
    ("suggest_completions", Need::Scope("library:read")),
    ("list_resource_annotations", Need::Scope("library:read")),
    ("create_annotation", Need::Scope("library:write")),
    ("list_annotations", Need::Scope("library:read")),
    ("export_annotations", Need::Scope("library:read")),
    ("find_annotation", Need::Scope("library:read")),
    ("patch_annotation", Need::Scope("library:write")),
    ("delete_annotation", Need::Scope("library:write")),
    ("list_resource_citations", Need::Scope("library:read")),
    ("create_citation", Need::Scope("library:write")),
    ("list_citations", Need::Scope("library:read")),
    ("list_importance", Need::Scope("library:read")),
    ("compute_importance", Need::Scope("library:write")),
    ("find_citation", Need::Scope("library:read")),
    ("patch_citation", Need::Scope("library:write")),
    ("delete_citation", Need::Scope("library:write")),
    ("list_collections", Need::Scope("library:read")),
    ("create_collection", Need::Scope("library:write")),
    ("find_collection", Need::Scope("library:read")),
    ("patch_collection", Need::Scope("library:write")),
    ("delete_collection", Need::Scope("library:write")),
    ("list_collection_resources", Need::Scope("library:read")),
    ("add_collection_resources", Need::Scope("library:write")),
    ("remove_collection_resources", Need::Scope("library:write")),
    ("put_collection_resource", Need::Scope("library:write")),
    ("remove_collection_resource", Need::Scope("library:write")),
    ("list_members", Need::Scope("library:read")),
    ("put_member", Need::Scope("library:write")),
    ("delete_member", Need::Scope("library:write")),
    ("find_me", Need::AnyKey),
    ("list_users", Need::Scope("admin")),
    ("create_user", Need::Scope("admin")),
    // Somebody else's: one's own needs no scope.
    ("find_user", Need::Scope("admin")),
    ("patch_user", Need::Scope("admin")),
    ("delete_user", Need::Scope("admin")),
    ("list_keys", Need::WholeKey),
    ("create_key", Need::WholeKey),
    ("find_key", Need::WholeKey),
    ("revoke_key", Need::WholeKey),
    ("monitor_database", Need::Scope("admin")),
    ("list_slow_queries", Need::Scope("admin")),
];

/// Every scope, and the least role that has it.
const SCOPES: [(&str, &str); 7] = [
    ("library:read", "reader"),
    ("library:write", "editor"),
    ("documents:*", "editor"),
    ("ledger:*", "editor"),
    ("intake:*", "editor"),
    ("reports:read", "reader"),
    ("admin", "admin"),
];

fn includes(own: &str, needed: &str) -> bool {
    own == needed || own == "admin" || (own, needed) == ("library:write", "library:read")
}

struct Caller {
    name: String,
    client: Client,
    role: usize,
    scopes: Option<Vec<&'static str>>,
}

const ROLES: [&str; 3] = ["reader", "editor", "admin"];

fn may(caller: &Caller, needed: &str) -> bool {
    let (_, least) = SCOPES.iter().find(|(scope, _)| *scope == needed).unwrap();
    let least = ROLES.iter().position(|role| role == least).unwrap();
    caller.role >= least
        && caller
            .scopes
            .as_ref()
            .is_none_or(|own| own.iter().any(|own| includes(own, needed)))
}

async fn callers(world: &World) -> Vec<Caller> {
    let mut callers = Vec::new();
    let owners = [&world.reader, &world.editor, &world.admin];
    for (role, owner) in owners.into_iter().enumerate() {
        let narrowed = SCOPES.iter().map(|(scope, _)| Some(vec![*scope]));
        for scopes in [None, Some(vec![])].into_iter().chain(narrowed) {
            let key = owner
                .post("keys", &json!({"scopes": scopes}))
                .await
                .is(201)
                .json();
            let client = owner.with_key(key["secret"].as_str().unwrap());
            callers.push(Caller {
                name: format!("{} {scopes:?}", ROLES[role]),
                client,
                role,
                scopes,
            });
        }
    }
    callers
}

/// A request that has everything, for something that is not there.
async fn call(client: &Client, method: &str, path: &str) -> Reply {
    let mut path = path.replace("{file}", "subjects").replace("{code}", "512");
    while let (Some(begin), Some(end)) = (path.find('{'), path.find('}')) {
        path.replace_range(begin..=end, "01890000-0000-7000-8000-000000000000");
    }
    // What reads rows instead of JSON checks the type of the body first.
    let rows = path.ends_with("/import") || path.ends_with("/batch");
    let request = client.request(&method.to_uppercase(), &path);
    match method {
        "get" => request.send().await,
        _ if rows => {
            let request = request.header("content-type", "application/x-ndjson");
            request.body("").send().await
        }
        _ => {
            request
                .header("if-match", "*")
                .json(&json!({}))
                .send()
                .await
        }
    }
}

async fn every_operation_answers_exactly_those_who_may_call_it(world: World) {
    let callers = callers(&world).await;
    let document = world.anonymous.get("/openapi.json").await.is(200).json();
    let mut seen = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            let (_, need) = OPERATIONS
                .iter()
                .find(|(known, _)| *known == name)
                .unwrap_or_else(|| {
                    panic!("{name} is new: say in OPERATIONS who may call it");
                });
            seen.push(name);
            let secured = operation
                .get("security")
                .is_some_and(|security| *security == json!([{"key": []}]));
            assert_eq!(secured, *need != Need::Nothing, "the document on {name}");
            let anonymous = call(&world.anonymous, method, path).await;
            if *need == Need::Nothing {
                anonymous.is(200);
                continue;
            }
            anonymous.problem(401, "unauthenticated");
            for caller in &callers {
                let reply = call(&caller.client, method, path).await;
                let allowed = match need {
                    Need::Scope(needed) => may(caller, needed),
                    Need::WholeKey => caller.scopes.is_none() || may(caller, "admin"),
                    Need::AnyKey | Need::Nothing => true,
                };
                let refused = matches!(reply.status, 401 | 403);
                assert_eq!(
                    !refused,
                    allowed,
                    "{name} by {}: {}",
                    caller.name,
                    reply.text()
                );
                if refused {
                    reply.problem(403, "forbidden");
                }
                assert!(
                    reply.status < 500,
                    "{name} by {}: {}",
                    caller.name,
                    reply.text()
                );
            }
        }
    }
    let missing: Vec<_> = OPERATIONS
        .iter()
        .filter(|(name, _)| !seen.contains(name))
        .collect();
    assert!(missing.is_empty(), "not served: {missing:?}");
    let kept = world.admin.get("users").await.is(200).json();
    assert_eq!(kept["items"].as_array().map(Vec::len), Some(3), "{kept}");
    assert_eq!(
        world.reader.get("resources").await.json()["items"],
        Json::Array(Vec::new())
    );
}
