//! Keys, roles and scopes.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value as Json, json};

use crate::harness::{Client, World};

matrix![
    a_key_shows_its_secret_once_and_nothing_keeps_it,
    a_key_expires_by_the_clock,
    a_revoked_key_is_refused_at_once_and_stays_so,
    the_last_use_of_a_key_is_kept,
    a_key_is_narrowed_by_its_role_and_scopes,
    a_readers_key_cannot_make_a_stronger_key,
    everybody_sees_their_own_keys_and_an_admin_all,
    only_a_bearer_key_opens_the_door,
];

pub async fn key(client: &Client, body: Json) -> (Json, Client) {
    let created = client.post("keys", &body).await.is(201).json();
    let holder = client.with_key(created["secret"].as_str().unwrap());
    (created, holder)
}

fn key_path(key: &Json) -> String {
    format!("keys/{}", key["id"].as_str().unwrap())
}

async fn a_key_shows_its_secret_once_and_nothing_keeps_it(world: World) {
    let reply = world
        .editor
        .post("keys", &json!({"name": "laptop"}))
        .await
        .is(201);
    let created = reply.json();
    let secret = created["secret"].as_str().unwrap();
    assert!(
        secret.starts_with("ph_") && secret.len() == 3 + 43,
        "{secret}"
    );
    assert_eq!(created["prefix"], secret[..11]);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(
        reply.header("location"),
        Some(format!("/api/v1/{}", key_path(&created)).as_str())
    );
    let read = world.editor.get(&key_path(&created)).await.is(200).json();
    let mut expected = created.clone();
    expected.as_object_mut().unwrap().remove("secret");
    assert_eq!(read, expected);
    assert_eq!(read["name"], "laptop");
    for path in ["keys", "me", "users"] {
        assert!(
            !world
                .admin
                .get(path)
                .await
                .is(200)
                .text()
                .contains(&secret[11..]),
            "{path}"
        );
    }
    let hashes = "SELECT count(*) FROM api_keys WHERE length(key_hash) = 32";
    assert_eq!(world.scratch.number(hashes).await, 4);
    let me = world.editor.with_key(secret).get("me").await.is(200).json();
    assert_eq!(
        (&me["key_id"], &me["user"]["email"], &me["role"]),
        (
            &created["id"],
            &json!("editor@example.org"),
            &json!("editor")
        )
    );
}

async fn a_key_expires_by_the_clock(world: World) {
    let (created, holder) = key(
        &world.reader,
        json!({"expires_at": "2026-01-01T02:00:00+01:00"}),
    )
    .await;
    assert_eq!(created["expires_at"], "2026-01-01T01:00:00.000000Z");
    holder.get("me").await.is(200);
    world.clock.advance(TimeDelta::minutes(59));
    holder.get("me").await.is(200);
    world.clock.advance(TimeDelta::minutes(1));
    holder.get("me").await.problem(401, "unauthenticated");
    world.reader.get("me").await.is(200);
    let past = world
        .reader
        .post("keys", &json!({"expires_at": "2026-01-01T00:00:00Z"}))
        .await;
    past.has_fault(422, "/expires_at", "out_of_range");
    world
        .reader
        .post("keys", &json!({"expires_at": "tomorrow"}))
        .await
        .has_fault(422, "/expires_at", "format");
}

async fn a_revoked_key_is_refused_at_once_and_stays_so(world: World) {
    let (created, holder) = key(&world.reader, json!({})).await;
    holder.get("resources").await.is(200);
    let revoked = world
        .reader
        .request("POST", &format!("{}/revoke", key_path(&created)))
        .send()
        .await
        .is(200)
        .json();
    assert!(revoked["revoked_at"].is_string(), "{revoked}");
    holder
        .get("resources")
        .await
        .problem(401, "unauthenticated");
    let read = world.reader.get(&key_path(&created)).await.is(200);
    let etag = read.header("etag").unwrap();
    let unchanged = world.reader.request("GET", &key_path(&created));
    unchanged.header("if-none-match", etag).send().await.is(304);
    let again = world
        .reader
        .request("POST", &format!("{}/revoke", key_path(&created)))
        .send()
        .await
        .is(200)
        .json();
    assert_eq!(again["revoked_at"], revoked["revoked_at"]);
    assert_eq!(
        world.reader.get(&key_path(&created)).await.is(200).json()["revoked_at"],
        revoked["revoked_at"]
    );
    // A key may revoke itself.
    let (own, holder) = key(&world.reader, json!({})).await;
    holder
        .request("POST", &format!("{}/revoke", key_path(&own)))
        .send()
        .await
        .is(200);
    holder.get("me").await.problem(401, "unauthenticated");
}

async fn the_last_use_of_a_key_is_kept(world: World) {
    let (created, holder) = key(&world.reader, json!({})).await;
    assert_eq!(created["last_used_at"], Json::Null);
    holder.get("me").await.is(200);
    let first = last_use(&world, &created, &Json::Null).await;
    assert!(first.as_str().unwrap() > created["created_at"].as_str().unwrap());
    world.clock.advance(TimeDelta::minutes(5));
    holder.get("me").await.is(200);
    let second = last_use(&world, &created, &first).await;
    assert!(second.as_str() > first.as_str());
}

/// It is written beside the requests, so it may come a moment later.
async fn last_use(world: &World, key: &Json, before: &Json) -> Json {
    for _ in 0..200 {
        let last = world.reader.get(&key_path(key)).await.is(200).json()["last_used_at"].clone();
        if last != *before {
            return last;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the last use was not written");
}

async fn a_key_is_narrowed_by_its_role_and_scopes(world: World) {
    let resource = json!({"title": "t"});
    for (body, reads, writes, administers) in [
        (json!({}), 200, 201, 200),
        (json!({"role": "reader"}), 200, 403, 403),
        (json!({"role": "editor"}), 200, 201, 403),
        (json!({"scopes": ["library:read"]}), 200, 403, 403),
        (json!({"scopes": ["library:write"]}), 200, 201, 403),
        (json!({"scopes": ["admin"]}), 200, 201, 200),
        (json!({"scopes": ["reports:read"]}), 403, 403, 403),
        (json!({"scopes": []}), 403, 403, 403),
        (
            json!({"role": "reader", "scopes": ["admin"]}),
            200,
            403,
            403,
        ),
        (
            json!({"role": "reader", "scopes": ["library:write", "reports:read"]}),
            200,
            403,
            403,
        ),
        (
            json!({"scopes": ["documents:*", "ledger:*", "intake:*"]}),
            403,
            403,
            403,
        ),
    ] {
        let (_, holder) = key(&world.admin, body.clone()).await;
        let statuses = [
            holder.get("resources").await.status,
            holder.post("resources", &resource).await.status,
            holder.get("users").await.status,
        ];
        assert_eq!(statuses, [reads, writes, administers], "{body}");
    }
    for (body, place, code) in [
        (json!({"role": "king"}), "/role", "enum"),
        (json!({"role": 1}), "/role", "type"),
        (
            json!({"scopes": ["library:read", "sky"]}),
            "/scopes/1",
            "enum",
        ),
        (json!({"scopes": "library:read"}), "/scopes", "type"),
        (json!({"scopes": [1]}), "/scopes/0", "type"),
        (json!({"user_id": "me"}), "/user_id", "format"),
        (json!({"name": "n".repeat(201)}), "/name", "too_long"),
        (json!({"name": "\u{0}"}), "/name", "nul"),
        (json!({"secret": "ph_mine"}), "/secret", "unknown_field"),
    ] {
        world
            .admin
            .post("keys", &body)
            .await
            .has_fault(422, place, code);
    }
}

async fn a_readers_key_cannot_make_a_stronger_key(world: World) {
    for body in [
        json!({"role": "admin"}),
        json!({"role": "editor"}),
        json!({"scopes": ["admin"]}),
        json!({}),
    ] {
        let (created, holder) = key(&world.reader, body.clone()).await;
        assert_eq!(
            holder.get("me").await.is(200).json()["role"],
            "reader",
            "{body}"
        );
        assert_eq!(created["role"], "reader", "{body}");
        holder.get("users").await.problem(403, "forbidden");
        holder
            .post("resources", &json!({"title": "t"}))
            .await
            .problem(403, "forbidden");
    }
    let admin = world.admin.get("me").await.json()["user"]["id"].clone();
    world
        .reader
        .post("keys", &json!({"user_id": admin}))
        .await
        .problem(403, "forbidden");
    // Nor does a narrowed key of an admin make any.
    let (_, narrow) = key(&world.admin, json!({"scopes": ["library:read"]})).await;
    for body in [
        json!({"scopes": ["library:write"]}),
        json!({"scopes": ["admin"]}),
        json!({"scopes": ["library:read"]}),
        json!({}),
    ] {
        narrow.post("keys", &body).await.problem(403, "forbidden");
    }
    // A key that expires makes none that outlives it.
    let (_, passing) = key(&world.reader, json!({"expires_at": "2026-02-01T00:00:00Z"})).await;
    for (body, expires_at) in [
        (json!({}), "2026-02-01T00:00:00.000000Z"),
        (
            json!({"expires_at": "2027-01-01T00:00:00Z"}),
            "2026-02-01T00:00:00.000000Z",
        ),
        (
            json!({"expires_at": "2026-01-15T00:00:00Z"}),
            "2026-01-15T00:00:00.000000Z",
        ),
    ] {
        assert_eq!(key(&passing, body).await.0["expires_at"], expires_at);
    }
    let (_, low) = key(&world.admin, json!({"role": "reader"})).await;
    let (_, holder) = key(&low, json!({"role": "admin"})).await;
    assert_eq!(holder.get("me").await.json()["role"], "reader");
    // An admin makes keys for others, and those have the others' roles.
    let reader = world.reader.get("me").await.json()["user"]["id"].clone();
    let (_, holder) = key(&world.admin, json!({"user_id": reader, "role": "admin"})).await;
    assert_eq!(holder.get("me").await.json()["role"], "reader");
    let nobody = json!({"user_id": "01890000-0000-7000-8000-000000000000"});
    world
        .admin
        .post("keys", &nobody)
        .await
        .problem(404, "not_found");
}

async fn everybody_sees_their_own_keys_and_an_admin_all(world: World) {
    let (own, _) = key(&world.reader, json!({"name": "own"})).await;
    let (other, _) = key(&world.editor, json!({"name": "other"})).await;
    let names = |page: &Json| {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&world.reader.get("keys").await.is(200).json()),
        ["own", "test"]
    );
    assert_eq!(
        names(&world.admin.get("keys").await.is(200).json()),
        ["other", "own", "test", "test", "first key"]
    );
    let paged = world.admin.all("keys", &[("limit", "2")]).await;
    let mut whole = world.admin.get("keys").await.json();
    // When a key was last used is written beside the requests.
    let without_use = |items: &mut Vec<Json>| {
        items.iter_mut().for_each(|key| {
            key.as_object_mut().unwrap().remove("last_used_at");
        });
        items.clone()
    };
    assert_eq!(
        without_use(&mut paged.clone()),
        without_use(whole["items"].as_array_mut().unwrap())
    );
    for (method, below) in [("GET", ""), ("POST", "/revoke")] {
        world
            .reader
            .request(method, &format!("{}{below}", key_path(&other)))
            .send()
            .await
            .problem(404, "not_found");
        world
            .admin
            .request(method, &format!("{}{below}", key_path(&own)))
            .send()
            .await
            .is(200);
    }
    key(
        &world.admin,
        json!({"name": "narrow", "scopes": ["library:read"], "role": "reader"}),
    )
    .await;
    let narrow = [("filter", "name = \"narrow\"")];
    let narrow = world.admin.query("keys", &narrow).await.is(200).json();
    assert_eq!(
        (&narrow["items"][0]["scopes"], &narrow["items"][0]["role"]),
        (&json!(["library:read"]), &json!("reader"))
    );
    // What is not the caller's is neither found nor counted.
    let asked = [
        ("filter", "name:*"),
        ("sort", "created_at"),
        ("total", "true"),
    ];
    let page = world.reader.query("keys", &asked).await.is(200).json();
    assert_eq!(
        (names(&page), &page["total"]),
        (vec!["test".to_owned(), "own".to_owned()], &json!(2))
    );
    let revoked = [("filter", "revoked_at:*"), ("total", "true")];
    let page = world.admin.query("keys", &revoked).await.is(200).json();
    assert_eq!(
        (names(&page), &page["total"]),
        (vec!["own".to_owned()], &json!(1))
    );
    let cursor = world.admin.get("keys?limit=1").await.json()["next_cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    world
        .reader
        .query("keys", &[("cursor", &cursor)])
        .await
        .has_fault(400, "cursor", "bad_cursor");
}

async fn only_a_bearer_key_opens_the_door(world: World) {
    let (created, _) = key(&world.admin, json!({})).await;
    let secret = created["secret"].as_str().unwrap();
    let wrong = format!("{}A", &secret[..secret.len() - 1]);
    for value in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Basic {secret}"),
        secret.to_owned(),
        format!("Bearer {secret}x"),
        format!("Bearer {}", &secret[..secret.len() - 1]),
        if wrong == secret {
            "Bearer ph_".to_owned()
        } else {
            format!("Bearer {wrong}")
        },
        format!("Bearer ph_{}", "x".repeat(5_000)),
        "Bearer ph_' OR 1=1 --".to_owned(),
    ] {
        let reply = world
            .anonymous
            .request("GET", "me")
            .header("authorization", &value)
            .send()
            .await;
        reply.problem(401, "unauthenticated");
        assert_eq!(
            reply.header("www-authenticate"),
            Some("Bearer realm=\"pharos\"")
        );
    }
    for scheme in ["Bearer", "bearer", "BEARER"] {
        world
            .anonymous
            .request("GET", "me")
            .header("authorization", &format!("{scheme} {secret}"))
            .send()
            .await
            .is(200);
    }
}
