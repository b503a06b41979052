//! How the server treats those who ask: limits, other origins, browsers.

use std::time::Duration;

use api::{Limits, Manners, Quota};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Backend, Client, Reply, World};

backend_matrix![
    a_key_that_asks_too_much_is_told_when_to_come_again,
    an_address_that_asks_too_much_is_told_so,
    proxies_are_believed_when_they_are_trusted,
    guessing_keys_is_slowed_down_and_good_keys_go_on,
    pages_of_named_origins_may_use_the_api,
];

matrix![
    every_reply_says_what_is_left,
    pages_of_other_origins_may_not_use_the_api,
    browsers_are_told_to_be_careful,
    head_is_get_without_the_body,
];

fn quota(text: &str) -> Option<Quota> {
    Some(text.parse().unwrap())
}

async fn limited(backend: Backend, limits: Limits) -> World {
    let manners = Manners {
        limits,
        ..Manners::default()
    };
    World::start_polite(backend, manners).await
}

fn is_told_to_wait(reply: &Reply, at_most: u64) {
    reply.problem(429, "too_many_requests");
    let seconds: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=at_most).contains(&seconds), "{seconds}");
}

async fn a_key_that_asks_too_much_is_told_when_to_come_again(backend: Backend) {
    let world = limited(
        backend,
        Limits {
            key: quota("3/1h"),
            ..Limits::NONE
        },
    )
    .await;
    for left in (0..3).rev() {
        let reply = world.reader.get("me").await.is(200);
        assert_eq!(reply.header("ratelimit-policy"), Some("\"key\";q=3;w=3600"));
        let standing = reply.header("ratelimit").unwrap();
        assert!(
            standing.starts_with(&format!("\"key\";r={left};t=")),
            "{standing}"
        );
    }
    let reply = world.reader.get("resources").await;
    is_told_to_wait(&reply, 1_200);
    assert!(
        reply
            .header("ratelimit")
            .is_some_and(|it| it.starts_with("\"key\";r=0;"))
    );
    // Others are not concerned, nor is what needs no key.
    world.editor.get("me").await.is(200);
    world.anonymous.get("/livez").await.is(200);
    // Another server of the instance has its own budgets.
    let world = world.restart().await;
    world.reader.get("me").await.is(200);
}

async fn an_address_that_asks_too_much_is_told_so(backend: Backend) {
    let world = limited(
        backend,
        Limits {
            address: quota("4/1h"),
            ..Limits::NONE
        },
    )
    .await;
    let reply = world.anonymous.get("nothing").await;
    reply.problem(404, "not_found");
    assert!(
        reply
            .header("ratelimit")
            .is_some_and(|it| it.starts_with("\"address\";r=3;t="))
    );
    for _ in 0..3 {
        world.reader.get("me").await.is(200);
    }
    for client in [&world.reader, &world.editor, &world.anonymous] {
        let forged = client
            .request("GET", "me")
            .header("x-forwarded-for", "192.0.2.1");
        is_told_to_wait(&forged.send().await, 900);
    }
    world.anonymous.get("/livez").await.is(200);
}

async fn proxies_are_believed_when_they_are_trusted(backend: Backend) {
    let manners = Manners {
        limits: Limits {
            address: quota("1/1h"),
            ..Limits::NONE
        },
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..Manners::default()
    };
    let world = World::start_polite(backend, manners).await;
    let from = |address: &'static str| {
        let request = world.reader.request("GET", "me");
        request.header("x-forwarded-for", address).send()
    };
    from("192.0.2.1").await.is(200);
    from("192.0.2.2").await.is(200);
    is_told_to_wait(&from("192.0.2.1").await, 3_600);
    // What the client itself has written there is not believed.
    is_told_to_wait(&from("198.51.100.9, 192.0.2.1").await, 3_600);
    // An IPv6 client has a whole network.
    from("2001:db8::1").await.is(200);
    is_told_to_wait(&from("2001:db8::2").await, 3_600);
}

async fn guessing_keys_is_slowed_down_and_good_keys_go_on(backend: Backend) {
    let world = limited(
        backend,
        Limits {
            failures: quota("5/10s"),
            ..Limits::NONE
        },
    )
    .await;
    let unused = world
        .admin
        .post("keys", &json!({"name": "never used"}))
        .await
        .is(201)
        .json();
    let unused = world.admin.with_key(unused["secret"].as_str().unwrap());
    let mut answers = Vec::new();
    for number in 0..8 {
        let guess = world.anonymous.with_key(&format!("ph_guess{number}"));
        let reply = guess.get("me").await;
        if reply.status == 429 {
            is_told_to_wait(&reply, 2);
            assert_eq!(
                reply.header("ratelimit-policy"),
                Some("\"failures\";q=5;w=10")
            );
            let standing = reply.header("ratelimit").unwrap();
            assert!(standing.starts_with("\"failures\";r=0;t="), "{standing}");
        } else {
            reply.problem(401, "unauthenticated");
        }
        answers.push(reply.status);
    }
    assert_eq!(answers[..5], [401; 5]);
    assert!(answers.contains(&429), "{answers:?}");
    // Who was here before goes on.
    world.admin.get("me").await.is(200);
    // A good key that nobody has seen waits with those who guess, but not for long.
    for _ in 0..100 {
        match unused.get("me").await {
            reply if reply.status == 200 => return,
            reply => is_told_to_wait(&reply, 2),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("a good key was locked out");
}

async fn every_reply_says_what_is_left(world: World) {
    for reply in [
        world.reader.get("resources").await.is(200),
        world.reader.get("users").await.is(403),
        world.reader.query("resources", &[("limit", "0")]).await,
    ] {
        assert_eq!(
            reply.header("ratelimit-policy"),
            Some("\"key\";q=600000;w=60")
        );
        let standing = reply.header("ratelimit").unwrap();
        assert!(standing.starts_with("\"key\";r=599"), "{standing}");
    }
    let reply = world.anonymous.get("resources").await.is(401);
    assert_eq!(
        reply.header("ratelimit-policy"),
        Some("\"address\";q=1200000;w=60")
    );
}

fn preflight(client: &Client, origin: &str) -> crate::harness::Request {
    client
        .request("OPTIONS", "resources")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
}

async fn pages_of_other_origins_may_not_use_the_api(world: World) {
    let reply = preflight(&world.anonymous, "https://example.org")
        .send()
        .await;
    reply.problem(405, "method_not_allowed");
    let request = world.reader.request("GET", "resources");
    let reply = request.header("origin", "https://example.org").send().await;
    for name in ["access-control-allow-origin", "vary"] {
        assert_eq!(reply.header(name), None);
    }
}

async fn pages_of_named_origins_may_use_the_api(backend: Backend) {
    let world = |origins: &'static str| async move {
        let manners = Manners {
            origins: origins.parse().unwrap(),
            ..Manners::default()
        };
        World::start_polite(backend, manners).await
    };
    let named = world("https://example.org, http://localhost:3000").await;
    for origin in ["https://example.org", "http://localhost:3000"] {
        let reply = preflight(&named.anonymous, origin).send().await.is(204);
        assert_eq!(reply.header("access-control-allow-origin"), Some(origin));
        assert!(
            reply
                .header("access-control-allow-methods")
                .is_some_and(|methods| methods.contains("PATCH"))
        );
        assert!(
            reply
                .header("access-control-allow-headers")
                .is_some_and(|headers| headers.contains("Idempotency-Key"))
        );
        // Errors can be read, too.
        let request = named.anonymous.request("GET", "resources");
        let reply = request.header("origin", origin).send().await;
        reply.problem(401, "unauthenticated");
        assert_eq!(reply.header("access-control-allow-origin"), Some(origin));
        assert_eq!(reply.header("vary"), Some("Origin"));
        let exposed = reply.header("access-control-expose-headers").unwrap();
        for name in ["ETag", "Traceparent", "Content-Disposition"] {
            assert!(exposed.contains(name), "{exposed}");
        }
    }
    let reply = preflight(&named.anonymous, "https://example.com")
        .send()
        .await;
    assert_eq!(reply.header("access-control-allow-origin"), None);
    assert_eq!(reply.header("access-control-allow-methods"), None);
    let all = world("*").await;
    let reply = preflight(&all.anonymous, "https://example.com")
        .send()
        .await;
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    for wrong in [
        "example.org",
        "https://example.org/",
        "https://*.org",
        "null",
    ] {
        assert!(wrong.parse::<api::Origins>().is_err(), "{wrong}");
    }
}

async fn browsers_are_told_to_be_careful(world: World) {
    for path in [
        "/",
        "/docs/",
        "/openapi.json",
        "/livez",
        "me",
        "nothing",
        "/docs/swagger-ui.css",
    ] {
        let reply = world.reader.get(path).await;
        assert_eq!(
            reply.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
        assert_eq!(
            reply.header("referrer-policy"),
            Some("no-referrer"),
            "{path}"
        );
        let policy = reply.header("content-security-policy").unwrap();
        assert!(
            policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(policy.contains("default-src 'self'") || policy.contains("default-src 'none'"));
    }
    // The documentation works with what its policy allows: scripts and styles in files of its own.
    let docs = world.anonymous.get("/docs/").await.is(200);
    let policy = docs.header("content-security-policy").unwrap();
    assert!(!policy.contains("script-src"), "{policy}");
    for script in docs.text().split("<script").skip(1) {
        assert!(script.starts_with(" src=\"./"), "{script}");
        assert!(
            script.contains("> </script>") || script.contains("></script>"),
            "{script}"
        );
    }
}

/// The whole reply as it comes.
async fn raw(client: &Client, request: &str) -> String {
    let mut stream = TcpStream::connect(client.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    reply
}

async fn head_is_get_without_the_body(world: World) {
    let made = world
        .editor
        .post("resources", &json!({"title": "Head"}))
        .await
        .is(201);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let key = world.reader.key().unwrap();
    for path in [
        &format!("resources/{id}"),
        "resources",
        "nothing",
        "search?q=head",
        "resources/export",
    ] {
        let get = world.reader.get(path).await;
        let head = raw(
            &world.reader,
            &format!("HEAD /api/v1/{path} HTTP/1.1\r\nhost: pharos\r\nconnection: close\r\nauthorization: Bearer {key}\r\n\r\n"),
        )
        .await;
        let (head, body) = head.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "", "{path}");
        let head = head.to_ascii_lowercase();
        assert!(
            head.starts_with(&format!("http/1.1 {} ", get.status)),
            "{head}"
        );
        for name in ["content-type", "content-length", "etag"] {
            if let Some(value) = get.header(name).filter(|_| path != "nothing") {
                assert!(
                    head.contains(&format!("{name}: {value}").to_ascii_lowercase()),
                    "{name}: {head}"
                );
            }
        }
    }
    let reply = raw(
        &world.reader,
        "HEAD /livez HTTP/1.1\r\nhost: pharos\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
}
