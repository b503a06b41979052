//! Names on every way in, and what becomes of those that are there.

use serde_json::{Value as Json, json};
use service::library::ImportFormat;

use super::{authority, id, read, read_resource};
use crate::harness::{World, import, resource};

matrix![
    every_way_in_brings_names_into_their_canonical_form,
    two_forms_of_one_subject_become_one_entry,
    what_is_there_already_is_rewritten_and_found_by_its_new_name,
    a_change_under_an_idempotency_key_rewrites_before_it_is_answered,
    the_reply_to_a_keyed_change_counts_what_it_rewrites,
    a_renamed_authority_keeps_its_old_name_as_a_variant,
    a_merged_authority_takes_its_resources_along,
    a_deleted_authority_leaves_names_as_they_are,
];

async fn every_way_in_brings_names_into_their_canonical_form(world: World) {
    let knuth = authority(
        &world,
        "creators",
        "Knuth, Donald E.",
        &["Donald Knuth", "D. E. Knuth"],
    )
    .await;
    let press = authority(&world, "publishers", "Addison-Wesley", &["Addison Wesley"]).await;
    let subject = authority(&world, "subjects", "Économie", &["Political economy"]).await;
    assert_eq!(knuth["usage_count"], 0);
    // Case, accents and spacing do not count.
    let fields = json!({
        "title": "T", "creator": " DONALD  knuth", "publisher": "addison wésley",
        "subject": ["ECONOMIE", "Other"], "identifier": "id:1",
    });
    let reply = world.editor.post("resources", &fields).await.is(201);
    let created = reply.json();
    let canonical = |found: &Json| {
        assert_eq!(found["creator"], "Knuth, Donald E.", "{found}");
        assert_eq!(found["publisher"], "Addison-Wesley", "{found}");
        assert_eq!(found["subject"], json!(["Économie", "Other"]), "{found}");
    };
    canonical(&created);
    canonical(&read_resource(&world, &created).await);
    // A patch of either kind.
    let path = format!("resources/{}", id(&created));
    let same = json!({"creator": "d. e. knuth"});
    let patched = world
        .editor
        .patch(&path, "\"1\"", &same)
        .await
        .is(200)
        .json();
    assert_eq!(patched["version"], 1, "the canonical form is there already");
    let other = json!({"creator": "Somebody", "subject": null});
    world.editor.patch(&path, "*", &other).await.is(200);
    let operations = json!([
        {"op": "replace", "path": "/creator", "value": "Donald Knuth"},
        {"op": "add", "path": "/subject/-", "value": "political  economy"},
        {"op": "add", "path": "/subject/-", "value": "Other"},
    ]);
    let patched = world
        .editor
        .request("PATCH", &path)
        .header("if-match", "*")
        .header("content-type", "application/json-patch+json")
        .body(operations.to_string())
        .send()
        .await
        .is(200)
        .json();
    canonical(&patched);
    // An import, of what is there and of what is new.
    let rows = "identifier,title,creator,publisher,subject\nid:1,T,donald knuth,Addison Wesley,Political Economy|Other\n\
                id:2,U,Donald Knuth,ADDISON-WESLEY,economie|Other\n";
    let (report, _) = import(&world.pharos, ImportFormat::Csv, rows).await;
    assert_eq!((report.unchanged, report.inserted), (1, 1), "{report:?}");
    let (report, _) = import(&world.pharos, ImportFormat::Csv, rows).await;
    assert_eq!(report.unchanged, 2);
    let all = world.reader.all("resources", &[]).await;
    all.iter().for_each(canonical);
    for (file, authority) in [
        ("creators", &knuth),
        ("publishers", &press),
        ("subjects", &subject),
    ] {
        assert_eq!(
            read(&world, file, authority).await["usage_count"],
            2,
            "{file}"
        );
    }
    // What is found by the search is what is stored.
    for q in ["creator:donald", "subject:économie"] {
        let found = world
            .reader
            .query("search", &[("q", q)])
            .await
            .is(200)
            .json();
        assert_eq!(found["total"], 2, "{q}");
    }
}

async fn two_forms_of_one_subject_become_one_entry(world: World) {
    authority(&world, "subjects", "Databases", &["Data bases", "DBMS"]).await;
    let fields = json!({"title": "T", "subject": ["dbms", "x", "Data Bases", "x", "Databases"]});
    let created = resource(&world, fields).await;
    assert_eq!(created["subject"], json!(["Databases", "x", "x"]));
    // What no authority is about stays as it is.
    let untouched = json!({"title": "T", "subject": ["x", "x", "X"], "creator": "dbms"});
    let created = resource(&world, untouched).await;
    assert_eq!(created["subject"], json!(["x", "x", "X"]));
    assert_eq!(created["creator"], "dbms", "a file is about its own field");
}

async fn what_is_there_already_is_rewritten_and_found_by_its_new_name(world: World) {
    let mut made = Vec::new();
    for number in 0..120 {
        let creator = ["Twain, Mark", "MARK TWAIN", "Somebody else"][number % 3];
        let fields =
            json!({"title": format!("T{number}"), "creator": creator, "subject": ["river"]});
        made.push(resource(&world, fields).await);
    }
    let twain = authority(
        &world,
        "creators",
        "Clemens, Samuel",
        &["Mark Twain", "Twain, Mark"],
    )
    .await;
    assert_eq!(twain["usage_count"], 80);
    let found = read_resource(&world, &made[0]).await;
    assert_eq!(
        (&found["creator"], &found["version"]),
        (&json!("Clemens, Samuel"), &json!(2))
    );
    assert_eq!(read_resource(&world, &made[2]).await["version"], 1);
    let search = async |q| {
        world
            .reader
            .query("search", &[("q", q)])
            .await
            .is(200)
            .json()["total"]
            .clone()
    };
    assert_eq!(search("creator:clemens").await, 80);
    assert_eq!(search("creator:twain").await, 0);
    let listed = world
        .reader
        .query(
            "resources",
            &[
                ("filter", r#"creator = "Clemens, Samuel""#),
                ("total", "true"),
            ],
        )
        .await
        .is(200)
        .json();
    assert_eq!(listed["total"], 80);
    // The name itself in another spelling, too, and a variant that comes later.
    let river = authority(&world, "subjects", "River", &[]).await;
    assert_eq!(river["usage_count"], 120);
    let path = format!("authorities/creators/{}", id(&twain));
    let more = json!({"variants": ["Mark Twain", "Somebody else"]});
    let changed = world
        .editor
        .patch(&path, "\"1\"", &more)
        .await
        .is(200)
        .json();
    assert_eq!(
        (&changed["usage_count"], &changed["version"]),
        (&json!(120), &json!(2))
    );
    // A variant that is taken away is a name of its own again.
    let again = resource(&world, json!({"title": "T", "creator": "Twain, Mark"})).await;
    assert_eq!(again["creator"], "Twain, Mark");
}

async fn a_change_under_an_idempotency_key_rewrites_before_it_is_answered(world: World) {
    let written = resource(
        &world,
        json!({"title": "T", "creator": "One", "publisher": "P"}),
    )
    .await;
    // The second one finds what the first one left to be done, if it left anything.
    for (key, name, variant) in [("k1", "First", "One"), ("k2", "Second", "Two")] {
        let body = json!({"name": name, "variants": [variant]});
        let post = async || {
            world
                .editor
                .request("POST", "authorities/creators")
                .header("idempotency-key", key)
                .json(&body)
                .send()
                .await
                .is(201)
        };
        let made = post().await;
        assert_eq!(
            read_resource(&world, &written).await["creator"],
            "First",
            "after {name}"
        );
        assert_eq!(post().await.json(), made.json());
    }
    let merge = json!({"into_id": id(&authority(&world, "creators", "Third", &[]).await)});
    let first = world.reader.get("authorities/creators?sort=name").await;
    let first = first.is(200).json()["items"][0].clone();
    world
        .editor
        .request(
            "POST",
            &format!("authorities/creators/{}/merge", id(&first)),
        )
        .header("idempotency-key", "k3")
        .json(&merge)
        .send()
        .await
        .is(200);
    assert_eq!(read_resource(&world, &written).await["creator"], "Third");
}

async fn the_reply_to_a_keyed_change_counts_what_it_rewrites(world: World) {
    for (publisher, subject) in [
        ("harbor  press", json!(["Seas"])),
        ("Harbour Press", json!(["SEA", "Seas", "other"])),
        ("Another Press", json!([])),
    ] {
        resource(
            &world,
            json!({"title": "T", "creator": publisher, "publisher": publisher, "subject": subject}),
        )
        .await;
    }
    for (file, name, variant) in [
        ("publishers", "Harbour Press", "Harbor Press"),
        ("creators", "Harbour Press", "Harbor Press"),
        ("subjects", "Sea", "Seas"),
    ] {
        let made = world
            .editor
            .request("POST", &format!("authorities/{file}"))
            .header("idempotency-key", file)
            .json(&json!({"name": name, "variants": [variant]}))
            .send()
            .await
            .is(201)
            .json();
        assert_eq!(made["usage_count"], 2, "{file}");
        assert_eq!(read(&world, file, &made).await, made);
    }
}

async fn a_renamed_authority_keeps_its_old_name_as_a_variant(world: World) {
    let made = authority(&world, "publishers", "Harbour Press", &["Harbor Press"]).await;
    let item = resource(&world, json!({"title": "T", "publisher": "harbor press"})).await;
    let path = format!("authorities/publishers/{}", id(&made));
    let renamed = world
        .editor
        .patch(&path, "\"1\"", &json!({"name": "Harbour Books"}))
        .await
        .is(200)
        .json();
    assert_eq!(
        renamed["variants"],
        json!(["Harbor Press", "Harbour Press"])
    );
    assert_eq!(renamed["usage_count"], 1);
    assert_eq!(
        read_resource(&world, &item).await["publisher"],
        "Harbour Books"
    );
    // Another spelling of the name is no variant.
    let respelled = world
        .editor
        .patch(
            &path,
            "\"2\"",
            &json!({"name": "HARBOUR BOOKS", "variants": ["Harbour  Bóoks", "x"]}),
        )
        .await
        .is(200)
        .json();
    assert_eq!(respelled["variants"], json!(["x"]));
    assert_eq!(
        read_resource(&world, &item).await["publisher"],
        "HARBOUR BOOKS"
    );
}

async fn a_merged_authority_takes_its_resources_along(world: World) {
    let one = authority(&world, "subjects", "Birds", &["Aves"]).await;
    let other = authority(&world, "subjects", "Ornithology", &["Bird lore"]).await;
    let item = resource(
        &world,
        json!({"title": "T", "subject": ["aves", "ornithology", "Sea"]}),
    )
    .await;
    assert_eq!(item["subject"], json!(["Birds", "Ornithology", "Sea"]));
    let merge = format!("authorities/subjects/{}/merge", id(&one));
    let merged = world
        .editor
        .post(&merge, &json!({"into_id": id(&other)}))
        .await
        .is(200)
        .json();
    assert_eq!(merged["variants"], json!(["Bird lore", "Birds", "Aves"]));
    assert_eq!(
        (&merged["usage_count"], &merged["version"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(
        read_resource(&world, &item).await["subject"],
        json!(["Ornithology", "Sea"])
    );
    world
        .editor
        .post(&merge, &json!({"into_id": id(&other)}))
        .await
        .problem(404, "not_found");
    let itself = format!("authorities/subjects/{}/merge", id(&other));
    let unknown = json!({"into_id": "01890000-0000-7000-8000-000000000000"});
    world
        .editor
        .post(&itself, &unknown)
        .await
        .problem(409, "conflict");
    world
        .editor
        .post(&itself, &json!({"into_id": id(&other)}))
        .await
        .problem(409, "conflict");
    let created = resource(&world, json!({"title": "T", "subject": ["AVES"]})).await;
    assert_eq!(created["subject"], json!(["Ornithology"]));
}

async fn a_deleted_authority_leaves_names_as_they_are(world: World) {
    let made = authority(&world, "creators", "Name", &["Variant"]).await;
    let item = resource(&world, json!({"title": "T", "creator": "variant"})).await;
    let path = format!("authorities/creators/{}", id(&made));
    world.editor.delete(&path, "\"1\"").await.is(204);
    assert_eq!(read_resource(&world, &item).await["creator"], "Name");
    let later = resource(&world, json!({"title": "T", "creator": "variant"})).await;
    assert_eq!(later["creator"], "variant");
    // The forms are free.
    authority(&world, "creators", "Other", &["VARIANT", "name"]).await;
    assert_eq!(read_resource(&world, &item).await["creator"], "Other");
}
