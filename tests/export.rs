//! Export.

use serde_json::json;
use service::library::ImportFormat;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bulk::{batch, lines};
use crate::harness::{World, import};

matrix![
    what_is_exported_can_be_imported_again,
    an_export_holds_everything_that_matches_in_the_order_of_ids,
    an_export_shows_one_moment,
    an_export_as_csv_can_be_imported_again,
    list_entries_come_back_from_csv_whatever_is_in_them,
];

async fn export(world: &World) -> String {
    let mut lines = String::new();
    let count = world.pharos.export_resources(|resource| {
        lines += &serde_json::to_string(&resource.fields).unwrap();
        lines.push('\n');
        Ok(())
    });
    let count = count.await.unwrap();
    assert_eq!(count, lines.lines().count() as u64);
    lines
}

async fn what_is_exported_can_be_imported_again(world: World) {
    crate::harness::catalogue(&world).await;
    for number in 0..600 {
        let text =
            format!("{{\"title\": \"Number {number}\", \"identifier\": \"number:{number}\"}}");
        if number % 200 == 0 {
            import(&world.pharos, ImportFormat::NdJson, text).await;
        }
    }
    let exported = export(&world).await;
    let other = World::start(world.backend).await;
    let (report, rejects) = import(&other.pharos, ImportFormat::NdJson, exported.clone()).await;
    assert_eq!((report.inserted, report.rejected), (13, 0), "{rejects:?}");
    assert_eq!(export(&other).await, exported);
}

async fn an_export_holds_everything_that_matches_in_the_order_of_ids(world: World) {
    let body: String = (0..250)
        .map(|number| {
            let language = if number % 5 == 0 { "de" } else { "en" };
            format!("{{\"title\": \"Export {number}\", \"language\": \"{language}\"}}\n")
        })
        .collect();
    batch(&world.editor, &body).send().await.is(200);
    let reply = world.reader.get("resources/export").await.is(200);
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    let all = world
        .reader
        .all("resources", &[("sort", "id"), ("limit", "200")])
        .await;
    assert_eq!(lines(&reply), all);
    let german = [("filter", "language = \"de\"")];
    let reply = world
        .reader
        .query("resources/export", &german)
        .await
        .is(200);
    assert_eq!(lines(&reply).len(), 50);
    let nothing = [("filter", "language = \"xx\"")];
    let reply = world
        .reader
        .query("resources/export", &nothing)
        .await
        .is(200);
    assert_eq!(reply.text(), "");
    for (name, value) in [("filter", "nothing = 1"), ("format", "xml")] {
        let reply = world
            .reader
            .query("resources/export", &[(name, value)])
            .await;
        assert_eq!(reply.faults(400)[0].0.split('@').next(), Some(name));
    }
}

/// While somebody reads it slowly, others delete, change and add.
async fn an_export_shows_one_moment(world: World) {
    let filling = "x".repeat(10_000);
    let body: String = (0..1_500)
        .map(|number| {
            format!("{{\"title\": \"Moment {number}\", \"description\": \"{filling}\"}}\n")
        })
        .collect();
    batch(&world.editor, &body).send().await.is(200);
    let mut stream = TcpStream::connect(world.reader.address()).await.unwrap();
    let head = format!(
        "GET /api/v1/resources/export HTTP/1.1\r\nhost: pharos\r\nconnection: close\r\nauthorization: Bearer {}\r\n\r\n",
        world.reader.key().unwrap()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut received = vec![0; 1_000];
    stream.read_exact(&mut received).await.unwrap();
    world
        .scratch
        .execute("DELETE FROM resources WHERE title <> 'Moment 0'; UPDATE resources SET title = 'Changed'")
        .await
        .unwrap();
    world
        .editor
        .post("resources", &json!({"title": "New"}))
        .await
        .is(201);
    stream.read_to_end(&mut received).await.unwrap();
    let text = String::from_utf8(received).unwrap();
    assert!(text.ends_with("\r\n0\r\n\r\n"), "it broke off");
    assert_eq!(text.matches("\"title\":\"Moment ").count(), 1_500);
    assert!(!text.contains("\"title\":\"New\"") && !text.contains("\"title\":\"Changed\""));
}

async fn an_export_as_csv_can_be_imported_again(world: World) {
    let made = json!({"title": "Comma, \"quote\"", "identifier": "csv:1", "subject": ["a", "b"], "metadata": {"pages": 3, "deep": {"x": [null]}}, "date": "1999", "quality_score": 12.5});
    world.editor.post("resources", &made).await.is(201);
    let line = json!({"title": "Two\nlines", "identifier": "csv:2"});
    world.editor.post("resources", &line).await.is(201);
    let csv = [("format", "csv")];
    let reply = world.reader.query("resources/export", &csv).await.is(200);
    assert_eq!(
        reply.header("content-type"),
        Some("text/csv; charset=utf-8; header=present")
    );
    let text = reply.text();
    let header = text.lines().next().unwrap().to_owned();
    assert!(header.starts_with("title,description,creator,"), "{header}");
    assert!(text.contains("\"Comma, \"\"quote\"\"\"") && text.contains(",a|b,"));
    let other = World::start(world.backend).await;
    let (report, rejects) = import(&other.pharos, ImportFormat::Csv, text).await;
    assert_eq!((report.inserted, report.rejected), (2, 0), "{rejects:?}");
    assert_eq!(export(&other).await, export(&world).await);
    let nothing = [("format", "csv"), ("filter", "title = \"none\"")];
    let empty = world.reader.query("resources/export", &nothing).await;
    assert_eq!(empty.text().trim_end(), header);
}

async fn list_entries_come_back_from_csv_whatever_is_in_them(world: World) {
    let lists = [
        vec!["a|b", "c"],
        vec!["|", "||", r"\", r"\\", r"\|", r"|\"],
        vec![r"ends in \", "next", r"C:\temp\", r"a\b", r"a\\b"],
        vec![r"\", "|"],
    ];
    for (number, list) in lists.iter().enumerate() {
        let body = json!({"title": "t", "identifier": format!("csv:{number}"), "subject": list, "relation": list});
        world.editor.post("resources", &body).await.is(201);
    }
    let csv = [("format", "csv")];
    let text = world.reader.query("resources/export", &csv).await.is(200);
    let other = World::start(world.backend).await;
    let (report, rejects) = import(&other.pharos, ImportFormat::Csv, text.text()).await;
    assert_eq!((report.inserted, report.rejected), (4, 0), "{rejects:?}");
    let mut found = other.reader.all("resources", &[]).await;
    found.sort_by_key(|one| one["identifier"].to_string());
    for (resource, list) in found.iter().zip(&lists) {
        assert_eq!(resource["subject"], json!(list));
        assert_eq!(resource["relation"], json!(list));
    }
    // What people write without a thought of it reads as it always did.
    let text = "title,identifier,subject\nt,csv:9,a| b |C:\\temp";
    import(&other.pharos, ImportFormat::Csv, text).await;
    let one = [("filter", "identifier = \"csv:9\"")];
    let read = &other.reader.all("resources", &one).await[0];
    assert_eq!(read["subject"], json!(["a", "b", r"C:\temp"]));
}
