//! Annotations: passages that are checked against the text and follow it, found by their words, and seen by whom they
//! are meant for.

use std::collections::HashMap;

use serde_json::{Value as Json, json};
use service::library::ImportFormat;

use crate::harness::{Chance, Client, Reply, World, import, resource, tenant};

matrix![
    an_annotation_is_made_read_changed_and_deleted,
    a_body_that_breaks_rules_is_refused_with_every_place,
    offsets_count_characters_and_are_checked_against_the_text,
    a_passage_follows_the_text_or_is_stale,
    a_passage_that_is_deleted_does_not_become_another_one,
    passages_hold_after_any_changes_of_the_text,
    passages_hold_while_the_text_changes,
    an_import_takes_annotations_along,
    annotations_are_found_by_their_words,
    annotations_are_filtered_sorted_and_paged,
    nobody_sees_or_changes_what_is_not_theirs,
    of_a_hundred_changes_to_one_version_one_succeeds,
    annotations_are_exported_as_json_and_as_markdown,
];

const TEXT: &str = "Über Bücher 🎉: a book is a book is a book.";

async fn book(world: &World) -> Json {
    resource(
        world,
        json!({"title": "On books", "description": TEXT, "identifier": "book:1"}),
    )
    .await
}

fn of(resource: &Json) -> String {
    format!("resources/{}/annotations", resource["id"].as_str().unwrap())
}

fn path(annotation: &Json) -> String {
    format!("annotations/{}", annotation["id"].as_str().unwrap())
}

async fn annotate(client: &Client, resource: &Json, body: Json) -> Json {
    client.post(&of(resource), &body).await.is(201).json()
}

async fn describe(world: &World, resource: &Json, text: impl Into<Json>) {
    let path = format!("resources/{}", resource["id"].as_str().unwrap());
    let body = json!({"description": text.into()});
    world.editor.patch(&path, "*", &body).await.is(200);
}

fn passage(text: &str, annotation: &Json) -> String {
    let (start, end) = (annotation["start"].as_u64(), annotation["end"].as_u64());
    let (start, end) = (start.unwrap(), end.unwrap());
    let characters = text.chars().skip(usize::try_from(start).unwrap());
    characters
        .take(usize::try_from(end - start).unwrap())
        .collect()
}

async fn an_annotation_is_made_read_changed_and_deleted(world: World) {
    let book = book(&world).await;
    let reply = world
        .editor
        .post(
            &of(&book),
            &json!({"field": "description", "start": 5, "end": 13, "note": "Plural", "tags": ["German", "plural"], "colour": "#FFcc00"}),
        )
        .await
        .is(201);
    let made = reply.json();
    assert_eq!(reply.header("etag"), Some("\"1\""));
    assert_eq!(
        reply.header("location"),
        Some(format!("/api/v1/{}", path(&made)).as_str())
    );
    let me = world.editor.get("me").await.json();
    assert_eq!(
        made,
        json!({
            "id": made["id"], "resource_id": book["id"], "user_id": me["user"]["id"], "field": "description",
            "start": 5, "end": 13, "quote": "Bücher 🎉", "note": "Plural", "tags": ["German", "plural"],
            "colour": "#ffcc00", "visibility": "private", "stale": false, "version": 1,
            "created_at": made["created_at"], "updated_at": made["created_at"],
        })
    );
    assert_eq!(world.editor.get(&path(&made)).await.is(200).json(), made);
    world
        .editor
        .request("GET", &path(&made))
        .header("if-none-match", "\"1\"")
        .send()
        .await
        .is(304);
    let same = world
        .editor
        .patch(&path(&made), "\"1\"", &json!({"note": "Plural"}))
        .await
        .is(200);
    assert_eq!(same.json(), made);
    let changed = world
        .editor
        .patch(
            &path(&made),
            "\"1\"",
            &json!({"note": null, "end": 11, "visibility": "shared"}),
        )
        .await
        .is(200)
        .json();
    assert_eq!(
        [&changed["quote"], &changed["note"], &changed["version"]],
        [&json!("Bücher"), &Json::Null, &json!(2)]
    );
    assert_eq!(world.editor.get(&path(&made)).await.json(), changed);
    world
        .editor
        .patch(&path(&made), "W/\"2\", \"a,2\"", &json!({"note": "late"}))
        .await
        .problem(412, "stale_version");
    world
        .editor
        .patch(&path(&made), "\"1\"", &json!({"note": "late"}))
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

    // What hangs on a resource goes with it.
    let again = annotate(
        &world.editor,
        &book,
        json!({"field": "title", "start": 0, "end": 2}),
    )
    .await;
    world
        .editor
        .delete(&format!("resources/{}", book["id"].as_str().unwrap()), "*")
        .await
        .is(204);
    world
        .editor
        .get(&path(&again))
        .await
        .problem(404, "not_found");
    world.editor.get(&of(&book)).await.problem(404, "not_found");
    world
        .editor
        .post(&of(&book), &json!({"field": "title", "start": 0, "end": 2}))
        .await
        .problem(404, "not_found");
}

async fn a_body_that_breaks_rules_is_refused_with_every_place(world: World) {
    let book = book(&world).await;
    let body = json!({
        "field": "subject", "start": -1, "end": null, "quote": 1, "note": "n".repeat(10_001), "tags": ["", 2],
        "colour": "red", "visibility": "public", "stale": true, "x": 1,
    });
    let faults = [
        ("/end", "required"),
        ("/field", "enum"),
        ("/start", "out_of_range"),
        ("/quote", "type"),
        ("/note", "too_long"),
        ("/tags/1", "type"),
        ("/colour", "format"),
        ("/visibility", "enum"),
        ("/stale", "read_only"),
        ("/x", "unknown_field"),
    ];
    let faults = faults.map(|(place, code)| (place.to_owned(), code.to_owned()));
    assert_eq!(
        world.editor.post(&of(&book), &body).await.faults(422),
        faults
    );
}

async fn offsets_count_characters_and_are_checked_against_the_text(world: World) {
    let book = book(&world).await;
    let length = TEXT.chars().count();
    let at = |start: usize, end: usize| json!({"field": "description", "start": start, "end": end});
    let whole = annotate(&world.editor, &book, at(0, length)).await;
    assert_eq!(whole["quote"], TEXT);
    let last = annotate(&world.editor, &book, at(length - 1, length)).await;
    assert_eq!(last["quote"], ".");
    let checked = json!({"field": "description", "start": 12, "end": 13, "quote": "🎉"});
    annotate(&world.editor, &book, checked).await;
    for body in [
        at(0, length + 1),
        at(length, length + 1),
        json!({"field": "rights", "start": 0, "end": 1}),
        json!({"field": "description", "start": 12, "end": 13, "quote": "x"}),
    ] {
        world
            .editor
            .post(&of(&book), &body)
            .await
            .problem(409, "conflict");
    }
    // What the body alone decides is a fault of the body.
    for body in [at(5, 5), at(6, 5), at(0, 10_001)] {
        let reply = world.editor.post(&of(&book), &body).await;
        reply.has_fault(422, "/end", "out_of_range");
    }
    for body in [json!({"start": 5, "end": 5}), json!({"start": 1, "end": 0})] {
        let reply = world.editor.patch(&path(&last), "*", &body).await;
        reply.has_fault(422, "/end", "out_of_range");
    }
    for body in [json!({"end": length + 1}), json!({"end": 0})] {
        world
            .editor
            .patch(&path(&last), "*", &body)
            .await
            .problem(409, "conflict");
    }
}

async fn a_passage_follows_the_text_or_is_stale(world: World) {
    let book = book(&world).await;
    let at = |start: usize, end: usize| json!({"field": "description", "start": start, "end": end});
    // The three books, the party, and one in another field.
    let begin = TEXT.chars().position(|c| c == ':').unwrap() + 2;
    let books = [begin + 2, begin + 12, begin + 22];
    let mut made = Vec::new();
    for start in books {
        made.push(annotate(&world.editor, &book, at(start, start + 4)).await);
        assert_eq!(made.last().unwrap()["quote"], "book");
    }
    made.push(annotate(&world.editor, &book, at(12, 13)).await);
    let title = json!({"field": "title", "start": 3, "end": 8});
    made.push(annotate(&world.editor, &book, title).await);
    let now = async || {
        let mut states = Vec::new();
        for one in &made {
            let one = world.editor.get(&path(one)).await.is(200).json();
            states.push((
                one["start"].as_i64().unwrap(),
                one["stale"].as_bool().unwrap(),
                one["version"].as_i64().unwrap(),
            ));
        }
        states
    };
    let first = i64::try_from(begin).unwrap();
    let places = [first + 2, first + 12, first + 22, 12, 3];

    // Behind all of them: nothing moves. In front: all move along, the versions count up.
    describe(&world, &book, format!("{TEXT} Yes.")).await;
    assert_eq!(now().await, places.map(|start| (start, false, 1)));
    describe(&world, &book, format!("So: {TEXT} Yes.")).await;
    let mut moved = places.map(|start| (start + 4, false, 2));
    moved[4] = (3, false, 1);
    assert_eq!(now().await, moved);

    // One that is gone is stale where it was; the others go on.
    describe(
        &world,
        &book,
        format!("So: {} Yes.", TEXT.replace(" 🎉", "")),
    )
    .await;
    let mut without = moved.map(|(start, ..)| (start - 2, false, 3));
    without[3] = (16, true, 3);
    without[4] = (3, false, 1);
    assert_eq!(now().await, without);
    // It comes back with the text, and only once.
    describe(&world, &book, format!("So: {TEXT} Yes.")).await;
    let mut back = moved.map(|(start, ..)| (start, false, 4));
    back[4] = (3, false, 1);
    assert_eq!(now().await, back);
    // Another field leaves them alone.
    let resource = format!("resources/{}", book["id"].as_str().unwrap());
    world
        .editor
        .patch(&resource, "*", &json!({"publisher": "Harbour Press"}))
        .await
        .is(200);
    assert_eq!(now().await, back);
    // Several books, none of which is where one was: nobody can tell.
    describe(&world, &book, "book, two book, then a third book").await;
    let states = now().await;
    for state in &states[..3] {
        assert!(state.1, "{states:?}");
    }
    // Without a text all are stale; a stale one can be put in another place by hand.
    describe(&world, &book, Json::Null).await;
    assert!(now().await[..4].iter().all(|state| state.1));
    let mended = world
        .editor
        .patch(
            &path(&made[0]),
            "*",
            &json!({"field": "title", "start": 3, "end": 8}),
        )
        .await
        .is(200)
        .json();
    assert_eq!(
        (&mended["quote"], &mended["stale"]),
        (&json!("books"), &json!(false))
    );
    // A change of the note alone leaves a stale one stale.
    let stale = world
        .editor
        .patch(&path(&made[1]), "*", &json!({"note": "where?"}))
        .await
        .is(200)
        .json();
    assert_eq!(stale["stale"], true);
}

async fn a_passage_that_is_deleted_does_not_become_another_one(world: World) {
    for (text, start, end, without) in [
        (
            "A. See table 1. B. See table 1. C.",
            19,
            31,
            "A. See table 1. B. C.",
        ),
        ("the cat the dog", 8, 11, "the cat dog"),
        ("the cat the dog", 0, 3, "cat the dog"),
    ] {
        let book = resource(&world, json!({"title": "t", "description": text})).await;
        let body = json!({"field": "description", "start": start, "end": end});
        let made = annotate(&world.editor, &book, body).await;
        describe(&world, &book, without).await;
        let lost = world.editor.get(&path(&made)).await.is(200).json();
        assert_eq!(
            [&lost["start"], &lost["end"], &lost["stale"]],
            [&json!(start), &json!(end), &json!(true)],
            "{text}"
        );
        // Nor at the next change.
        describe(&world, &book, format!("{without} Yes.")).await;
        let lost = world.editor.get(&path(&made)).await.is(200).json();
        assert_eq!(lost["stale"], true, "{text}");
    }
}

/// Random edits: what is not stale stands in the text exactly where it says, and what is new in it and stands there once
/// is found.
async fn passages_hold_after_any_changes_of_the_text(world: World) {
    let mut chance = Chance::new(13);
    let pieces = ["a", "ab", "ä", "🎉", " ", "aa", "bc", "\n", "é"];
    let text = |chance: &mut Chance, most: usize| {
        let count = chance.below(most + 1);
        (0..count)
            .map(|_| *chance.pick(&pieces))
            .collect::<String>()
    };
    let mut now = format!("{}a", text(&mut chance, 30));
    let book = resource(&world, json!({"title": "t", "description": now})).await;
    let mut made = Vec::new();
    for _ in 0..12 {
        let length = now.chars().count();
        let start = chance.below(length);
        let end = start + 1 + chance.below((length - start).min(4));
        let body = json!({"field": "description", "start": start, "end": end});
        made.push(annotate(&world.editor, &book, body).await);
    }
    for _ in 0..25 {
        let characters: Vec<char> = now.chars().collect();
        let from = chance.below(characters.len() + 1);
        let to = from + chance.below((characters.len() - from).min(6) + 1);
        let inserted = text(&mut chance, 3);
        let (before, after) = (&characters[..from], &characters[to..]);
        let old = now.clone();
        now = before
            .iter()
            .copied()
            .chain(inserted.chars())
            .chain(after.iter().copied())
            .collect();
        describe(&world, &book, now.as_str()).await;
        for annotation in world.editor.all(&of(&book), &[("limit", "200")]).await {
            let quote = annotation["quote"].as_str().unwrap();
            let before = made.iter().find(|one| one["id"] == annotation["id"]);
            assert_eq!(before.unwrap()["quote"], quote);
            if annotation["stale"] == false {
                assert_eq!(passage(&now, &annotation), quote, "{now:?} {annotation}");
                continue;
            }
            let same = |(one, other): &(char, char)| one == other;
            let beginning = old.chars().zip(now.chars()).take_while(same).count();
            let reversed = old.chars().rev().zip(now.chars().rev());
            let end = now.chars().count() - reversed.take_while(same).count();
            let length = quote.chars().count();
            let places = now
                .char_indices()
                .zip(0..)
                .filter(|((at, _), _)| now[*at..].starts_with(quote))
                .filter(|(_, start)| start + length > beginning && *start < end)
                .count();
            assert_ne!(places, 1, "{old:?} {now:?} {annotation}");
        }
    }
}

async fn passages_hold_while_the_text_changes(world: World) {
    let book = book(&world).await;
    let resource = format!("resources/{}", book["id"].as_str().unwrap());
    let mut tasks = Vec::new();
    for number in 0..40_usize {
        let (client, resource, of) = (world.editor.clone(), resource.clone(), of(&book));
        tasks.push(tokio::spawn(async move {
            if number % 2 == 0 {
                let text = format!("{}{TEXT}", "x".repeat(number));
                let body = json!({ "description": text });
                client.patch(&resource, "*", &body).await.is(200);
                return;
            }
            let body = json!({"field": "description", "start": number / 2, "end": number / 2 + 5});
            let made = client.post(&of, &body).await.is(201).json();
            let body = json!({"start": number / 2 + 1, "end": number / 2 + 5, "note": "moved"});
            client.patch(&path(&made), "*", &body).await.is(200);
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let text = world.editor.get(&resource).await.json()["description"].clone();
    let found = world.editor.all(&of(&book), &[]).await;
    assert_eq!(found.len(), 20);
    for annotation in found {
        if annotation["stale"] == false {
            let quote = annotation["quote"].as_str().unwrap();
            assert_eq!(passage(text.as_str().unwrap(), &annotation), quote);
        }
    }
}

async fn an_import_takes_annotations_along(world: World) {
    let book = book(&world).await;
    let body = json!({"field": "description", "start": 5, "end": 11});
    let made = annotate(&world.editor, &book, body).await;
    let row = json!({"title": "On books", "identifier": "book:1", "description": "Alte Bücher"});
    let (report, _) = import(&world.pharos, ImportFormat::NdJson, row.to_string()).await;
    assert_eq!(report.updated, 1);
    let moved = world.editor.get(&path(&made)).await.json();
    assert_eq!(
        (&moved["start"], &moved["stale"]),
        (&json!(5), &json!(false))
    );
    let row =
        json!({"title": "On books", "identifier": "book:1", "description": "Viele alte Bücher"});
    import(&world.pharos, ImportFormat::NdJson, row.to_string()).await;
    let moved = world.editor.get(&path(&made)).await.json();
    assert_eq!(
        (&moved["start"], &moved["stale"]),
        (&json!(11), &json!(false))
    );
}

async fn annotations_are_found_by_their_words(world: World) {
    let french = resource(
        &world,
        json!({"title": "Les livres", "description": "Des livres rares sur le café.", "language": "fre"}),
    )
    .await;
    let english = resource(
        &world,
        json!({"title": "Databases", "description": "Running databases in C++ and 東京."}),
    )
    .await;
    let mark = async |resource: &Json, end: usize, note: &str, tags: Json| {
        let body =
            json!({"field": "description", "start": 0, "end": end, "note": note, "tags": tags});
        annotate(&world.editor, resource, body).await;
    };
    mark(&french, 16, "N1 À lire", json!(["Bibliothèque"])).await;
    mark(&french, 28, "N2 don't", json!([])).await;
    mark(&english, 17, "N3 the runner's view", json!(["red"])).await;
    mark(&english, 32, "N4", json!(["red", "blue"])).await;
    for (q, expected) in [
        ("livre", "N1 N2"),
        ("LIVRES rares", "N1 N2"),
        ("cafe", "N2"),
        ("bibliotheque", "N1"),
        ("run database", "N3 N4"),
        ("databases running red", "N3 N4"),
        ("database blue", "N4"),
        ("C++", "N4"),
        ("東", "N4"),
        ("don't", "N2"),
        ("nothing", ""),
        ("livre database", ""),
        ("", "N1 N2 N3 N4"),
        ("!?", "N1 N2 N3 N4"),
        ("\" OR ( * \u{0} %", ""),
    ] {
        let found = world
            .editor
            .all(
                "annotations",
                &[("q", q), ("sort", "created_at"), ("limit", "1")],
            )
            .await;
        let names: Vec<&str> = found
            .iter()
            .map(|one| &one["note"].as_str().unwrap()[..2])
            .collect();
        assert_eq!(names.join(" "), expected, "{q}");
    }
    // With a filter, and of one resource.
    let found = world
        .editor
        .all(&of(&french), &[("q", "livres"), ("filter", r#"tags:*"#)])
        .await;
    assert_eq!(found.len(), 1);
    // A changed note is found by its new words, and a text in another language by that one's.
    let one = &found[0];
    world
        .editor
        .patch(&path(one), "*", &json!({"note": "Zebras"}))
        .await
        .is(200);
    let count = async |q: &str| {
        let found = world.editor.all("annotations", &[("q", q)]).await;
        found.len()
    };
    assert_eq!((count("ZEBRAS").await, count("lire").await), (1, 0));
    // A cursor is good for its words alone.
    let page = world
        .editor
        .query("annotations", &[("q", "red"), ("limit", "1")])
        .await
        .json();
    let cursor = page["next_cursor"].as_str().unwrap();
    world
        .editor
        .query("annotations", &[("q", "rot"), ("cursor", cursor)])
        .await
        .has_fault(400, "cursor", "bad_cursor");
}

async fn annotations_are_filtered_sorted_and_paged(world: World) {
    let one = book(&world).await;
    let other = resource(&world, json!({"title": "Other title"})).await;
    for (resource, field, start, end, tags, colour) in [
        (&one, "description", 5, 11, json!(["a"]), json!("#ff0000")),
        (&one, "title", 0, 2, json!(["a", "b"]), Json::Null),
        (&one, "description", 0, 4, json!([]), json!("#00ff00")),
        (&other, "title", 0, 5, json!(["b"]), json!("#ff0000")),
    ] {
        let body =
            json!({"field": field, "start": start, "end": end, "tags": tags, "colour": colour});
        annotate(&world.editor, resource, body).await;
    }
    describe(&world, &one, "Bücher").await;
    let id = one["id"].as_str().unwrap();
    for (filter, sort, expected) in [
        ("", "created_at", "Bücher On Über Other"),
        ("", "field,start,id", "Bücher Über On Other"),
        ("", "-colour,created_at", "Bücher Other Über On"),
        (r#"tags:"a""#, "created_at", "Bücher On"),
        (r#"NOT tags:"a""#, "created_at", "Über Other"),
        (r#"has_all(tags, "a", "b")"#, "created_at", "On"),
        ("stale = true", "created_at", "Über"),
        ("stale != true", "created_at", "Bücher On Other"),
        ("NOT stale = true", "-created_at", "Other On Bücher"),
        (r##"colour = "#ff0000""##, "created_at", "Bücher Other"),
        (r#"field = title AND end > 2"#, "created_at", "Other"),
        (r#"quote:"er""#, "created_at", "Bücher Über Other"),
        ("note:*", "created_at", ""),
        (
            &format!("resource_id = {id}"),
            "start,-end,id",
            "Bücher Über On",
        ),
    ] {
        for limit in ["1", "200"] {
            let parameters = [("filter", filter), ("sort", sort), ("limit", limit)];
            let found = world.editor.all("annotations", &parameters).await;
            let quotes: Vec<&str> = found
                .iter()
                .map(|one| one["quote"].as_str().unwrap())
                .collect();
            assert_eq!(quotes.join(" "), expected, "{filter} {sort}");
        }
    }
    for (filter, position, code) in [
        ("stale = maybe", 8, "type"),
        ("stale > true", 8, "operator"),
        ("title = x", 0, "unknown_field"),
        ("note.x = y", 0, "unknown_field"),
        (r#"contains(note, "{}")"#, 9, "operator"),
    ] {
        world
            .editor
            .query("annotations", &[("filter", filter)])
            .await
            .has_fault(400, &format!("filter@{position}"), code);
    }
    let counted = world
        .editor
        .query(
            "annotations",
            &[("total", "true"), ("filter", "stale = false")],
        )
        .await
        .json();
    assert_eq!(counted["total"], 3);
}

async fn nobody_sees_or_changes_what_is_not_theirs(world: World) {
    let rival = tenant(&world, "rival@example.org", "editor").await;
    let book = book(&world).await;
    let mark = async |note: &str, visibility: &str| {
        let body =
            json!({"field": "title", "start": 0, "end": 2, "note": note, "visibility": visibility});
        annotate(&world.editor, &book, body).await
    };
    let hidden = mark("Secret", "private").await;
    let shared = mark("Open", "shared").await;
    let also_hidden = mark("Secret too", "private").await;
    let touch = async |client: &Client, annotation: &Json| -> [Reply; 2] {
        let change = json!({"note": "Mine", "visibility": "shared"});
        [
            client.patch(&path(annotation), "*", &change).await,
            client.delete(&path(annotation), "*").await,
        ]
    };
    for annotation in [&hidden, &also_hidden] {
        for client in [&rival, &world.admin] {
            client
                .get(&path(annotation))
                .await
                .problem(404, "not_found");
            for reply in touch(client, annotation).await {
                reply.problem(404, "not_found");
            }
        }
    }
    assert_eq!(rival.get(&path(&shared)).await.is(200).json(), shared);
    for reply in touch(&rival, &shared).await {
        reply.problem(403, "forbidden");
    }
    for list in ["annotations", of(&book).as_str()] {
        for client in [&rival, &world.reader, &world.admin] {
            for parameters in [
                [("total", "true"), ("q", "")],
                [("total", "true"), ("q", "on")],
                [("total", "true"), ("filter", "note:*")],
                [("total", "true"), ("filter", r#"NOT note = "Open2""#)],
            ] {
                let page = client.query(list, &parameters).await.is(200).json();
                assert_eq!(page["items"], json!([shared]), "{parameters:?}");
                assert_eq!(page["total"], 1);
            }
            let page = client.query(list, &[("q", "secret")]).await.json();
            assert_eq!(page["items"], json!([]));
        }
        // A cursor of somebody else goes on among one's own.
        let first = world.editor.query(list, &[("limit", "1")]).await.json();
        let cursor = first["next_cursor"].as_str().unwrap();
        let rest = rival
            .query(list, &[("limit", "1"), ("cursor", cursor)])
            .await
            .is(200)
            .json();
        assert_eq!(rest["items"], json!([shared]));
    }
    for format in ["json", "markdown"] {
        let export = rival
            .query("annotations/export", &[("format", format)])
            .await
            .is(200);
        assert!(export.text().contains("Open"), "{}", export.text());
        assert!(!export.text().contains("Secret"), "{}", export.text());
    }
    let mine = world.editor.all("annotations", &[]).await;
    assert_eq!(mine, [also_hidden, shared.clone(), hidden]);
    // An admin takes down what is shared.
    world.admin.delete(&path(&shared), "*").await.is(204);
}

async fn of_a_hundred_changes_to_one_version_one_succeeds(world: World) {
    let book = book(&world).await;
    let body = json!({"field": "title", "start": 0, "end": 2});
    let made = annotate(&world.editor, &book, body).await;
    let mut tasks = Vec::new();
    for number in 0..100 {
        let (client, path) = (world.editor.clone(), path(&made));
        tasks.push(tokio::spawn(async move {
            let body = json!({"note": format!("Note {number}")});
            client.patch(&path, "\"1\"", &body).await.status
        }));
    }
    let mut statuses = HashMap::new();
    for task in tasks {
        *statuses.entry(task.await.unwrap()).or_insert(0) += 1;
    }
    assert_eq!(statuses, HashMap::from([(200, 1), (412, 99)]));
}

async fn annotations_are_exported_as_json_and_as_markdown(world: World) {
    let empty = world.editor.get("annotations/export").await.is(200);
    assert_eq!(empty.text(), "[]");
    let one = resource(
        &world,
        json!({"title": "A *bold* title", "description": "First line\n- second line"}),
    )
    .await;
    let other = resource(&world, json!({"title": "Other"})).await;
    let passages = [
        (
            &one,
            json!({"field": "description", "start": 6, "end": 24, "note": "Two lines.\n", "tags": ["x_y"], "colour": "#00ff00"}),
        ),
        (&one, json!({"field": "title", "start": 0, "end": 1})),
        (
            &other,
            json!({"field": "title", "start": 0, "end": 5, "visibility": "shared"}),
        ),
    ];
    for (resource, body) in passages {
        annotate(&world.editor, resource, body).await;
    }
    describe(&world, &one, "- second line").await;
    let markdown = world
        .editor
        .get("annotations/export?format=markdown")
        .await
        .is(200);
    assert_eq!(
        markdown.header("content-type"),
        Some("text/markdown; charset=utf-8")
    );
    assert_eq!(
        markdown.header("content-disposition"),
        Some("attachment; filename=\"annotations.md\"")
    );
    assert_eq!(
        markdown.text(),
        "# Annotations\n\n## A \\*bold\\* title\n\n> line\n> \\- second line\n\n\
         description 6–24 · #00ff00 · x\\_y · stale\n\nTwo lines.\n\n> A\n\ntitle 0–1\n\n\
         ## Other\n\n> Other\n\ntitle 0–5 · shared\n"
    );
    let exported = world
        .editor
        .query(
            "annotations/export",
            &[("filter", "stale = false"), ("q", "other")],
        )
        .await
        .is(200)
        .json();
    let mut expected = world.editor.all(&of(&other), &[]).await;
    expected[0]["resource_title"] = json!("Other");
    assert_eq!(exported, json!(expected));
    world
        .editor
        .get("annotations/export?format=pdf")
        .await
        .has_fault(400, "format", "enum");
    world
        .editor
        .get("annotations/export?filter=x")
        .await
        .is(400);

    for method in ["PATCH", "DELETE", "OPTIONS"] {
        let reply = world
            .editor
            .request(method, "annotations/export")
            .send()
            .await;
        reply.problem(405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some("GET, HEAD"));
    }

    // More than a page.
    for number in 0..230_usize {
        let body = json!({"field": "title", "start": 0, "end": 1, "note": format!("n{number}")});
        annotate(&world.editor, &other, body).await;
    }
    let all = world.editor.get("annotations/export").await.is(200).json();
    assert_eq!(all.as_array().unwrap().len(), 233);
    let text = world
        .editor
        .get("annotations/export?format=markdown")
        .await
        .text();
    assert_eq!(text.matches("\n## Other\n").count(), 1);
    assert_eq!(text.matches("\n> O\n").count(), 230);
}
