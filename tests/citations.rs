//! Citations: what resources cite, found by identifier whichever of the two comes first, and how important it is.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value as Json, json};
use service::library::ImportFormat;

use crate::harness::{Backend, Chance, Client, World, import, resource};

matrix![
    a_citation_is_made_read_changed_and_deleted,
    a_body_that_breaks_rules_is_refused_with_every_place,
    a_citation_finds_its_target_by_any_spelling_of_its_identifier,
    a_citation_follows_what_becomes_of_its_target,
    citations_and_targets_that_come_at_once_find_each_other,
    citations_are_listed_in_both_directions,
    of_a_hundred_changes_to_one_version_one_succeeds,
    importance_is_that_of_a_graph_worked_out_by_hand,
    identifiers_of_before_are_read_at_the_next_start,
];

backend_matrix![importance_has_the_same_bits_in_every_run];

fn id(item: &Json) -> &str {
    item["id"].as_str().unwrap()
}

fn of(resource: &Json) -> String {
    format!("resources/{}/citations", id(resource))
}

fn path(citation: &Json) -> String {
    format!("citations/{}", id(citation))
}

async fn cite(client: &Client, citing: &Json, body: Json) -> Json {
    client.post(&of(citing), &body).await.is(201).json()
}

async fn paper(world: &World, title: &str, identifier: impl Into<Json>) -> Json {
    let body = json!({"title": title, "identifier": identifier.into()});
    resource(world, body).await
}

async fn a_citation_is_made_read_changed_and_deleted(world: World) {
    let one = paper(&world, "One", Json::Null).await;
    let two = paper(&world, "Two", Json::Null).await;
    let body = json!({"type": "extends", "cited_id": two["id"], "raw_text": "Two (2001)"});
    let reply = world.editor.post(&of(&one), &body).await.is(201);
    let made = reply.json();
    assert_eq!(
        reply.header("location"),
        Some(format!("/api/v1/{}", path(&made)).as_str())
    );
    assert_eq!(
        made,
        json!({
            "id": made["id"], "citing_id": one["id"], "cited_id": two["id"], "resolved_by": "hand", "type": "extends",
            "identifier": null, "raw_text": "Two (2001)", "version": 1, "created_at": made["created_at"],
            "updated_at": made["created_at"],
        })
    );
    let read = world.editor.get(&path(&made)).await.is(200);
    assert_eq!(read.json(), made);
    assert_eq!(read.header("etag"), reply.header("etag"));
    let tag = read.header("etag").unwrap();
    world
        .reader
        .request("GET", &path(&made))
        .header("if-none-match", tag)
        .send()
        .await
        .is(304);
    let same = world
        .editor
        .patch(&path(&made), tag, &json!({"type": "extends"}))
        .await
        .is(200);
    assert_eq!(same.json(), made);
    let changed = world
        .editor
        .patch(
            &path(&made),
            tag,
            &json!({"type": null, "cited_id": null, "identifier": "doi:10.1/x"}),
        )
        .await
        .is(200);
    assert_eq!(changed.header("etag"), Some("\"2\""));
    let body = changed.json();
    assert_eq!(
        [&body["type"], &body["cited_id"], &body["resolved_by"]],
        [&json!("cites"), &Json::Null, &Json::Null]
    );
    world
        .editor
        .patch(&path(&made), tag, &json!({"type": "reviews"}))
        .await
        .problem(412, "stale_version");
    world
        .editor
        .request("DELETE", &path(&made))
        .send()
        .await
        .problem(428, "precondition_required");
    world.editor.delete(&path(&made), "\"2\"").await.is(204);
    world
        .editor
        .get(&path(&made))
        .await
        .problem(404, "not_found");

    // What a resource cites goes with it.
    let again = cite(&world.editor, &one, json!({"raw_text": "Something"})).await;
    world
        .editor
        .delete(&format!("resources/{}", id(&one)), "*")
        .await
        .is(204);
    world
        .editor
        .get(&path(&again))
        .await
        .problem(404, "not_found");
    world.editor.get(&of(&one)).await.problem(404, "not_found");
}

async fn a_body_that_breaks_rules_is_refused_with_every_place(world: World) {
    let one = paper(&world, "One", Json::Null).await;
    let body = json!({
        "type": "likes", "cited_id": 1, "identifier": "x".repeat(4_001), "raw_text": [], "version": 1, "x": 1,
    });
    let faults = [
        ("/type", "enum"),
        ("/cited_id", "type"),
        ("/identifier", "too_long"),
        ("/raw_text", "type"),
        ("/version", "read_only"),
        ("/x", "unknown_field"),
    ];
    let faults = faults.map(|(place, code)| (place.to_owned(), code.to_owned()));
    assert_eq!(
        world.editor.post(&of(&one), &body).await.faults(422),
        faults
    );
    for (body, place, code) in [
        (json!({}), "", "required"),
        (json!({"identifier": " ", "raw_text": ""}), "", "required"),
        (json!({"cited_id": one["id"]}), "/cited_id", "out_of_range"),
    ] {
        let reply = world.editor.post(&of(&one), &body).await;
        reply.has_fault(422, place, code);
    }
    let unknown = json!({"cited_id": "01890000-0000-7000-8000-000000000000"});
    let reply = world.editor.post(&of(&one), &unknown).await;
    reply.problem(409, "conflict");
    let made = cite(&world.editor, &one, json!({"raw_text": "A book"})).await;
    for (body, place, code) in [
        (json!({"raw_text": null}), "", "required"),
        (json!({"cited_id": one["id"]}), "/cited_id", "out_of_range"),
    ] {
        let reply = world.editor.patch(&path(&made), "*", &body).await;
        reply.has_fault(422, place, code);
    }
    let kept = world.editor.get(&path(&made)).await.is(200).json();
    assert_eq!(kept, made);
    world
        .editor
        .post(
            "resources/01890000-0000-7000-8000-000000000000/citations",
            &json!({"raw_text": "x"}),
        )
        .await
        .problem(404, "not_found");
}

async fn a_citation_finds_its_target_by_any_spelling_of_its_identifier(world: World) {
    let citing = paper(&world, "Citing", Json::Null).await;
    let long = format!("urn:x:{}", "é".repeat(1_500));
    for (written, held) in [
        (
            "10.1000/ABC",
            json!({"identifier": "https://doi.org/10.1000/abc"}),
        ),
        ("0-306-40615-2", json!({"identifier": "isbn:9780306406157"})),
        (
            "ISBN 978-0-8044-2957-3",
            json!({"identifier": "080442957X"}),
        ),
        (
            "https://arxiv.org/abs/2101.00001v2",
            json!({"identifier": "arXiv:2101.00001"}),
        ),
        (
            "http://example.org/a/#top",
            json!({"identifier": "https://EXAMPLE.org/a"}),
        ),
        ("PMID: 17", json!({"metadata": {"pmid": 17}})),
        (
            "doi:10.1000/second",
            json!({"identifier": "shelf 9", "metadata": {"doi": "10.1000/SECOND"}}),
        ),
        (
            "urn:isbn:9781861972712",
            json!({"metadata": {"isbn": ["x", "1861972717"]}}),
        ),
        ("Shelf 3", json!({"identifier": "Shelf 3"})),
        (long.as_str(), json!({ "identifier": long })),
    ] {
        let before = cite(&world.editor, &citing, json!({ "identifier": written })).await;
        assert_eq!(before["cited_id"], Json::Null, "{written}");
        let mut fields = held.clone();
        fields["title"] = json!("Target");
        let target = resource(&world, fields).await;
        let after = cite(&world.editor, &citing, json!({ "identifier": written })).await;
        assert_eq!(
            (&after["cited_id"], &after["resolved_by"]),
            (&target["id"], &json!("identifier")),
            "{written}"
        );
        let found = world.reader.get(&path(&before)).await.json();
        assert_eq!(found["cited_id"], target["id"], "{written}");
        world
            .editor
            .delete(&format!("resources/{}", id(&target)), "*")
            .await
            .is(204);
    }
    let other = cite(&world.editor, &citing, json!({"identifier": "shelf 3"})).await;
    paper(&world, "Shelf", "Shelf 3").await;
    let other = world.reader.get(&path(&other)).await.json();
    assert_eq!(other["cited_id"], Json::Null);
}

async fn a_citation_follows_what_becomes_of_its_target(world: World) {
    let citing = paper(&world, "Citing", Json::Null).await;
    let citation = cite(
        &world.editor,
        &citing,
        json!({"identifier": "doi:10.1000/a"}),
    )
    .await;
    let seen = async || {
        let reply = world.reader.get(&path(&citation)).await.is(200);
        let tag = reply.header("etag").unwrap().to_owned();
        (reply.json()["cited_id"].clone(), tag)
    };
    let mut tags = vec![seen().await.1];
    // By an import, and by a change of the identifier.
    let row = json!({"title": "Imported", "identifier": "10.1000/A"});
    import(&world.pharos, ImportFormat::NdJson, row.to_string()).await;
    let imported = world.reader.get("resources?filter=title=Imported").await;
    let imported = imported.json()["items"][0].clone();
    let (cited, tag) = seen().await;
    assert_eq!(cited, imported["id"]);
    tags.push(tag);
    let at = format!("resources/{}", id(&imported));
    world
        .editor
        .patch(&at, "*", &json!({"identifier": "10.1000/b"}))
        .await
        .is(200);
    assert_eq!(seen().await, (Json::Null, tags[0].clone()));
    world
        .editor
        .patch(&at, "*", &json!({"metadata": {"doi": "10.1000/a"}}))
        .await
        .is(200);
    assert_eq!(seen().await, (imported["id"].clone(), tags[1].clone()));
    // Of two with the identifier the older one counts, and when it goes, the other.
    let younger = paper(&world, "Younger", "https://dx.doi.org/10.1000/a").await;
    assert_eq!(seen().await.0, imported["id"]);
    let cites = async |resource: &Json| {
        let path = format!("{}?direction=in&total=true", of(resource));
        world.reader.get(&path).await.is(200).json()["total"].clone()
    };
    assert_eq!(
        (cites(&imported).await, cites(&younger).await),
        (json!(1), json!(0))
    );
    world.editor.delete(&at, "*").await.is(204);
    assert_eq!(seen().await.0, younger["id"]);
    assert_eq!(cites(&younger).await, json!(1));
    // Who was named goes before who has the identifier, until they go.
    let named = paper(&world, "Named", Json::Null).await;
    world
        .editor
        .patch(&path(&citation), "*", &json!({"cited_id": named["id"]}))
        .await
        .is(200);
    assert_eq!(seen().await.0, named["id"]);
    assert_eq!(
        (cites(&named).await, cites(&younger).await),
        (json!(1), json!(0))
    );
    world
        .editor
        .delete(&format!("resources/{}", id(&named)), "*")
        .await
        .is(204);
    let (cited, tag) = seen().await;
    assert_eq!(cited, younger["id"]);
    // No ETag came twice for different things.
    assert!(!tags.contains(&tag), "{tag} {tags:?}");
    let stale = tags[1].clone();
    world
        .reader
        .request("GET", &path(&citation))
        .header("if-none-match", &stale)
        .send()
        .await
        .is(200);
}

async fn citations_and_targets_that_come_at_once_find_each_other(world: World) {
    let citing = paper(&world, "Citing", Json::Null).await;
    let mut tasks = Vec::new();
    for number in 0..40 {
        let (client, of) = (world.editor.clone(), of(&citing));
        tasks.push(tokio::spawn(async move {
            let identifier = format!("10.1000/{}", number / 2);
            if number % 2 == 0 {
                let body = json!({ "identifier": identifier });
                client.post(&of, &body).await.is(201);
            } else {
                let body = json!({"title": "Target", "identifier": format!("doi:{identifier}")});
                client.post("resources", &body).await.is(201);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let found = world.reader.all(&of(&citing), &[]).await;
    assert_eq!(found.len(), 20);
    for citation in found {
        assert!(citation["cited_id"].is_string(), "{citation}");
    }
}

async fn citations_are_listed_in_both_directions(world: World) {
    let mut papers = Vec::new();
    for number in 0..4 {
        papers.push(paper(&world, &format!("P{number}"), format!("10.1000/{number}")).await);
    }
    for (from, to, kind) in [
        (0, 1, "cites"),
        (0, 2, "extends"),
        (3, 1, "refutes"),
        (2, 1, "extends"),
    ] {
        let body = if from == 2 {
            json!({"type": kind, "cited_id": papers[to]["id"]})
        } else {
            json!({"type": kind, "identifier": format!("doi:10.1000/{to}")})
        };
        cite(&world.editor, &papers[from], body).await;
    }
    cite(
        &world.editor,
        &papers[0],
        json!({"raw_text": "A lost work", "type": "discusses"}),
    )
    .await;
    for (path, filter, sort, expected) in [
        (of(&papers[0]), "", "type", "cites discusses extends"),
        (of(&papers[0]), "cited_id = null", "", "discusses"),
        (of(&papers[0]), "cited_id:*", "-type", "extends cites"),
        (
            format!("{}?direction=in", of(&papers[1])),
            "",
            "type",
            "cites extends refutes",
        ),
        (
            format!("{}?direction=in", of(&papers[1])),
            "type = refutes",
            "",
            "refutes",
        ),
        (format!("{}?direction=in", of(&papers[0])), "", "", ""),
        (
            "citations".to_owned(),
            "",
            "-created_at",
            "discusses extends refutes extends cites",
        ),
        (
            "citations".to_owned(),
            r#"raw_text:"lost""#,
            "",
            "discusses",
        ),
        (
            "citations".to_owned(),
            &format!("cited_id = {}", id(&papers[2])),
            "",
            "extends",
        ),
    ] {
        for limit in ["1", "200"] {
            let (base, direction) = path.split_once('?').unwrap_or((&path, ""));
            let mut parameters = vec![("filter", filter), ("sort", sort), ("limit", limit)];
            parameters.extend(direction.split_once('='));
            let found = world.reader.all(base, &parameters).await;
            let kinds: Vec<&str> = found
                .iter()
                .map(|one| one["type"].as_str().unwrap())
                .collect();
            assert_eq!(kinds.join(" "), expected, "{path} {filter} {sort}");
        }
    }
    world
        .reader
        .get(&format!("{}?direction=up", of(&papers[0])))
        .await
        .has_fault(400, "direction", "enum");
    // A cursor is good for its direction alone.
    let page = world
        .reader
        .query(&of(&papers[0]), &[("limit", "1")])
        .await
        .json();
    let cursor = page["next_cursor"].as_str().unwrap();
    world
        .reader
        .query(&of(&papers[0]), &[("direction", "in"), ("cursor", cursor)])
        .await
        .has_fault(400, "cursor", "bad_cursor");
}

async fn of_a_hundred_changes_to_one_version_one_succeeds(world: World) {
    let one = paper(&world, "One", Json::Null).await;
    let made = cite(&world.editor, &one, json!({"raw_text": "x"})).await;
    let mut tasks = Vec::new();
    for number in 0..100 {
        let (client, path) = (world.editor.clone(), path(&made));
        tasks.push(tokio::spawn(async move {
            let body = json!({"raw_text": format!("Text {number}")});
            client.patch(&path, "\"1\"", &body).await.status
        }));
    }
    let mut statuses = HashMap::new();
    for task in tasks {
        *statuses.entry(task.await.unwrap()).or_insert(0) += 1;
    }
    assert_eq!(statuses, HashMap::from([(200, 1), (412, 99)]));
}

async fn importance_is_that_of_a_graph_worked_out_by_hand(world: World) {
    let computed = world
        .editor
        .post("citations/importance", &Json::Null)
        .await
        .is(200)
        .json();
    assert_eq!(computed["resources"], 0);
    // Two resources, one cites the other twice and itself by its identifier. The other is dangling:
    // a = 0.15/2 + 0.85 b/2 and a + b = 1.
    let one = paper(&world, "One", "10.1000/1").await;
    let two = paper(&world, "Two", "10.1000/2").await;
    for identifier in ["10.1000/2", "doi:10.1000/2", "10.1000/1", "10.1000/9"] {
        cite(&world.editor, &one, json!({ "identifier": identifier })).await;
    }
    let ranks = async || {
        world
            .editor
            .request("POST", "citations/importance")
            .send()
            .await
            .is(200);
        let found = world
            .reader
            .all("citations/importance", &[("limit", "1")])
            .await;
        let rank = |item: &Json| {
            let importance = item["importance"].as_f64().unwrap();
            let id = item["resource_id"].as_str().unwrap().to_owned();
            (id, (importance, item["cited_by"].as_i64().unwrap()))
        };
        found.iter().map(rank).collect::<BTreeMap<_, _>>()
    };
    let near =
        |found: f64, expected: f64| assert!((found - expected).abs() < 1e-11, "{found} {expected}");
    let found = ranks().await;
    let a = 0.5 / 1.425;
    assert_eq!(found.len(), 2);
    near(found[id(&one)].0, a);
    near(found[id(&two)].0, 1.0 - a);
    assert_eq!((found[id(&one)].1, found[id(&two)].1), (0, 1));
    // A third one, alone: with c = 0.05 + 0.85 (b + c)/3, a = c, b = c + 0.85 a.
    paper(&world, "Three", Json::Null).await;
    let found = ranks().await;
    let c = 1.0 / 3.85;
    assert_eq!(found.len(), 2);
    near(found[id(&one)].0, c);
    near(found[id(&two)].0, 1.85 * c);
    let most = world
        .reader
        .query("citations/importance", &[("filter", "cited_by > 0")])
        .await
        .is(200)
        .json();
    assert_eq!(most["items"][0]["resource_id"], two["id"]);
    // What goes is in no list any more.
    world
        .editor
        .delete(&format!("resources/{}", id(&two)), "*")
        .await
        .is(204);
    let left = world.reader.all("citations/importance", &[]).await;
    assert_eq!(left.len(), 1);
    assert_eq!(ranks().await.len(), 0);
}

/// Ids are the same in each run: so are the bytes of the replies, on both databases.
async fn importance_has_the_same_bits_in_every_run(backend: Backend) {
    let mut replies = Vec::new();
    for backend in [backend, Backend::Sqlite] {
        let world = World::start(backend).await;
        let mut chance = Chance::new(85);
        let mut papers = Vec::new();
        for number in 0..40 {
            papers.push(paper(&world, "P", format!("10.1000/{number}")).await);
        }
        for _ in 0..120 {
            let (from, to) = (chance.below(40), chance.below(45));
            let body = json!({"identifier": format!("10.1000/{to}")});
            cite(&world.editor, &papers[from], body).await;
        }
        world
            .editor
            .request("POST", "citations/importance")
            .send()
            .await
            .is(200);
        let reply = world
            .reader
            .get("citations/importance?limit=200")
            .await
            .is(200);
        assert!(reply.json()["items"].as_array().unwrap().len() > 30);
        replies.push(reply.text());
        world.stop().await;
    }
    assert_eq!(replies[0], replies[1]);
}

async fn identifiers_of_before_are_read_at_the_next_start(world: World) {
    let target = paper(&world, "Target", "10.1000/1").await;
    let citing = paper(&world, "Citing", Json::Null).await;
    let citation = cite(
        &world.editor,
        &citing,
        json!({"identifier": "doi:10.1000/1"}),
    )
    .await;
    // As a library of before has it.
    for sql in [
        "DELETE FROM resource_identifiers",
        "UPDATE citations SET identifier_key = NULL",
    ] {
        world.scratch.execute(sql).await.unwrap();
    }
    let found = world.reader.get(&path(&citation)).await.json();
    assert_eq!(found["cited_id"], Json::Null);
    let url = service::database::DatabaseUrl::parse(&world.scratch.url).unwrap();
    let options = crate::harness::small_options();
    service::Pharos::open(&url, &options, service::Environment::default())
        .await
        .unwrap();
    let found = world.reader.get(&path(&citation)).await.json();
    assert_eq!(found["cited_id"], target["id"]);
    let unchanged = world
        .reader
        .get(&format!("resources/{}", id(&target)))
        .await
        .json();
    assert_eq!(unchanged, target);
}
