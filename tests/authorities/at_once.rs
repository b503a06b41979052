//! Changes of the files while others write, and one that is interrupted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use service::database::DatabaseUrl;
use service::{Environment, Pharos};

use super::{authority, id, read, read_resource};
use crate::harness::{Chance, World, resource, small_options};

matrix![
    an_interrupted_rewrite_is_gone_on_with,
    no_write_slips_by_a_change_of_the_files,
];

/// How often the files are changed while others write.
const CHANGES: usize = 24;
const WRITERS: usize = 8;

/// Makes `form` a form of the creator `Name`, as a process leaves it that was ended between that and the rewrite.
async fn interrupted(world: &World, form: &str) {
    // Its key is that of an authority of another file, which is made for that.
    authority(world, "subjects", form, &[]).await;
    for sql in [
        "UPDATE authority_epoch SET epoch = epoch + 1".to_owned(),
        format!(
            "INSERT INTO authority_forms (file, key, folded, authority_id, name, changed) \
             SELECT 'creators', key, folded, (SELECT id FROM authority_creators WHERE name = 'Name'), 'Name', \
             (SELECT epoch FROM authority_epoch) FROM authority_forms WHERE folded = '{form}'"
        ),
        "INSERT INTO authority_rewrites (file, epoch) SELECT 'creators', epoch FROM authority_epoch"
            .to_owned(),
    ] {
        if let Err(error) = world.scratch.execute(&sql).await {
            panic!("{sql}: {error}");
        }
    }
}

async fn notes(world: &World) -> i64 {
    let count = "SELECT count(*) FROM authority_rewrites";
    world.scratch.number(count).await
}

async fn an_interrupted_rewrite_is_gone_on_with(world: World) {
    let item = resource(&world, json!({"title": "T", "creator": "one form"})).await;
    authority(&world, "creators", "Name", &[]).await;
    interrupted(&world, "one form").await;
    assert_eq!(read_resource(&world, &item).await["creator"], "one form");
    // A write by this process, which knows nothing of that yet, is right at once.
    let new = resource(&world, json!({"title": "T", "creator": "ONE  form"})).await;
    assert_eq!(new["creator"], "Name");
    // The next change of any file finishes it,
    authority(&world, "publishers", "Any", &[]).await;
    assert_eq!(read_resource(&world, &item).await["creator"], "Name");
    assert_eq!(notes(&world).await, 0);
    // and so does a start.
    let item = resource(&world, json!({"title": "T", "creator": "other form"})).await;
    interrupted(&world, "other form").await;
    assert_eq!(notes(&world).await, 1);
    let url = DatabaseUrl::parse(&world.scratch.url).unwrap();
    let started = Pharos::open(&url, &small_options(), Environment::default()).await;
    let started = started.unwrap();
    for _ in 0..600 {
        if notes(&world).await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(notes(&world).await, 0);
    assert_eq!(read_resource(&world, &item).await["creator"], "Name");
    drop(started);
}

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
