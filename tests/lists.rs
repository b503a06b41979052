//! Lists: filters, order, pages.

use std::cmp::Ordering;

use serde_json::{Value as Json, json};

use crate::harness::{World, catalogue, with_query};

matrix![
    every_filter_finds_exactly_what_it_says,
    a_filter_that_cannot_be_understood_is_answered_with_its_position,
    every_sortable_field_orders_with_missing_values_last_and_pages_visit_each_once,
    a_sort_that_cannot_be_understood_is_refused,
    pages_are_linked_and_counted,
    a_cursor_is_good_only_for_the_list_that_it_came_from,
];

/// Filter, and which resources of the catalogue it finds, counted from 1.
const FILTERS: &[(&str, &[usize])] = &[
    ("", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ("  ", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    (r#"language = "en""#, &[1, 5]),
    ("language = en", &[1, 5]),
    (r#"language != "en""#, &[2, 3, 4, 6, 7, 8, 9, 10]),
    (r#"NOT language = "en""#, &[2, 3, 4, 6, 7, 8, 9, 10]),
    (r#"-language = "en""#, &[2, 3, 4, 6, 7, 8, 9, 10]),
    (r#"NOT language != "en""#, &[1, 5]),
    ("language:*", &[1, 2, 3, 4, 5, 6, 7]),
    ("NOT language:*", &[8, 9, 10]),
    ("language = null", &[8, 9, 10]),
    ("language != null", &[1, 2, 3, 4, 5, 6, 7]),
    (r#"language = "en*""#, &[1, 2, 5]),
    (r#"NOT language = "en*""#, &[3, 4, 6, 7, 8, 9, 10]),
    (r#"language < "f""#, &[1, 2, 5, 7]),
    (r#"NOT language < "f""#, &[3, 4, 6, 8, 9, 10]),
    (r#"language <= "en""#, &[1, 5, 7]),
    (r#"language > "en" AND language < "g""#, &[2, 3]),
    (r#"title = "untitled notes""#, &[9]),
    (r#"title:"title""#, &[8, 9]),
    (r#"title:"<b>""#, &[5]),
    (r#"title > "a""#, &[3, 4, 6, 7, 9]),
    (r#"title = "Über*""#, &[4]),
    (r#"description:"café""#, &[3]),
    ("year = 2001", &[6, 10]),
    ("year < 0", &[4]),
    ("year >= 2001 AND year <= 2012", &[1, 2, 6, 10]),
    ("NOT year > 2000", &[3, 4, 7, 8, 9]),
    ("year != 2001", &[1, 2, 3, 4, 5, 7, 8, 9]),
    ("year:*", &[1, 2, 3, 4, 5, 6, 10]),
    (r#"date >= "2001-02""#, &[1, 2, 5, 6, 10]),
    ("quality_score = 72", &[2, 5]),
    ("quality_score > 72", &[1, 9]),
    ("quality_score <= 72.0", &[2, 4, 5]),
    ("quality_score = 90.5", &[1]),
    ("quality_score = -0.0", &[4]),
    ("quality_score != 72", &[1, 3, 4, 6, 7, 8, 9, 10]),
    ("quality_score:*", &[1, 2, 4, 5, 9]),
    ("read_status = unread", &[3, 4, 5, 6, 7, 8, 10]),
    (r#"subject:"Databases""#, &[1, 2]),
    (r#"NOT subject:"Databases""#, &[3, 4, 5, 6, 7, 8, 9, 10]),
    (r#"subject:"databases""#, &[]),
    (r#"subject = "Databases""#, &[1, 2]),
    ("subject:*", &[1, 2, 3, 4, 5, 6, 10]),
    ("NOT subject:*", &[7, 8, 9]),
    (r#"subject:"🎉""#, &[10]),
    (r#"relation:"isbn:1""#, &[3]),
    ("metadata.pages > 200", &[1, 2]),
    ("metadata.pages >= 120 AND metadata.pages <= 300", &[2, 3]),
    ("NOT metadata.pages > 200", &[3, 4, 5, 6, 7, 8, 9, 10]),
    ("metadata.pages = 300", &[2]),
    ("metadata.pages = 300.0", &[2]),
    ("metadata.pages = 3e2", &[2]),
    (r#"metadata.pages = "300""#, &[4]),
    (r#"metadata.pages >= "300""#, &[4]),
    ("metadata.pages != 300", &[1, 3, 4, 5, 6, 7, 8, 9, 10]),
    ("metadata.pages:*", &[1, 2, 3, 4]),
    ("metadata.n:*", &[]),
    ("metadata.n = null", &[1]),
    (r#"metadata.doi = "10.1/a""#, &[1]),
    ("metadata.doi:*", &[1, 2, 5]),
    ("NOT metadata.doi:*", &[3, 4, 6, 7, 8, 9, 10]),
    (r#"metadata.tags:"y""#, &[1, 2]),
    (r#"metadata.tags:"x""#, &[1]),
    ("metadata.nested.deep.er = true", &[1]),
    ("metadata.nested:deep", &[1]),
    ("metadata.size.y.0 = 1", &[4]),
    (r#"metadata.size.y."-1" = 3"#, &[4]),
    ("metadata.size.y.3:*", &[]),
    ("metadata.size.y:2", &[4]),
    ("metadata.size.y:4", &[]),
    ("metadata.open = true", &[5]),
    ("metadata.flag = false", &[10]),
    ("metadata.zero = 0", &[10]),
    ("metadata.zero = -0.0", &[10]),
    ("metadata.score < 0", &[5]),
    ("metadata.score = -1.5", &[5]),
    ("metadata.big = 9007199254740993", &[7]),
    ("metadata.big = 9007199254740992", &[]),
    ("metadata.big > 9007199254740992", &[7]),
    (r#"metadata."a b"."c.d" = "dots""#, &[6]),
    (r#"metadata."quote\"d" = "it's \\ \"fine\"""#, &[7]),
    ("metadata.ページ = 10", &[6]),
    (r#"metadata."🎉":"🎈""#, &[10]),
    (r#"metadata."🎉".1.k = 1"#, &[10]),
    ("metadata.list.0:2", &[10]),
    ("metadata.list.1:2", &[]),
    ("metadata:*", &[1, 2, 3, 4, 5, 6, 7, 10]),
    ("metadata:doi", &[1, 2, 5]),
    (r#"language = "en" AND type = "book" OR type = "paper""#, &[1, 5]),
    (r#"language = "en" type = "book""#, &[1]),
    (r#"type = "paper" OR language = "fre" OR quality_score = 100"#, &[3, 5, 6, 7, 9]),
    (r#"NOT (language = "en" OR language = "fre")"#, &[2, 4, 6, 7, 8, 9, 10]),
    (r#"NOT (type = "book" AND quality_score > 50)"#, &[3, 4, 5, 6, 7, 8, 9, 10]),
    (r#"created_at > "2026-01-01""#, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ("created_at < 2026-01-01T00:00:00Z", &[]),
    (r#"updated_at >= "2026-01-02T00:00:00+01:00""#, &[]),
    ("version = 1", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ("version > 1", &[]),
    ("created_by:*", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    (r#"coverage:"%_of""#, &[9]),
    (r#"coverage:"%of""#, &[]),
    (r#"coverage:"\\it""#, &[9]),
    (r#"contributor = "O'Neil""#, &[10]),
    (r"contributor = 'O\'Neil'", &[10]),
    (r#"title = "'; DROP TABLE resources; --""#, &[]),
];

async fn every_filter_finds_exactly_what_it_says(world: World) {
    let created = catalogue(&world).await;
    let number = |item: &Json| 1 + created.iter().position(|known| known["id"] == item["id"]).unwrap();
    for (filter, expected) in FILTERS {
        let page = world.reader.query("resources", &[("filter", filter), ("sort", "id"), ("total", "true")]).await;
        assert_eq!(page.status, 200, "{filter}: {}", page.text());
        let page = page.json();
        let found: Vec<usize> = page["items"].as_array().unwrap().iter().map(number).collect();
        assert_eq!(found, *expected, "{filter}");
        assert_eq!(page["total"], expected.len(), "{filter}");
    }
    let third = created[2]["id"].as_str().unwrap();
    for (filter, found) in [(format!("id = \"{third}\""), 1), (format!("id != {third}"), 9), (format!("created_at = \"{}\"", created[2]["created_at"].as_str().unwrap()), 1)] {
        let page = world.reader.query("resources", &[("filter", &filter)]).await.is(200).json();
        assert_eq!(page["items"].as_array().unwrap().len(), found, "{filter}");
    }
}

async fn a_filter_that_cannot_be_understood_is_answered_with_its_position(world: World) {
    let many = vec!["year = 1"; 101].join(" OR ");
    let long = format!("title = \"{}\"", "x".repeat(8_000));
    for (filter, position, code) in [
        ("colour = 1", 0, "unknown_field"),
        (r#"language = "en" AND colour = 1"#, 20, "unknown_field"),
        ("ä = 1", 0, "unknown_field"),
        (r#"title = "ä" AND ö = 1"#, 16, "unknown_field"),
        ("language.x = 1", 0, "unknown_field"),
        (r#"year = "x""#, 7, "type"),
        ("year = 1.5", 7, "type"),
        ("year > 9223372036854775808", 7, "type"),
        ("quality_score > abc", 16, "type"),
        ("quality_score > NaN", 16, "type"),
        (r#"created_at > "soon""#, 13, "type"),
        ("id = 5", 5, "type"),
        ("id > 01890000-0000-7000-8000-000000000000", 5, "operator"),
        ("language", 8, "syntax"),
        ("language =", 10, "syntax"),
        ("= 1", 0, "syntax"),
        (r#"language = "en"#, 11, "syntax"),
        (r#"(language = "en""#, 16, "syntax"),
        ("year = 1 )", 9, "syntax"),
        ("year = 1 AND", 12, "syntax"),
        ("year = 1 OR OR year = 2", 15, "syntax"),
        ("NOT", 3, "syntax"),
        ("metadata. = 1", 10, "syntax"),
        ("year & 1", 5, "syntax"),
        ("a b c", 2, "syntax"),
        (r#"subject > "a""#, 10, "operator"),
        ("metadata = 1", 11, "operator"),
        ("metadata.pages > true", 17, "type"),
        ("metadata.pages > 1e999", 17, "out_of_range"),
        ("title = \"a\u{0}\"", 10, "nul"),
        ("\u{0}", 0, "nul"),
        (&many, 1_200, "too_long"),
        (&long, 8_000, "too_long"),
    ] {
        for path in ["resources", "search"] {
            let reply = world.reader.query(path, &[("filter", filter)]).await;
            let shown: String = filter.chars().take(60).collect();
            assert_eq!(reply.faults(400), [(format!("filter@{position}"), code.to_owned())], "{shown}: {}", reply.text());
        }
    }
}

const SORTABLE: [&str; 18] = [
    "id", "title", "creator", "publisher", "contributor", "date", "year", "type", "format", "identifier", "source", "language",
    "classification_code", "read_status", "quality_score", "version", "created_at", "updated_at",
];

fn value(item: &Json, field: &str) -> Json {
    if field != "year" {
        return item[field].clone();
    }
    let Some(date) = item["date"].as_str() else { return Json::Null };
    let digits = date.trim_start_matches('-').split('-').next().unwrap();
    let year: i64 = digits.parse().unwrap();
    if date.starts_with('-') { (-year).into() } else { year.into() }
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

async fn every_sortable_field_orders_with_missing_values_last_and_pages_visit_each_once(world: World) {
    let created = catalogue(&world).await;
    let mut sorts: Vec<String> = SORTABLE.iter().flat_map(|field| [(*field).to_owned(), format!("-{field}")]).collect();
    sorts.extend(
        ["language,-year", "-type,quality_score,-title", "read_status,-quality_score", "-language,-creator,date", "type,-id", "-quality_score,year,type,language,title"]
            .map(str::to_owned),
    );
    for sort in sorts {
        let mut expected = created.clone();
        let keys: Vec<&str> = sort.split(',').collect();
        expected.sort_by(|one, other| compare(one, other, &keys));
        for limit in ["1", "3", "200"] {
            let found = world.reader.all("resources", &[("sort", &sort), ("limit", limit)]).await;
            let titles = |items: &[Json]| items.iter().map(|item| item["title"].to_string()).collect::<Vec<_>>();
            assert_eq!(titles(&found), titles(&expected), "sort={sort} limit={limit}");
        }
        let filtered = world.reader.all("resources", &[("sort", &sort), ("limit", "2"), ("filter", "type:*")]).await;
        expected.retain(|item| !item["type"].is_null());
        assert_eq!(filtered, expected, "sort={sort}");
    }
}

async fn a_sort_that_cannot_be_understood_is_refused(world: World) {
    for (sort, position, code) in [
        ("colour", 0, "unknown_field"),
        ("title,colour", 6, "unknown_field"),
        ("", 0, "unknown_field"),
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
}

async fn pages_are_linked_and_counted(world: World) {
    let created = catalogue(&world).await;
    let parameters = [("filter", "language:*"), ("sort", "title"), ("limit", "3"), ("total", "true")];
    let first = world.reader.query("resources", &parameters).await.is(200);
    let body = first.json();
    assert_eq!((body["items"].as_array().unwrap().len(), &body["total"]), (3, &json!(7)));
    let cursor = body["next_cursor"].as_str().unwrap();
    let link = first.header("link").unwrap();
    let next = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap();
    assert!(next.starts_with("/api/v1/resources?filter=") && next.contains(cursor), "{next}");
    let second = world.reader.get(next).await.is(200);
    let by_cursor = world.reader.query("resources", &[&parameters[..], &[("cursor", cursor)]].concat()).await.is(200);
    assert_eq!(second.body, by_cursor.body);
    assert_eq!(second.json()["total"], 7);
    assert!(second.header("link").unwrap().matches("cursor=").count() == 1);
    let all = world.reader.query("resources", &[("limit", "200")]).await.is(200);
    assert_eq!((all.header("link"), &all.json()["next_cursor"]), (None, &Json::Null));
    let newest_first: Vec<&Json> = created.iter().rev().collect();
    assert_eq!(all.json()["items"], json!(newest_first));
    // A page that ends exactly with the last item has no next one.
    let exact = world.reader.query("resources", &[("limit", "10")]).await.is(200);
    assert_eq!(exact.json()["next_cursor"], Json::Null);
}

async fn a_cursor_is_good_only_for_the_list_that_it_came_from(world: World) {
    catalogue(&world).await;
    let page = world.reader.query("resources", &[("sort", "title"), ("limit", "2")]).await.is(200).json();
    let cursor = page["next_cursor"].as_str().unwrap().to_owned();
    let mut altered = cursor.clone().into_bytes();
    for index in 0..altered.len() {
        let before = altered[index];
        altered[index] = if before == b'A' { b'B' } else { b'A' };
        let altered_text = String::from_utf8(altered.clone()).unwrap();
        let reply = world.reader.query("resources", &[("sort", "title"), ("cursor", &altered_text)]).await;
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
        [("sort", "title"), ("cursor", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")],
    ] {
        world.reader.query("resources", &parameters).await.has_fault(400, "cursor", "bad_cursor");
    }
    for path in ["search", "keys"] {
        world.reader.get(&with_query(path, &[("cursor", &cursor)])).await.has_fault(400, "cursor", "bad_cursor");
    }
    // Another page size goes on from the same place.
    let rest = world.reader.query("resources", &[("sort", "title"), ("limit", "200"), ("cursor", &cursor)]).await.is(200);
    assert_eq!(rest.json()["items"].as_array().unwrap().len(), 8);
}
