//! What whoever runs the server can see: figures, slow statements, traces.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};
use service::database::DatabaseOptions;

use crate::harness::{Backend, Client, Process, Scratch, World, resource, small_options};

matrix![
    figures_are_told_by_operation_and_never_by_path,
    figures_are_open_on_this_machine_and_else_need_an_admin,
    the_report_tells_how_the_database_is_used,
    a_trace_goes_on,
];

backend_matrix![
    slow_statements_are_shown_with_their_plan_and_without_values,
    a_request_under_way_is_answered_before_the_server_stops,
];

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Samples by name and labels, after checking each line.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    let mut described = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            described.push(rest.split(' ').next().expect("a name").to_owned());
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let (name, value) = line.rsplit_once(' ').expect("a value");
        let bare = name.split('{').next().expect("a name");
        assert!(
            described
                .iter()
                .any(|known| bare.starts_with(known.as_str())),
            "{line} has no TYPE"
        );
        let twice = found.insert(name.to_owned(), value.parse().expect("a number"));
        assert!(twice.is_none(), "{line} is there twice");
    }
    found
}

async fn figures(client: &Client) -> BTreeMap<String, f64> {
    let reply = client.get("/metrics").await.is(200);
    let kind = reply.header("content-type");
    assert_eq!(kind, Some("text/plain; version=0.0.4; charset=utf-8"));
    samples(&reply.text())
}

/// Waits until so many requests are under way, this one not counted.
async fn until_under_way(client: &Client, requests: usize) {
    let expected = f64::from(u32::try_from(requests).unwrap()) + 1.0;
    let client = Client::new(client.address(), None);
    while figures(&client).await["http_server_active_requests"] < expected {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn figures_are_told_by_operation_and_never_by_path(world: World) {
    let made = resource(&world, json!({"title": "Measured"})).await;
    let id = made["id"].as_str().unwrap();
    for _ in 0..3 {
        world.reader.get(&format!("resources/{id}")).await.is(200);
    }
    world.reader.get("resources/no-id").await.is(400);
    world.reader.get("nothing/at/all").await.is(404);
    let before = figures(&world.anonymous).await;
    let labels = "http_request_method=\"GET\",http_route=\"/api/v1/resources/{id}\"";
    assert_eq!(
        before[&format!("http_server_request_duration_seconds_count{{{labels}}}")],
        4.0
    );
    assert_eq!(
        before[&format!("http_server_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}}")],
        4.0
    );
    assert_eq!(
        before
            [&format!("http_server_responses_total{{{labels},http_response_status_code=\"200\"}}")],
        3.0
    );
    assert_eq!(
        before
            [&format!("http_server_responses_total{{{labels},http_response_status_code=\"400\"}}")],
        1.0
    );
    assert!(before[&format!("pharos_route_statements_total{{{labels}}}")] >= 3.0);
    assert_eq!(before["http_server_active_requests"], 1.0, "this one");
    for number in 0..20 {
        world.reader.get(&format!("nothing/{number}")).await.is(404);
        world
            .reader
            .request("BREW", &format!("/pot/{number}"))
            .send()
            .await;
    }
    world.reader.request("BREW", "/pot").send().await;
    let after = figures(&world.anonymous).await;
    let new: Vec<&String> = after
        .keys()
        .filter(|name| !before.contains_key(*name))
        .collect();
    assert!(
        new.iter()
            .all(|name| name.contains("http_route=\"unmatched\"") || name.contains("/metrics")),
        "{new:?}"
    );
    assert!(new.len() < 60, "{new:?}");
    assert!(!after.keys().any(|name| name.contains(id)));
}

async fn figures_are_open_on_this_machine_and_else_need_an_admin(world: World) {
    let by_proxy = |client: &Client| {
        client
            .request("GET", "/metrics")
            .header("x-forwarded-for", "192.0.2.1")
    };
    world.anonymous.get("/metrics").await.is(200);
    by_proxy(&world.anonymous)
        .send()
        .await
        .problem(401, "unauthenticated");
    for client in [&world.reader, &world.editor] {
        by_proxy(client).send().await.problem(403, "forbidden");
        client.get("/metrics").await.problem(403, "forbidden");
    }
    by_proxy(&world.admin).send().await.is(200);
    let unknown = world.anonymous.with_key("ph_unknown");
    unknown
        .get("/metrics")
        .await
        .problem(401, "unauthenticated");
    world
        .anonymous
        .get("/metrics?name=x")
        .await
        .problem(400, "unknown_parameter");
}

async fn the_report_tells_how_the_database_is_used(world: World) {
    for number in 0..3 {
        resource(&world, json!({"title": format!("Number {number}")})).await;
    }
    world.reader.get("resources").await.is(200);
    let report = world.admin.get("monitoring/database").await.is(200).json();
    let (there, absent) = match world.backend {
        Backend::Sqlite => ("sqlite", "postgresql"),
        Backend::Postgres => ("postgresql", "sqlite"),
    };
    assert_eq!(report["backend"], there);
    assert_eq!(report[absent], Json::Null);
    assert!(
        report["version"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
    assert!(
        report["pool"]["maximum"]
            .as_u64()
            .is_some_and(|count| count > 0)
    );
    assert!(
        report["statements"]["count"]
            .as_u64()
            .is_some_and(|count| count > 0)
    );
    let routes = report["routes"].as_array().unwrap();
    let listed = routes
        .iter()
        .find(|route| route["method"] == "GET" && route["route"] == "/api/v1/resources");
    assert!(
        listed.is_some_and(|route| route["statements"].as_u64().unwrap() > 0),
        "{report}"
    );
    match world.backend {
        Backend::Sqlite => {
            let sqlite = &report["sqlite"];
            assert!(sqlite["writes"].as_u64().unwrap() >= 3, "{sqlite}");
            assert!(sqlite["file_bytes"].as_u64().unwrap() > 0, "{sqlite}");
            let sizes = sqlite["group_sizes"].as_array().unwrap();
            let groups: u64 = sizes
                .iter()
                .map(|size| size["groups"].as_u64().unwrap())
                .sum();
            assert_eq!(sqlite["groups"], groups);
        }
        Backend::Postgres => {
            let postgres = &report["postgresql"];
            assert!(
                postgres["transactions_committed"].as_i64().unwrap() > 0,
                "{postgres}"
            );
            assert_eq!(postgres["pooled"], false);
            assert!(
                postgres["database_bytes"].as_i64().unwrap() > 0,
                "{postgres}"
            );
        }
    }
}

async fn slow_statements_are_shown_with_their_plan_and_without_values(backend: Backend) {
    let options = DatabaseOptions {
        slow_query_threshold: Duration::ZERO,
        ..small_options()
    };
    let world = World::start_with(backend, options).await;
    let filter = [("filter", "title = \"a secret word\"")];
    let reply = world.reader.query("resources", &filter).await.is(200);
    let request_id = reply.header("x-request-id").unwrap();
    let list = world
        .admin
        .get("monitoring/slow-queries?limit=200")
        .await
        .is(200);
    assert!(!list.text().contains("secret word"), "{}", list.text());
    let list = list.json();
    assert_eq!(list["threshold_seconds"], 0.0);
    let items = list["items"].as_array().unwrap();
    let ours = items
        .iter()
        .find(|item| item["last_request_id"] == request_id)
        .unwrap_or_else(|| panic!("{list}"));
    assert_eq!(ours["last_route"], "GET /api/v1/resources");
    assert!(ours["sql"].as_str().unwrap().contains("SELECT"), "{ours}");
    assert!(ours["total_seconds"].as_f64().unwrap() >= ours["longest_seconds"].as_f64().unwrap());
    let planned = items.iter().filter(|item| item["plan"].is_array()).count();
    assert!(planned > 3, "{list}");
    let few = world
        .admin
        .get("monitoring/slow-queries?limit=1")
        .await
        .is(200)
        .json();
    assert_eq!(few["items"].as_array().map(Vec::len), Some(1));
    for limit in ["0", "201", "many"] {
        let path = format!("monitoring/slow-queries?limit={limit}");
        world
            .admin
            .get(&path)
            .await
            .problem(400, "invalid_parameter");
    }
}

async fn a_trace_goes_on(world: World) {
    let ask = |parent: &str| {
        world
            .reader
            .request("GET", "me")
            .header("traceparent", parent)
    };
    let reply = ask(&format!("00-{TRACE}-00f067aa0ba902b7-01"))
        .send()
        .await
        .is(200);
    let parts: Vec<&str> = reply.header("traceparent").unwrap().split('-').collect();
    assert_eq!((parts[0], parts[1], parts[3]), ("00", TRACE, "01"));
    assert!(
        parts[2].len() == 16 && parts[2] != "00f067aa0ba902b7",
        "{parts:?}"
    );
    let refused = world.anonymous.request("GET", "me");
    let refused = refused.header("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-00"));
    let refused = refused.send().await.is(401);
    assert!(
        refused
            .header("traceparent")
            .is_some_and(|header| header.ends_with("-00"))
    );
    let broken = ask(&format!("00-{TRACE}-0000000000000000-01"))
        .send()
        .await
        .is(200);
    assert_eq!(broken.header("traceparent"), None);
    assert_eq!(world.reader.get("me").await.header("traceparent"), None);
}

#[test]
fn a_pool_that_is_nearly_used_up_is_told_in_the_log() {
    crate::harness::block_on(async {
        let scratch = Scratch::empty(Backend::Postgres).await;
        let log = std::env::temp_dir().join(format!("pharos-log-{}", std::process::id()));
        let file = std::fs::File::create(&log).unwrap();
        let settings = [("DATABASE_MAX_CONNECTIONS", "2"), ("RUST_LOG", "warn")];
        let mut server = Process::start_with(&scratch.url, &settings, file.into()).await;
        let admin = server.first_admin().await;
        let connection = scratch.postgres().await;
        let lock = "BEGIN; LOCK TABLE resources IN ACCESS EXCLUSIVE MODE";
        sea_orm::ConnectionTrait::execute_unprepared(&connection, lock)
            .await
            .unwrap();
        let lists: Vec<_> = (0..3)
            .map(|_| {
                let admin = admin.clone();
                tokio::spawn(async move { admin.get("resources").await })
            })
            .collect();
        until_under_way(&admin, lists.len()).await;
        let report = loop {
            let report = admin.get("/readyz").await;
            if report.status != 200 {
                break report;
            }
        };
        assert_eq!(
            report.faults(503),
            [("pool".to_owned(), "exhausted".to_owned())]
        );
        connection.close().await.unwrap();
        for list in lists {
            assert!(matches!(list.await.unwrap().status, 200 | 503));
        }
        server.kill().await;
        let logged = std::fs::read_to_string(&log).unwrap();
        assert!(
            logged.contains("more than 90 % of the database connections"),
            "{logged}"
        );
        std::fs::remove_file(log).unwrap();
    });
}

/// The table is locked by somebody else until the server has been told to stop.
async fn a_request_under_way_is_answered_before_the_server_stops(backend: Backend) {
    let scratch = Scratch::empty(backend).await;
    let mut server = Process::start(&scratch.url).await;
    let admin = server.first_admin().await;
    let lock = match backend {
        Backend::Sqlite => "BEGIN IMMEDIATE",
        Backend::Postgres => "BEGIN; LOCK TABLE resources IN EXCLUSIVE MODE",
    };
    let sqlite = (backend == Backend::Sqlite).then(|| scratch.sqlite());
    let postgres = match backend {
        Backend::Sqlite => None,
        Backend::Postgres => Some(scratch.postgres().await),
    };
    match (&sqlite, &postgres) {
        (Some(connection), _) => connection.execute_batch(lock).unwrap(),
        (_, Some(connection)) => {
            sea_orm::ConnectionTrait::execute_unprepared(connection, lock)
                .await
                .unwrap();
        }
        _ => unreachable!(),
    }
    let writer = admin.clone();
    let create = tokio::spawn(async move {
        writer
            .post("resources", &json!({"title": "Under way"}))
            .await
    });
    until_under_way(&admin, 1).await;
    let stopped = tokio::spawn(server.terminate());
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!create.is_finished() && !stopped.is_finished());
    drop(sqlite);
    if let Some(connection) = postgres {
        connection.close().await.unwrap();
    }
    create.await.unwrap().is(201);
    assert_eq!(stopped.await.unwrap(), Some(0));
    assert_eq!(scratch.number("SELECT count(*) FROM resources").await, 1);
}
