//! Two people who have nothing to do with each other: neither sees or changes what is the other's.

use serde_json::{Value as Json, json};

use crate::harness::{Client, Reply, World};

matrix![
    every_operation_keeps_the_two_apart,
    cursors_of_one_are_no_use_to_the_other,
    a_private_collection_is_no_filter_for_others,
];

/// Whom an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The same for everybody who may call it.
    Everybodys,
    /// The caller's, and nobody else's: tested below.
    Own,
    /// The owner's and theirs whom the owner shares it with: tested by
    /// `nobody_sees_or_changes_what_is_not_theirs` in `collections.rs` and in `annotations.rs`.
    Shared,
    /// An admin's: nobody else gets anywhere.
    Admins,
}

/// Every operation of the served document: a new one says here whose it is, and gets a case below when it is `Own`.
const OPERATIONS: &[(&str, Whose)] = &[
    ("check_liveness", Whose::Everybodys),
    ("check_readiness", Whose::Everybodys),
    ("list_resources", Whose::Everybodys),
    ("create_resource", Whose::Everybodys),
    ("create_resources", Whose::Everybodys),
    ("export_resources", Whose::Everybodys),
    ("delete_resources", Whose::Everybodys),
    ("find_resource", Whose::Everybodys),
    ("patch_resource", Whose::Everybodys),
    ("delete_resource", Whose::Everybodys),
    ("search_library", Whose::Everybodys),
    ("suggest_completions", Whose::Everybodys),
    ("list_annotations", Whose::Shared),
    ("export_annotations", Whose::Shared),
    ("find_annotation", Whose::Shared),
    ("delete_annotation", Whose::Shared),
    ("patch_annotation", Whose::Shared),
    ("list_authorities", Whose::Everybodys),
    ("create_authority", Whose::Everybodys),
    ("find_authority", Whose::Everybodys),
    ("delete_authority", Whose::Everybodys),
    ("patch_authority", Whose::Everybodys),
    ("merge_authority", Whose::Everybodys),
    ("list_citations", Whose::Everybodys),
    ("list_importance", Whose::Everybodys),
    ("compute_importance", Whose::Everybodys),
    ("find_citation", Whose::Everybodys),
    ("delete_citation", Whose::Everybodys),
    ("patch_citation", Whose::Everybodys),
    ("list_classification_codes", Whose::Everybodys),
    ("create_classification_code", Whose::Everybodys),
    ("import_classification_codes", Whose::Everybodys),
    ("find_classification_code", Whose::Everybodys),
    ("delete_classification_code", Whose::Everybodys),
    ("patch_classification_code", Whose::Everybodys),
    ("list_collections", Whose::Shared),
    ("create_collection", Whose::Shared),
    ("find_collection", Whose::Shared),
    ("delete_collection", Whose::Shared),
    ("patch_collection", Whose::Shared),
    ("list_members", Whose::Shared),
    ("put_member", Whose::Shared),
    ("delete_member", Whose::Shared),
    ("list_collection_resources", Whose::Shared),
    ("add_collection_resources", Whose::Shared),
    ("remove_collection_resources", Whose::Shared),
    ("put_collection_resource", Whose::Shared),
    ("remove_collection_resource", Whose::Shared),
    ("monitor_database", Whose::Admins),
    ("list_slow_queries", Whose::Admins),
    ("list_resource_annotations", Whose::Shared),
    ("create_annotation", Whose::Shared),
    ("list_resource_citations", Whose::Everybodys),
    ("create_citation", Whose::Everybodys),
    ("list_resource_taxonomy", Whose::Everybodys),
    ("assign_taxonomy_node", Whose::Everybodys),
    ("unassign_taxonomy_node", Whose::Everybodys),
    ("list_taxonomy", Whose::Everybodys),
    ("create_taxonomy_node", Whose::Everybodys),
    ("list_taxonomy_review", Whose::Everybodys),
    ("find_prediction", Whose::Everybodys),
    ("accept_prediction", Whose::Everybodys),
    ("reject_prediction", Whose::Everybodys),
    ("find_taxonomy_node", Whose::Everybodys),
    ("delete_taxonomy_node", Whose::Everybodys),
    ("patch_taxonomy_node", Whose::Everybodys),
    ("merge_taxonomy_node", Whose::Everybodys),
    ("move_taxonomy_node", Whose::Everybodys),
    ("list_taxonomy_resources", Whose::Everybodys),
    ("show_metrics", Whose::Everybodys),
    ("find_me", Whose::Own),
    ("list_users", Whose::Admins),
    ("create_user", Whose::Admins),
    ("find_user", Whose::Own),
    ("patch_user", Whose::Admins),
    ("delete_user", Whose::Admins),
    ("list_keys", Whose::Own),
    ("create_key", Whose::Own),
    ("find_key", Whose::Own),
    ("revoke_key", Whose::Own),
];

async fn me(client: &Client) -> Json {
    client.get("me").await.is(200).json()
}

fn text(json: &Json) -> String {
    json.as_str().unwrap().to_owned()
}

async fn every_operation_keeps_the_two_apart(world: World) {
    // The editor, who may do more, is the one who tries.
    let (victim, other) = (&world.reader, &world.editor);
    let key = victim
        .post("keys", &json!({"name": "theirs"}))
        .await
        .is(201)
        .json();
    let (user, other_user) = (me(victim).await, me(other).await);
    let (user_id, key_id) = (text(&user["user"]["id"]), text(&key["id"]));
    let user_before = world.admin.get(&format!("users/{user_id}")).await.is(200);
    let key_before = victim.get(&format!("keys/{key_id}")).await.is(200).json();

    let document = world.anonymous.get("/openapi.json").await.is(200).json();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            let (_, whose) = OPERATIONS
                .iter()
                .find(|(known, _)| *known == name)
                .unwrap_or_else(|| panic!("{name} is new: say in OPERATIONS whose it is"));
            let id = if path.contains("/users/") {
                &user_id
            } else {
                &key_id
            };
            let call = |body: Json| {
                let request = other.request(&method.to_uppercase(), &path.replace("{id}", id));
                request.header("if-match", "*").json(&body).send()
            };
            match (whose, name) {
                (Whose::Everybodys | Whose::Shared, _) => {}
                (Whose::Admins, _) => {
                    let body = json!({"email": "x@example.org", "role": "admin"});
                    call(body).await.problem(403, "forbidden");
                }
                (Whose::Own, "find_me") => assert_eq!(me(other).await, other_user),
                (Whose::Own, "find_user") => {
                    call(json!({})).await.problem(403, "forbidden");
                }
                (Whose::Own, "list_keys") => {
                    let own = all_of(other, "keys").await;
                    assert!(!own.is_empty());
                    for key in own {
                        assert_eq!(key["user_id"], other_user["user"]["id"]);
                    }
                }
                (Whose::Own, "create_key") => {
                    call(json!({"user_id": user_id}))
                        .await
                        .problem(403, "forbidden");
                }
                (Whose::Own, "find_key" | "revoke_key") => {
                    let refused = call(json!({})).await;
                    refused.problem(404, "not_found");
                    is_as_if_not_there(&refused, &key_id, other).await;
                }
                (Whose::Own, _) => panic!("{name} has no case here"),
            }
        }
    }
    for (name, _) in OPERATIONS {
        let is_served = document["paths"].as_object().unwrap().values().any(|item| {
            item.as_object()
                .unwrap()
                .values()
                .any(|operation| operation["operationId"] == *name)
        });
        assert!(is_served, "{name} is not served");
    }
    let user_after = world.admin.get(&format!("users/{user_id}")).await.is(200);
    assert_eq!(user_after.json(), user_before.json());
    let mut key_after = victim.get(&format!("keys/{key_id}")).await.is(200).json();
    key_after["last_used_at"] = key_before["last_used_at"].clone();
    assert_eq!(key_after, key_before);
    let secret = victim.with_key(key["secret"].as_str().unwrap());
    secret.get("me").await.is(200);
}

async fn all_of(client: &Client, path: &str) -> Vec<Json> {
    client.all(path, &[("limit", "1")]).await
}

/// What is somebody else's is answered like what is nobody's.
async fn is_as_if_not_there(refused: &Reply, id: &str, client: &Client) {
    let nobodys = "01890000-0000-7000-8000-000000000000";
    let missing = client.get(&format!("keys/{nobodys}")).await;
    let detail = |reply: &Reply| reply.json()["detail"].as_str().unwrap().to_owned();
    assert_eq!(detail(refused).replace(id, nobodys), detail(&missing));
}

async fn cursors_of_one_are_no_use_to_the_other(world: World) {
    for client in [&world.reader, &world.editor, &world.admin] {
        for _ in 0..3 {
            client.post("keys", &json!({})).await.is(201);
        }
    }
    let page = |client: Client| async move {
        let page = client.query("keys", &[("limit", "1")]).await.is(200).json();
        text(&page["next_cursor"])
    };
    let (theirs, everybodys) = (
        page(world.reader.clone()).await,
        page(world.admin.clone()).await,
    );
    for cursor in [&theirs, &everybodys] {
        world
            .editor
            .query("keys", &[("cursor", cursor)])
            .await
            .has_fault(400, "cursor", "bad_cursor");
    }
    let users = world
        .admin
        .query("users", &[("limit", "1")])
        .await
        .is(200)
        .json();
    let cursor = text(&users["next_cursor"]);
    world
        .editor
        .query("users", &[("cursor", &cursor)])
        .await
        .problem(403, "forbidden");
}

async fn a_private_collection_is_no_filter_for_others(world: World) {
    let ids: Vec<String> = {
        let mut ids = Vec::new();
        for title in ["Secretly collected", "Openly collected"] {
            let body = json!({"title": title});
            let made = world.editor.post("resources", &body).await.is(201).json();
            ids.push(text(&made["id"]));
        }
        ids
    };
    let owner = text(&me(&world.reader).await["user"]["id"]);
    let id = |text: &str| match world.backend {
        crate::harness::Backend::Sqlite => format!("x'{}'", text.replace('-', "")),
        crate::harness::Backend::Postgres => format!("'{text}'"),
    };
    let time = "'2026-01-01T00:00:00.000000Z'";
    for (number, (visibility, resource)) in [("private", &ids[0]), ("public", &ids[1])]
        .into_iter()
        .enumerate()
    {
        let collection = format!("01890000-0000-7000-8000-00000000000{number}");
        world
            .scratch
            .execute(&format!(
                "INSERT INTO collections (id, name, visibility, owner_id, created_at, updated_at) VALUES ({}, '{visibility} list', '{visibility}', {}, {time}, {time}); \
                 INSERT INTO collection_resources (collection_id, resource_id, position, added_at) VALUES ({}, {}, 0, {time})",
                id(&collection), id(&owner), id(&collection), id(resource)
            ))
            .await
            .unwrap();
    }
    let titles = |reply: Reply| -> Vec<String> {
        reply
            .is(200)
            .text()
            .lines()
            .map(|line| text(&serde_json::from_str::<Json>(line).unwrap()["title"]))
            .collect()
    };
    let filter = [("filter", "collection:\"private list\"")];
    let own = world.reader.query("resources/export", &filter).await;
    assert_eq!(titles(own), ["Secretly collected"]);
    let others = world.editor.query("resources/export", &filter).await;
    assert!(titles(others).is_empty());
    let deletion = json!({"filter": "collection:\"private list\"", "expected_count": 1});
    let refused = world.editor.post("resources/delete", &deletion).await;
    assert_eq!(refused.problem(409, "count_mismatch")["count"], 0);
    let filter = [("filter", "collection:\"public list\"")];
    let public = world.editor.query("resources/export", &filter).await;
    assert_eq!(titles(public), ["Openly collected"]);
}
