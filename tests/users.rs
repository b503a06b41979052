//! Users.

use serde_json::{Value as Json, json};

use crate::harness::World;
use crate::keys::key;

matrix![
    a_disabled_user_is_refused_until_enabled_again,
    the_last_admin_stays,
    an_address_is_taken_once,
    a_user_that_breaks_rules_is_refused_with_every_place,
    a_user_is_changed_in_the_version_that_was_read,
    an_address_can_be_changed_to_a_free_one,
    users_are_listed_in_pages,
    a_deleted_user_takes_their_keys_along,
];

async fn user(world: &World, email: &str, role: &str) -> Json {
    world
        .admin
        .post("users", &json!({"email": email, "role": role}))
        .await
        .is(201)
        .json()
}

async fn a_disabled_user_is_refused_until_enabled_again(world: World) {
    let id = world.reader.get("me").await.json()["user"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("users/{id}");
    let disabled = world
        .admin
        .patch(&path, "*", &json!({"disabled": true}))
        .await
        .is(200)
        .json();
    assert!(disabled["disabled_at"].is_string(), "{disabled}");
    world.reader.get("me").await.problem(401, "unauthenticated");
    world
        .admin
        .patch(&path, "*", &json!({"disabled": false}))
        .await
        .is(200);
    world.reader.get("me").await.is(200);
    world
        .reader
        .post("resources", &json!({"title": "t"}))
        .await
        .problem(403, "forbidden");
    world
        .admin
        .patch(&path, "*", &json!({"role": "editor"}))
        .await
        .is(200);
    world
        .reader
        .post("resources", &json!({"title": "t"}))
        .await
        .is(201);
}

async fn the_last_admin_stays(world: World) {
    let id = world.admin.get("me").await.json()["user"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("users/{id}");
    for change in [json!({"role": "editor"}), json!({"disabled": true})] {
        world
            .admin
            .patch(&path, "*", &change)
            .await
            .problem(409, "conflict");
    }
    world
        .admin
        .delete(&path, "*")
        .await
        .problem(409, "conflict");
    let other = user(&world, "other@example.org", "admin").await;
    let (_, other_admin) = key(&world.admin, json!({"user_id": other["id"]})).await;
    // Nobody deletes themselves, though another admin were left.
    world
        .admin
        .delete(&path, "*")
        .await
        .problem(409, "conflict");
    world.admin.get("me").await.is(200);
    // Both at once want to be the only one: one of them stays.
    let other_path = format!("users/{}", other["id"].as_str().unwrap());
    let demoted = json!({"role": "reader"});
    let (one, two) = tokio::join!(
        world.admin.patch(&other_path, "*", &demoted),
        other_admin.patch(&path, "*", &demoted)
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert!(
        statuses[0] == 200 && [403, 409].contains(&statuses[1]),
        "{statuses:?}"
    );
    assert_eq!(
        world
            .scratch
            .number("SELECT count(*) FROM users WHERE role = 'admin' AND disabled_at IS NULL")
            .await,
        1
    );
}

async fn an_address_is_taken_once(world: World) {
    let created = user(&world, "  Someone@Example.ORG ", "reader").await;
    assert_eq!(
        (&created["email"], &created["role"], &created["disabled_at"]),
        (&json!("someone@example.org"), &json!("reader"), &Json::Null)
    );
    for email in ["someone@example.org", "SOMEONE@example.org"] {
        world
            .admin
            .post("users", &json!({"email": email}))
            .await
            .problem(409, "conflict");
    }
    let twenty = (0..20).map(|_| {
        let admin = world.admin.clone();
        tokio::spawn(async move {
            admin
                .post("users", &json!({"email": "race@example.org"}))
                .await
                .status
        })
    });
    let mut statuses = Vec::new();
    for task in twenty.collect::<Vec<_>>() {
        statuses.push(task.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (201, &[409; 19][..]));
}

async fn a_user_that_breaks_rules_is_refused_with_every_place(world: World) {
    for (body, place, code) in [
        (json!({}), "/email", "required"),
        (json!({"email": null}), "/email", "required"),
        (json!({"email": 1}), "/email", "type"),
        (json!({"email": "nobody"}), "/email", "format"),
        (json!({"email": "a@b@c"}), "/email", "format"),
        (json!({"email": "@example.org"}), "/email", "format"),
        (json!({"email": "a b@example.org"}), "/email", "format"),
        (json!({"email": "a\u{0}@example.org"}), "/email", "nul"),
        (
            json!({"email": format!("{}@example.org", "a".repeat(250))}),
            "/email",
            "format",
        ),
        (
            json!({"email": "a@example.org", "disabled_at": null}),
            "/disabled_at",
            "read_only",
        ),
        (
            json!({"email": "a@example.org", "role": "owner"}),
            "/role",
            "enum",
        ),
        (
            json!({"email": "a@example.org", "display_name": "n".repeat(201)}),
            "/display_name",
            "too_long",
        ),
        (
            json!({"email": "a@example.org", "password": "x"}),
            "/password",
            "unknown_field",
        ),
        (json!([]), "", "type"),
    ] {
        world
            .admin
            .post("users", &body)
            .await
            .has_fault(422, place, code);
    }
    let all_at_once = json!({"email": "nobody", "role": 1, "more": 1});
    let faults = world.admin.post("users", &all_at_once).await.json()["errors"].clone();
    let places: Vec<&str> = faults
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(places, ["/email", "/role", "/more"]);
    let created = user(&world, "a@example.org", "reader").await;
    let path = format!("users/{}", created["id"].as_str().unwrap());
    for (patch, place, code) in [
        (json!({"disabled": "yes"}), "/disabled", "type"),
        (json!({"role": "owner"}), "/role", "enum"),
        (json!({"role": null}), "/role", "required"),
        (json!({"email": "b@c@example.org"}), "/email", "format"),
        (json!({"email": null}), "/email", "required"),
        (json!({"disabled": null}), "/disabled", "type"),
        (json!({"created_at": null}), "/created_at", "read_only"),
        (json!({"password": "x"}), "/password", "unknown_field"),
    ] {
        world
            .admin
            .patch(&path, "*", &patch)
            .await
            .has_fault(422, place, code);
    }
    let renamed = world
        .admin
        .patch(&path, "*", &json!({"display_name": "Ann"}))
        .await
        .is(200)
        .json();
    assert_eq!(renamed["display_name"], "Ann");
    assert_eq!(
        world
            .admin
            .patch(&path, "*", &json!({"display_name": null}))
            .await
            .is(200)
            .json()["display_name"],
        Json::Null
    );
    world
        .admin
        .get("users/01890000-0000-7000-8000-000000000000")
        .await
        .problem(404, "not_found");
}

async fn a_user_is_changed_in_the_version_that_was_read(world: World) {
    let created = world
        .admin
        .post("users", &json!({"email": "versions@example.org"}))
        .await
        .is(201);
    let path = format!("users/{}", created.json()["id"].as_str().unwrap());
    let first = created.header("etag").unwrap();
    let read = world.admin.get(&path).await.is(200);
    assert_eq!(read.header("etag"), Some(first));
    let again = world.admin.request("GET", &path);
    again.header("if-none-match", first).send().await.is(304);
    let renamed = json!({"display_name": "Vera"});
    // What changes nothing makes no version.
    let same = world
        .admin
        .patch(&path, first, &json!({"role": "reader"}))
        .await;
    assert_eq!(same.is(200).header("etag"), Some(first));
    let changed = world.admin.patch(&path, first, &renamed).await.is(200);
    let second = changed.header("etag").unwrap();
    assert_ne!(second, first);
    let stale = world
        .admin
        .patch(&path, first, &json!({"disabled": true}))
        .await;
    assert_eq!(stale.header("etag"), Some(second));
    stale.problem(412, "stale_version");
    world
        .admin
        .delete(&path, first)
        .await
        .problem(412, "stale_version");
    for method in ["PATCH", "DELETE"] {
        let request = world
            .admin
            .request(method, &path)
            .json(&json!({"disabled": true}));
        request.send().await.problem(428, "precondition_required");
    }
    let now = world.admin.get(&path).await.is(200);
    assert_eq!(
        (now.header("etag"), now.json()),
        (Some(second), changed.json())
    );
    world.admin.delete(&path, second).await.is(204);
}

async fn an_address_can_be_changed_to_a_free_one(world: World) {
    let created = user(&world, "old@example.org", "editor").await;
    let (_, holder) = key(&world.admin, json!({"user_id": created["id"]})).await;
    let path = format!("users/{}", created["id"].as_str().unwrap());
    let taken = json!({"email": "Reader@example.org"});
    let refused = world.admin.patch(&path, "*", &taken).await;
    refused.problem(409, "conflict");
    let moved = world
        .admin
        .patch(&path, "*", &json!({"email": " New@Example.org"}))
        .await
        .is(200);
    assert_eq!(moved.json()["email"], "new@example.org");
    assert_eq!(holder.get("me").await.is(200).json()["user"], moved.json());
    user(&world, "old@example.org", "reader").await;
}

async fn users_are_listed_in_pages(world: World) {
    for name in ["zoë", "bob", "álvaro", "Carol"] {
        user(&world, &format!("{name}@example.org"), "reader").await;
    }
    let users = world.admin.all("users", &[("limit", "2")]).await;
    let emails: Vec<&str> = users
        .iter()
        .map(|user| user["email"].as_str().unwrap())
        .collect();
    let expected = [
        "admin@localhost",
        "bob@example.org",
        "carol@example.org",
        "editor@example.org",
        "reader@example.org",
        "zoë@example.org",
        "álvaro@example.org",
    ];
    assert_eq!(emails, expected);
    let asked = [
        ("filter", "role = \"reader\" AND email:\"o\""),
        ("sort", "-email"),
        ("total", "true"),
        ("limit", "2"),
    ];
    let page = world.admin.query("users", &asked).await.is(200).json();
    assert_eq!(page["total"], 5);
    assert_eq!(page["items"][0]["email"], "álvaro@example.org");
    assert_eq!(world.admin.all("users", &asked).await.len(), 5);
    world
        .admin
        .query("users", &[("sort", "password")])
        .await
        .has_fault(400, "sort@0", "unknown_field");
    let me = world.reader.get("me").await.json()["user"].clone();
    let own = format!("users/{}", me["id"].as_str().unwrap());
    assert_eq!(world.reader.get(&own).await.is(200).json(), me);
    let other = format!("users/{}", users[0]["id"].as_str().unwrap());
    world.reader.get(&other).await.problem(403, "forbidden");
}

async fn a_deleted_user_takes_their_keys_along(world: World) {
    let created = user(&world, "leaving@example.org", "editor").await;
    let (_, leaving) = key(&world.admin, json!({"user_id": created["id"]})).await;
    let resource = leaving
        .post("resources", &json!({"title": "Left behind"}))
        .await
        .is(201)
        .json();
    let path = format!("users/{}", created["id"].as_str().unwrap());
    world.admin.delete(&path, "*").await.is(204);
    leaving.get("me").await.problem(401, "unauthenticated");
    world.admin.get(&path).await.problem(404, "not_found");
    let kept = world
        .reader
        .get(&format!("resources/{}", resource["id"].as_str().unwrap()))
        .await
        .is(200);
    assert_eq!(kept.json(), resource);
    let by = format!("created_by = \"{}\"", created["id"].as_str().unwrap());
    assert_eq!(
        world
            .reader
            .query("resources", &[("filter", &by)])
            .await
            .json()["items"],
        json!([])
    );
}
