//! Secrets appear nowhere: every command and the server run at the level `trace` with a password full of special
//! characters and with an API key, and what they print, log and answer is searched for both.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::harness::{Cluster, Process, block_on, pharos_binary};

const PASSWORD: &str = "p#!$@x%/";

const WRONG: &str = "w#!$@x%/";

/// The passwords as they are and as a URL, JSON or Rust may write them, and the key.
fn needles(key: &str) -> Vec<String> {
    let mut needles = vec![key.to_owned()];
    for password in [PASSWORD, WRONG] {
        let encoded =
            percent_encoding::utf8_percent_encode(password, percent_encoding::NON_ALPHANUMERIC);
        needles.push(encoded.to_string());
        needles.push(encoded.to_string().to_lowercase());
        needles.push(password.to_owned());
        needles.push(password.replace('/', "\\/"));
        // Up to where a parser might cut it off.
        needles.push(password[..5].to_owned());
        needles.push(password[2..].to_owned());
    }
    needles
}

#[track_caller]
fn search(what: &str, text: &str, needles: &[String]) {
    for needle in needles {
        if let Some(at) = text.find(needle.as_str()) {
            let begin = text[..at]
                .char_indices()
                .rev()
                .nth(200)
                .map_or(0, |(at, _)| at);
            panic!(
                "{what} has `{needle}`: …{}",
                &text[begin..at + needle.len()]
            );
        }
    }
}

#[test]
fn no_secret_is_printed_logged_or_answered() {
    block_on(async {
        let cluster = match Cluster::start("synchronous_commit = on\n") {
            Ok(cluster) => cluster,
            Err(trouble) => return println!("skipped: {trouble}"),
        };
        cluster
            .execute(&format!(
                "CREATE ROLE keeper LOGIN SUPERUSER PASSWORD '{PASSWORD}'"
            ))
            .await;
        cluster
            .execute("CREATE DATABASE library OWNER keeper")
            .await;
        let access = "local all all trust\nhost all keeper 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";
        std::fs::write(cluster.data().join("pg_hba.conf"), access).expect("access");
        cluster.execute("SELECT pg_reload_conf()").await;
        let log = cluster.data().join("pharos.log");
        for (format, url) in [
            ("text", url_with(&cluster, PASSWORD)),
            ("json", url_with(&cluster, "p%23%21%24%40x%25%2F")),
        ] {
            let key = run(
                &url,
                &[
                    "key",
                    "create",
                    "editor@example.org",
                    "--role",
                    "editor",
                    "--quiet",
                ],
                &[],
            )
            .0;
            let key = key.trim().to_owned();
            assert!(key.starts_with("ph_"), "{key}");
            let needles = needles(&key);
            serve(&cluster, &url, format, &key, &needles, &log).await;
            commands(&cluster, &url, &needles);
        }
    });
}

fn url_with(cluster: &Cluster, password: &str) -> String {
    format!(
        "postgres://keeper:{password}@127.0.0.1:{}/library",
        cluster.port
    )
}

/// The server with all that it answers, also while its database is away.
async fn serve(
    cluster: &Cluster,
    url: &str,
    format: &str,
    key: &str,
    needles: &[String],
    log: &Path,
) {
    let file = File::create(log).expect("a log");
    let settings = [
        ("RUST_LOG", "trace"),
        ("PHAROS_LOG_FORMAT", format),
        ("SLOW_QUERY_THRESHOLD", "0ms"),
        ("DATABASE_MIN_CONNECTIONS", "1"),
    ];
    let server = Process::start_with(url, &settings, Stdio::from(file)).await;
    let admin = run(
        url,
        &[
            "key",
            "create",
            "admin@localhost",
            "--role",
            "admin",
            "--quiet",
        ],
        &[],
    )
    .0;
    let admin = crate::harness::Client::new(server.address, Some(admin.trim().to_owned()));
    let editor = admin.with_key(key);
    let mut answers = Vec::new();
    let made = editor
        .post("resources", &json!({"title": "Public"}))
        .await
        .is(201);
    answers.push(made.text());
    cluster.restart_immediately().expect("a restart");
    for path in [
        "me",
        "resources?filter=title=",
        "resources?filter=title%20%3D%20%22Public%22",
        "search?q=public",
        "keys",
        "users",
        "nothing",
        "/metrics",
        "/readyz",
        "monitoring/database",
        "monitoring/slow-queries?limit=200",
    ] {
        for client in [&editor, &admin] {
            let reply = client.get(path).await;
            answers.push(format!("{:?} {}", reply.headers, reply.text()));
        }
    }
    editor
        .request("POST", "resources")
        .header("content-type", "text/plain")
        .body("no")
        .send()
        .await;
    let report = admin
        .get("monitoring/slow-queries?limit=200")
        .await
        .is(200)
        .json();
    assert!(
        report["items"]
            .as_array()
            .is_some_and(|items| items.len() > 5),
        "{report}"
    );
    cluster.signal("STOP");
    for path in ["/readyz", "me", "resources", "/metrics"] {
        let reply = editor.get(path).await;
        answers.push(format!("{:?} {}", reply.headers, reply.text()));
    }
    cluster.signal("CONT");
    assert_eq!(server.terminate().await, Some(0));
    search("an answer", &answers.join("\n"), needles);
    let logged = std::fs::read_to_string(log).expect("the log");
    assert!(
        logged.contains("slow statement") && logged.contains("TRACE"),
        "{logged}"
    );
    if format == "json" {
        let lines = logged.lines().map(|line| {
            let parsed: Result<serde_json::Value, _> = serde_json::from_str(line);
            parsed.unwrap_or_else(|error| panic!("{error}: {line}"))
        });
        let slow: Vec<_> = lines
            .map(|line| line["fields"].clone())
            .filter(|fields| fields["message"] == "slow statement")
            .collect();
        let ours = slow
            .iter()
            .find(|fields| fields["route"] == "GET /api/v1/search");
        let ours = ours.unwrap_or_else(|| panic!("{slow:?}"));
        assert!(ours["sql"].is_string() && ours["request_id"].is_string());
        assert!(ours["milliseconds"].is_number(), "{ours}");
    }
    search("the log", &logged, needles);
}

/// Every command, and what is said when the database refuses.
fn commands(cluster: &Cluster, url: &str, needles: &[String]) {
    let wrong = url_with(cluster, WRONG);
    let nowhere = format!("postgres://keeper:{PASSWORD}@127.0.0.1:1/library");
    let bad = [
        format!("mysql://keeper:{PASSWORD}@127.0.0.1/library"),
        format!("postgres://keeper:{PASSWORD}@127.0.0.1:{}/", cluster.port),
        format!("postgres://keeper:{PASSWORD}@127.0.0.1:port/library"),
        format!("{url}?color=red"),
        format!("{url}?sslmode=perhaps"),
        format!("{url}?sslmode=require"),
        format!("{url}?sslmode=verify-full&sslrootcert=/nowhere"),
    ];
    let without = format!("postgres://keeper@127.0.0.1:{}/library", cluster.port);
    for arguments in [
        &["--help"][..],
        &["migrate", "status"],
        &["doctor"],
        &["doctor", "--json"],
        &["search", "public"],
        &["export", "resources"],
        &["user", "list"],
        &["key", "list"],
        &["index", "list"],
        &["reindex"],
        &["import", "resources", "/nowhere.csv"],
        &["openapi"],
    ] {
        // One that asks the database and one that explains are enough for the many ways to be refused.
        let thorough = ["migrate", "doctor"].contains(&arguments[0]);
        let bad = bad.iter().map(String::as_str).filter(|_| thorough);
        let refused = [wrong.as_str(), &nowhere].into_iter().chain(bad);
        for url in std::iter::once(url).chain(refused) {
            let (output, errors) = run(url, arguments, &[]);
            search(&format!("{arguments:?} on stdout"), &output, needles);
            search(&format!("{arguments:?} on stderr"), &errors, needles);
        }
        for password in [PASSWORD, WRONG].into_iter().filter(|_| thorough) {
            let (output, errors) = run(&without, arguments, &[("DATABASE_PASSWORD", password)]);
            search(&format!("{arguments:?} on stdout"), &output, needles);
            search(&format!("{arguments:?} on stderr"), &errors, needles);
        }
        // There the first connection is all that is needed to know.
        if arguments[0] == "migrate" {
            let (_, errors) = run(&wrong, arguments, &[]);
            assert!(
                errors.contains("password authentication failed"),
                "{errors}"
            );
        }
    }
}

fn run(url: &str, arguments: &[&str], environment: &[(&str, &str)]) -> (String, String) {
    let output = Command::new(pharos_binary())
        .args(arguments)
        .current_dir("/")
        .env("DATABASE_URL", url)
        .env("DATABASE_ACQUIRE_TIMEOUT", "300ms")
        .env("RUST_LOG", "trace")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("pharos");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}
