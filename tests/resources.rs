//! Creating, reading, changing and deleting resources.

use serde_json::{Value as Json, json};

use crate::harness::{World, resource};

matrix![
    a_created_resource_is_answered_whole_and_can_be_read_back,
    a_merge_patch_changes_what_it_names_and_null_removes,
    operations_append_remove_replace_and_test,
    a_patch_that_changes_nothing_keeps_the_version,
    what_has_not_changed_is_answered_with_304,
    a_change_needs_the_version_that_it_was_made_from,
    of_a_hundred_changes_to_one_version_exactly_one_succeeds,
    a_deleted_resource_is_gone,
    metadata_comes_back_as_it_was_sent_with_its_keys_sorted,
    what_is_not_there_is_answered_404,
    a_method_that_a_path_lacks_is_answered_405_with_those_that_it_has,
    what_was_written_is_there_after_a_restart,
];

async fn a_created_resource_is_answered_whole_and_can_be_read_back(world: World) {
    let fields = json!({"title": "A Title", "subject": ["one", "two"], "quality_score": 12.5, "metadata": {"b": 1, "a": [true, null]}});
    let created = world.editor.post("resources", &fields).await.is(201);
    let body = created.json();
    let id = body["id"].as_str().unwrap();
    let expected = json!({
        "id": id, "title": "A Title", "description": null, "creator": null, "publisher": null, "contributor": null,
        "date": null, "type": null, "format": null, "identifier": null, "source": null, "language": null, "relation": [],
        "coverage": null, "rights": null, "subject": ["one", "two"], "classification_code": null, "read_status": "unread",
        "quality_score": 12.5, "metadata": {"a": [true, null], "b": 1}, "version": 1,
        "created_at": body["created_at"], "updated_at": body["created_at"],
    });
    assert_eq!(body, expected);
    assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 7);
    let created_at = body["created_at"].as_str().unwrap();
    assert!(
        created_at.starts_with("2026-01-01T00:00:0")
            && created_at.len() == 27
            && created_at.ends_with('Z'),
        "{created_at}"
    );
    assert_eq!(
        created.header("location"),
        Some(format!("/api/v1/resources/{id}").as_str())
    );
    assert_eq!(created.header("etag"), Some("\"1\""));
    assert_eq!(created.header("content-type"), Some("application/json"));

    let read = world.reader.get(&format!("resources/{id}")).await.is(200);
    assert_eq!(read.body, created.body);
    assert_eq!(read.header("etag"), Some("\"1\""));
    let listed = world.reader.get("resources").await.is(200).json();
    assert_eq!(listed, json!({"items": [body], "next_cursor": null}));
}

async fn a_merge_patch_changes_what_it_names_and_null_removes(world: World) {
    let fields = json!({"title": "Before", "creator": "Someone", "subject": ["kept"], "relation": ["a", "b"], "metadata": {"keep": 1, "drop": 2, "in": {"keep": 3, "drop": 4, "list": [1, 2]}}});
    let created = resource(&world, fields).await;
    let path = format!("resources/{}", created["id"].as_str().unwrap());
    let patch = json!({
        "title": "After", "creator": null, "relation": null, "date": "1999",
        "metadata": {"drop": null, "in": {"drop": null, "list": [3], "new": {"x": null, "y": 1}}, "scalar": "s"},
    });
    let changed = world
        .editor
        .request("PATCH", &path)
        .header("if-match", "\"1\"")
        .header("content-type", "application/merge-patch+json");
    let changed = changed.body(patch.to_string()).send().await.is(200);
    assert_eq!(changed.header("etag"), Some("\"2\""));
    let body = changed.json();
    let mut expected = created.clone();
    expected["title"] = "After".into();
    expected["creator"] = Json::Null;
    expected["relation"] = json!([]);
    expected["date"] = "1999".into();
    expected["metadata"] =
        json!({"in": {"keep": 3, "list": [3], "new": {"y": 1}}, "keep": 1, "scalar": "s"});
    expected["version"] = 2.into();
    expected["updated_at"] = body["updated_at"].clone();
    assert_eq!(body, expected);
    assert!(body["updated_at"].as_str() > created["updated_at"].as_str());
    assert_eq!(world.reader.get(&path).await.is(200).body, changed.body);

    let unnamed = world
        .editor
        .patch(&path, "\"2\"", &json!({"title": null}))
        .await;
    unnamed.has_fault(422, "/title", "required");
    let emptied = world
        .editor
        .patch(&path, "\"2\"", &json!({"metadata": null}))
        .await
        .is(200)
        .json();
    assert_eq!(emptied["metadata"], json!({}));
}

async fn a_patch_that_changes_nothing_keeps_the_version(world: World) {
    let created = resource(&world, json!({"title": "Same", "metadata": {"a": 1}})).await;
    let path = format!("resources/{}", created["id"].as_str().unwrap());
    for patch in [
        json!({}),
        json!({"title": "Same", "metadata": {"a": 1, "gone": null}}),
    ] {
        let reply = world.editor.patch(&path, "\"1\"", &patch).await.is(200);
        assert_eq!(
            (reply.header("etag"), reply.json()),
            (Some("\"1\""), created.clone())
        );
    }
}

async fn what_has_not_changed_is_answered_with_304(world: World) {
    let created = resource(&world, json!({"title": "Cached"})).await;
    let path = format!("resources/{}", created["id"].as_str().unwrap());
    for (tag, status) in [
        ("\"1\"", 304),
        ("W/\"1\"", 304),
        ("*", 304),
        ("\"7\", \"1\"", 304),
        ("\"2\"", 200),
        ("1", 200),
        ("nonsense", 200),
    ] {
        let reply = world
            .reader
            .request("GET", &path)
            .header("if-none-match", tag)
            .send()
            .await;
        assert_eq!(reply.status, status, "{tag}");
        assert_eq!(reply.header("etag"), Some("\"1\""), "{tag}");
        assert_eq!(reply.body.is_empty(), status == 304, "{tag}");
    }
    world
        .editor
        .patch(&path, "\"1\"", &json!({"title": "Changed"}))
        .await
        .is(200);
    let reply = world
        .reader
        .request("GET", &path)
        .header("if-none-match", "\"1\"")
        .send()
        .await
        .is(200);
    assert_eq!(reply.header("etag"), Some("\"2\""));
}

async fn a_change_needs_the_version_that_it_was_made_from(world: World) {
    let created = resource(&world, json!({"title": "First"})).await;
    let path = format!("resources/{}", created["id"].as_str().unwrap());
    let patch = json!({"title": "Second"});
    for method in ["PATCH", "DELETE"] {
        world
            .editor
            .request(method, &path)
            .json(&patch)
            .send()
            .await
            .problem(428, "precondition_required");
        for tag in [
            "\"2\"",
            "\"0\"",
            "W/\"1\"",
            "\"one\"",
            "\"2\", \"3\"",
            "\"-1\"",
        ] {
            let stale = world
                .editor
                .request(method, &path)
                .header("if-match", tag)
                .json(&patch)
                .send()
                .await;
            stale.problem(412, "stale_version");
            assert_eq!(stale.header("etag"), Some("\"1\""), "{tag}");
        }
        for tag in ["1", "\"1", "", "\"1\" \"2\""] {
            let malformed = world
                .editor
                .request(method, &path)
                .header("if-match", tag)
                .json(&patch)
                .send()
                .await;
            malformed.has_fault(400, "If-Match", "format");
        }
    }
    world
        .editor
        .patch(&path, "\"9\", \"1\"", &patch)
        .await
        .is(200);
    world
        .editor
        .patch(&path, "*", &json!({"title": "Third"}))
        .await
        .is(200);
    world
        .editor
        .delete(&path, "\"2\"")
        .await
        .problem(412, "stale_version");
    world.editor.delete(&path, "*").await.is(204);
    world
        .editor
        .patch(&path, "*", &patch)
        .await
        .problem(404, "not_found");
}

async fn of_a_hundred_changes_to_one_version_exactly_one_succeeds(world: World) {
    let created = resource(&world, json!({"title": "Contended"})).await;
    let path = format!("resources/{}", created["id"].as_str().unwrap());
    let changes = (0..100).map(|number| {
        let (editor, path) = (world.editor.clone(), path.clone());
        tokio::spawn(async move {
            editor
                .patch(&path, "\"1\"", &json!({"title": format!("By {number}")}))
                .await
        })
    });
    let changes: Vec<_> = changes.collect();
    let mut winners = Vec::new();
    for change in changes {
        let reply = change.await.unwrap();
        match reply.status {
            200 => winners.push(reply.json()),
            _ => drop(reply.problem(412, "stale_version")),
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert_eq!(world.reader.get(&path).await.is(200).json(), winners[0]);
    assert_eq!(winners[0]["version"], 2);
}

async fn a_deleted_resource_is_gone(world: World) {
    let created = resource(&world, json!({"title": "Ephemeral"})).await;
    let path = format!("resources/{}", created["id"].as_str().unwrap());
    let deleted = world.editor.delete(&path, "\"1\"").await.is(204);
    assert!(deleted.body.is_empty());
    world.reader.get(&path).await.problem(404, "not_found");
    world
        .editor
        .delete(&path, "*")
        .await
        .problem(404, "not_found");
    assert_eq!(
        world.reader.get("resources?total=true").await.json(),
        json!({"items": [], "next_cursor": null, "total": 0})
    );
    assert_eq!(
        world.reader.get("search?q=ephemeral").await.json()["total"],
        0
    );
}

async fn metadata_comes_back_as_it_was_sent_with_its_keys_sorted(world: World) {
    let text = r#"{"title":"Numbers","metadata":{"z":1,"a":1.0,"é":"ß","aa":-0.0,"B":1e3,"big":9007199254740993,"u64":18446744073709551615,"small":1e-7,"dec":0.1,"nested":{"y":[],"x":{}},"text":"line\nbreak \"q\" \\ \u2028 😀","e16":1e16,"f":123456.789,"t":true,"n":null}}"#;
    let created = world
        .editor
        .request("POST", "resources")
        .header("content-type", "application/json")
        .body(text)
        .send()
        .await
        .is(201);
    let expected = r#""metadata":{"B":1000.0,"a":1.0,"aa":0.0,"big":9007199254740993,"dec":0.1,"e16":10000000000000000,"f":123456.789,"n":null,"nested":{"x":{},"y":[]},"small":0.0000001,"t":true,"text":"line\nbreak \"q\" \\   😀","u64":18446744073709551615,"z":1,"é":"ß"}"#;
    assert!(created.text().contains(expected), "{}", created.text());
    let path = created.header("location").unwrap().to_owned();
    assert_eq!(world.reader.get(&path).await.is(200).text(), created.text());
}

async fn what_is_not_there_is_answered_404(world: World) {
    let unknown = "resources/01890000-0000-7000-8000-000000000000";
    world.reader.get(unknown).await.problem(404, "not_found");
    world
        .editor
        .patch(unknown, "*", &json!({}))
        .await
        .problem(404, "not_found");
    world
        .editor
        .delete(unknown, "*")
        .await
        .problem(404, "not_found");
    for path in [
        "nothing",
        "resources/",
        "resources/x/y",
        "/api/v2/resources",
        "/api",
        "/nowhere",
    ] {
        world.reader.get(path).await.problem(404, "not_found");
    }
    for id in [
        "1",
        "x",
        "01890000-0000-7000-8000-00000000000",
        "%00",
        "%C3%28",
        "'; DROP TABLE resources --",
    ] {
        let path = format!("resources/{}", id.replace(' ', "%20"));
        world.reader.get(&path).await.has_fault(400, "id", "format");
    }
}

async fn a_method_that_a_path_lacks_is_answered_405_with_those_that_it_has(world: World) {
    let one = "resources/01890000-0000-7000-8000-000000000000";
    for (method, path, allowed) in [
        ("DELETE", "resources", "GET, POST, HEAD"),
        ("PUT", "resources", "GET, POST, HEAD"),
        ("POST", one, "GET, PATCH, DELETE, HEAD"),
        ("PUT", one, "GET, PATCH, DELETE, HEAD"),
        ("POST", "search", "GET, HEAD"),
        ("POST", "/livez", "GET, HEAD"),
        ("DELETE", "citations/importance", "GET, POST, HEAD"),
        (
            "PUT",
            "collections/01890000-0000-7000-8000-000000000000/resources/remove",
            "POST",
        ),
    ] {
        let reply = world.admin.request(method, path).send().await;
        reply.problem(405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some(allowed), "{method} {path}");
    }
}

async fn what_was_written_is_there_after_a_restart(world: World) {
    let created = resource(&world, json!({"title": "Lasting"})).await;
    let path = format!("resources/{}", created["id"].as_str().unwrap());
    let page = world.reader.get("resources?limit=1").await.json();
    let world = world.restart().await;
    assert_eq!(world.reader.get(&path).await.is(200).json(), created);
    assert_eq!(
        world.reader.get("search?q=lasting").await.is(200).json()["total"],
        1
    );
    assert_eq!(world.reader.get("resources?limit=1").await.json(), page);
    world.stop().await;
}

async fn operations_append_remove_replace_and_test(world: World) {
    let fields =
        json!({"title": "t", "subject": ["a"], "metadata": {"tags": ["x"], "n": 1, "a/b": 2}});
    let created = resource(&world, fields).await;
    let path = format!("resources/{}", created["id"].as_str().unwrap());
    let patch = async |operations: Json| {
        world
            .editor
            .request("PATCH", &path)
            .header("if-match", "*")
            .header("content-type", "application/json-patch+json")
            .body(operations.to_string())
            .send()
            .await
    };
    let changed = patch(json!([
        {"op": "test", "path": "/metadata/n", "value": 1.0},
        {"op": "add", "path": "/metadata/tags/-", "value": "y"},
        {"op": "add", "path": "/metadata/tags/0", "value": "w"},
        {"op": "add", "path": "/subject/-", "value": "b"},
        {"op": "remove", "path": "/metadata/a~1b"},
        {"op": "replace", "path": "/metadata/n", "value": null},
        {"op": "add", "path": "/creator", "value": "c"},
    ]))
    .await
    .is(200)
    .json();
    assert_eq!(
        changed["metadata"],
        json!({"n": null, "tags": ["w", "x", "y"]})
    );
    assert_eq!(
        (
            &changed["subject"],
            &changed["creator"],
            &changed["version"]
        ),
        (&json!(["a", "b"]), &json!("c"), &json!(2))
    );
    // What does not fit what is stored is a conflict.
    for (operations, place, code) in [
        (
            json!([{"op": "remove", "path": "/metadata/none"}]),
            "/0/path",
            "missing",
        ),
        (
            json!([{"op": "add", "path": "/metadata/tags/9", "value": 1}]),
            "/0/path",
            "missing",
        ),
        (
            json!([{"op": "add", "path": "/metadata/tags/01", "value": 1}]),
            "/0/path",
            "missing",
        ),
        (
            json!([{"op": "remove", "path": "/metadata/n"}, {"op": "test", "path": "/title", "value": "u"}]),
            "/1/path",
            "test_failed",
        ),
    ] {
        patch(operations).await.has_fault(409, place, code);
    }
    // Members that an operation does not know are ignored.
    let ignored = json!([{"op": "add", "path": "/creator", "value": "c", "from": "/x"}]);
    assert_eq!(patch(ignored).await.is(200).json(), changed);
    for (operations, place, code) in [
        (json!({}), "", "type"),
        (json!([{"op": "move", "path": "/title"}]), "/0/op", "enum"),
        (
            json!([{"op": "add", "path": "title", "value": 1}]),
            "/0/path",
            "format",
        ),
        (
            json!([{"op": "add", "path": "/title"}]),
            "/0/value",
            "required",
        ),
        (
            json!([{"op": "remove", "path": "/title"}]),
            "/title",
            "required",
        ),
    ] {
        patch(operations).await.has_fault(422, place, code);
    }
    assert_eq!(world.reader.get(&path).await.json(), changed);
}
