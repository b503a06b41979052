//! Authority files: names on every way in, rewriting, merging, counts, completion, and all of that at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value as Json, json};
use service::library::ImportFormat;

use crate::harness::{Backend, Chance, World, block_on, import, resource, small_options};

matrix![
    every_way_in_brings_names_into_their_canonical_form,
    two_forms_of_one_subject_become_one_entry,
    what_is_there_already_is_rewritten_and_found_by_its_new_name,
    a_renamed_authority_keeps_its_old_name_as_a_variant,
    a_merged_authority_takes_its_resources_along,
    a_deleted_authority_leaves_names_as_they_are,
    a_form_belongs_to_one_authority_of_its_file,
    an_authority_change_needs_the_version_that_was_read,
    names_are_completed_by_their_beginning,
    authorities_are_listed_by_code_points,
    an_interrupted_rewrite_is_gone_on_with,
    no_write_slips_by_a_change_of_the_files,
    bad_authorities_are_told_with_their_place,
];

async fn authority(world: &World, file: &str, name: &str, variants: &[&str]) -> Json {
    let body = json!({"name": name, "variants": variants});
    world
        .editor
        .post(&format!("authorities/{file}"), &body)
        .await
        .is(201)
        .json()
}

fn id(item: &Json) -> &str {
    item["id"].as_str().unwrap()
}

async fn read(world: &World, file: &str, authority: &Json) -> Json {
    world
        .reader
        .get(&format!("authorities/{file}/{}", id(authority)))
        .await
        .is(200)
        .json()
}

async fn read_resource(world: &World, resource: &Json) -> Json {
    world
        .reader
        .get(&format!("resources/{}", id(resource)))
        .await
        .is(200)
        .json()
}

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

async fn names(world: &World, file: &str, parameters: &[(&str, &str)]) -> String {
    let items = world
        .reader
        .all(&format!("authorities/{file}"), parameters)
        .await;
    let names: Vec<&str> = items
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect();
    names.join(" | ")
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

async fn an_interrupted_rewrite_is_gone_on_with(world: World) {
    let item = resource(&world, json!({"title": "T", "creator": "old form"})).await;
    authority(&world, "creators", "Name", &[]).await;
    // As a process leaves it that was ended between the change and the rewrite.
    let (file, kind) = ("'creators'", "authority_id");
    let owner = "(SELECT id FROM authority_creators WHERE name = 'Name')";
    // The form `old form` as the change itself writes it: taken from another authority that is made and renamed.
    let helper = authority(&world, "subjects", "old form", &[]).await;
    for sql in [
        "UPDATE authority_epoch SET epoch = epoch + 1".to_owned(),
        format!(
            "INSERT INTO authority_forms (file, key, folded, {kind}, name, changed) \
             SELECT {file}, key, folded, {owner}, 'Name', (SELECT epoch FROM authority_epoch) \
             FROM authority_forms WHERE folded = 'old form'"
        ),
        format!(
            "INSERT INTO authority_rewrites (file, epoch) SELECT {file}, epoch FROM authority_epoch"
        ),
    ] {
        if let Err(error) = world.scratch.execute(&sql).await {
            panic!("{sql}: {error}");
        }
    }
    assert_eq!(read_resource(&world, &item).await["creator"], "old form");
    // A write by this process, which knows nothing of that yet, is right at once.
    let new = resource(&world, json!({"title": "T", "creator": "OLD  form"})).await;
    assert_eq!(new["creator"], "Name");
    // The next change of any file finishes it; so does a start.
    let path = format!("authorities/subjects/{}", id(&helper));
    let change = json!({"variants": ["v"]});
    world.editor.patch(&path, "*", &change).await.is(200);
    assert_eq!(read_resource(&world, &item).await["creator"], "Name");
    assert_eq!(
        world
            .scratch
            .number("SELECT count(*) FROM authority_rewrites")
            .await,
        0
    );
}

/// How often the files are changed while others write.
const CHANGES: usize = 24;
const WRITERS: usize = 8;

async fn no_write_slips_by_a_change_of_the_files(world: World) {
    // Two authorities exchange the forms v0 to v3, and new names come, while others create, patch and import.
    let forms = ["v0", "v1", "v2", "v3"];
    let one = authority(&world, "creators", "One", &["v0", "v1"]).await;
    let other = authority(&world, "creators", "Other", &["v2"]).await;
    let done = Arc::new(AtomicBool::new(false));
    let writers = (0..WRITERS).map(|number| {
        let (client, done) = (world.editor.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let mut chance = Chance::new(number as u64);
            let (mut made, mut writes) = (Vec::<String>::new(), 0);
            while !done.load(Ordering::Relaxed) || writes < 5 {
                writes += 1;
                let creator = *chance.pick(&forms);
                let subject = [
                    *chance.pick(&["sa", "sb", "sc"]),
                    *chance.pick(&["SA", "sd"]),
                ];
                let fields = json!({"title": "T", "creator": creator, "subject": subject});
                if made.len() > 3 && chance.percent(40) {
                    let path = chance.pick(&made).clone();
                    client
                        .patch(&path, "*", &json!({"creator": creator}))
                        .await
                        .is(200);
                } else {
                    let created = client.post("resources", &fields).await.is(201).json();
                    made.push(format!("resources/{}", id(&created)));
                }
            }
            writes
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut chance = Chance::new(99);
    let paths = [&one, &other].map(|authority| format!("authorities/creators/{}", id(authority)));
    for number in 0..CHANGES {
        // Whoever has a form gives it up before the other one takes it.
        let (from, to) = (number % 2, 1 - number % 2);
        let moved: Vec<&str> = forms.into_iter().filter(|_| chance.percent(50)).collect();
        let rest: Vec<&str> = forms
            .into_iter()
            .filter(|form| !moved.contains(form))
            .collect();
        let nothing = json!({"variants": []});
        world
            .editor
            .patch(&paths[from], "*", &nothing)
            .await
            .is(200);
        world.editor.patch(&paths[to], "*", &nothing).await.is(200);
        world
            .editor
            .patch(&paths[to], "*", &json!({"variants": moved}))
            .await
            .is(200);
        world
            .editor
            .patch(&paths[from], "*", &json!({"variants": rest}))
            .await
            .is(200);
        if number == CHANGES / 2 {
            authority(&world, "subjects", "Sa", &["sb"]).await;
        }
    }
    done.store(true, Ordering::Relaxed);
    let mut writes = 0;
    for writer in join_all(writers).await {
        writes += writer.unwrap();
    }
    // All forms have an owner now: no resource may have any of them, however its write and the changes came.
    let all = world.reader.all("resources", &[("limit", "200")]).await;
    let creators: BTreeSet<&str> = all
        .iter()
        .map(|item| item["creator"].as_str().unwrap())
        .collect();
    assert!(
        creators.iter().all(|name| ["One", "Other"].contains(name)),
        "{creators:?} after {writes} writes"
    );
    for item in &all {
        let subjects = item["subject"].as_array().unwrap();
        let wrong = subjects
            .iter()
            .any(|name| name == "sa" || name == "SA" || name == "sb");
        assert!(!wrong, "{item}");
        let twice = subjects.iter().filter(|name| *name == "Sa").count();
        assert!(twice <= 1, "{item}");
    }
    // Exact counts, of the names and of the documents.
    let count = |name: &str| all.iter().filter(|item| item["creator"] == name).count();
    assert_eq!(
        read(&world, "creators", &one).await["usage_count"],
        count("One")
    );
    assert_eq!(
        read(&world, "creators", &other).await["usage_count"],
        count("Other")
    );
    let drift = "SELECT count(*) FROM resources r JOIN search_documents d ON d.resource_id = r.id \
                 WHERE d.version <> r.version";
    assert_eq!(world.scratch.number(drift).await, 0);
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

/// Names with the case, accents, spacing and scripts at which databases tend to differ.
fn any_name() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select(vec![
            "a",
            "A",
            "á",
            "A\u{301}",
            "ß",
            "ss",
            "SS",
            "İ",
            "i",
            "ı",
            "Ł",
            "l",
            " ",
            "  ",
            "\u{a0}",
            ",",
            "-",
            "'",
            "Ω",
            "ω",
            "ς",
            "Ж",
            "ж",
            "上",
            "ﬁ",
            "fi",
            "\u{ad}",
            "\u{200b}",
            "%",
            "_",
            "\\",
            "\"",
            "é",
            "\u{1f600}",
        ]),
        1..6,
    )
    .prop_map(|parts| parts.concat())
    .prop_filter("visible", |name| !name.trim().is_empty())
}

/// The same authorities and resources on both databases: the same refusals, names, counts and completions.
#[test]
fn names_are_resolved_alike_on_both_databases() {
    block_on(async {
        let worlds = [
            World::start_with(Backend::Sqlite, small_options()).await,
            World::start_with(Backend::Postgres, small_options()).await,
        ];
        let names = prop::collection::vec(any_name(), 2..5);
        let case = (any_name(), names, any_name());
        let mut runner = TestRunner::new(Config {
            cases: 60,
            failure_persistence: None,
            ..Config::default()
        });
        let mut cases = Vec::new();
        for _ in 0..60 {
            use proptest::strategy::ValueTree;
            cases.push(case.new_tree(&mut runner).unwrap().current());
        }
        let [sqlite, postgres] = &worlds;
        for (name, given, prefix) in cases {
            let (one, other) = (
                ask(sqlite, &name, &given, &prefix).await,
                ask(postgres, &name, &given, &prefix).await,
            );
            assert_eq!(one, other, "{name:?} {given:?} {prefix:?}");
        }
    });
}

async fn ask(world: &World, name: &str, given: &[String], prefix: &str) -> Vec<Json> {
    let body = json!({"name": name, "variants": &given[1..]});
    let made = world.editor.post("authorities/subjects", &body).await;
    assert!(matches!(made.status, 201 | 409), "{}", made.text());
    let created = resource(
        world,
        json!({"title": "T", "subject": given, "creator": name}),
    )
    .await;
    let completed = world
        .reader
        .query(
            "authorities/subjects",
            &[("prefix", prefix), ("limit", "50")],
        )
        .await
        .is(200)
        .json();
    let shown: Vec<Json> = completed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| json!([item["name"], item["variants"], item["usage_count"]]))
        .collect();
    vec![json!(made.status), created["subject"].clone(), json!(shown)]
}
