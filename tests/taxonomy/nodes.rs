//! Nodes: paths, renames, moves, merges, deletes.

use serde_json::{Value as Json, json};

use super::{assign, id, node, paths, read, small_tree};
use crate::harness::{World, resource};

matrix![
    a_node_has_the_path_of_its_slugs,
    a_slug_comes_from_the_label_in_any_script,
    what_is_beneath_follows_a_rename_and_a_move,
    circles_clashes_and_depth_are_refused_in_words,
    a_merge_takes_over_children_assignments_and_predictions,
    a_node_merged_into_its_parent_makes_room_for_its_children,
    a_node_with_others_beneath_it_is_deleted_only_on_request,
];

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
            .problem(409, "conflict");
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
