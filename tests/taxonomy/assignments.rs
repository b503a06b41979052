//! What is assigned, predicted, counted and found.

use serde_json::{Value as Json, json};

use super::{assign, id, node, read, small_tree, titles};
use crate::harness::{Reply, World, resource};

matrix![
    counts_follow_whoever_assigns_and_deletes,
    the_resources_of_a_node_are_those_beneath_it_too,
    the_filter_takes_path_slug_label_and_id,
    predictions_wait_for_review,
    a_rejected_prediction_is_not_made_again,
];

async fn predict(world: &World, item: &Json, node: &Json, confidence: f64) -> Reply {
    let body = json!({"node_id": id(node), "confidence": confidence});
    world
        .editor
        .post(&format!("resources/{}/taxonomy", id(item)), &body)
        .await
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
    assert_eq!(by_hand["prediction_id"], Json::Null);
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
    let reply = predict(&world, &item, &science, 0.5).await.is(201);
    let queue = world.reader.get("taxonomy/review").await.is(200).json();
    let waiting = id(&queue["items"][0]).to_owned();
    assert_eq!(reply.json()["prediction_id"], json!(waiting));
    let place = format!("taxonomy/review/{waiting}");
    let location = format!("/api/v1/{place}");
    assert_eq!(reply.header("location"), Some(location.as_str()));
    let read_again = world.reader.get(&place).await.is(200).json();
    assert_eq!(read_again, queue["items"][0]);
    let reject = format!("taxonomy/review/{waiting}/reject");
    for _ in 0..2 {
        let rejected = world
            .editor
            .request("POST", &reject)
            .send()
            .await
            .is(200)
            .json();
        assert_eq!(
            (&rejected["status"], &rejected["prediction_id"]),
            (&json!("rejected"), &json!(waiting))
        );
        let found = world.reader.get("taxonomy/review?status=rejected").await;
        let found = found.is(200).json()["items"].clone();
        assert_eq!(found.as_array().unwrap().len(), 1);
        assert_eq!(found[0]["id"], json!(waiting));
        assert!(rejected["reviewed_at"].is_string());
        assert_eq!(found[0]["reviewed_at"], rejected["reviewed_at"]);
        assert_eq!(world.reader.get(&place).await.is(200).json(), found[0]);
    }
    world
        .reader
        .get("taxonomy/review?status=accepted")
        .await
        .problem(400, "invalid_parameter");
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
