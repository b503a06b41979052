//! The schema: up, down, up again, by several at once, and what it does for other tools.

use std::sync::Arc;

use serde_json::json;
use service::accounts::{Actor, Role};
use service::database::{Database, DatabaseError, DatabaseUrl};
use service::library::ResourceFields;
use service::random::SystemRandom;
use service::{Environment, Pharos};
use uuid::Uuid;

use crate::harness::{Backend, Scratch, World, resource, small_options};
use crate::idempotency::keyed;

backend_matrix![
    the_schema_goes_up_and_down_and_up_again,
    every_step_goes_down_and_up_by_itself,
    several_instances_may_start_at_once,
];

matrix![
    a_row_that_another_tool_changes_gets_a_new_version_and_time,
    a_library_without_its_schema_is_not_ready,
    what_hangs_on_a_resource_goes_with_it,
    no_resource_is_of_a_user_who_is_not_there,
];

const TABLES: [&str; 35] = [
    "ab_test_experiments",
    "annotation_words",
    "annotations",
    "api_keys",
    "authority_checks",
    "authority_creators",
    "authority_epoch",
    "authority_forms",
    "authority_publishers",
    "authority_rewrites",
    "authority_subjects",
    "citations",
    "classification_codes",
    "collection_members",
    "collection_resources",
    "collections",
    "discovery_hypotheses",
    "graph_edges",
    "graph_embeddings",
    "idempotency_keys",
    "model_versions",
    "prediction_logs",
    "recommendation_feedback",
    "resource_identifiers",
    "resource_ranks",
    "resource_taxonomy",
    "resources",
    "retraining_runs",
    "search_documents",
    "settings",
    "taxonomy_nodes",
    "taxonomy_predictions",
    "user_interactions",
    "user_profiles",
    "users",
];

async fn connect(scratch: &Scratch) -> Database {
    let url = DatabaseUrl::parse(&scratch.url).unwrap();
    Database::connect(&url, &small_options(), Arc::new(SystemRandom))
        .await
        .unwrap()
}

async fn tables_that_are_there(scratch: &Scratch, backend: Backend) -> Vec<&'static str> {
    let mut found = Vec::new();
    for table in TABLES {
        let count = match backend {
            Backend::Sqlite => format!(
                "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '{table}'"
            ),
            Backend::Postgres => format!(
                "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename = '{table}'"
            ),
        };
        if scratch.number(&count).await == 1 {
            found.push(table);
        }
    }
    found
}

/// Everything but the list of applied steps.
async fn things_that_are_left(scratch: &Scratch, backend: Backend) -> i64 {
    let count = match backend {
        Backend::Sqlite => {
            "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' AND tbl_name <> 'seaql_migrations'"
        }
        Backend::Postgres => {
            "SELECT (SELECT count(*) FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'seaql_migrations%') \
             + (SELECT count(*) FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace)"
        }
    };
    scratch.number(count).await
}

async fn the_schema_goes_up_and_down_and_up_again(backend: Backend) {
    let scratch = Scratch::empty(backend).await;
    let database = connect(&scratch).await;
    let steps = database.migration_status().await.unwrap();
    assert!(steps.iter().all(|step| !step.applied), "{steps:?}");
    let count = u32::try_from(steps.len()).unwrap();
    assert_eq!(database.pending_migrations().await.unwrap(), steps.len());
    database.migrate_up().await.unwrap();
    assert_eq!(database.pending_migrations().await.unwrap(), 0);
    assert_eq!(tables_that_are_there(&scratch, backend).await, TABLES);
    let made = things_that_are_left(&scratch, backend).await;
    database.migrate_down(count).await.unwrap();
    assert_eq!(things_that_are_left(&scratch, backend).await, 0);
    database.migrate_up().await.unwrap();
    assert_eq!(things_that_are_left(&scratch, backend).await, made);
    database.migrate_up().await.unwrap();
    let pharos = Pharos::on(database, Environment::default()).await.unwrap();
    assert!(pharos.create_first_admin().await.unwrap().is_some());
    assert!(pharos.create_first_admin().await.unwrap().is_none());
}

async fn every_step_goes_down_and_up_by_itself(backend: Backend) {
    let scratch = Scratch::migrated(backend).await;
    let database = connect(&scratch).await;
    let made = things_that_are_left(&scratch, backend).await;
    let count = database.migration_status().await.unwrap().len();
    for steps in 1..=count {
        for _ in 0..steps {
            database.migrate_down(1).await.unwrap();
        }
        assert_eq!(database.pending_migrations().await.unwrap(), steps);
        database.migrate_up().await.unwrap();
        assert_eq!(things_that_are_left(&scratch, backend).await, made);
    }
}

async fn several_instances_may_start_at_once(backend: Backend) {
    let scratch = Scratch::empty(backend).await;
    let url = DatabaseUrl::parse(&scratch.url).unwrap();
    let starts = (0..4).map(|_| {
        let url = url.clone();
        tokio::spawn(async move {
            Pharos::open(&url, &small_options(), Environment::default())
                .await
                .map(Arc::new)
        })
    });
    let mut instances = Vec::new();
    for start in starts.collect::<Vec<_>>() {
        instances.push(start.await.unwrap().unwrap());
    }
    let steps = instances[0].database().migration_status().await.unwrap();
    assert_eq!(
        scratch
            .number("SELECT count(*) FROM seaql_migrations")
            .await,
        i64::try_from(steps.len()).unwrap()
    );
    assert_eq!(
        scratch
            .number("SELECT count(*) FROM settings WHERE name = 'cursor_secret'")
            .await,
        1
    );
    let admins = instances.iter().map(|pharos| {
        let pharos = Arc::clone(pharos);
        tokio::spawn(async move { pharos.create_first_admin().await.unwrap().is_some() })
    });
    let mut made = 0;
    for admin in admins.collect::<Vec<_>>() {
        made += usize::from(admin.await.unwrap());
    }
    assert_eq!(made, 1, "exactly one start is the first");
}

async fn a_row_that_another_tool_changes_gets_a_new_version_and_time(world: World) {
    let created = resource(&world, json!({"title": "Before"})).await;
    let path = format!("resources/{}", created["id"].as_str().unwrap());
    world
        .scratch
        .execute("UPDATE resources SET title = 'After'")
        .await
        .unwrap();
    let reply = world.reader.get(&path).await.is(200);
    let changed = reply.json();
    assert_eq!(
        (&changed["title"], &changed["version"]),
        (&json!("After"), &json!(2))
    );
    assert_eq!(reply.header("etag"), Some("\"2\""));
    let time = changed["updated_at"].as_str().unwrap();
    assert!(
        time > created["updated_at"].as_str().unwrap() && time.len() == 27,
        "{time}"
    );
    assert_eq!(changed["created_at"], created["created_at"]);
    world
        .editor
        .patch(&path, "\"1\"", &json!({"title": "Stale"}))
        .await
        .problem(412, "stale_version");
    let patched = world
        .editor
        .patch(&path, "\"2\"", &json!({"title": "Third"}))
        .await
        .is(200)
        .json();
    assert_eq!(patched["version"], 3);
    assert!(patched["updated_at"].as_str() > changed["updated_at"].as_str());
    // Whoever sets both keeps what was set.
    world
        .scratch
        .execute("UPDATE resources SET version = 9, updated_at = '2030-01-02T03:04:05.000006Z'")
        .await
        .unwrap();
    let set = world.reader.get(&path).await.json();
    assert_eq!(
        (&set["version"], &set["updated_at"]),
        (&json!(9), &json!("2030-01-02T03:04:05.000006Z"))
    );
    world
        .scratch
        .execute("UPDATE users SET display_name = 'Renamed' WHERE email = 'reader@example.org'")
        .await
        .unwrap();
    let user = world.reader.get("me").await.json()["user"].clone();
    assert!(
        user["updated_at"].as_str() > user["created_at"].as_str(),
        "{user}"
    );
}

async fn a_library_without_its_schema_is_not_ready(world: World) {
    assert_eq!(
        world.anonymous.get("/readyz").await.is(200).text(),
        "ready\n"
    );
    world.pharos.database().migrate_down(1).await.unwrap();
    let reply = world.anonymous.get("/readyz").await;
    reply.problem(503, "not_ready");
    assert!(reply.header("retry-after").is_some());
    assert_eq!(world.anonymous.get("/livez").await.is(200).text(), "ok\n");
    world.pharos.database().migrate_up().await.unwrap();
    world.anonymous.get("/readyz").await.is(200);
}

async fn what_hangs_on_a_resource_goes_with_it(world: World) {
    let created = resource(&world, json!({"title": "Held"})).await;
    let other = resource(&world, json!({"title": "Other"})).await;
    let id = |item: &serde_json::Value| {
        let plain = item["id"].as_str().unwrap().replace('-', "");
        match world.backend {
            Backend::Sqlite => format!("x'{plain}'"),
            Backend::Postgres => format!("'{plain}'"),
        }
    };
    let (held, kept) = (id(&created), id(&other));
    let now = "'2026-01-01T00:00:00.000000Z'";
    let owner = "(SELECT id FROM users WHERE role = 'admin')";
    for sql in [
        format!(
            "INSERT INTO collections (id, owner_id, name, created_at, updated_at) VALUES ({kept}, {owner}, 'c', {now}, {now})"
        ),
        format!(
            "INSERT INTO collection_resources (collection_id, resource_id, position, added_at) VALUES ({kept}, {held}, 1, {now})"
        ),
        format!(
            "INSERT INTO citations (id, citing_id, cited_id, citation_type, created_at, updated_at) VALUES ({held}, {kept}, {held}, 'cites', {now}, {now})"
        ),
        format!(
            "INSERT INTO citations (id, citing_id, citation_type, created_at, updated_at) VALUES ({kept}, {held}, 'cites', {now}, {now})"
        ),
    ] {
        if let Err(error) = world.scratch.execute(&sql).await {
            panic!("{sql}: {error}");
        }
    }
    world
        .editor
        .delete(
            &format!("resources/{}", created["id"].as_str().unwrap()),
            "*",
        )
        .await
        .is(204);
    for (sql, count) in [
        ("SELECT count(*) FROM collections", 1),
        ("SELECT count(*) FROM collection_resources", 0),
        ("SELECT count(*) FROM citations", 1),
        ("SELECT count(*) FROM citations WHERE cited_id IS NULL", 1),
        ("SELECT count(*) FROM search_documents", 1),
    ] {
        assert_eq!(world.scratch.number(sql).await, count, "{sql}");
    }
}

async fn no_resource_is_of_a_user_who_is_not_there(world: World) {
    let nobody = Actor {
        user_id: Uuid::from_u128(1),
        key_id: Uuid::from_u128(2),
        email: "nobody@example.org".to_owned(),
        role: Role::Editor,
        scopes: None,
        expires_at: None,
    };
    let fields = ResourceFields {
        title: "Of nobody".to_owned(),
        metadata: json!({}),
        ..ResourceFields::default()
    };
    // Those that are written together with it stand, also one whose reply is kept and which runs but once.
    let (keyed_body, all) = (json!({"title": "Kept for its key"}), 0..8);
    let (refused, stored, replies) = futures_util::join!(
        world.pharos.create_resource(&nobody, fields),
        futures_util::future::join_all(
            all.clone()
                .map(|number| resource(&world, json!({"title": format!("Kept {number}")})))
        ),
        futures_util::future::join_all(all.map(|number| {
            let key = format!("key-{number}");
            keyed(&world.editor, "resources", &key, &keyed_body).send()
        })),
    );
    for reply in replies {
        reply.is(201);
    }
    assert!(
        matches!(
            refused,
            Err(service::Error::Database(DatabaseError::ForeignKey(_)))
        ),
        "{refused:?}"
    );
    assert_eq!(stored.len(), 8);
    let listed = world.reader.get("resources?limit=20").await.is(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 16, "{listed}");
    let value = match world.backend {
        Backend::Sqlite => "x'00000000000000000000000000000001'",
        Backend::Postgres => "'00000000-0000-0000-0000-000000000001'",
    };
    let update = format!("UPDATE resources SET created_by = {value}");
    for sql in [update.clone(), format!("BEGIN; {update}; COMMIT")] {
        let error = world.scratch.execute(&sql).await.unwrap_err();
        assert!(error.to_lowercase().contains("foreign key"), "{error}");
    }
    let kept = format!("SELECT count(*) FROM resources WHERE created_by = {value}");
    assert_eq!(world.scratch.number(&kept).await, 0);
}
