//! Query parameters that are refused, and callers before them.

use serde_json::json;

use crate::harness::{World, with_query};

matrix![
    parameters_that_are_unknown_or_doubled_or_malformed_are_refused,
    an_unknown_key_is_refused_before_anything_else_is_looked_at,
];

async fn parameters_that_are_unknown_or_doubled_or_malformed_are_refused(world: World) {
    for (path, name) in [
        ("resources?colour=red", "colour"),
        ("search?colour=red", "colour"),
        ("users?colour=red", "colour"),
        ("keys?q=1", "q"),
        ("me?x", "x"),
        ("resources?FILTER=x", "FILTER"),
    ] {
        let reply = world.admin.get(path).await;
        let problem = reply.problem(400, "unknown_parameter");
        let fault = &problem["errors"][0];
        assert_eq!(
            (&fault["parameter"], &fault["code"]),
            (&json!(name), &json!("unknown_parameter")),
            "{path}"
        );
        let takes_none = path.starts_with("me");
        let detail = problem["detail"].as_str().unwrap();
        assert_eq!(detail.contains("takes no parameters"), takes_none, "{path}");
    }
    let several = world.admin.get("resources?b=1&a=2&b=3&limit=1").await;
    let several = several.problem(400, "unknown_parameter")["errors"].clone();
    let names: Vec<&str> = several
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["parameter"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["b", "a"]);
    world
        .reader
        .get("resources?limit=1&limit=2")
        .await
        .has_fault(400, "limit", "duplicate");
    world
        .reader
        .get("search?q=a&q=b")
        .await
        .has_fault(400, "q", "duplicate");
    world
        .reader
        .get("resources?filter=%FF")
        .await
        .has_fault(400, "filter", "format");
    world
        .reader
        .get("resources?%66il%FFter=x")
        .await
        .has_fault(400, "fil\u{fffd}ter", "format");
    world
        .reader
        .get("search?q=%C3%28")
        .await
        .has_fault(400, "q", "format");
    for limit in ["0", "201", "18446744073709551615"] {
        for path in ["resources", "search", "keys"] {
            world
                .reader
                .query(path, &[("limit", limit)])
                .await
                .has_fault(400, "limit", "out_of_range");
        }
    }
    for limit in ["", "-1", "1.5", "ten", "18446744073709551616", "\u{0}", "٣"] {
        for path in ["resources", "search", "keys"] {
            world
                .reader
                .query(path, &[("limit", limit)])
                .await
                .has_fault(400, "limit", "type");
        }
    }
    world
        .reader
        .get("resources?total=yes")
        .await
        .has_fault(400, "total", "type");
    world
        .reader
        .get("search?match=some")
        .await
        .has_fault(400, "match", "enum");
    world
        .reader
        .get("search?kind=user")
        .await
        .has_fault(400, "kind", "enum");
    world
        .reader
        .get("search?facets=subject,colour")
        .await
        .has_fault(400, "facets", "enum");
    let long = with_query("resources", &[("sort", &"title,".repeat(1_000))]);
    world
        .reader
        .get(&long)
        .await
        .has_fault(400, "sort@6", "duplicate");
}

async fn an_unknown_key_is_refused_before_anything_else_is_looked_at(world: World) {
    let stranger = world
        .anonymous
        .with_key("ph_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    for client in [&world.anonymous, &stranger] {
        client
            .request("POST", "resources")
            .body("{")
            .send()
            .await
            .problem(401, "unauthenticated");
        client
            .get("resources/not-an-id")
            .await
            .problem(401, "unauthenticated");
        client
            .request("PATCH", "resources/not-an-id")
            .send()
            .await
            .problem(401, "unauthenticated");
        client
            .get("resources?colour=red")
            .await
            .problem(401, "unauthenticated");
    }
}
