//! Many codes in one request.

use serde_json::json;

use super::{code, shown_tree};
use crate::harness::{Reply, World};

matrix![
    an_import_takes_rows_in_any_order_and_is_idempotent,
    an_import_refuses_bad_rows_alone,
    a_table_has_known_columns_alone,
    a_code_that_comes_twice_counts_for_what_each_row_did,
    rejects_name_the_line_whatever_ends_it,
];

async fn import(world: &World, kind: &str, rows: &str) -> Reply {
    world
        .editor
        .request("POST", "classification-codes/import")
        .header("content-type", kind)
        .body(rows)
        .send()
        .await
}

async fn an_import_takes_rows_in_any_order_and_is_idempotent(world: World) {
    code(&world, "500").await;
    let rows = "\u{feff}{\"code\": \"512.5\", \"label\": \"Linear algebra\"}\n\n\
                {\"code\": \"X1\", \"label\": \"Given\", \"parent_code\": \"510\"}\r\n\
                {\"code\": \"510\", \"label\": \"Mathematics\"}\n{\"code\": \"512\", \"label\": \"Algebra\"}\n\
                {\"code\": \"500\", \"label\": \"Label 500\"}";
    let report = import(&world, "application/x-ndjson", rows)
        .await
        .is(200)
        .json();
    assert_eq!(
        report,
        json!({"read": 5, "inserted": 4, "updated": 0, "unchanged": 1, "rejected": 0, "rejects": []})
    );
    assert_eq!(
        shown_tree(&world).await,
        "500<-@1 510<500@2 512<510@3 512.5<512@4 X1<510@3"
    );
    let again = import(&world, "application/x-ndjson; charset=utf-8", rows)
        .await
        .is(200)
        .json();
    assert_eq!(
        (&again["unchanged"], &again["updated"]),
        (&json!(5), &json!(0))
    );
    let csv = "code,label,parent_code\n512,Abstract algebra,\n\"X1\",\"Said, \"\"given\"\"\",512\n513,Arithmetic,\n";
    let report = import(&world, "text/csv", csv).await.is(200).json();
    assert_eq!(
        (&report["updated"], &report["inserted"]),
        (&json!(2), &json!(1))
    );
    let found = world
        .reader
        .get("classification-codes/X1")
        .await
        .is(200)
        .json();
    assert_eq!(
        (&found["label"], &found["parent_code"]),
        (&json!("Said, \"given\""), &json!("512"))
    );
    import(&world, "application/json", "{}")
        .await
        .problem(415, "unsupported_media_type");
    import(&world, "text/csv", "name,label\n1,2\n")
        .await
        .problem(422, "invalid_body");
    assert_eq!(
        import(&world, "text/csv", "code,label")
            .await
            .is(200)
            .json()["read"],
        0
    );
}

async fn an_import_refuses_bad_rows_alone(world: World) {
    let rows = "{\"code\": \"500\", \"label\": \"Science\"}\nnot json\n{\"code\": \"a b\", \"label\": \"x\"}\n\
                {\"code\": \"A\", \"label\": \"x\", \"parent_code\": \"B\"}\n\
                {\"code\": \"B\", \"label\": \"x\", \"parent_code\": \"nowhere\"}\n\
                {\"code\": \"C\", \"label\": \"x\", \"parent_code\": \"D\"}\n\
                {\"code\": \"D\", \"label\": \"x\", \"parent_code\": \"C\"}\n\
                {\"code\": \"510\", \"label\": \"Mathematics\"}\n{\"code\": \"510\", \"label\": \"Mathematics, again\"}";
    let report = import(&world, "application/x-ndjson", rows)
        .await
        .is(200)
        .json();
    assert_eq!(
        (
            &report["read"],
            &report["inserted"],
            &report["rejected"],
            &report["updated"]
        ),
        (&json!(9), &json!(2), &json!(6), &json!(1)),
        "{report}"
    );
    let lines: Vec<i64> = report["rejects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reject| reject["line"].as_i64().unwrap())
        .collect();
    assert_eq!(lines, [2, 3, 4, 5, 6, 7]);
    let reasons = report["rejects"].to_string();
    for words in [
        "not valid JSON",
        "/code: a code has",
        "no code `nowhere`",
        "circle",
    ] {
        assert!(reasons.contains(words), "{words} in {reasons}");
    }
    assert_eq!(shown_tree(&world).await, "500<-@1 510<500@2");
    let again = world.reader.get("classification-codes/510").await.json();
    assert_eq!(again["label"], "Mathematics, again");
    // A circle with what was there before: the import gives way.
    let rows = "{\"code\": \"500\", \"label\": \"New\", \"parent_code\": \"510\"}";
    let report = import(&world, "application/x-ndjson", rows)
        .await
        .is(200)
        .json();
    assert_eq!(report["rejected"], 1, "{report}");
    assert_eq!(shown_tree(&world).await, "500<-@1 510<500@2");
}

async fn a_table_has_known_columns_alone(world: World) {
    for header in [
        "code,label,colour",
        "code,label,label",
        "code,label,",
        "code",
    ] {
        import(&world, "text/csv", &format!("{header}\n"))
            .await
            .has_fault(422, "", "unreadable");
    }
    import(&world, "text/csv", "label, code\n").await.is(200);
}

async fn a_code_that_comes_twice_counts_for_what_each_row_did(world: World) {
    let csv = "code,label\n510,Mathematics\n510,Maths\n510,Maths\n510,Mathematics\n";
    let report = import(&world, "text/csv", csv).await.is(200).json();
    assert_eq!(
        report,
        json!({"read": 4, "inserted": 1, "updated": 2, "unchanged": 1, "rejected": 0, "rejects": []})
    );
    let report = import(&world, "text/csv", csv).await.is(200).json();
    assert_eq!(
        report,
        json!({"read": 4, "inserted": 0, "updated": 2, "unchanged": 2, "rejected": 0, "rejects": []})
    );
}

async fn rejects_name_the_line_whatever_ends_it(world: World) {
    for end in ["\n", "\r\n"] {
        let csv = [
            "code,label",
            "1,One",
            "2",
            "a b,Two",
            "\"3",
            "3\",Three",
            "",
        ]
        .join(end);
        let report = import(&world, "text/csv", &csv).await.is(200).json();
        let lines: Vec<i64> = report["rejects"]
            .as_array()
            .unwrap()
            .iter()
            .map(|reject| reject["line"].as_i64().unwrap())
            .collect();
        assert_eq!(lines, [3, 4, 5], "{end:?} {report}");
    }
    let report = import(&world, "application/x-ndjson", "\n{\"code\": }").await;
    assert_eq!(
        report.is(200).json()["rejects"],
        json!([{"line": 2, "reason": "not valid JSON: expected value at column 10"}])
    );
    let problem = import(&world, "text/csv", "").await.is(422).json();
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.ends_with("it has none"), "{detail}");
}
