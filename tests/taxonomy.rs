//! The taxonomy: nodes with their paths, assignments, predictions and their review.

use serde_json::{Value as Json, json};

use crate::harness::{World, resource};

matrix![
    a_node_has_the_path_of_its_slugs,
    a_slug_comes_from_the_label_in_any_script,
    what_is_beneath_follows_a_rename_and_a_move,
    circles_clashes_and_depth_are_refused_in_words,
    a_merge_takes_over_children_assignments_and_predictions,
    a_node_merged_into_its_parent_makes_room_for_its_children,
    a_node_with_others_beneath_it_is_deleted_only_on_request,
    a_change_needs_the_version_that_was_read,
    counts_follow_whoever_assigns_and_deletes,
    the_resources_of_a_node_are_those_beneath_it_too,
    the_filter_takes_path_slug_label_and_id,
    predictions_wait_for_review,
    a_rejected_prediction_is_not_made_again,
    nodes_are_listed_with_filter_sort_and_pages,
    bad_input_is_told_with_its_place,
];

pub async fn node(world: &World, fields: Json) -> Json {
    world.editor.post("taxonomy", &fields).await.is(201).json()
}

pub fn id(item: &Json) -> &str {
    item["id"].as_str().unwrap()
}

async fn read(world: &World, node: &Json) -> Json {
    world
        .reader
        .get(&format!("taxonomy/{}?subtree_counts=true", id(node)))
        .await
        .is(200)
        .json()
}

async fn paths(world: &World) -> String {
    let nodes = world.reader.all("taxonomy", &[("limit", "200")]).await;
    let paths: Vec<String> = nodes
        .iter()
        .map(|node| {
            format!(
                "{}@{}",
                node["path"].as_str().unwrap(),
                node["level"].as_i64().unwrap()
            )
        })
        .collect();
    paths.join(" ")
}

async fn assign(world: &World, item: &Json, node: &Json, status: u16) -> Json {
    let path = format!("resources/{}/taxonomy", id(item));
    world
        .editor
        .post(&path, &json!({"node_id": id(node)}))
        .await
        .is(status)
        .json()
}

/// science/physics/optics, science/chemistry, arts
async fn small_tree(world: &World) -> [Json; 5] {
    let science = node(world, json!({"label": "Science"})).await;
    let physics = node(
        world,
        json!({"label": "Physics", "parent_id": id(&science)}),
    )
    .await;
    let optics = node(world, json!({"label": "Optics", "parent_id": id(&physics)})).await;
    let chemistry = node(
        world,
        json!({"label": "Chemistry", "parent_id": id(&science)}),
    )
    .await;
    let arts = node(world, json!({"label": "Arts"})).await;
    [science, physics, optics, chemistry, arts]
}

async fn a_node_has_the_path_of_its_slugs(world: World) {
    let [science, physics, ..] = small_tree(&world).await;
    assert_eq!(
        paths(&world).await,
        "arts@1 science@1 science/chemistry@2 science/physics@2 science/physics/optics@3"
    );
    let reply = world
        .editor
        .post(
            "taxonomy",
            &json!({"label": "Quantum theory", "slug": "Quantum", "parent_id": id(&physics)}),
        )
        .await
        .is(201);
    let created = reply.json();
    assert_eq!(
        reply.header("location"),
        Some(format!("/api/v1/taxonomy/{}", id(&created)).as_str())
    );
    assert_eq!(reply.header("etag"), Some("\"1\""));
    assert_eq!(created["path"], "science/physics/quantum");
    assert_eq!(created["slug"], "quantum");
    assert_eq!(
        (&created["level"], &created["resource_count"]),
        (&json!(3), &json!(0))
    );
    assert!(created.get("subtree_count").is_none());
    let found = read(&world, &created).await;
    assert_eq!(found["subtree_count"], 0);
    assert_eq!(found["parent_id"], physics["id"]);
    assert_eq!(science["parent_id"], Json::Null);
    world
        .reader
        .get("taxonomy/01890000-0000-7000-8000-000000000000")
        .await
        .problem(404, "not_found");
}

async fn a_slug_comes_from_the_label_in_any_script(world: World) {
    for (label, slug) in [
        (
            "Computer Science & Engineering",
            "computer-science-engineering",
        ),
        ("Économie", "économie"),
        ("物理 学", "物理-学"),
        ("ΦΥΣΙΚΉ", "φυσική"),
        ("!!!", "node"),
    ] {
        assert_eq!(node(&world, json!({"label": label})).await["slug"], slug);
    }
    // One spelling, whichever was sent.
    let refused = world
        .editor
        .post(
            "taxonomy",
            &json!({"label": "Other", "slug": "E\u{301}CONOMIE"}),
        )
        .await;
    refused.problem(409, "conflict");
}

async fn what_is_beneath_follows_a_rename_and_a_move(world: World) {
    let [science, physics, optics, _, arts] = small_tree(&world).await;
    let renamed = world
        .editor
        .patch(
            &format!("taxonomy/{}", id(&physics)),
            "\"1\"",
            &json!({"slug": "natural-philosophy", "label": "Natural philosophy"}),
        )
        .await
        .is(200);
    assert_eq!(renamed.header("etag"), Some("\"2\""));
    assert_eq!(renamed.json()["path"], "science/natural-philosophy");
    let below = read(&world, &optics).await;
    assert_eq!(below["path"], "science/natural-philosophy/optics");
    assert_eq!(below["version"], 2, "what is shown of it has changed");
    let moved = world
        .editor
        .post(
            &format!("taxonomy/{}/move", id(&physics)),
            &json!({"parent_id": null}),
        )
        .await
        .is(200)
        .json();
    assert_eq!(moved["path"], "natural-philosophy");
    assert_eq!(moved["version"], 3);
    world
        .editor
        .post(
            &format!("taxonomy/{}/move", id(&science)),
            &json!({"parent_id": id(&arts)}),
        )
        .await
        .is(200);
    assert_eq!(
        paths(&world).await,
        "arts@1 arts/science@2 arts/science/chemistry@3 natural-philosophy@1 natural-philosophy/optics@2"
    );
    // Where it is already: nothing changes.
    let again = world
        .editor
        .post(
            &format!("taxonomy/{}/move", id(&physics)),
            &json!({"parent_id": null}),
        )
        .await
        .is(200)
        .json();
    assert_eq!(again, moved);
}

async fn circles_clashes_and_depth_are_refused_in_words(world: World) {
    let [science, physics, optics, chemistry, arts] = small_tree(&world).await;
    let twin = node(&world, json!({"label": "Physics", "parent_id": id(&arts)})).await;
    let (of, to) = (
        |node: &Json, what: &str| format!("taxonomy/{}/{what}", id(node)),
        |node: &Json| json!({"parent_id": id(node)}),
    );
    let into = |node: &Json| json!({"into_id": id(node)});
    let cases = [
        (
            of(&science, "move"),
            to(&optics),
            "`science` cannot be moved beneath `science/physics/optics`",
        ),
        (of(&science, "move"), to(&science), "beneath itself"),
        (
            of(&physics, "move"),
            to(&arts),
            "the path `arts/physics` belongs to the node",
        ),
        (
            of(&physics, "merge"),
            into(&optics),
            "that would be a circle",
        ),
        (of(&physics, "merge"), into(&physics), "into itself"),
        (
            of(&arts, "merge"),
            into(&science),
            "both have a node `physics` beneath them",
        ),
    ];
    let before = paths(&world).await;
    for (path, body, words) in cases {
        let problem = world
            .editor
            .post(&path, &body)
            .await
            .problem(409, "conflict");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{detail}");
    }
    let taken = json!({"slug": "physics"});
    world
        .editor
        .patch(&format!("taxonomy/{}", id(&chemistry)), "*", &taken)
        .await
        .problem(409, "conflict");
    world
        .editor
        .post("taxonomy", &json!({"label": "x", "slug": "science"}))
        .await
        .problem(409, "conflict");
    for body in [to(&json!({"id": "01890000-0000-7000-8000-000000000000"}))] {
        world
            .editor
            .post(&of(&twin, "move"), &body)
            .await
            .problem(404, "not_found");
    }
    assert_eq!(paths(&world).await, before);
    let mut parent = optics.clone();
    for level in 4..=32 {
        parent = node(
            &world,
            json!({"label": format!("L{level}"), "parent_id": id(&parent)}),
        )
        .await;
    }
    let deep = json!({"label": "too deep", "parent_id": id(&parent)});
    let problem = world
        .editor
        .post("taxonomy", &deep)
        .await
        .problem(409, "conflict");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("at most 32 levels")
    );
    // Not only the node itself counts, but the deepest beneath it.
    world
        .editor
        .post(&of(&science, "move"), &to(&arts))
        .await
        .problem(409, "conflict");
    let mut long = node(&world, json!({"label": "x", "slug": "長".repeat(100)})).await;
    for _ in 0..5 {
        long = node(
            &world,
            json!({"label": "x", "slug": "長".repeat(100), "parent_id": id(&long)}),
        )
        .await;
    }
    let longer = json!({"label": "x", "slug": "長".repeat(100), "parent_id": id(&long)});
    let problem = world
        .editor
        .post("taxonomy", &longer)
        .await
        .problem(409, "conflict");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("at most 2000 bytes")
    );
}

async fn a_merge_takes_over_children_assignments_and_predictions(world: World) {
    let [science, physics, optics, chemistry, arts] = small_tree(&world).await;
    let both = resource(&world, json!({"title": "Both"})).await;
    let one = resource(&world, json!({"title": "One"})).await;
    let guessed = resource(&world, json!({"title": "Guessed"})).await;
    assign(&world, &both, &physics, 201).await;
    assign(&world, &both, &chemistry, 201).await;
    assign(&world, &one, &physics, 201).await;
    let guess = json!({"node_id": id(&physics), "confidence": 0.25});
    world
        .editor
        .post(&format!("resources/{}/taxonomy", id(&guessed)), &guess)
        .await
        .is(201);
    let merged = world
        .editor
        .post(
            &format!("taxonomy/{}/merge", id(&physics)),
            &json!({"into_id": id(&chemistry)}),
        )
        .await
        .is(200)
        .json();
    assert_eq!(merged["path"], "science/chemistry");
    assert_eq!(merged["resource_count"], 2);
    assert_eq!(
        read(&world, &optics).await["path"],
        "science/chemistry/optics"
    );
    world
        .reader
        .get(&format!("taxonomy/{}", id(&physics)))
        .await
        .problem(404, "not_found");
    let waiting = world.reader.get("taxonomy/review").await.is(200).json();
    assert_eq!(waiting["items"][0]["node_id"], chemistry["id"]);
    assert_eq!(read(&world, &science).await["subtree_count"], 2);
    assert_eq!(read(&world, &arts).await["subtree_count"], 0);
}

async fn a_node_merged_into_its_parent_makes_room_for_its_children(world: World) {
    // a, a/b, a/b/b, a/b/b/b, a/b/c: merging a/b into a makes a/b of a/b/b, and so on.
    let a = node(&world, json!({"label": "a"})).await;
    let b = node(&world, json!({"label": "b", "parent_id": id(&a)})).await;
    let bb = node(&world, json!({"label": "b", "parent_id": id(&b)})).await;
    let bbb = node(&world, json!({"label": "b", "parent_id": id(&bb)})).await;
    let bc = node(&world, json!({"label": "c", "parent_id": id(&b)})).await;
    world
        .editor
        .post(
            &format!("taxonomy/{}/merge", id(&b)),
            &json!({"into_id": id(&a)}),
        )
        .await
        .is(200);
    assert_eq!(paths(&world).await, "a@1 a/b@2 a/b/b@3 a/c@2");
    for (node, path, parent) in [(&bb, "a/b", &a), (&bbb, "a/b/b", &bb), (&bc, "a/c", &a)] {
        let found = read(&world, node).await;
        assert_eq!(found["path"], path);
        assert_eq!(found["parent_id"], parent["id"]);
        assert_eq!(found["version"], 2);
    }
}

async fn a_node_with_others_beneath_it_is_deleted_only_on_request(world: World) {
    let [science, _, optics, ..] = small_tree(&world).await;
    let held = resource(&world, json!({"title": "Light"})).await;
    assign(&world, &held, &optics, 201).await;
    let path = format!("taxonomy/{}", id(&science));
    let problem = world
        .editor
        .delete(&path, "*")
        .await
        .problem(409, "conflict");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("recursive=true")
    );
    world
        .editor
        .delete(&format!("{path}?recursive=true"), "*")
        .await
        .is(204);
    assert_eq!(paths(&world).await, "arts@1");
    world
        .reader
        .get(&format!("resources/{}", id(&held)))
        .await
        .is(200);
    let left = world
        .reader
        .get(&format!("resources/{}/taxonomy", id(&held)))
        .await;
    assert_eq!(left.is(200).json()["items"], json!([]));
}

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

async fn counts_follow_whoever_assigns_and_deletes(world: World) {
    let [science, physics, optics, ..] = small_tree(&world).await;
    let items = [
        resource(&world, json!({"title": "1"})).await,
        resource(&world, json!({"title": "2"})).await,
    ];
    for item in &items {
        assert_eq!(
            assign(&world, item, &physics, 201).await["status"],
            "accepted"
        );
        assign(&world, item, &physics, 200).await;
        assign(&world, item, &optics, 201).await;
    }
    let counts = |node: Json| {
        (
            node["resource_count"].clone(),
            node["subtree_count"].clone(),
        )
    };
    assert_eq!(counts(read(&world, &science).await), (json!(0), json!(2)));
    assert_eq!(counts(read(&world, &physics).await), (json!(2), json!(2)));
    world
        .editor
        .delete(&format!("resources/{}", id(&items[0])), "*")
        .await
        .is(204);
    assert_eq!(counts(read(&world, &physics).await), (json!(1), json!(1)));
    let place = format!("resources/{}/taxonomy/{}", id(&items[1]), id(&optics));
    world.editor.request("DELETE", &place).send().await.is(204);
    world
        .editor
        .request("DELETE", &place)
        .send()
        .await
        .problem(404, "not_found");
    assert_eq!(counts(read(&world, &optics).await), (json!(0), json!(0)));
    // Another tool: rows in and out, and a cascade.
    world
        .scratch
        .execute("UPDATE resource_taxonomy SET node_id = (SELECT id FROM taxonomy_nodes WHERE slug = 'arts')")
        .await
        .unwrap();
    assert_eq!(counts(read(&world, &physics).await), (json!(0), json!(0)));
    let arts = world
        .reader
        .query("taxonomy", &[("filter", "slug = arts"), ("total", "true")])
        .await
        .is(200)
        .json();
    assert_eq!(
        (&arts["items"][0]["resource_count"], &arts["total"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        arts["items"][0]["version"], 1,
        "a count is no change of the node"
    );
    world
        .scratch
        .execute("DELETE FROM resource_taxonomy")
        .await
        .unwrap();
    assert_eq!(
        world
            .scratch
            .number("SELECT count(*) FROM taxonomy_nodes WHERE resource_count <> 0")
            .await,
        0
    );
}

async fn titles(world: &World, path: &str, parameters: &[(&str, &str)]) -> String {
    let items = world.reader.all(path, parameters).await;
    let titles: Vec<&str> = items
        .iter()
        .map(|item| item["title"].as_str().unwrap())
        .collect();
    titles.join(" ")
}

async fn the_resources_of_a_node_are_those_beneath_it_too(world: World) {
    let [science, physics, optics, chemistry, _] = small_tree(&world).await;
    // Its path begins as that of another one, and it is not beneath it.
    let near = node(&world, json!({"label": "Science-fiction"})).await;
    for (title, nodes) in [
        ("A", vec![&science]),
        ("B", vec![&physics, &optics]),
        ("C", vec![&chemistry]),
        ("D", vec![&near]),
    ] {
        let item = resource(&world, json!({"title": title, "language": "en"})).await;
        for node in nodes {
            assign(&world, &item, node, 201).await;
        }
    }
    let path = format!("taxonomy/{}/resources", id(&science));
    let sorted = [("sort", "title"), ("limit", "2")];
    assert_eq!(titles(&world, &path, &sorted).await, "A B C");
    let own = [("sort", "title"), ("descendants", "false")];
    assert_eq!(titles(&world, &path, &own).await, "A");
    let filtered = [("filter", "title > B AND language = en"), ("total", "true")];
    assert_eq!(titles(&world, &path, &filtered).await, "C");
    assert_eq!(read(&world, &science).await["subtree_count"], 3);
    world
        .reader
        .query(&path, &[("descendants", "maybe")])
        .await
        .problem(400, "invalid_parameter");
    world
        .reader
        .get("taxonomy/01890000-0000-7000-8000-000000000000/resources")
        .await
        .problem(404, "not_found");
}

async fn the_filter_takes_path_slug_label_and_id(world: World) {
    let [science, physics, optics, ..] = small_tree(&world).await;
    for (title, node) in [("A", &science), ("B", &physics), ("C", &optics)] {
        let item = resource(&world, json!({"title": title})).await;
        assign(&world, &item, node, 201).await;
    }
    resource(&world, json!({"title": "D"})).await;
    let guessed = resource(&world, json!({"title": "E"})).await;
    let guess = json!({"node_id": id(&physics), "confidence": 1});
    world
        .editor
        .post(&format!("resources/{}/taxonomy", id(&guessed)), &guess)
        .await
        .is(201);
    for (filter, expected) in [
        (r#"taxonomy:"science""#, "A B C"),
        (r#"taxonomy = "Science/Physics""#, "B C"),
        (r#"taxonomy:"OPTICS""#, "C"),
        (r#"taxonomy:"Physics""#, "B C"),
        (r#"taxonomy:"optics/physics""#, ""),
        (r#"NOT taxonomy:"physics""#, "A D E"),
        ("taxonomy = null", "D E"),
        (&format!("taxonomy:{}", id(&physics)), "B C"),
    ] {
        let found = titles(
            &world,
            "resources",
            &[("filter", filter), ("sort", "title")],
        )
        .await;
        assert_eq!(found, expected, "{filter}");
    }
}

async fn predict(
    world: &World,
    item: &Json,
    node: &Json,
    confidence: f64,
) -> crate::harness::Reply {
    let body = json!({"node_id": id(node), "confidence": confidence});
    world
        .editor
        .post(&format!("resources/{}/taxonomy", id(item)), &body)
        .await
}

async fn predictions_wait_for_review(world: World) {
    let [science, physics, optics, ..] = small_tree(&world).await;
    let item = resource(&world, json!({"title": "Light"})).await;
    let made = predict(&world, &item, &optics, 0.5).await.is(201).json();
    assert_eq!(
        (&made["status"], &made["source"], &made["confidence"]),
        (&json!("pending"), &json!("predicted"), &json!(0.5))
    );
    // The same once more, surer.
    assert_eq!(
        predict(&world, &item, &optics, 0.75).await.is(200).json()["confidence"],
        0.75
    );
    predict(&world, &item, &physics, 0.8).await.is(201);
    predict(&world, &item, &science, 0.1).await.is(201);
    let queue = world
        .reader
        .query("taxonomy/review", &[("limit", "2"), ("total", "true")])
        .await
        .is(200)
        .json();
    assert_eq!(queue["total"], 3);
    let paths: Vec<&str> = queue["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|waiting| waiting["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["science/physics", "science/physics/optics"]);
    assert_eq!(queue["items"][0]["title"], "Light");
    assert_eq!(read(&world, &optics).await["resource_count"], 0);
    let accept = format!("taxonomy/review/{}/accept", id(&queue["items"][1]));
    world
        .reader
        .post(&accept, &json!({}))
        .await
        .problem(403, "forbidden");
    let accepted = world
        .editor
        .request("POST", &accept)
        .send()
        .await
        .is(200)
        .json();
    assert_eq!(
        (&accepted["status"], &accepted["confidence"]),
        (&json!("accepted"), &json!(0.75))
    );
    assert!(accepted["reviewed_at"].is_string());
    assert_eq!(read(&world, &optics).await["resource_count"], 1);
    world
        .editor
        .request("POST", &accept)
        .send()
        .await
        .problem(404, "not_found");
    // What is assigned is not predicted; and what is predicted can be assigned by hand.
    let known = predict(&world, &item, &optics, 0.9).await.is(200).json();
    assert_eq!(
        (&known["status"], &known["confidence"]),
        (&json!("accepted"), &json!(0.75))
    );
    let by_hand = assign(&world, &item, &physics, 201).await;
    assert_eq!(
        (&by_hand["source"], &by_hand["confidence"]),
        (&json!("manual"), &Json::Null)
    );
    let by_hand = assign(&world, &item, &optics, 200).await;
    assert_eq!(
        (&by_hand["source"], &by_hand["reviewed_at"]),
        (&json!("manual"), &Json::Null)
    );
    let left = world
        .reader
        .query("taxonomy/review", &[("filter", "confidence < 0.5")])
        .await
        .is(200)
        .json();
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
    let nodes = world
        .reader
        .get(&format!("resources/{}/taxonomy", id(&item)))
        .await
        .is(200)
        .json();
    let sources: Vec<&str> = nodes["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["source"].as_str().unwrap())
        .collect();
    assert_eq!(sources, ["manual", "manual"]);
}

async fn a_rejected_prediction_is_not_made_again(world: World) {
    let [science, ..] = small_tree(&world).await;
    let item = resource(&world, json!({"title": "R"})).await;
    predict(&world, &item, &science, 0.5).await.is(201);
    let queue = world.reader.get("taxonomy/review").await.is(200).json();
    let waiting = id(&queue["items"][0]).to_owned();
    let reject = format!("taxonomy/review/{waiting}/reject");
    for _ in 0..2 {
        let rejected = world
            .editor
            .request("POST", &reject)
            .send()
            .await
            .is(200)
            .json();
        assert_eq!(rejected["status"], "rejected");
    }
    let again = predict(&world, &item, &science, 0.99)
        .await
        .problem(409, "conflict");
    assert!(
        again["detail"]
            .as_str()
            .unwrap()
            .contains("rejected at 2026-")
    );
    let queue = world.reader.get("taxonomy/review").await.is(200).json();
    assert_eq!(queue["items"], json!([]));
    // People may know better.
    let accept = format!("taxonomy/review/{waiting}/accept");
    world.editor.request("POST", &accept).send().await.is(200);
    assert_eq!(read(&world, &science).await["resource_count"], 1);
    world
        .editor
        .request(
            "POST",
            "taxonomy/review/01890000-0000-7000-8000-000000000000/reject",
        )
        .send()
        .await
        .problem(404, "not_found");
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
        .problem(404, "not_found");
    world
        .reader
        .get("resources/01890000-0000-7000-8000-000000000000/taxonomy")
        .await
        .problem(404, "not_found");
}
