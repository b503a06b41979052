//! Codes one by one: where they lie, who is beneath them, how they are found.

use serde_json::{Value as Json, json};

use super::{code, shown_tree};
use crate::harness::{World, resource};

matrix![
    a_code_lies_beneath_its_longest_listed_prefix,
    codes_arrange_themselves_in_whatever_order_they_come,
    a_given_parent_counts_more_than_the_prefix,
    what_was_beneath_a_deleted_code_moves_up,
    a_code_change_needs_the_version_that_was_read,
    codes_with_unusual_characters_are_found_by_their_path,
    resources_are_counted_and_found_by_code_and_what_is_beneath,
    bad_codes_are_told_with_their_place,
];

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

async fn a_code_lies_beneath_its_longest_listed_prefix(world: World) {
    let reply = world
        .editor
        .post(
            "classification-codes",
            &json!({"code": "500", "label": "Science"}),
        )
        .await
        .is(201);
    assert_eq!(
        reply.header("location"),
        Some("/api/v1/classification-codes/500")
    );
    assert_eq!(reply.header("etag"), Some("\"1\""));
    let first = reply.json();
    assert_eq!(
        (&first["level"], &first["parent_given"]),
        (&json!(1), &json!(false))
    );
    for new in ["512.55", "512", "QA76.9", "QA"] {
        code(&world, new).await;
    }
    assert_eq!(
        shown_tree(&world).await,
        "500<-@1 512<500@2 512.55<512@3 QA<-@1 QA76.9<QA@2"
    );
    // What comes between takes its place.
    code(&world, "510").await;
    code(&world, "512.5").await;
    assert_eq!(
        shown_tree(&world).await,
        "500<-@1 510<500@2 512<510@3 512.5<512@4 512.55<512.5@5 QA<-@1 QA76.9<QA@2"
    );
    let moved = world
        .reader
        .get("classification-codes/512")
        .await
        .is(200)
        .json();
    assert!(moved["version"].as_i64() > Some(1), "{moved}");
    world
        .editor
        .post(
            "classification-codes",
            &json!({"code": "510", "label": "x"}),
        )
        .await
        .problem(409, "conflict");
    world
        .reader
        .get("classification-codes/999")
        .await
        .problem(404, "not_found");
    world
        .reader
        .post("classification-codes", &json!({"code": "1", "label": "x"}))
        .await
        .problem(403, "forbidden");
}

async fn codes_arrange_themselves_in_whatever_order_they_come(world: World) {
    let mut chance = crate::harness::Chance::new(7);
    let mut codes = [
        "000", "005", "005.7", "005.74", "005.741", "500", "510", "512", "512.5", "516", "Ж", "Ж1",
        "Ж1.2", "ж1", "A", "Aa", "aA", "é", "e",
    ];
    let mut trees = Vec::new();
    for _ in 0..3 {
        for at in (1..codes.len()).rev() {
            codes.swap(at, chance.below(at + 1));
        }
        for one in codes {
            code(&world, one).await;
        }
        trees.push(shown_tree(&world).await);
        for one in codes {
            let path = format!("classification-codes/{}", encoded(one));
            world.editor.delete(&path, "*").await.is(204);
        }
    }
    assert_eq!(trees[0], trees[1]);
    assert_eq!(trees[1], trees[2]);
    // By code points, and no letter is another one's prefix because it looks alike.
    assert_eq!(
        trees[0],
        "000<-@1 005<000@2 005.7<005@3 005.74<005.7@4 005.741<005.74@5 500<-@1 510<500@2 512<510@3 512.5<512@4 \
         516<510@3 A<-@1 Aa<A@2 aA<-@1 e<-@1 é<-@1 Ж<-@1 Ж1<Ж@2 Ж1.2<Ж1@3 ж1<-@1"
    );
}

async fn a_given_parent_counts_more_than_the_prefix(world: World) {
    for new in ["500", "510", "600"] {
        code(&world, new).await;
    }
    let given = json!({"code": "511", "label": "Logic", "parent_code": "600"});
    let created = world
        .editor
        .post("classification-codes", &given)
        .await
        .is(201)
        .json();
    assert_eq!(
        (&created["parent_code"], &created["parent_given"]),
        (&json!("600"), &json!(true))
    );
    let to = |parent: Json| json!({"parent_code": parent});
    let path = "classification-codes/600";
    world
        .editor
        .patch(path, "*", &to(json!("511")))
        .await
        .problem(409, "conflict");
    world
        .editor
        .patch(path, "*", &to(json!("600")))
        .await
        .problem(409, "conflict");
    world
        .editor
        .patch(path, "*", &to(json!("999")))
        .await
        .problem(409, "conflict");
    world
        .editor
        .patch(path, "*", &to(json!("510")))
        .await
        .is(200);
    assert_eq!(
        shown_tree(&world).await,
        "500<-@1 510<500@2 511<600@4 600<510@3"
    );
    let back = world
        .editor
        .patch("classification-codes/511", "\"2\"", &to(Json::Null))
        .await
        .is(200)
        .json();
    assert_eq!(
        (&back["parent_code"], &back["parent_given"]),
        (&json!("510"), &json!(false))
    );
}

async fn what_was_beneath_a_deleted_code_moves_up(world: World) {
    for new in ["500", "510", "512", "700"] {
        code(&world, new).await;
    }
    let given = json!({"code": "X", "label": "x", "parent_code": "510"});
    world
        .editor
        .post("classification-codes", &given)
        .await
        .is(201);
    let held = resource(&world, json!({"title": "R", "classification_code": "510"})).await;
    world
        .editor
        .delete("classification-codes/510", "\"1\"")
        .await
        .is(204);
    assert_eq!(shown_tree(&world).await, "500<-@1 512<500@2 700<-@1 X<-@1");
    let path = format!("resources/{}", held["id"].as_str().unwrap());
    let kept = world.reader.get(&path).await.is(200).json();
    assert_eq!(kept["classification_code"], "510");
}

async fn a_code_change_needs_the_version_that_was_read(world: World) {
    code(&world, "500").await;
    let path = "classification-codes/500";
    let change = json!({"label": "New"});
    world
        .editor
        .request("PATCH", path)
        .json(&change)
        .send()
        .await
        .problem(428, "precondition_required");
    let stale = world.editor.patch(path, "\"2\"", &change).await;
    stale.problem(412, "stale_version");
    assert_eq!(stale.header("etag"), Some("\"1\""));
    let changed = world.editor.patch(path, "\"1\"", &change).await.is(200);
    assert_eq!(changed.header("etag"), Some("\"2\""));
    assert_eq!(changed.json()["label"], "New");
    let same = world.editor.patch(path, "\"2\"", &change).await.is(200);
    assert_eq!(
        same.json(),
        changed.json(),
        "what changes nothing is no change"
    );
    world
        .editor
        .delete(path, "\"1\"")
        .await
        .problem(412, "stale_version");
    world
        .editor
        .request("DELETE", path)
        .send()
        .await
        .problem(428, "precondition_required");
    world.editor.delete(path, "\"2\"").await.is(204);
    world
        .editor
        .delete(path, "*")
        .await
        .problem(404, "not_found");
}

async fn codes_with_unusual_characters_are_found_by_their_path(world: World) {
    for new in [
        "004.8(075)",
        "a%2Fb",
        "x+y?z#w",
        "=111",
        "Ж1'2",
        "important",
        "\u{1f4da}",
    ] {
        let reply = world
            .editor
            .post("classification-codes", &json!({"code": new, "label": "x"}))
            .await
            .is(201);
        let location = reply.header("location").unwrap().to_owned();
        let found = world.reader.get(&location).await.is(200).json();
        assert_eq!(found["code"], new);
        world.editor.delete(&location, "\"1\"").await.is(204);
    }
}

async fn resources_are_counted_and_found_by_code_and_what_is_beneath(world: World) {
    for new in ["500", "510", "512", "600"] {
        code(&world, new).await;
    }
    // Whatever a resource says is kept, listed or not.
    for (title, own) in [
        ("A", "500"),
        ("B", "510"),
        ("C", "512"),
        ("D", "512"),
        ("E", "512.9"),
        ("F", "600"),
    ] {
        resource(&world, json!({"title": title, "classification_code": own})).await;
    }
    resource(&world, json!({"title": "G"})).await;
    let listed = world
        .reader
        .query(
            "classification-codes",
            &[("subtree_counts", "true"), ("filter", "level < 3")],
        )
        .await
        .is(200)
        .json();
    let counts: Vec<(i64, i64)> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|code| {
            (
                code["resource_count"].as_i64().unwrap(),
                code["subtree_count"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(counts, [(1, 4), (1, 3), (1, 1)]);
    let plain = world.reader.get("classification-codes/500").await.json();
    assert!(plain.get("subtree_count").is_none());
    for (filter, expected) in [
        (r#"classification:"500""#, "A B C D"),
        (r#"classification = "510""#, "B C D"),
        (r#"classification:"Label 512""#, "C D"),
        (r#"classification:"512.9""#, "E"),
        (r#"classification_code = "510""#, "B"),
        (r#"NOT classification:"500""#, "E F G"),
        ("classification:*", "A B C D F"),
        ("classification = null", "E G"),
    ] {
        let items = world
            .reader
            .all("resources", &[("filter", filter), ("sort", "title")])
            .await;
        let titles: Vec<&str> = items
            .iter()
            .map(|item| item["title"].as_str().unwrap())
            .collect();
        assert_eq!(titles.join(" "), expected, "{filter}");
    }
}

async fn bad_codes_are_told_with_their_place(world: World) {
    code(&world, "500").await;
    for (body, pointer, fault) in [
        (json!({"label": "x"}), "/code", "required"),
        (json!({"code": "", "label": "x"}), "/code", "format"),
        (json!({"code": "..", "label": "x"}), "/code", "format"),
        (json!({"code": "a/b", "label": "x"}), "/code", "format"),
        (json!({"code": "import", "label": "x"}), "/code", "format"),
        (json!({"code": "a\u{7f}", "label": "x"}), "/code", "format"),
        (
            json!({"code": "a".repeat(101), "label": "x"}),
            "/code",
            "too_long",
        ),
        (json!({"code": "1"}), "/label", "required"),
        (
            json!({"code": "1", "label": "x", "level": 1}),
            "/level",
            "read_only",
        ),
        (
            json!({"code": "1", "label": "x", "colour": 1}),
            "/colour",
            "unknown_field",
        ),
    ] {
        let reply = world.editor.post("classification-codes", &body).await;
        let problem = reply.problem(422, "invalid_body");
        let found = &problem["errors"].as_array().unwrap().last().unwrap();
        assert!(
            problem["errors"].as_array().unwrap().iter().any(|error| (
                &error["pointer"],
                &error["code"]
            ) == (
                &json!(pointer),
                &json!(fault)
            )),
            "{body}: {found}"
        );
    }
    let unknown = json!({"code": "1", "label": "x", "parent_code": "9"});
    world
        .editor
        .post("classification-codes", &unknown)
        .await
        .problem(409, "conflict");
    world
        .editor
        .patch("classification-codes/500", "*", &json!({"code": "501"}))
        .await
        .problem(422, "invalid_body");
}
