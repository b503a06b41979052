//! Versions, lists and bad input.

use serde_json::{Value as Json, json};

use super::{assign, id, node, small_tree};
use crate::harness::{World, resource};

matrix![
    a_change_needs_the_version_that_was_read,
    nodes_are_listed_with_filter_sort_and_pages,
    bad_input_is_told_with_its_place,
    a_path_of_its_own_is_no_id_or_code,
];

async fn a_change_needs_the_version_that_was_read(world: World) {
    let [_, physics, ..] = small_tree(&world).await;
    let path = format!("taxonomy/{}", id(&physics));
    let change = json!({"label": "New"});
    world
        .editor
        .request("PATCH", &path)
        .json(&change)
        .send()
        .await
        .problem(428, "precondition_required");
    let stale = world.editor.patch(&path, "\"7\"", &change).await;
    stale.problem(412, "stale_version");
    assert_eq!(stale.header("etag"), Some("\"1\""));
    world
        .editor
        .request("DELETE", &path)
        .send()
        .await
        .problem(428, "precondition_required");
    world
        .editor
        .delete(&path, "\"7\"")
        .await
        .problem(412, "stale_version");
    // An assignment changes the count, and whoever renames the node need not have seen it.
    let item = resource(&world, json!({"title": "R"})).await;
    assign(&world, &item, &physics, 201).await;
    let changed = world.editor.patch(&path, "\"1\"", &change).await.is(200);
    assert_eq!(changed.json()["resource_count"], 1);
    for (method, path) in [
        ("POST", "taxonomy".to_owned()),
        ("POST", format!("{path}/move")),
        ("POST", format!("{path}/merge")),
        ("POST", format!("resources/{}/taxonomy", id(&item))),
    ] {
        world
            .reader
            .request(method, &path)
            .json(&json!({}))
            .send()
            .await
            .problem(403, "forbidden");
    }
}

async fn nodes_are_listed_with_filter_sort_and_pages(world: World) {
    let [science, ..] = small_tree(&world).await;
    for label in ["zebra", "Äther", "Ω", "ångström", "a b", "a-c"] {
        node(&world, json!({"label": label})).await;
    }
    let slugs = |items: &[Json]| {
        let slugs: Vec<&str> = items
            .iter()
            .map(|node| node["slug"].as_str().unwrap())
            .collect();
        slugs.join(" ")
    };
    let tops = world
        .reader
        .all(
            "taxonomy",
            &[
                ("filter", "parent_id = null"),
                ("sort", "label"),
                ("limit", "3"),
            ],
        )
        .await;
    // By code points, whatever the database's own order is.
    assert_eq!(slugs(&tops), "arts science a-b a-c zebra äther ångström ω");
    let below = format!("parent_id = {}", id(&science));
    let children = world
        .reader
        .all(
            "taxonomy",
            &[
                ("filter", &below),
                ("sort", "-path"),
                ("subtree_counts", "true"),
            ],
        )
        .await;
    assert_eq!(slugs(&children), "physics chemistry");
    assert!(children.iter().all(|node| node["subtree_count"] == 0));
    let deep = world
        .reader
        .all(
            "taxonomy",
            &[("filter", r#"path = "science/*" AND level >= 3"#)],
        )
        .await;
    assert_eq!(slugs(&deep), "optics");
    world
        .reader
        .query("taxonomy", &[("sort", "subtree_count")])
        .await
        .problem(400, "invalid_parameter");
}

async fn bad_input_is_told_with_its_place(world: World) {
    let [science, ..] = small_tree(&world).await;
    let node_path = format!("taxonomy/{}", id(&science));
    let cases = [
        (
            "POST",
            "taxonomy".to_owned(),
            json!({}),
            "/label",
            "required",
        ),
        (
            "POST",
            "taxonomy".to_owned(),
            json!({"label": " "}),
            "/label",
            "required",
        ),
        (
            "POST",
            "taxonomy".to_owned(),
            json!({"label": "a\u{0}"}),
            "/label",
            "nul",
        ),
        (
            "POST",
            "taxonomy".to_owned(),
            json!({"label": "a".repeat(501)}),
            "/label",
            "too_long",
        ),
        (
            "POST",
            "taxonomy".to_owned(),
            json!({"label": "a", "slug": "a/b"}),
            "/slug",
            "format",
        ),
        (
            "POST",
            "taxonomy".to_owned(),
            json!({"label": "a", "slug": "a b"}),
            "/slug",
            "format",
        ),
        (
            "POST",
            "taxonomy".to_owned(),
            json!({"label": "a", "slug": ""}),
            "/slug",
            "format",
        ),
        (
            "POST",
            "taxonomy".to_owned(),
            json!({"label": "a", "parent_id": "x"}),
            "/parent_id",
            "format",
        ),
        (
            "POST",
            "taxonomy".to_owned(),
            json!({"label": "a", "path": "x"}),
            "/path",
            "read_only",
        ),
        (
            "POST",
            "taxonomy".to_owned(),
            json!({"label": "a", "colour": "x"}),
            "/colour",
            "unknown_field",
        ),
        (
            "PATCH",
            node_path.clone(),
            json!({"slug": null}),
            "/slug",
            "required",
        ),
        (
            "PATCH",
            node_path.clone(),
            json!({"parent_id": null}),
            "/parent_id",
            "read_only",
        ),
        (
            "POST",
            format!("{node_path}/move"),
            json!({}),
            "/parent_id",
            "required",
        ),
        (
            "POST",
            format!("{node_path}/merge"),
            json!({}),
            "/into_id",
            "required",
        ),
        (
            "POST",
            format!("{node_path}/merge"),
            json!({"into_id": 1}),
            "/into_id",
            "type",
        ),
    ];
    for (method, path, body, pointer, code) in cases {
        let reply = world
            .editor
            .request(method, &path)
            .header("if-match", "*")
            .json(&body)
            .send()
            .await;
        let problem = reply.problem(422, "invalid_body");
        let fault = &problem["errors"][0];
        assert_eq!(
            (&fault["pointer"], &fault["code"]),
            (&json!(pointer), &json!(code)),
            "{body}"
        );
    }
    let item = resource(&world, json!({"title": "R"})).await;
    let place = format!("resources/{}/taxonomy", id(&item));
    for (body, code) in [
        (json!({}), "required"),
        (
            json!({"node_id": id(&science), "confidence": 1.5}),
            "out_of_range",
        ),
        (
            json!({"node_id": id(&science), "confidence": "0.5"}),
            "type",
        ),
    ] {
        let problem = world
            .editor
            .post(&place, &body)
            .await
            .problem(422, "invalid_body");
        assert_eq!(problem["errors"][0]["code"], code, "{body}");
    }
    let unknown = json!({"node_id": "01890000-0000-7000-8000-000000000000"});
    world
        .editor
        .post(&place, &unknown)
        .await
        .problem(409, "conflict");
    world
        .reader
        .get("resources/01890000-0000-7000-8000-000000000000/taxonomy")
        .await
        .problem(404, "not_found");
}

async fn a_path_of_its_own_is_no_id_or_code(world: World) {
    for (path, own) in [
        ("taxonomy/review", "GET"),
        ("classification-codes/import", "POST"),
    ] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if method == own {
                continue;
            }
            let reply = world
                .editor
                .request(method, path)
                .header("if-match", "*")
                .json(&json!({}))
                .send()
                .await;
            reply.problem(405, "method_not_allowed");
            let allowed = if own == "GET" { "GET, HEAD" } else { own };
            assert_eq!(reply.header("allow"), Some(allowed), "{method} {path}");
        }
    }
}
