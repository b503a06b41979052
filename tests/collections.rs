//! Collections: trees, what is in them, with whom they are shared, and that nobody else sees them.

use std::collections::{HashMap, HashSet};

use serde_json::{Value as Json, json};

use crate::harness::{Client, Reply, World, resource, tenant};

matrix![
    a_collection_is_made_read_changed_and_deleted,
    a_body_that_breaks_rules_is_refused_with_every_place,
    a_resource_is_in_a_collection_once_and_in_the_order_that_was_set,
    what_is_in_a_collection_is_filtered_sorted_and_paged,
    a_collection_never_stands_beneath_itself,
    moves_at_once_leave_a_tree,
    deleting_says_what_becomes_of_what_stands_in_it,
    nobody_sees_or_changes_what_is_not_theirs,
    members_see_and_change_what_is_shared_with_them,
    of_a_hundred_changes_to_one_version_one_succeeds,
    filters_know_what_is_shared,
    what_a_filter_says_of_collections_is_what_is_in_them,
];

async fn collection(client: &Client, body: Json) -> Json {
    client.post("collections", &body).await.is(201).json()
}

fn path(item: &Json) -> String {
    format!("collections/{}", item["id"].as_str().unwrap())
}

async fn titles(client: &Client, path: &str, parameters: &[(&str, &str)]) -> String {
    let items = client.all(path, parameters).await;
    let title = |item: &Json| item["resource"]["title"].as_str().unwrap().to_owned();
    items.iter().map(title).collect::<Vec<_>>().join(" ")
}

async fn books(world: &World, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 1..=count {
        let book = resource(
            world,
            json!({"title": format!("R{number}"), "date": "2001"}),
        )
        .await;
        ids.push(book["id"].as_str().unwrap().to_owned());
    }
    ids
}

async fn put(client: &Client, path: &str, body: Json) -> Reply {
    client.request("PUT", path).json(&body).send().await
}

async fn delete_ids(client: &Client, path: &str, ids: &[&String]) -> Reply {
    let body = json!({ "resource_ids": ids });
    client.post(&format!("{path}/remove"), &body).await
}

async fn a_collection_is_made_read_changed_and_deleted(world: World) {
    let reply = world
        .editor
        .post(
            "collections",
            &json!({"name": "Reading list", "description": "For the winter"}),
        )
        .await
        .is(201);
    let made = reply.json();
    assert_eq!(reply.header("etag"), Some("\"1\""));
    assert_eq!(
        reply.header("location"),
        Some(format!("/api/v1/{}", path(&made)).as_str())
    );
    let me = world.editor.get("me").await.json();
    assert_eq!(
        made,
        json!({
            "id": made["id"], "parent_id": null, "name": "Reading list", "description": "For the winter",
            "visibility": "private", "owner_id": me["user"]["id"], "version": 1,
            "created_at": made["created_at"], "updated_at": made["created_at"],
        })
    );
    let read = world.editor.get(&path(&made)).await.is(200);
    assert_eq!(read.json(), made);
    let unchanged = world
        .editor
        .request("GET", &path(&made))
        .header("if-none-match", "\"1\"")
        .send()
        .await
        .is(304);
    assert!(unchanged.body.is_empty());

    let same = world
        .editor
        .patch(&path(&made), "\"1\"", &json!({"name": "Reading list"}))
        .await
        .is(200);
    assert_eq!(same.header("etag"), Some("\"1\""));
    let changed = world
        .editor
        .patch(
            &path(&made),
            "\"1\"",
            &json!({"name": "Winter", "description": null}),
        )
        .await
        .is(200);
    assert_eq!(changed.header("etag"), Some("\"2\""));
    assert_eq!(changed.json()["description"], Json::Null);
    assert_eq!(world.editor.get(&path(&made)).await.json(), changed.json());
    world
        .editor
        .patch(&path(&made), "\"1\"", &json!({"name": "Late"}))
        .await
        .problem(412, "stale_version");
    let operations = json!([{"op": "replace", "path": "/visibility", "value": "public"}]);
    let patched = world
        .editor
        .request("PATCH", &path(&made))
        .header("if-match", "*")
        .header("content-type", "application/json-patch+json")
        .body(operations.to_string())
        .send()
        .await
        .is(200);
    assert_eq!(patched.json()["visibility"], "public");
    world
        .editor
        .request("DELETE", &path(&made))
        .send()
        .await
        .problem(428, "precondition_required");
    world.editor.delete(&path(&made), "\"3\"").await.is(204);
    world
        .editor
        .get(&path(&made))
        .await
        .problem(404, "not_found");
}

async fn a_body_that_breaks_rules_is_refused_with_every_place(world: World) {
    let body = json!({"name": " ", "visibility": "secret", "parent_id": "x", "owner_id": "y", "colour": 1});
    let reply = world.editor.post("collections", &body).await;
    let faults = [
        ("/parent_id", "format"),
        ("/name", "required"),
        ("/visibility", "enum"),
        ("/colour", "unknown_field"),
        ("/owner_id", "read_only"),
    ];
    let faults = faults.map(|(place, code)| (place.to_owned(), code.to_owned()));
    assert_eq!(reply.faults(422), faults);
    let long = json!({"name": "n".repeat(201)});
    world
        .editor
        .post("collections", &long)
        .await
        .has_fault(422, "/name", "too_long");
    let nowhere = json!({"name": "n", "parent_id": "01890000-0000-7000-8000-000000000000"});
    world
        .editor
        .post("collections", &nowhere)
        .await
        .problem(409, "conflict");

    let made = collection(&world.editor, json!({"name": "n"})).await;
    let inside = format!("{}/resources", path(&made));
    let unknown = json!({"resource_ids": ["01890000-0000-7000-8000-000000000000", 1]});
    world
        .editor
        .post(&inside, &unknown)
        .await
        .has_fault(422, "/resource_ids/1", "format");
    let unknown = json!({"resource_ids": ["01890000-0000-7000-8000-000000000000"]});
    world
        .editor
        .post(&inside, &unknown)
        .await
        .problem(409, "conflict");
    for (body, code) in [
        (json!({}), "required"),
        (json!({"resource_ids": []}), "required"),
        (json!({"resource_ids": "x"}), "type"),
        (json!({"resource_ids": vec!["x"; 1001]}), "too_long"),
    ] {
        world
            .editor
            .post(&inside, &body)
            .await
            .has_fault(422, "/resource_ids", code);
    }
    let book = &books(&world, 1).await[0];
    for position in [json!(0), json!(1.5), json!(1_000_000_001)] {
        put(
            &world.editor,
            &format!("{inside}/{book}"),
            json!({"position": position}),
        )
        .await
        .has_fault(422, "/position", "out_of_range");
    }
}

async fn a_resource_is_in_a_collection_once_and_in_the_order_that_was_set(world: World) {
    let ids = books(&world, 4).await;
    let made = collection(&world.editor, json!({"name": "Shelf"})).await;
    let inside = format!("{}/resources", path(&made));
    let add = async |ids: &[&String]| {
        let body = json!({ "resource_ids": ids });
        world.editor.post(&inside, &body).await.is(200).json()
    };
    assert_eq!(
        add(&[&ids[0], &ids[1], &ids[0]]).await,
        json!({"added": 2, "already_there": 0})
    );
    assert_eq!(
        add(&[&ids[2], &ids[1], &ids[3]]).await,
        json!({"added": 2, "already_there": 1})
    );
    assert_eq!(titles(&world.editor, &inside, &[]).await, "R1 R2 R3 R4");

    let placed = put(
        &world.editor,
        &format!("{inside}/{}", ids[3]),
        json!({"position": 1}),
    )
    .await
    .is(200);
    assert_eq!(placed.json(), json!({"resource_id": ids[3], "position": 1}));
    assert_eq!(titles(&world.editor, &inside, &[]).await, "R4 R1 R2 R3");
    // To where it is already, and to the end.
    let again = put(
        &world.editor,
        &format!("{inside}/{}", ids[3]),
        json!({"position": 1}),
    )
    .await
    .is(200);
    assert_eq!(again.body, placed.body);
    put(&world.editor, &format!("{inside}/{}", ids[0]), json!({}))
        .await
        .is(200);
    assert_eq!(titles(&world.editor, &inside, &[]).await, "R4 R2 R3 R1");

    let removed = delete_ids(&world.editor, &inside, &[&ids[1], &ids[1], &ids[2]])
        .await
        .is(200);
    assert_eq!(removed.json(), json!({"removed": 2}));
    let one = format!("{inside}/{}", ids[0]);
    world.editor.request("DELETE", &one).send().await.is(204);
    world
        .editor
        .request("DELETE", &one)
        .send()
        .await
        .problem(404, "not_found");
    put(&world.editor, &one, json!({"position": 7}))
        .await
        .is(201);
    assert_eq!(titles(&world.editor, &inside, &[]).await, "R4 R1");
    put(
        &world.editor,
        &format!("{inside}/01890000-0000-7000-8000-000000000000"),
        json!({}),
    )
    .await
    .problem(404, "not_found");

    // What is deleted from the library is in no collection.
    world
        .editor
        .delete(&format!("resources/{}", ids[0]), "*")
        .await
        .is(204);
    assert_eq!(titles(&world.editor, &inside, &[]).await, "R4");
}

async fn what_is_in_a_collection_is_filtered_sorted_and_paged(world: World) {
    let ids = books(&world, 7).await;
    let made = collection(&world.editor, json!({"name": "Shelf"})).await;
    let inside = format!("{}/resources", path(&made));
    let backwards: Vec<&String> = ids.iter().rev().skip(1).collect();
    world
        .editor
        .post(&inside, &json!({ "resource_ids": backwards }))
        .await
        .is(200);
    for limit in ["1", "4", "200"] {
        for (sort, expected) in [
            ("", "R6 R5 R4 R3 R2 R1"),
            ("-position", "R1 R2 R3 R4 R5 R6"),
            ("year,title", "R1 R2 R3 R4 R5 R6"),
            ("-added_at,-title", "R6 R5 R4 R3 R2 R1"),
            ("creator,-created_at", "R6 R5 R4 R3 R2 R1"),
        ] {
            let found = titles(&world.editor, &inside, &[("sort", sort), ("limit", limit)]).await;
            assert_eq!(found, expected, "{sort} {limit}");
        }
        let filter = r#"position > 2 AND title != "R2""#;
        let found = titles(
            &world.editor,
            &inside,
            &[("filter", filter), ("limit", limit)],
        )
        .await;
        assert_eq!(found, "R4 R3 R1");
    }
    let page = world
        .editor
        .query(&inside, &[("total", "true"), ("limit", "2")])
        .await
        .is(200)
        .json();
    assert_eq!(page["total"], 6);
    assert_eq!(page["items"][0]["position"], 1);
    // The cursor is good for this collection alone.
    let other = collection(&world.editor, json!({"name": "Other"})).await;
    let cursor = page["next_cursor"].as_str().unwrap();
    world
        .editor
        .query(
            &format!("{}/resources", path(&other)),
            &[("cursor", cursor)],
        )
        .await
        .has_fault(400, "cursor", "bad_cursor");
}

async fn a_collection_never_stands_beneath_itself(world: World) {
    let mut parent = Json::Null;
    let mut chain = Vec::new();
    for depth in 1..=32 {
        let body = json!({"name": format!("Level {depth}"), "parent_id": parent});
        let made = collection(&world.editor, body).await;
        parent = made["id"].clone();
        chain.push(made);
    }
    let body = json!({"name": "Too deep", "parent_id": parent});
    world
        .editor
        .post("collections", &body)
        .await
        .problem(409, "conflict");
    for target in [0, 1, 31] {
        let body = json!({"parent_id": chain[target]["id"]});
        world
            .editor
            .patch(&path(&chain[0]), "*", &body)
            .await
            .problem(409, "conflict");
    }
    // With a tree beneath it a collection goes less deep.
    let other = collection(&world.editor, json!({"name": "Other"})).await;
    world
        .editor
        .patch(&path(&chain[0]), "*", &json!({"parent_id": other["id"]}))
        .await
        .problem(409, "conflict");
    world
        .editor
        .patch(&path(&chain[1]), "*", &json!({"parent_id": other["id"]}))
        .await
        .is(200);
    world
        .editor
        .patch(&path(&chain[1]), "*", &json!({"parent_id": null}))
        .await
        .is(200);
}

async fn moves_at_once_leave_a_tree(world: World) {
    const COLLECTIONS: usize = 8;
    let mut made = Vec::new();
    for number in 0..COLLECTIONS {
        made.push(collection(&world.editor, json!({"name": format!("C{number}")})).await);
    }
    let mut tasks = Vec::new();
    for (number, item) in made.iter().enumerate() {
        for step in 1..COLLECTIONS {
            let parent = made[(number + step) % COLLECTIONS]["id"].clone();
            let (client, path) = (world.editor.clone(), path(item));
            tasks.push(tokio::spawn(async move {
                let reply = client
                    .patch(&path, "*", &json!({ "parent_id": parent }))
                    .await;
                assert!(matches!(reply.status, 200 | 409), "{}", reply.text());
                reply.status
            }));
        }
    }
    let mut moved = 0;
    for task in tasks {
        moved += usize::from(task.await.unwrap() == 200);
    }
    assert!(moved >= COLLECTIONS - 1, "{moved}");
    let items = world.editor.all("collections", &[]).await;
    let parents: HashMap<&Json, &Json> = items
        .iter()
        .map(|item| (&item["id"], &item["parent_id"]))
        .collect();
    for item in &items {
        let mut seen = HashSet::new();
        let mut at = &item["id"];
        while !at.is_null() {
            assert!(seen.insert(at), "a circle through {at}");
            at = parents[at];
        }
    }
}

async fn deleting_says_what_becomes_of_what_stands_in_it(world: World) {
    let top = collection(&world.editor, json!({"name": "Top"})).await;
    let middle = collection(
        &world.editor,
        json!({"name": "Middle", "parent_id": top["id"]}),
    )
    .await;
    let leaf = collection(
        &world.editor,
        json!({"name": "Leaf", "parent_id": middle["id"]}),
    )
    .await;
    let refused = world.editor.delete(&path(&middle), "*").await;
    refused.problem(409, "conflict");
    world
        .editor
        .delete(&format!("{}?children=keep", path(&middle)), "*")
        .await
        .has_fault(400, "children", "enum");
    world
        .editor
        .delete(&format!("{}?children=lift", path(&middle)), "*")
        .await
        .is(204);
    let lifted = world.editor.get(&path(&leaf)).await.is(200);
    assert_eq!(lifted.json()["parent_id"], top["id"]);
    assert_eq!(lifted.header("etag"), Some("\"2\""));
    let book = &books(&world, 1).await[0];
    world
        .editor
        .post(
            &format!("{}/resources", path(&leaf)),
            &json!({"resource_ids": [book]}),
        )
        .await
        .is(200);
    world
        .editor
        .delete(&format!("{}?children=delete", path(&top)), "*")
        .await
        .is(204);
    world
        .editor
        .get(&path(&leaf))
        .await
        .problem(404, "not_found");
    world.editor.get(&format!("resources/{book}")).await.is(200);
}

/// Every way to reach into a collection, with what each would do.
async fn reach(
    client: &Client,
    collection: &Json,
    book: &str,
    user: &str,
) -> Vec<(&'static str, Reply)> {
    let at = path(collection);
    let ids = json!({"resource_ids": [book]});
    vec![
        ("read", client.get(&at).await),
        ("contents", client.get(&format!("{at}/resources")).await),
        ("members", client.get(&format!("{at}/members")).await),
        ("add", client.post(&format!("{at}/resources"), &ids).await),
        (
            "place",
            put(client, &format!("{at}/resources/{book}"), json!({})).await,
        ),
        (
            "remove",
            client.post(&format!("{at}/resources/remove"), &ids).await,
        ),
        (
            "remove one",
            client
                .request("DELETE", &format!("{at}/resources/{book}"))
                .send()
                .await,
        ),
        (
            "share",
            put(
                client,
                &format!("{at}/members/{user}"),
                json!({"role": "editor"}),
            )
            .await,
        ),
        (
            "end sharing",
            client
                .request("DELETE", &format!("{at}/members/{user}"))
                .send()
                .await,
        ),
        (
            "change",
            client.patch(&at, "*", &json!({"name": "Mine"})).await,
        ),
        (
            "delete",
            client.delete(&format!("{at}?children=delete"), "*").await,
        ),
    ]
}

/// Everything that somebody sees of collections.
async fn state(client: &Client) -> Json {
    let mut all = Vec::new();
    for item in client.all("collections", &[]).await {
        let inside = client.all(&format!("{}/resources", path(&item)), &[]).await;
        let members = client.all(&format!("{}/members", path(&item)), &[]).await;
        all.push(json!([item, inside, members]));
    }
    all.into()
}

async fn nobody_sees_or_changes_what_is_not_theirs(world: World) {
    let rival = tenant(&world, "rival@example.org", "editor").await;
    let book = &books(&world, 2).await[0];
    let third = tenant(&world, "third@example.org", "reader").await;
    let third = third.get("me").await.json()["user"]["id"].clone();
    let third = third.as_str().unwrap();
    let private = collection(&world.editor, json!({"name": "Private"})).await;
    let shared = collection(
        &world.editor,
        json!({"name": "Shared", "visibility": "shared"}),
    )
    .await;
    let public = collection(
        &world.editor,
        json!({"name": "Public", "visibility": "public"}),
    )
    .await;
    for made in [&private, &shared, &public] {
        world
            .editor
            .post(
                &format!("{}/resources", path(made)),
                &json!({"resource_ids": [book]}),
            )
            .await
            .is(200);
        put(
            &world.editor,
            &format!("{}/members/{third}", path(made)),
            json!({"role": "viewer"}),
        )
        .await
        .is(201);
    }
    let before = state(&world.editor).await;
    for made in [&private, &shared] {
        for (what, reply) in reach(&rival, made, book, third).await {
            assert_eq!(reply.status, 404, "{what}: {}", reply.text());
            assert!(!reply.text().contains("Private"), "{}", reply.text());
        }
    }
    // Nothing is told apart from what is not there at all.
    let missing = rival
        .get("collections/01890000-0000-7000-8000-000000000000")
        .await
        .json();
    let hidden = rival.get(&path(&private)).await.json();
    for member in ["title", "code", "status"] {
        assert_eq!(missing[member], hidden[member]);
    }
    for (what, reply) in reach(&rival, &public, book, third).await {
        let expected = match what {
            "read" | "contents" | "members" => 200,
            _ => 403,
        };
        assert_eq!(reply.status, expected, "{what}: {}", reply.text());
    }
    // Neither as a parent.
    for (parent, status) in [(&private, 409), (&shared, 409), (&public, 403)] {
        let body = json!({"name": "Cuckoo", "parent_id": parent["id"]});
        rival.post("collections", &body).await.is(status);
        let own = collection(&rival, json!({"name": "Own"})).await;
        rival
            .patch(&path(&own), "*", &json!({"parent_id": parent["id"]}))
            .await
            .is(status);
        rival.delete(&path(&own), "*").await.is(204);
    }
    assert_eq!(state(&world.editor).await, before);

    // Lists, their totals and their cursors.
    let names = async |client: &Client, parameters: &[(&str, &str)]| {
        let items = client.all("collections", parameters).await;
        let name = |item: &Json| item["name"].as_str().unwrap().to_owned();
        items.iter().map(name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&world.editor, &[]).await, "Private Public Shared");
    assert_eq!(names(&rival, &[]).await, "Public");
    assert_eq!(names(&rival, &[("filter", "name:*")]).await, "Public");
    assert_eq!(names(&world.admin, &[]).await, "Public Shared");
    let counted = rival
        .query("collections", &[("total", "true")])
        .await
        .json();
    assert_eq!(counted["total"], 1);
    let first = world
        .editor
        .query("collections", &[("limit", "1")])
        .await
        .json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = rival
        .query("collections", &[("limit", "1"), ("cursor", cursor)])
        .await
        .is(200)
        .json();
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert_eq!(rest["items"][0]["name"], "Public");
    let inside = format!("{}/resources", path(&private));
    world
        .editor
        .post(
            &inside,
            &json!({"resource_ids": [books(&world, 1).await[0]]}),
        )
        .await
        .is(200);
    let page = world.editor.query(&inside, &[("limit", "1")]).await.json();
    rival
        .query(
            &inside,
            &[("cursor", page["next_cursor"].as_str().unwrap())],
        )
        .await
        .problem(404, "not_found");

    // What is private is hidden from admins, too; the rest they may change.
    for (what, reply) in reach(&world.admin, &private, book, third).await {
        assert_eq!(reply.status, 404, "{what}: {}", reply.text());
    }
    world
        .admin
        .patch(&path(&shared), "*", &json!({"name": "Renamed"}))
        .await
        .is(200);
}

async fn members_see_and_change_what_is_shared_with_them(world: World) {
    let ids = books(&world, 2).await;
    let guest = tenant(&world, "guest@example.org", "editor").await;
    let guest_id = guest.get("me").await.json()["user"]["id"].clone();
    let guest_id = guest_id.as_str().unwrap();
    let made = collection(
        &world.editor,
        json!({"name": "Shared", "visibility": "shared"}),
    )
    .await;
    let membership = format!("{}/members/{guest_id}", path(&made));
    let inside = format!("{}/resources", path(&made));
    let body = json!({"resource_ids": [ids[0]]});

    guest.get(&path(&made)).await.problem(404, "not_found");
    let added = put(&world.editor, &membership, json!({"role": "viewer"}))
        .await
        .is(201)
        .json();
    assert_eq!(
        (&added["user_id"], &added["role"]),
        (&json!(guest_id), &json!("viewer"))
    );
    assert_eq!(guest.get(&path(&made)).await.is(200).json(), made);
    guest.post(&inside, &body).await.problem(403, "forbidden");
    put(&guest, &membership, json!({"role": "editor"}))
        .await
        .problem(403, "forbidden");

    let raised = put(&world.editor, &membership, json!({"role": "editor"}))
        .await
        .is(200)
        .json();
    assert_eq!(raised["added_at"], added["added_at"]);
    guest.post(&inside, &body).await.is(200);
    assert_eq!(titles(&guest, &inside, &[]).await, "R1");
    guest
        .patch(&path(&made), "*", &json!({"name": "Taken"}))
        .await
        .problem(403, "forbidden");
    guest
        .delete(&path(&made), "*")
        .await
        .problem(403, "forbidden");
    let listed = guest
        .get(&format!("{}/members?total=true", path(&made)))
        .await
        .is(200)
        .json();
    assert_eq!(
        (&listed["items"], &listed["total"]),
        (&json!([raised]), &json!(1))
    );

    // What turns private is hidden from members, and comes back with them when it is shared again.
    world
        .editor
        .patch(&path(&made), "*", &json!({"visibility": "private"}))
        .await
        .is(200);
    guest.get(&inside).await.problem(404, "not_found");
    guest.post(&inside, &body).await.problem(404, "not_found");
    world
        .editor
        .patch(&path(&made), "*", &json!({"visibility": "shared"}))
        .await
        .is(200);
    guest.get(&inside).await.is(200);
    guest.request("DELETE", &membership).send().await.is(204);
    guest.get(&inside).await.problem(404, "not_found");

    for (user, body, status) in [
        (
            "01890000-0000-7000-8000-000000000000",
            json!({"role": "viewer"}),
            404,
        ),
        (guest_id, json!({"role": "owner"}), 422),
        (guest_id, json!({}), 422),
        (
            made["owner_id"].as_str().unwrap(),
            json!({"role": "viewer"}),
            409,
        ),
    ] {
        put(
            &world.editor,
            &format!("{}/members/{user}", path(&made)),
            body,
        )
        .await
        .is(status);
    }
}

async fn of_a_hundred_changes_to_one_version_one_succeeds(world: World) {
    let made = collection(&world.editor, json!({"name": "Contested"})).await;
    let mut tasks = Vec::new();
    for number in 0..100 {
        let (client, path) = (world.editor.clone(), path(&made));
        tasks.push(tokio::spawn(async move {
            let body = json!({"name": format!("Name {number}")});
            client.patch(&path, "\"1\"", &body).await.status
        }));
    }
    let mut statuses = HashMap::new();
    for task in tasks {
        *statuses.entry(task.await.unwrap()).or_insert(0) += 1;
    }
    assert_eq!(statuses, HashMap::from([(200, 1), (412, 99)]));
    assert_eq!(world.editor.get(&path(&made)).await.json()["version"], 2);
}

async fn filters_know_what_is_shared(world: World) {
    let ids = books(&world, 3).await;
    let guest = tenant(&world, "guest@example.org", "reader").await;
    let guest_id = guest.get("me").await.json()["user"]["id"].clone();
    let top = collection(
        &world.editor,
        json!({"name": "Top", "visibility": "shared"}),
    )
    .await;
    let open = collection(
        &world.editor,
        json!({"name": "Open", "visibility": "shared", "parent_id": top["id"]}),
    )
    .await;
    let closed = collection(
        &world.editor,
        json!({"name": "Closed", "parent_id": top["id"]}),
    )
    .await;
    for (made, id) in [(&top, &ids[0]), (&open, &ids[1]), (&closed, &ids[2])] {
        let body = json!({"resource_ids": [id]});
        world
            .editor
            .post(&format!("{}/resources", path(made)), &body)
            .await
            .is(200);
    }
    for made in [&top, &open, &closed] {
        let at = format!("{}/members/{}", path(made), guest_id.as_str().unwrap());
        put(&world.editor, &at, json!({"role": "viewer"}))
            .await
            .is(201);
    }
    let rival = tenant(&world, "rival@example.org", "reader").await;
    let by_id = format!("collection:{}", closed["id"].as_str().unwrap());
    for (client, filter, expected) in [
        (&world.editor, r#"collection:"Top""#, "R1 R2 R3"),
        (&world.editor, r#"collection = "Top""#, "R1"),
        (&guest, r#"collection:"Top""#, "R1 R2"),
        (&guest, r#"collection:"Open""#, "R2"),
        (&guest, r#"collection:"Closed""#, ""),
        (&guest, &by_id, ""),
        (&guest, "collection:*", "R1 R2"),
        (&guest, "collection = null", "R3"),
        (&rival, r#"collection:"Top""#, ""),
        (&rival, r#"NOT collection:"Top""#, "R1 R2 R3"),
        (&rival, "collection:*", ""),
        (&world.admin, r#"collection:"Top""#, "R1 R2"),
    ] {
        let parameters = [("filter", filter), ("sort", "title")];
        let found = client.all("resources", &parameters).await;
        let title = |item: &Json| item["title"].as_str().unwrap().to_owned();
        let found: Vec<String> = found.iter().map(title).collect();
        assert_eq!(found.join(" "), expected, "{filter}");
        let searched = client
            .query("search", &[("q", ""), ("filter", filter)])
            .await
            .is(200)
            .json();
        let count = if expected.is_empty() {
            0
        } else {
            expected.split(' ').count()
        };
        assert_eq!(searched["total"], count, "{filter}");
    }
}

/// Random trees and random contents: the filter finds exactly what a walk through them finds.
async fn what_a_filter_says_of_collections_is_what_is_in_them(world: World) {
    use crate::harness::Chance;

    const COLLECTIONS: usize = 12;
    let mut chance = Chance::new(20_261_120);
    let ids = books(&world, 10).await;
    let mut made: Vec<(Json, Option<usize>, HashSet<usize>)> = Vec::new();
    for number in 0..COLLECTIONS {
        let parent = (number > 0 && chance.below(4) > 0).then(|| chance.below(number));
        let parent_id = parent.map_or(Json::Null, |at| made[at].0["id"].clone());
        let body = json!({"name": format!("C{number}"), "parent_id": parent_id});
        let item = collection(&world.editor, body).await;
        let inside: HashSet<usize> = (0..chance.below(4)).map(|_| chance.below(10)).collect();
        if !inside.is_empty() {
            let inside: Vec<&String> = inside.iter().map(|at| &ids[*at]).collect();
            let body = json!({ "resource_ids": inside });
            world
                .editor
                .post(&format!("{}/resources", path(&item)), &body)
                .await
                .is(200);
        }
        made.push((item, parent, inside));
    }
    for number in 0..COLLECTIONS {
        let beneath = |mut at: usize| loop {
            if at == number {
                return true;
            }
            match made[at].1 {
                Some(parent) => at = parent,
                None => return false,
            }
        };
        let within: HashSet<usize> = (0..COLLECTIONS)
            .filter(|at| beneath(*at))
            .flat_map(|at| made[at].2.iter().copied())
            .collect();
        for (filter, expected) in [
            (format!("collection:\"C{number}\""), &within),
            (format!("collection = \"C{number}\""), &made[number].2),
        ] {
            let found = world.editor.all("resources", &[("filter", &filter)]).await;
            let found: HashSet<&str> = found
                .iter()
                .map(|item| item["id"].as_str().unwrap())
                .collect();
            let expected: HashSet<&str> = expected.iter().map(|at| ids[*at].as_str()).collect();
            assert_eq!(found, expected, "{filter}");
        }
    }
}
