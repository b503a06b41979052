//! Lists: filters, order, pages.

use std::cmp::Ordering;

use serde_json::{Value as Json, json};

use crate::harness::{World, catalogue, with_query};

matrix![
    every_sortable_field_orders_with_missing_values_last_and_pages_visit_each_once,
    a_sort_that_cannot_be_understood_is_refused,
    pages_are_linked_and_counted,
    a_cursor_is_good_only_for_the_list_that_it_came_from,
];

pub const SORTABLE: [&str; 18] = [
    "id",
    "title",
    "creator",
    "publisher",
    "contributor",
    "date",
    "year",
    "type",
    "format",
    "identifier",
    "source",
    "language",
    "classification_code",
    "read_status",
    "quality_score",
    "version",
    "created_at",
    "updated_at",
];

fn value(item: &Json, field: &str) -> Json {
    if field != "year" {
        return item[field].clone();
    }
    let Some(date) = item["date"].as_str() else {
        return Json::Null;
    };
    let digits = date.trim_start_matches('-').split('-').next().unwrap();
    let year: i64 = digits.parse().unwrap();
    if date.starts_with('-') {
        (-year).into()
    } else {
        year.into()
    }
}

fn compare(one: &Json, other: &Json, keys: &[&str]) -> Ordering {
    let mut last_descends = false;
    for key in keys.iter().chain(&["id"]) {
        let (field, descends) = match key.strip_prefix('-') {
            Some(field) => (field, true),
            None => (*key, *key == "id" && last_descends),
        };
        last_descends = descends;
        let order = match (value(one, field), value(other, field)) {
            (Json::Null, Json::Null) => Ordering::Equal,
            (Json::Null, _) => return Ordering::Greater,
            (_, Json::Null) => return Ordering::Less,
            (Json::String(one), Json::String(other)) => one.as_bytes().cmp(other.as_bytes()),
            (one, other) => one.as_f64().unwrap().total_cmp(&other.as_f64().unwrap()),
        };
        let order = if descends { order.reverse() } else { order };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

async fn every_sortable_field_orders_with_missing_values_last_and_pages_visit_each_once(
    world: World,
) {
    let created = catalogue(&world).await;
    let mut sorts: Vec<String> = SORTABLE
        .iter()
        .flat_map(|field| [(*field).to_owned(), format!("-{field}")])
        .collect();
    sorts.extend(
        [
            "language,-year",
            "-type,quality_score,-title",
            "read_status,-quality_score",
            "-language,-creator,date",
            "type,-id",
            "-quality_score,year,type,language,title",
        ]
        .map(str::to_owned),
    );
    for sort in sorts {
        let mut expected = created.clone();
        let keys: Vec<&str> = sort.split(',').collect();
        expected.sort_by(|one, other| compare(one, other, &keys));
        for limit in ["1", "3", "200"] {
            let found = world
                .reader
                .all("resources", &[("sort", &sort), ("limit", limit)])
                .await;
            let titles = |items: &[Json]| {
                items
                    .iter()
                    .map(|item| item["title"].to_string())
                    .collect::<Vec<_>>()
            };
            assert_eq!(
                titles(&found),
                titles(&expected),
                "sort={sort} limit={limit}"
            );
        }
        let filtered = world
            .reader
            .all(
                "resources",
                &[("sort", &sort), ("limit", "2"), ("filter", "type:*")],
            )
            .await;
        expected.retain(|item| !item["type"].is_null());
        assert_eq!(filtered, expected, "sort={sort}");
    }
}

async fn a_sort_that_cannot_be_understood_is_refused(world: World) {
    for (sort, position, code) in [
        ("colour", 0, "unknown_field"),
        ("title,colour", 6, "unknown_field"),
        ("title,", 6, "unknown_field"),
        ("--title", 0, "unknown_field"),
        ("subject", 0, "unknown_field"),
        ("metadata.pages", 0, "unknown_field"),
        ("title,-title", 6, "duplicate"),
        ("title,date,type,format,source,language", 0, "too_long"),
        ("title; DROP TABLE resources", 0, "unknown_field"),
    ] {
        let reply = world.reader.query("resources", &[("sort", sort)]).await;
        reply.has_fault(400, &format!("sort@{position}"), code);
    }
    let unsorted = world.reader.get("resources").await.is(200);
    assert_eq!(
        world.reader.get("resources?sort=").await.is(200).body,
        unsorted.body
    );
}

async fn pages_are_linked_and_counted(world: World) {
    let created = catalogue(&world).await;
    let parameters = [
        ("filter", "language:*"),
        ("sort", "title"),
        ("limit", "3"),
        ("total", "true"),
    ];
    let first = world.reader.query("resources", &parameters).await.is(200);
    let body = first.json();
    assert_eq!(
        (body["items"].as_array().unwrap().len(), &body["total"]),
        (3, &json!(7))
    );
    let cursor = body["next_cursor"].as_str().unwrap();
    let link = first.header("link").unwrap();
    let next = link
        .strip_prefix('<')
        .and_then(|link| link.strip_suffix(">; rel=\"next\""))
        .unwrap();
    assert!(
        next.starts_with("/api/v1/resources?filter=") && next.contains(cursor),
        "{next}"
    );
    let second = world.reader.get(next).await.is(200);
    let by_cursor = world
        .reader
        .query(
            "resources",
            &[&parameters[..], &[("cursor", cursor)]].concat(),
        )
        .await
        .is(200);
    assert_eq!(second.body, by_cursor.body);
    assert_eq!(second.json()["total"], 7);
    assert!(second.header("link").unwrap().matches("cursor=").count() == 1);
    let all = world
        .reader
        .query("resources", &[("limit", "200")])
        .await
        .is(200);
    assert_eq!(
        (all.header("link"), &all.json()["next_cursor"]),
        (None, &Json::Null)
    );
    let newest_first: Vec<&Json> = created.iter().rev().collect();
    assert_eq!(all.json()["items"], json!(newest_first));
    // A page that ends exactly with the last item has no next one.
    let exact = world
        .reader
        .query("resources", &[("limit", "10")])
        .await
        .is(200);
    assert_eq!(exact.json()["next_cursor"], Json::Null);
}

async fn a_cursor_is_good_only_for_the_list_that_it_came_from(world: World) {
    catalogue(&world).await;
    let page = world
        .reader
        .query("resources", &[("sort", "title"), ("limit", "2")])
        .await
        .is(200)
        .json();
    let cursor = page["next_cursor"].as_str().unwrap().to_owned();
    let mut altered = cursor.clone().into_bytes();
    for index in 0..altered.len() {
        let before = altered[index];
        altered[index] = if before == b'A' { b'B' } else { b'A' };
        let altered_text = String::from_utf8(altered.clone()).unwrap();
        let reply = world
            .reader
            .query("resources", &[("sort", "title"), ("cursor", &altered_text)])
            .await;
        // The last character carries bits that decode to nothing.
        if index + 1 < altered.len() || reply.status != 200 {
            reply.has_fault(400, "cursor", "bad_cursor");
        }
        altered[index] = before;
    }
    for parameters in [
        [("sort", "-title"), ("cursor", cursor.as_str())],
        [("sort", "title,id"), ("cursor", cursor.as_str())],
        [("filter", "type:*"), ("cursor", cursor.as_str())],
        [("limit", "2"), ("cursor", cursor.as_str())],
        [("sort", "title"), ("cursor", &cursor[..cursor.len() / 2])],
        [("sort", "title"), ("cursor", "")],
        [("sort", "title"), ("cursor", "🎉")],
        [
            ("sort", "title"),
            ("cursor", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ],
    ] {
        world
            .reader
            .query("resources", &parameters)
            .await
            .has_fault(400, "cursor", "bad_cursor");
    }
    for path in ["search", "keys"] {
        world
            .reader
            .get(&with_query(path, &[("cursor", &cursor)]))
            .await
            .has_fault(400, "cursor", "bad_cursor");
    }
    // Another page size goes on from the same place.
    let rest = world
        .reader
        .query(
            "resources",
            &[("sort", "title"), ("limit", "200"), ("cursor", &cursor)],
        )
        .await
        .is(200);
    assert_eq!(rest.json()["items"].as_array().unwrap().len(), 8);
}
