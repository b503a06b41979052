//! A small library to ask about, written for these tests.

use std::io::Cursor;

use serde_json::{Value as Json, json};
use service::Pharos;
use service::library::{ImportFormat, ImportReport, Reject};

use super::{Client, World};

/// Creates a resource and gives it as it was answered.
pub async fn resource(world: &World, fields: Json) -> Json {
    world.editor.post("resources", &fields).await.is(201).json()
}

/// Somebody else with a role of their own.
pub async fn tenant(world: &World, email: &str, role: &str) -> Client {
    let new = json!({"email": email, "role": role});
    let user = world.admin.post("users", &new).await.is(201).json();
    let new = json!({"user_id": user["id"]});
    let key = world.admin.post("keys", &new).await.is(201).json();
    world
        .admin
        .with_key(key["secret"].as_str().expect("a secret"))
}

/// Imports text; gives the sums and what was not taken.
pub async fn import(
    pharos: &Pharos,
    format: ImportFormat,
    text: impl Into<Vec<u8>>,
) -> (ImportReport, Vec<Reject>) {
    let mut rejects = Vec::new();
    let report = pharos
        .import_resources(
            Box::new(Cursor::new(text.into())),
            format,
            |_| {},
            |reject| {
                rejects.push(reject);
                Ok(())
            },
        )
        .await
        .expect("an import");
    (report, rejects)
}

/// Fills the library with ten resources that differ in everything that can be asked for.
pub async fn catalogue(world: &World) -> Vec<Json> {
    let mut created = Vec::new();
    for fields in sample_catalogue() {
        created.push(resource(world, fields).await);
    }
    created
}

fn sample_catalogue() -> [Json; 10] {
    [
        json!({
            "title": "Database Systems", "creator": "Ada Lovelace", "date": "2005", "type": "book", "language": "en",
            "subject": ["Databases", "Systems"], "quality_score": 90.5, "identifier": "isbn:1", "source": "shelf",
            "classification_code": "005.74", "publisher": "Harbour Press", "format": "print", "read_status": "read",
            "description": "How engines store rows, recover after a crash and answer queries. A query is a question.",
            "metadata": {"pages": 1100, "doi": "10.1/a", "tags": ["x", "y"], "nested": {"deep": {"er": true}}, "n": null},
        }),
        json!({
            "title": "The Art of Indexing", "creator": "Grace Hopper", "date": "2012-05-01", "type": "book", "language": "en-US",
            "subject": ["Databases", "Indexes"], "quality_score": 72, "identifier": "isbn:2", "source": "shelf",
            "classification_code": "005.741", "read_status": "reading",
            "metadata": {"pages": 300, "doi": "10.1/b", "tags": ["y", "z"], "price": 12.5},
        }),
        json!({
            "title": "Éléments de café", "creator": "Zoë Fournier", "date": "1998", "type": "book", "language": "fre",
            "subject": ["Cuisine"], "source": "shelf", "relation": ["isbn:1"],
            "description": "Les livres sur le café, du grain à la tasse.",
            "metadata": {"pages": 120, "tags": []},
        }),
        json!({
            "title": "Über die Größe der Meere", "creator": "Jörg Müller", "date": "-50", "type": "book", "language": "ger",
            "subject": ["Meere", "Geographie"], "quality_score": 0, "rights": "public domain",
            "metadata": {"pages": "300", "size": {"x": 1, "y": [1, 2, 3]}},
        }),
        json!({
            "title": "Running <b>fast</b> & far", "creator": "Grace Hopper", "date": "2020-12-31", "type": "paper",
            "language": "en", "subject": ["Sport"], "quality_score": 72, "identifier": "doi:10.1/c",
            "description": "Runners run; running is what a runner does. R&D <script>alert(1)</script> \"quoted\".",
            "metadata": {"doi": "10.1/c", "open": true, "score": -1.5},
        }),
        json!({
            "title": "東京の本", "creator": "山田太郎", "date": "2001-02", "type": "paper", "language": "jpn",
            "subject": ["東京"], "metadata": {"ページ": 10, "a b": {"c.d": "dots"}},
        }),
        json!({
            "title": "كتاب البحر", "creator": "ابن ماجد", "type": "paper", "language": "ara", "subject": [],
            "metadata": {"quote\"d": "it's \\ \"fine\"", "big": 9_007_199_254_740_993_u64},
        }),
        json!({"title": "Untitled notes"}),
        json!({"title": "untitled notes", "read_status": "abandoned", "quality_score": 100, "coverage": "1%_of \\it"}),
        json!({
            "title": "Emoji 🎉 party 👩‍👩‍👧", "subject": ["🎉", "party"], "date": "2001-02-03T04:05:06Z", "contributor": "O'Neil",
            "metadata": {"🎉": ["🎈", {"k": 1}], "flag": false, "zero": 0, "list": [[1, 2], [3]]},
        }),
    ]
}
