//! Bad input: what is answered names the place and the mend, and is the same on both databases.

use serde_json::{Value as Json, json};

use crate::harness::{Reply, World, resource};

matrix![
    a_body_that_breaks_rules_is_answered_with_every_place,
    a_patch_that_breaks_rules_changes_nothing,
    a_patch_names_fields_that_there_are,
    a_body_that_is_no_json_object_is_refused,
    a_body_in_another_media_type_is_refused,
    a_body_over_two_mebibytes_is_refused_announced_or_not,
    json_of_any_depth_is_answered,
    lengths_count_characters,
    names_have_a_visible_character,
];

async fn post_text(world: &World, body: impl Into<Vec<u8>>) -> Reply {
    world
        .editor
        .request("POST", "resources")
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await
}

async fn a_body_that_breaks_rules_is_answered_with_every_place(world: World) {
    let long = "x".repeat(4_001);
    let cases = [
        (json!({}), "/title", "required"),
        (json!({"title": null}), "/title", "required"),
        (json!({"title": ""}), "/title", "required"),
        (json!({"title": " \t\n "}), "/title", "required"),
        (json!({"title": 5}), "/title", "type"),
        (json!({"title": long}), "/title", "too_long"),
        (json!({"title": "a\u{0}b"}), "/title", "nul"),
        (
            json!({"title": "t", "colour": "red"}),
            "/colour",
            "unknown_field",
        ),
        (
            json!({"title": "t", "a/b~c": 1}),
            "/a~1b~0c",
            "unknown_field",
        ),
        (json!({"title": "t", "id": "x"}), "/id", "read_only"),
        (json!({"title": "t", "version": 3}), "/version", "read_only"),
        (
            json!({"title": "t", "created_at": "2026-01-01T00:00:00Z"}),
            "/created_at",
            "read_only",
        ),
        (json!({"title": "t", "creator": ["a"]}), "/creator", "type"),
        (
            json!({"title": "t", "description": {}}),
            "/description",
            "type",
        ),
        (json!({"title": "t", "source": long}), "/source", "too_long"),
        (
            json!({"title": "t", "date": "yesterday"}),
            "/date",
            "format",
        ),
        (
            json!({"title": "t", "date": "2001-02-30"}),
            "/date",
            "format",
        ),
        (json!({"title": "t", "date": 2001}), "/date", "type"),
        (
            json!({"title": "t", "language": "not a tag"}),
            "/language",
            "format",
        ),
        (json!({"title": "t", "subject": "one"}), "/subject", "type"),
        (
            json!({"title": "t", "subject": ["one", 2]}),
            "/subject/1",
            "type",
        ),
        (
            json!({"title": "t", "subject": ["one", "\u{0}"]}),
            "/subject/1",
            "nul",
        ),
        (
            json!({"title": "t", "relation": vec!["r"; 1_001]}),
            "/relation",
            "too_long",
        ),
        (
            json!({"title": "t", "read_status": "skimmed"}),
            "/read_status",
            "enum",
        ),
        (
            json!({"title": "t", "quality_score": 100.1}),
            "/quality_score",
            "out_of_range",
        ),
        (
            json!({"title": "t", "quality_score": -1}),
            "/quality_score",
            "out_of_range",
        ),
        (
            json!({"title": "t", "quality_score": "5"}),
            "/quality_score",
            "type",
        ),
        (json!({"title": "t", "metadata": []}), "/metadata", "type"),
        (
            json!({"title": "t", "metadata": {"a\u{0}": 1}}),
            "/metadata",
            "nul",
        ),
        (
            json!({"title": "t", "metadata": {"a": ["\u{0}"]}}),
            "/metadata",
            "nul",
        ),
        (
            json!({"title": "t", "metadata": {"a": "x".repeat(262_144)}}),
            "/metadata",
            "too_long",
        ),
    ];
    for (body, place, code) in cases {
        world
            .editor
            .post("resources", &body)
            .await
            .has_fault(422, place, code);
    }
    let both = world
        .editor
        .post(
            "resources",
            &json!({"quality_score": 101, "subject": [1, 2], "x": 1}),
        )
        .await;
    let places: Vec<String> = both
        .faults(422)
        .into_iter()
        .map(|(place, _)| place)
        .collect();
    assert_eq!(
        places,
        ["/title", "/subject/0", "/subject/1", "/quality_score", "/x"]
    );
    assert_eq!(
        world.reader.get("resources?total=true").await.json()["total"],
        0
    );
}

async fn a_patch_that_breaks_rules_changes_nothing(world: World) {
    let created = resource(&world, json!({"title": "Kept", "metadata": {"a": 1}})).await;
    let path = format!("resources/{}", created["id"].as_str().unwrap());
    for (patch, place, code) in [
        (json!({"title": ""}), "/title", "required"),
        (json!({"colour": 1}), "/colour", "unknown_field"),
        (json!({"metadata": {"b": "\u{0}"}}), "/metadata", "nul"),
        (json!({"metadata": 5}), "/metadata", "type"),
        (json!([]), "", "type"),
    ] {
        world
            .editor
            .patch(&path, "\"1\"", &patch)
            .await
            .has_fault(422, place, code);
    }
    assert_eq!(world.reader.get(&path).await.json(), created);
}

async fn a_patch_names_fields_that_there_are(world: World) {
    let book = resource(
        &world,
        json!({"title": "A book", "description": "Of words"}),
    )
    .await;
    let book = format!("resources/{}", book["id"].as_str().unwrap());
    let mut things = vec![book.clone()];
    for (path, body, kept_under) in [
        (
            "collections".to_owned(),
            json!({"name": "A"}),
            "collections",
        ),
        (
            format!("{book}/citations"),
            json!({"type": "cites", "raw_text": "Somebody, 1999"}),
            "citations",
        ),
        (
            format!("{book}/annotations"),
            json!({"field": "description", "start": 0, "end": 2}),
            "annotations",
        ),
        ("taxonomy".to_owned(), json!({"label": "A"}), "taxonomy"),
        (
            "authorities/subjects".to_owned(),
            json!({"name": "A"}),
            "authorities/subjects",
        ),
        (
            "users".to_owned(),
            json!({"email": "a@example.org"}),
            "users",
        ),
    ] {
        let made = world.admin.post(&path, &body).await.is(201).json();
        things.push(format!("{kept_under}/{}", made["id"].as_str().unwrap()));
    }
    let code = json!({"code": "500", "label": "A"});
    world
        .admin
        .post("classification-codes", &code)
        .await
        .is(201);
    things.push("classification-codes/500".to_owned());
    for path in things {
        let before = world.admin.get(&path).await.is(200).json();
        // Null removes what is there, and is no reason to overlook a name.
        for (name, code) in [
            ("", "unknown_field"),
            ("colors", "unknown_field"),
            ("created_at", "read_only"),
        ] {
            let reply = world.admin.patch(&path, "*", &json!({name: null})).await;
            reply.has_fault(422, &format!("/{name}"), code);
        }
        assert_eq!(world.admin.get(&path).await.json(), before);
    }
}

async fn a_body_that_is_no_json_object_is_refused(world: World) {
    for body in [json!([]), json!("text"), json!(5), json!(null), json!(true)] {
        world
            .editor
            .post("resources", &body)
            .await
            .has_fault(422, "", "type");
    }
    let broken: [&[u8]; 9] = [
        b"",
        b"{",
        b"{\"title\": \"t\",}",
        b"{\"title\": 't'}",
        b"{\"title\": \"t\"} more",
        b"{\"title\": \"\xff\"}",
        b"\xef\xbb\xbf{\"title\": \"t\"}",
        b"{\"title\": \"\\ud800\"}",
        b"title=t",
    ];
    for body in broken {
        post_text(&world, body).await.problem(400, "malformed_json");
    }
    for (number, taken) in [
        ("1e400", true),
        ("-1e-1000", true),
        ("1e999", true),
        ("1e1000", false),
        ("1e-1001", false),
        ("1e99999999999999999999", false),
    ] {
        let body = format!(r#"{{"title": "t", "metadata": {{"n": {number}}}}}"#);
        let reply = post_text(&world, body.as_bytes()).await;
        if taken {
            reply.is(201);
        } else {
            reply.has_fault(422, "/metadata", "out_of_range");
        }
    }
}

async fn a_body_in_another_media_type_is_refused(world: World) {
    let body = json!({"title": "t"}).to_string();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "",
    ] {
        let reply = world
            .editor
            .request("POST", "resources")
            .header("content-type", kind)
            .body(body.clone())
            .send()
            .await;
        reply.problem(415, "unsupported_media_type");
    }
    world
        .editor
        .request("POST", "resources")
        .body(body.clone())
        .send()
        .await
        .problem(415, "unsupported_media_type");
    let charset = world
        .editor
        .request("POST", "resources")
        .header("content-type", "Application/JSON; charset=utf-8");
    charset.body(body).send().await.is(201);
}

async fn a_body_over_two_mebibytes_is_refused_announced_or_not(world: World) {
    let limit = 2 * 1024 * 1024;
    let announced = world
        .editor
        .request("POST", "resources")
        .header("content-type", "application/json");
    let announced = announced
        .header("content-length", &(limit + 1).to_string())
        .send_as_it_is()
        .await;
    announced.problem(413, "body_too_large");
    let body = format!("{{\"title\": \"t\"{}}}", " ".repeat(limit));
    let chunked = world
        .editor
        .request("POST", "resources")
        .header("content-type", "application/json");
    chunked
        .body(body)
        .send_chunked()
        .await
        .problem(413, "body_too_large");
    let most = format!("{{\"title\": \"t\"{}}}", " ".repeat(limit - 14));
    assert_eq!(most.len(), limit);
    let chunked = world
        .editor
        .request("POST", "resources")
        .header("content-type", "application/json");
    chunked.body(most.clone()).send_chunked().await.is(201);
    post_text(&world, most).await.is(201);
}

async fn json_of_any_depth_is_answered(world: World) {
    let nested = |depth: usize, open: &str, close: &str| {
        format!(
            "{{\"title\": \"t\", \"metadata\": {{\"a\": {}1{}}}}}",
            open.repeat(depth),
            close.repeat(depth)
        )
    };
    for (open, close) in [("[", "]"), ("{\"k\":", "}")] {
        post_text(&world, nested(63, open, close)).await.is(201);
        post_text(&world, nested(64, open, close))
            .await
            .has_fault(422, "/metadata", "too_deep");
        post_text(&world, nested(100_000, open, close))
            .await
            .problem(400, "malformed_json");
    }
    post_text(&world, "[".repeat(1_000_000))
        .await
        .problem(400, "malformed_json");
    let parentheses = "(".repeat(7_000);
    world
        .reader
        .query("resources", &[("filter", &parentheses)])
        .await
        .has_fault(400, "filter@32", "too_deep");
}

async fn lengths_count_characters(world: World) {
    for character in ["x", "é", "漢", "🎉"] {
        let most: Json =
            json!({"title": character.repeat(4_000), "description": character.repeat(10_000)});
        assert_eq!(resource(&world, most.clone()).await["title"], most["title"]);
        let more = json!({"title": character.repeat(4_001)});
        world
            .editor
            .post("resources", &more)
            .await
            .has_fault(422, "/title", "too_long");
    }
}

async fn names_have_a_visible_character(world: World) {
    // U+001C separates, though Unicode does not call it white space; U+0085 is a line end.
    for blank in ["\u{1c}", "\u{85}", " \u{3000}\t"] {
        let cases = [
            ("resources", json!({"title": blank}), "/title"),
            ("collections", json!({"name": blank}), "/name"),
            ("taxonomy", json!({"label": blank}), "/label"),
            (
                "classification-codes",
                json!({"code": "A", "label": blank}),
                "/label",
            ),
            ("authorities/subjects", json!({"name": blank}), "/name"),
            (
                "authorities/subjects",
                json!({"name": "Seen", "variants": ["Looked", blank]}),
                "/variants/1",
            ),
        ];
        for (path, body, pointer) in cases {
            let reply = world.admin.post(path, &body).await;
            let problem = reply.problem(422, "invalid_body");
            assert_eq!(
                (
                    &problem["errors"][0]["pointer"],
                    &problem["errors"][0]["code"]
                ),
                (&json!(pointer), &json!("required")),
                "{path} {body}"
            );
        }
    }
}
