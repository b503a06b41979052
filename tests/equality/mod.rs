//! The same requests on both databases give the same bytes.
//!
//! `PHAROS_EQUALITY_SEED` asks other questions.

mod filters;
mod json_documents;
mod reading;
mod requests;
mod search_cases;
mod searches;

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use service::library::ImportFormat;

use self::requests::Generator;
use crate::harness::{Backend, Chance, Reply, World, block_on, repository};

const REQUESTS: usize = 500;

#[test]
fn five_hundred_requests_about_books_give_the_same_bytes() {
    block_on(compare("catalogue/books.csv", ImportFormat::Csv, 1));
}

#[test]
fn five_hundred_requests_about_papers_give_the_same_bytes() {
    block_on(compare("catalogue/papers.ndjson", ImportFormat::NdJson, 2));
}

/// A catalogue of the evaluation data, or a made one where there is none.
fn catalogue(path: &str, format: ImportFormat, seed: u64) -> (Box<dyn Read + Send>, ImportFormat) {
    match File::open(evaluation_data().join(path)) {
        Ok(file) => (Box::new(file), format),
        Err(_) => (
            Box::new(Cursor::new(made_catalogue(seed))),
            ImportFormat::NdJson,
        ),
    }
}

fn evaluation_data() -> PathBuf {
    std::env::var_os("PHAROS_EVAL_DATA")
        .map_or_else(|| repository().join("../shared/data"), PathBuf::from)
}

fn made_catalogue(seed: u64) -> String {
    const WORDS: [&str; 24] = [
        "sea", "light", "house", "keeper", "database", "index", "Éclair", "naïve", "Größe", "café",
        "東京", "море", "running", "runner", "the", "of", "history", "a", "lamp", "storm", "x-ray",
        "O'Neil", "C++", "🎉",
    ];
    let mut chance = Chance::new(seed);
    let mut lines = String::new();
    for number in 0..1_000 {
        let mut words = |most: usize| {
            let count = 1 + chance.below(most);
            (0..count).map(|_| *chance.pick(&WORDS)).collect::<Vec<_>>()
        };
        let (title, description, creator, subject) = (
            words(6).join(" "),
            words(40).join(" "),
            words(2).join(" "),
            words(3),
        );
        let mut row =
            json!({"title": title, "identifier": format!("made:{number}"), "subject": subject});
        for (name, value) in [
            ("description", json!(description)),
            ("creator", json!(creator)),
            (
                "language",
                json!(["en", "en-US", "fr", "ger", "jpn"][chance.below(5)]),
            ),
            ("date", json!((1_900 + chance.below(120)).to_string())),
            ("type", json!(["book", "paper"][chance.below(2)])),
            ("quality_score", json!(chance.below(200) / 2)),
            (
                "metadata",
                json!({"pages": chance.below(900), "rating": 0.1 * f64::from(u8::try_from(chance.below(50)).unwrap()), "tags": [chance.below(4), "t"]}),
            ),
        ] {
            if chance.percent(80) {
                row[name] = value;
            }
        }
        lines += &format!("{row}\n");
    }
    lines
}

async fn filled(backend: Backend, path: &str, format: ImportFormat, seed: u64) -> Arc<World> {
    let world = World::start(backend).await;
    let (reader, format) = catalogue(path, format, seed);
    let report = world
        .pharos
        .import_resources(reader, format, |_| {}, |reject| panic!("{reject:?}"))
        .await
        .unwrap();
    assert_eq!((report.read, report.rejected), (report.inserted, 0));
    world.pharos.database().analyse().await.unwrap();
    Arc::new(world)
}

async fn export(world: &World) -> Vec<Json> {
    let mut rows = Vec::new();
    let each = |resource: &service::library::Resource| {
        rows.push(serde_json::to_value(resource).unwrap());
        Ok(())
    };
    world.pharos.export_resources(each).await.unwrap();
    rows
}

async fn compare(path: &'static str, format: ImportFormat, seed: u64) {
    if !evaluation_data().join(path).exists() {
        println!("skipped: {path} is not in PHAROS_EVAL_DATA; a made catalogue is asked instead");
    }
    let (sqlite, postgres) = (
        tokio::spawn(filled(Backend::Sqlite, path, format, seed)),
        tokio::spawn(filled(Backend::Postgres, path, format, seed)),
    );
    let (sqlite, postgres) = (sqlite.await.unwrap(), postgres.await.unwrap());
    let rows = export(&sqlite).await;
    assert!(rows == export(&postgres).await, "the exports differ");
    let seed = std::env::var("PHAROS_EQUALITY_SEED").map_or(seed, |seed| {
        seed.parse().expect("a number in PHAROS_EQUALITY_SEED")
    });
    let mut generator = Generator::new(seed, rows);
    let (mut found_something, mut followed, mut refused) = (0, 0, 0);
    let mut cursor = None;
    for number in 0..REQUESTS {
        let request = generator.next(cursor.take());
        let (one, other) =
            tokio::join!(request.send(&sqlite.reader), request.send(&postgres.reader));
        let (one, other) = (comparable(one), comparable(other));
        assert!(
            one == other,
            "request {number} {request:?}\n\nSQLite: {}\n\nPostgreSQL: {}",
            show(&one),
            show(&other)
        );
        assert!(
            one.status < 500,
            "request {number} {request:?}: {}",
            show(&one)
        );
        refused += usize::from(one.status >= 400);
        if one.status == 200 {
            let body = one.json();
            found_something += usize::from(
                body["items"]
                    .as_array()
                    .is_some_and(|items| !items.is_empty()),
            );
            if let Some(next) = body["next_cursor"].as_str() {
                followed += usize::from(request.follows_a_cursor());
                cursor = Some((request, next.to_owned()));
            }
        }
    }
    // What the comparison is worth.
    println!(
        "{REQUESTS} requests: {found_something} found something, {followed} later pages had a next one, {refused} were refused"
    );
    assert!(
        found_something > REQUESTS * 4 / 10,
        "only {found_something} requests found something"
    );
    assert!(
        followed > REQUESTS / 25,
        "only {followed} cursors were followed to another page"
    );
    assert!(
        (REQUESTS / 50..REQUESTS / 4).contains(&refused),
        "{refused} requests were refused"
    );
}

/// Without what differs from request to request.
fn comparable(mut reply: Reply) -> Reply {
    if let Some(id) = reply.header("x-request-id").map(str::to_owned) {
        reply.body = reply.text().replace(&id, "request-id").into_bytes();
    }
    reply
        .headers
        .retain(|(name, _)| !["x-request-id", "date", "ratelimit"].contains(&name.as_str()));
    // Their order says nothing.
    reply.headers.sort();
    reply
}

fn show(reply: &Reply) -> String {
    format!(
        "{} {:?} {}",
        reply.status,
        reply.headers,
        reply.text().chars().take(3_000).collect::<String>()
    )
}
