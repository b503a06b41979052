//! `Idempotency-Key`: one effect, and the same reply to everyone who repeats the request.

use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value as Json, json};

use crate::harness::{Backend, Client, Reply, Request, World};

matrix![
    a_repeated_request_has_one_effect_and_the_same_reply,
    a_key_that_is_shown_once_is_shown_again_to_its_maker_alone,
    another_request_under_the_same_key_is_refused,
    keys_of_different_users_are_apart,
    a_refused_request_leaves_no_trace,
    after_a_day_the_key_is_new_and_the_reply_is_gone,
    a_reply_survives_a_restart,
    a_key_that_breaks_the_rules_is_refused_by_name,
    at_once_one_is_made_and_the_others_wait_or_get_its_reply,
    while_the_first_is_under_way_others_are_told_so,
    without_a_key_every_request_is_a_new_one,
];

pub fn keyed(client: &Client, path: &str, key: &str, body: &Json) -> Request {
    client
        .request("POST", path)
        .header("idempotency-key", key)
        .json(body)
}

/// What a repeated reply has in common with the first one.
pub fn essence(reply: &Reply) -> (u16, Vec<(String, String)>, String) {
    let headers = reply.headers.iter();
    let headers = headers.filter(|(name, _)| {
        !["date", "x-request-id", "ratelimit", "ratelimit-policy"].contains(&name.as_str())
    });
    let mut headers: Vec<_> = headers.cloned().collect();
    headers.sort();
    (reply.status, headers, reply.text())
}

async fn number_of(world: &World, table: &str) -> i64 {
    world
        .scratch
        .number(&format!("SELECT count(*) FROM {table}"))
        .await
}

async fn a_repeated_request_has_one_effect_and_the_same_reply(world: World) {
    let posts = [
        (
            "resources",
            json!({"title": "Once", "metadata": {"b": 1.50, "a": "ü"}}),
        ),
        ("users", json!({"email": "once@example.org"})),
        ("keys", json!({"name": "once"})),
    ];
    for (path, body) in posts {
        let table = if path == "keys" { "api_keys" } else { path };
        let before = number_of(&world, table).await;
        // With and without the quotes of a structured field it is the same key.
        let (key, quoted) = (format!("of-{path}"), format!("\"of-{path}\""));
        let first = keyed(&world.admin, path, &quoted, &body)
            .send()
            .await
            .is(201);
        for key in [&quoted, &key] {
            let again = keyed(&world.admin, path, key, &body).send().await;
            assert_eq!(essence(&again), essence(&first));
        }
        assert_eq!(number_of(&world, table).await, before + 1);
        let location = first.header("location").unwrap();
        world.admin.get(location).await.is(200);
    }
}

async fn a_key_that_is_shown_once_is_shown_again_to_its_maker_alone(world: World) {
    let body = json!({"name": "secret"});
    let first = keyed(&world.editor, "keys", "k", &body)
        .send()
        .await
        .is(201);
    let again = keyed(&world.editor, "keys", "k", &body)
        .send()
        .await
        .is(201);
    assert_eq!(essence(&again), essence(&first));
    let secret = first.json()["secret"].as_str().unwrap().to_owned();
    world.editor.with_key(&secret).get("me").await.is(200);
    let contains = match world.backend {
        Backend::Sqlite => format!("instr(reply, CAST('{secret}' AS blob)) > 0"),
        Backend::Postgres => format!("position(convert_to('{secret}', 'UTF8') in reply) > 0"),
    };
    let count = format!("SELECT count(*) FROM idempotency_keys WHERE {contains}");
    assert_eq!(world.scratch.number(&count).await, 0);
    // Another API key of the same user is another caller.
    let other = world.editor.with_key(&secret);
    keyed(&other, "keys", "k", &body)
        .send()
        .await
        .problem(422, "idempotency_key_reused");
}

async fn another_request_under_the_same_key_is_refused(world: World) {
    let first = json!({"title": "One"});
    keyed(&world.editor, "resources", "k", &first)
        .send()
        .await
        .is(201);
    keyed(&world.editor, "resources", "k", &json!({"title": "Two"}))
        .send()
        .await
        .problem(422, "idempotency_key_reused");
    keyed(&world.editor, "keys", "k", &first)
        .send()
        .await
        .problem(422, "idempotency_key_reused");
    assert_eq!(number_of(&world, "resources").await, 1);
}

async fn keys_of_different_users_are_apart(world: World) {
    let body = json!({"title": "Mine"});
    let one = keyed(&world.editor, "resources", "k", &body)
        .send()
        .await
        .is(201)
        .json();
    let other = keyed(&world.admin, "resources", "k", &body)
        .send()
        .await
        .is(201)
        .json();
    assert_ne!(one["id"], other["id"]);
    // Who may not do it gets no reply of somebody who may.
    keyed(&world.reader, "resources", "k", &body)
        .send()
        .await
        .problem(403, "forbidden");
    keyed(&world.anonymous, "resources", "k", &body)
        .send()
        .await
        .problem(401, "unauthenticated");
}

async fn a_refused_request_leaves_no_trace(world: World) {
    keyed(&world.editor, "resources", "k", &json!({"title": ""}))
        .send()
        .await
        .problem(422, "invalid_body");
    let taken = json!({"email": "editor@example.org"});
    keyed(&world.admin, "users", "k", &taken)
        .send()
        .await
        .problem(409, "conflict");
    assert_eq!(number_of(&world, "idempotency_keys").await, 0);
    // The key is free for the mended request.
    keyed(&world.editor, "resources", "k", &json!({"title": "Mended"}))
        .send()
        .await
        .is(201);
}

async fn after_a_day_the_key_is_new_and_the_reply_is_gone(world: World) {
    let body = json!({"title": "Daily"});
    let post = |key: &str| keyed(&world.editor, "resources", key, &body);
    let first = post("a").send().await.is(201).json();
    post("b").send().await.is(201);
    world
        .clock
        .advance(TimeDelta::hours(23) + TimeDelta::minutes(59));
    assert_eq!(post("a").send().await.is(201).json(), first);
    world.clock.advance(TimeDelta::minutes(2));
    let next = post("a").send().await.is(201).json();
    assert_ne!(next["id"], first["id"]);
    assert_eq!(number_of(&world, "resources").await, 3);
    // What nobody asks for again goes, too, beside the requests.
    for _ in 0..100 {
        if number_of(&world, "idempotency_keys").await == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("expired replies are still there");
}

async fn a_reply_survives_a_restart(world: World) {
    let body = json!({"title": "Kept"});
    let first = keyed(&world.editor, "resources", "k", &body)
        .send()
        .await
        .is(201);
    let world = world.restart().await;
    let again = keyed(&world.editor, "resources", "k", &body).send().await;
    assert_eq!(essence(&again), essence(&first));
    assert_eq!(number_of(&world, "resources").await, 1);
}

async fn a_key_that_breaks_the_rules_is_refused_by_name(world: World) {
    let body = json!({"title": "Refused"});
    for key in ["", "\"\"", "\"open", "two words", "a\"b", &"x".repeat(256)] {
        keyed(&world.editor, "resources", key, &body)
            .send()
            .await
            .has_fault(400, "Idempotency-Key", "format");
    }
    keyed(&world.editor, "resources", "one", &body)
        .header("idempotency-key", "two")
        .send()
        .await
        .has_fault(400, "Idempotency-Key", "duplicate");
    assert_eq!(number_of(&world, "resources").await, 0);
}

async fn at_once_one_is_made_and_the_others_wait_or_get_its_reply(world: World) {
    for number in 0..20 {
        let body = json!({"title": format!("At once {number}")});
        let key = format!("at-once-{number}");
        let posts = (0..10).map(|_| keyed(&world.editor, "resources", &key, &body).send());
        let replies = futures_util::future::join_all(posts).await;
        let (made, waiting): (Vec<_>, Vec<_>) =
            replies.into_iter().partition(|reply| reply.status == 201);
        assert!(!made.is_empty());
        assert!(made.iter().all(|reply| essence(reply) == essence(&made[0])));
        for reply in waiting {
            reply.problem(409, "idempotency_key_in_use");
            assert_eq!(reply.header("retry-after"), Some("1"));
        }
        assert_eq!(number_of(&world, "resources").await, number + 1);
    }
}

async fn while_the_first_is_under_way_others_are_told_so(world: World) {
    let held = hold_resources(&world).await;
    let body = json!({"title": "Slow"});
    let first = tokio::spawn(keyed(&world.editor, "resources", "k", &body).send());
    // The first one has begun when another one is refused.
    let mut told = false;
    for round in 0..500 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if first.is_finished() {
            break;
        }
        let waits = match world.backend {
            // Nobody can see who waits for the file.
            Backend::Sqlite => round == 50,
            Backend::Postgres => is_waiting(&world).await,
        };
        if waits {
            let again = keyed(&world.editor, "resources", "k", &body).send().await;
            again.problem(409, "idempotency_key_in_use");
            assert_eq!(again.header("retry-after"), Some("1"));
            told = true;
            break;
        }
    }
    drop(held);
    assert!(told, "the first request did not wait");
    let first = first.await.unwrap().is(201);
    let again = keyed(&world.editor, "resources", "k", &body).send().await;
    assert_eq!(essence(&again), essence(&first));
    assert_eq!(number_of(&world, "resources").await, 1);
}

/// Keeps everybody from writing resources until it is dropped.
async fn hold_resources(world: &World) -> Box<dyn std::any::Any> {
    match world.backend {
        Backend::Sqlite => {
            let connection = world.scratch.sqlite();
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            Box::new(connection)
        }
        Backend::Postgres => {
            let transaction = world.scratch.postgres().await.begin().await.unwrap();
            let lock = "LOCK TABLE resources IN EXCLUSIVE MODE";
            transaction.execute_unprepared(lock).await.unwrap();
            Box::new(transaction)
        }
    }
}

/// Whether somebody waits for a lock on PostgreSQL.
async fn is_waiting(world: &World) -> bool {
    let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE NOT l.granted AND d.datname = current_database()";
    world.scratch.number(waiting).await > 0
}

async fn without_a_key_every_request_is_a_new_one(world: World) {
    let body = json!({"title": "Twice"});
    world.editor.post("resources", &body).await.is(201);
    world.editor.post("resources", &body).await.is(201);
    assert_eq!(number_of(&world, "resources").await, 2);
    assert_eq!(number_of(&world, "idempotency_keys").await, 0);
}
