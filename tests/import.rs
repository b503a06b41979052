//! Import and export.

use std::io::{Cursor, Read, Write};

use serde_json::{Value as Json, json};
use service::library::{ImportFormat, ImportReport};

use crate::harness::{World, import, resource};

matrix![
    a_csv_file_is_taken_row_by_row_and_rejects_say_line_and_reason,
    an_ndjson_file_is_taken_line_by_line_and_rejects_say_line_and_reason,
    a_second_run_changes_nothing,
    a_row_with_a_known_key_updates_what_it_names,
    the_same_key_twice_in_one_file_is_one_resource,
    a_file_that_is_no_table_is_refused_whole,
    a_compressed_file_reads_like_a_plain_one,
    two_imports_of_one_file_at_once_make_no_doubles,
    what_is_imported_can_be_searched,
];

fn sums(read: u64, inserted: u64, updated: u64, unchanged: u64, rejected: u64) -> ImportReport {
    ImportReport {
        read,
        inserted,
        updated,
        unchanged,
        rejected,
    }
}

async fn titles(world: &World) -> Vec<String> {
    let items = world
        .reader
        .all("resources", &[("sort", "title"), ("limit", "200")])
        .await;
    items
        .iter()
        .map(|item| item["title"].as_str().unwrap().to_owned())
        .collect()
}

async fn a_csv_file_is_taken_row_by_row_and_rejects_say_line_and_reason(world: World) {
    let text = "\u{feff}title,creator,subject,date,identifier,quality_score,pages,isbn,metadata\r\n\
        \"One, \"\"two\"\"\",Ann,a| b |,2001,c1,12.5,10,0123,\"{\"\"k\"\": [1]}\"\r\n\
        ,Nobody,,,c2,,,,\r\n\
        Three,Bob,,2001-13,c3,,,,\r\n\
        Four,Cat\r\n\
        \"Five\nlines\",Dan,,,c5,,20.5,978,\r\n\
        Six,Eve,,,c6,high,,,\r\n\
        Seven,\"Zoë 🎉\",,,c7,,007,,\r\n";
    let (report, rejects) = import(&world.pharos, ImportFormat::Csv, text).await;
    assert_eq!(report, sums(7, 3, 0, 0, 4));
    let mut reasons: Vec<(u64, &str)> = rejects
        .iter()
        .map(|reject| (reject.line, reject.reason.as_str()))
        .collect();
    reasons.sort_unstable();
    let lines: Vec<u64> = reasons.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [3, 4, 5, 8]);
    for ((_, reason), part) in reasons.iter().zip([
        "/title",
        "`2001-13` is no date",
        "expected 9 columns",
        "/quality_score",
    ]) {
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(
        titles(&world).await,
        ["Five\nlines", "One, \"two\"", "Seven"]
    );
    let one = world
        .reader
        .query("resources", &[("filter", "identifier = c1")])
        .await
        .json()["items"][0]
        .clone();
    assert_eq!(
        (&one["subject"], &one["quality_score"]),
        (&json!(["a", "b"]), &json!(12.5))
    );
    assert_eq!(
        one["metadata"],
        json!({"isbn": "0123", "k": [1], "pages": 10})
    );
    let seven = world
        .reader
        .query("resources", &[("filter", "identifier = c7")])
        .await
        .json()["items"][0]
        .clone();
    assert_eq!(
        (&seven["creator"], &seven["metadata"]),
        (&json!("Zoë 🎉"), &json!({"pages": "007"}))
    );
}

async fn an_ndjson_file_is_taken_line_by_line_and_rejects_say_line_and_reason(world: World) {
    let text = b"\xef\xbb\xbf{\"title\": \"One\", \"identifier\": \"n1\"}\n\n{\"title\": \"Two\", \"subject\": [\"s\"]}\r\n{\"title\": \"\"}\nnot json\n[1]\n\
        {\"title\": \"\xff\"}\n{\"title\": \"Seven\", \"colour\": 1}\n{\"title\": \"Eight\", \"creator\": null}\n{\"title\": \"a\\u0000b\"}\n{\"title\": \"Last\"}"
        .to_vec();
    let (report, mut rejects) = import(&world.pharos, ImportFormat::NdJson, text).await;
    assert_eq!(report, sums(10, 4, 0, 0, 6));
    rejects.sort_by_key(|reject| reject.line);
    let found: Vec<(u64, bool)> = rejects
        .iter()
        .zip([
            "/title",
            "not valid JSON",
            "expected a JSON object",
            "not valid JSON",
            "/colour",
            "U+0000",
        ])
        .map(|(reject, part)| (reject.line, reject.reason.contains(part)))
        .collect();
    assert_eq!(
        found,
        [
            (4, true),
            (5, true),
            (6, true),
            (7, true),
            (8, true),
            (10, true)
        ],
        "{rejects:?}"
    );
    assert_eq!(rejects[1].row, json!("not json"));
    assert_eq!(titles(&world).await, ["Eight", "Last", "One", "Two"]);
}

const SHELF: &str = "title,creator,identifier,source,pages\nA,Ann,id-1,shelf,1\nB,Bob,,shelf,2\nC,Cid,,other,3\nB,Bea,,other,4\n";

async fn a_second_run_changes_nothing(world: World) {
    assert_eq!(
        import(&world.pharos, ImportFormat::Csv, SHELF).await.0,
        sums(4, 4, 0, 0, 0)
    );
    let before = world.reader.get("resources?total=true").await.is(200);
    assert_eq!(
        import(&world.pharos, ImportFormat::Csv, SHELF).await.0,
        sums(4, 0, 0, 4, 0)
    );
    let mut many = String::from("title,identifier,number\n");
    for number in 0..450 {
        many += &format!("Title {number},many-{number},{number}\n");
    }
    assert_eq!(
        world.reader.get("resources?total=true").await.body,
        before.body
    );
    assert_eq!(
        import(&world.pharos, ImportFormat::Csv, many.clone())
            .await
            .0,
        sums(450, 450, 0, 0, 0)
    );
    assert_eq!(
        import(&world.pharos, ImportFormat::Csv, many).await.0,
        sums(450, 0, 0, 450, 0)
    );
    // Without an identifier or a source there is nothing to recognise a row by.
    assert_eq!(
        import(&world.pharos, ImportFormat::Csv, "title\nAgain\n")
            .await
            .0,
        sums(1, 1, 0, 0, 0)
    );
    assert_eq!(
        import(&world.pharos, ImportFormat::Csv, "title\nAgain\n")
            .await
            .0,
        sums(1, 1, 0, 0, 0)
    );
}

async fn a_row_with_a_known_key_updates_what_it_names(world: World) {
    import(&world.pharos, ImportFormat::Csv, SHELF).await;
    let find = async |filter: &str| {
        world
            .reader
            .query("resources", &[("filter", filter)])
            .await
            .is(200)
            .json()["items"]
            .clone()
    };
    let before = find("identifier = \"id-1\"").await[0].clone();
    let text = r#"{"title": "A new title", "identifier": "id-1", "metadata": {"shelf": 7}}
{"title": "B", "source": "shelf", "creator": null, "language": "en"}
{"title": "B", "source": "third"}"#;
    assert_eq!(
        import(&world.pharos, ImportFormat::NdJson, text).await.0,
        sums(3, 1, 2, 0, 0)
    );
    let after = find("identifier = \"id-1\"").await[0].clone();
    let mut expected = before.clone();
    expected["title"] = "A new title".into();
    expected["metadata"] = json!({"pages": 1, "shelf": 7});
    expected["version"] = 2.into();
    expected["updated_at"] = after["updated_at"].clone();
    assert_eq!(after, expected);
    let b = find("title = \"B\" AND source = \"shelf\"").await;
    assert_eq!(
        (&b[0]["creator"], &b[0]["language"], &b[0]["version"]),
        (&Json::Null, &json!("en"), &json!(2))
    );
    assert_eq!(find("title = \"B\"").await.as_array().unwrap().len(), 3);
    // A resource with an identifier is recognised by that alone.
    let text = r#"{"title": "A new title", "source": "shelf"}"#;
    assert_eq!(
        import(&world.pharos, ImportFormat::NdJson, text).await.0,
        sums(1, 1, 0, 0, 0)
    );
}

async fn the_same_key_twice_in_one_file_is_one_resource(world: World) {
    let text = "title,identifier,source,creator\nFirst,x,,Ann\nOther,y,,Bob\nSecond,x,,\nSecond,x,,\nThird,x,,Cid\nT,,s,1\nT,,s,2\n";
    assert_eq!(
        import(&world.pharos, ImportFormat::Csv, text).await.0,
        sums(7, 3, 3, 1, 0)
    );
    assert_eq!(titles(&world).await, ["Other", "T", "Third"]);
    let x = world
        .reader
        .query("resources", &[("filter", "identifier = x")])
        .await
        .json()["items"][0]
        .clone();
    assert_eq!((&x["creator"], &x["version"]), (&json!("Cid"), &json!(3)));
    assert_eq!(world.reader.get("search?q=first").await.json()["total"], 0);
    assert_eq!(world.reader.get("search?q=third").await.json()["total"], 1);
    assert_eq!(
        import(&world.pharos, ImportFormat::Csv, text)
            .await
            .0
            .inserted,
        0
    );
}

async fn a_file_that_is_no_table_is_refused_whole(world: World) {
    for (format, text) in [
        (ImportFormat::Csv, b"name,creator\nA,B\n".to_vec()),
        (ImportFormat::Csv, Vec::new()),
        (ImportFormat::Csv, b"\xff\xfe,title\n".to_vec()),
        (ImportFormat::NdJson, vec![b'x'; 8 * 1024 * 1024 + 1]),
    ] {
        let result = world
            .pharos
            .import_resources(Box::new(Cursor::new(text)), format, |_| {}, |_| Ok(()))
            .await;
        assert!(
            matches!(&result, Err(service::Error::Invalid(_))),
            "{result:?}"
        );
    }
    assert_eq!(
        import(&world.pharos, ImportFormat::NdJson, "").await.0,
        sums(0, 0, 0, 0, 0)
    );
    assert_eq!(titles(&world).await, Vec::<String>::new());
}

async fn a_compressed_file_reads_like_a_plain_one(world: World) {
    let mut compressed = Vec::new();
    // Two members, as `cat a.gz b.gz` makes them.
    for part in [&SHELF[..50], &SHELF[50..]] {
        let mut encoder =
            flate2::write::GzEncoder::new(&mut compressed, flate2::Compression::default());
        encoder.write_all(part.as_bytes()).unwrap();
        encoder.finish().unwrap();
    }
    let reader: Box<dyn Read + Send> = Box::new(flate2::read::MultiGzDecoder::new(Cursor::new(
        compressed.clone(),
    )));
    let report = world
        .pharos
        .import_resources(reader, ImportFormat::Csv, |_| {}, |_| Ok(()))
        .await
        .unwrap();
    assert_eq!(report, sums(4, 4, 0, 0, 0));
    compressed.truncate(compressed.len() - 12);
    let reader: Box<dyn Read + Send> =
        Box::new(flate2::read::MultiGzDecoder::new(Cursor::new(compressed)));
    let cut = world
        .pharos
        .import_resources(reader, ImportFormat::Csv, |_| {}, |_| Ok(()))
        .await;
    assert!(cut.is_err(), "{cut:?}");
}

async fn two_imports_of_one_file_at_once_make_no_doubles(world: World) {
    let mut text = String::new();
    for number in 0..500 {
        text +=
            &format!("{{\"title\": \"Number {number}\", \"identifier\": \"number:{number}\"}}\n");
    }
    let (one, two, three) = tokio::join!(
        import(&world.pharos, ImportFormat::NdJson, text.clone()),
        import(&world.pharos, ImportFormat::NdJson, text.clone()),
        import(&world.pharos, ImportFormat::NdJson, text.clone()),
    );
    let inserted = one.0.inserted + two.0.inserted + three.0.inserted;
    assert_eq!(inserted, 500);
    assert_eq!(
        world.scratch.number("SELECT count(*) FROM resources").await,
        500
    );
    assert_eq!(
        world
            .scratch
            .number("SELECT count(DISTINCT identifier) FROM resources")
            .await,
        500
    );
    assert_eq!(
        world
            .scratch
            .number("SELECT count(*) FROM search_documents")
            .await,
        500
    );
}

async fn what_is_imported_can_be_searched(world: World) {
    import(&world.pharos, ImportFormat::Csv, SHELF).await;
    assert_eq!(world.reader.get("search?q=bea").await.json()["total"], 1);
    resource(
        &world,
        json!({"title": "By hand", "source": "hand", "creator": "Bea"}),
    )
    .await;
    assert_eq!(world.reader.get("search?q=bea").await.json()["total"], 2);
    import(
        &world.pharos,
        ImportFormat::NdJson,
        r#"{"title": "By hand", "source": "hand", "creator": "Kim"}"#,
    )
    .await;
    assert_eq!(world.reader.get("search?q=bea").await.json()["total"], 1);
    assert_eq!(world.reader.get("search?q=kim").await.json()["total"], 1);
}
