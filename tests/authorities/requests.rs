//! Clashes, versions, lists, completion and bad input.

use serde_json::json;

use super::{authority, id, names, read};
use crate::harness::{World, resource};

matrix![
    a_form_belongs_to_one_authority_of_its_file,
    a_prefix_longer_than_a_name_is_refused,
    an_authority_change_needs_the_version_that_was_read,
    names_are_completed_by_their_beginning,
    authorities_are_listed_by_code_points,
    bad_authorities_are_told_with_their_place,
];

async fn a_form_belongs_to_one_authority_of_its_file(world: World) {
    let one = authority(&world, "creators", "Gödel, Kurt", &["K. Godel"]).await;
    for body in [
        json!({"name": "GODEL, KURT"}),
        json!({"name": "x", "variants": ["Gödel,  Kurt"]}),
        json!({"name": "k. gödel"}),
    ] {
        let problem = world
            .editor
            .post("authorities/creators", &body)
            .await
            .problem(409, "conflict");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.contains("`Gödel, Kurt`") && detail.contains(id(&one)),
            "{detail}"
        );
    }
    let other = authority(&world, "creators", "Other", &[]).await;
    let path = format!("authorities/creators/{}", id(&other));
    world
        .editor
        .patch(&path, "*", &json!({"variants": ["k. godel"]}))
        .await
        .problem(409, "conflict");
    authority(&world, "subjects", "Gödel, Kurt", &[]).await;
    world
        .reader
        .get(&format!("authorities/subjects/{}", id(&one)))
        .await
        .problem(404, "not_found");
    world
        .reader
        .get("authorities/titles")
        .await
        .problem(404, "not_found");
}

async fn a_prefix_longer_than_a_name_is_refused(world: World) {
    let of = async |length: usize| {
        let path = format!("authorities/subjects?prefix={}", "x".repeat(length));
        world.reader.get(&path).await
    };
    of(500).await.is(200);
    of(501).await.has_fault(400, "prefix", "too_long");
}

async fn an_authority_change_needs_the_version_that_was_read(world: World) {
    let made = authority(&world, "creators", "Name", &[]).await;
    let path = format!("authorities/creators/{}", id(&made));
    let change = json!({"variants": ["v"]});
    for method in ["PATCH", "DELETE"] {
        world
            .editor
            .request(method, &path)
            .json(&change)
            .send()
            .await
            .problem(428, "precondition_required");
    }
    let stale = world.editor.patch(&path, "\"9\"", &change).await;
    stale.problem(412, "stale_version");
    assert_eq!(stale.header("etag"), Some("\"1\""));
    world
        .editor
        .delete(&path, "\"9\"")
        .await
        .problem(412, "stale_version");
    // A use is no change.
    resource(&world, json!({"title": "T", "creator": "name"})).await;
    assert_eq!(read(&world, "creators", &made).await["version"], 1);
    let changed = world.editor.patch(&path, "\"1\"", &change).await.is(200);
    assert_eq!(changed.header("etag"), Some("\"2\""));
    let same = world.editor.patch(&path, "\"2\"", &change).await.is(200);
    assert_eq!(same.json(), changed.json());
    for (method, path) in [
        ("POST", "authorities/creators".to_owned()),
        ("POST", format!("{path}/merge")),
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

async fn names_are_completed_by_their_beginning(world: World) {
    for (name, variants) in [
        ("Lovelace, Ada", vec!["Byron, Ada", "Ada King"]),
        ("Lövgren", vec![]),
        ("Łódź", vec!["Lodz"]),
        ("Low_100%", vec![]),
        ("上海", vec!["Shanghai"]),
    ] {
        authority(&world, "subjects", name, &variants).await;
    }
    for (prefix, expected) in [
        ("lov", "Lovelace, Ada | Lövgren"),
        ("LÖV", "Lovelace, Ada | Lövgren"),
        ("  byron,   a", "Lovelace, Ada"),
        ("ada", "Lovelace, Ada"),
        ("lod", "Łódź"),
        ("low_", "Low_100%"),
        ("low%", ""),
        ("上", "上海"),
        ("shan", "上海"),
        ("ovelace", ""),
        ("", "Lovelace, Ada | Low_100% | Lövgren | Łódź | 上海"),
    ] {
        let found = names(&world, "subjects", &[("prefix", prefix), ("limit", "2")]).await;
        assert_eq!(found, expected, "{prefix}");
    }
}

async fn authorities_are_listed_by_code_points(world: World) {
    for name in ["b", "B", "á", "a", "Z", "ž", "Ж"] {
        let creator = resource(&world, json!({"title": "T", "creator": name})).await;
        // Those that differ in case alone are one.
        let body = json!({"name": creator["creator"]});
        world.editor.post("authorities/creators", &body).await;
    }
    assert_eq!(
        names(&world, "creators", &[("limit", "2")]).await,
        "Z | b | á | Ж"
    );
    assert_eq!(
        names(
            &world,
            "creators",
            &[("sort", "-name"), ("filter", "name < Ж")]
        )
        .await,
        "á | b | Z"
    );
    let page = world
        .reader
        .query("authorities/creators", &[("total", "true"), ("limit", "1")])
        .await
        .is(200)
        .json();
    assert_eq!(page["total"], 4);
    world
        .reader
        .query("authorities/creators", &[("sort", "usage_count")])
        .await
        .problem(400, "invalid_parameter");
}

async fn bad_authorities_are_told_with_their_place(world: World) {
    for (body, pointer, code) in [
        (json!({}), "/name", "required"),
        (json!({"name": " "}), "/name", "required"),
        (json!({"name": "a\u{0}"}), "/name", "nul"),
        (json!({"name": "a".repeat(501)}), "/name", "too_long"),
        (json!({"name": "a", "variants": "b"}), "/variants", "type"),
        (
            json!({"name": "a", "variants": ["b", ""]}),
            "/variants/1",
            "required",
        ),
        (json!({"name": "a", "variants": [1]}), "/variants/0", "type"),
        (
            json!({"name": "a", "usage_count": 1}),
            "/usage_count",
            "read_only",
        ),
        (
            json!({"name": "a", "colour": 1}),
            "/colour",
            "unknown_field",
        ),
    ] {
        let reply = world.editor.post("authorities/subjects", &body).await;
        let problem = reply.problem(422, "invalid_body");
        let fault = &problem["errors"][0];
        assert_eq!(
            (&fault["pointer"], &fault["code"]),
            (&json!(pointer), &json!(code)),
            "{body}"
        );
    }
    // Each fault names its own place, whichever were left out before it.
    let body = json!({"name": "a", "variants": [1, "b", " ", null, ""]});
    let faults = world.editor.post("authorities/subjects", &body).await;
    let faults = faults.faults(422);
    let places: Vec<&str> = faults.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(
        places,
        ["/variants/0", "/variants/3", "/variants/2", "/variants/4"]
    );
    // The longest names there may be, of the longest characters, are stored and found.
    let long: String = (0..500)
        .map(|at| char::from_u32(0x2_0000 + at * 37).unwrap())
        .collect();
    let made = authority(&world, "subjects", &long, &[]).await;
    let item = resource(
        &world,
        json!({"title": "T", "subject": [format!(" {long} ")]}),
    )
    .await;
    assert_eq!(item["subject"], json!([long]));
    assert_eq!(read(&world, "subjects", &made).await["usage_count"], 1);
}
