//! The program on the command line: what it prints, and its exit code.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value as Json, json};

use crate::harness::{Backend, Client, Process, Scratch, pharos_binary};

backend_matrix![
    files_are_imported_once_and_exported_again,
    classification_codes_are_imported,
    users_and_keys_are_made_listed_and_revoked,
    the_schema_is_shown_and_changed,
    a_search_answers_as_the_api_does,
    a_query_may_begin_with_a_minus,
    whoever_stops_reading_ends_the_program_quietly,
];

struct Program {
    database_url: String,
}

struct Said {
    code: i32,
    output: String,
    errors: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code().unwrap(),
            output: text(output.stdout),
            errors: text(output.stderr),
        }
    }
}

impl Said {
    #[track_caller]
    fn well(self) -> String {
        assert_eq!(self.code, 0, "{}\n{}", self.output, self.errors);
        self.output
    }

    #[track_caller]
    fn lines(self) -> Vec<Json> {
        self.well()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Program {
    fn on(scratch: &Scratch) -> Self {
        Self {
            database_url: scratch.url.clone(),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(pharos_binary());
        command
            .args(arguments)
            .current_dir(std::env::temp_dir())
            .env("DATABASE_URL", &self.database_url);
        command
            .env("DATABASE_MIN_CONNECTIONS", "0")
            .env("RUST_LOG", "warn")
            .env_remove("DATABASE_PASSWORD");
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        self.command(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
            .into()
    }

    fn run_with(&self, arguments: &[&str], input: &[u8]) -> Said {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap().into()
    }
}

fn sums(said: Said) -> Json {
    serde_json::from_str(&said.output)
        .unwrap_or_else(|error| panic!("{error}: {} {}", said.output, said.errors))
}

fn compressed(path: &Path, text: &str) {
    let file = std::fs::File::create(path).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap();
}

async fn files_are_imported_once_and_exported_again(backend: Backend) {
    let (scratch, folder) = (
        Scratch::empty(backend).await,
        Scratch::empty(Backend::Sqlite).await,
    );
    let program = Program::on(&scratch);
    let file = |name: &str| {
        folder
            .folder_of_files()
            .join(name)
            .to_str()
            .unwrap()
            .to_owned()
    };
    let (csv, ndjson, broken, rejects) = (
        file("a.csv.gz"),
        file("b.jsonl"),
        file("c.csv"),
        file("rejects.ndjson"),
    );
    compressed(
        Path::new(&csv),
        "title,identifier,subject,pages\nOne,p1,x|y,3\nTwo,p2,,\n",
    );
    std::fs::write(&ndjson, "{\"title\": \"Three\", \"identifier\": \"p3\"}\n").unwrap();
    std::fs::write(&broken, "title,identifier\n,p4\nFive,p5\n").unwrap();

    let said = program.run(&["import", "resources", &csv, &ndjson]);
    assert_eq!(
        said.well(),
        "read 3, inserted 3, updated 0, unchanged 0, rejected 0\n"
    );
    let again = program.run(&["import", "resources", "--json", &csv, &ndjson]);
    assert_eq!(
        sums(again),
        json!({"read": 3, "inserted": 0, "updated": 0, "unchanged": 3, "rejected": 0})
    );
    let partly = program.run(&["import", "resources", &broken, "--rejects", &rejects]);
    assert_eq!(
        (partly.code, partly.output.as_str()),
        (
            1,
            "read 2, inserted 1, updated 0, unchanged 0, rejected 1\n"
        )
    );
    assert!(partly.errors.contains("c.csv:2: "), "{}", partly.errors);
    let kept: Json = serde_json::from_str(&std::fs::read_to_string(&rejects).unwrap()).unwrap();
    assert_eq!(
        (&kept["line"], &kept["row"]),
        (&json!(2), &json!(["", "p4"]))
    );

    let exported = program.run(&["export", "resources"]).well();
    assert_eq!(exported.lines().count(), 4);
    let other = Scratch::empty(backend).await;
    let other = Program::on(&other);
    let said = other.run_with(&["import", "resources", "-", "--json"], exported.as_bytes());
    assert_eq!(sums(said)["inserted"], 4);
    // Rows of one millisecond have their order by chance.
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(
        sorted(&other.run(&["export", "resources"]).well()),
        sorted(&exported)
    );
    let said = other.run_with(
        &[
            "import",
            "resources",
            "-",
            "--stdin-format",
            "csv",
            "--json",
        ],
        b"title,identifier\nSix,p6\n",
    );
    assert_eq!(sums(said)["inserted"], 1);

    for (arguments, code) in [
        (&["import", "resources", "/nowhere/x.csv"][..], 1),
        (&["import", "resources", "x.pdf"], 1),
        (&["import", "planets", &csv], 2),
        (&["import", "resources"], 2),
        (&["export", "planets"], 2),
        (&["fly"], 2),
    ] {
        let said = program.run(arguments);
        assert_eq!(
            (said.code, said.output.as_str(), said.errors.is_empty()),
            (code, "", false),
            "{arguments:?}"
        );
    }
}

async fn classification_codes_are_imported(backend: Backend) {
    let (scratch, folder) = (
        Scratch::migrated(backend).await,
        Scratch::empty(Backend::Sqlite).await,
    );
    let program = Program::on(&scratch);
    let file = folder.folder_of_files().join("codes.csv");
    std::fs::write(
        &file,
        "code,label\n510,Mathematics\n500,Science\n\"a b\",x\n",
    )
    .unwrap();
    let said = program.run(&["import", "classification-codes", file.to_str().unwrap()]);
    assert_eq!(said.code, 1, "{}", said.errors);
    assert_eq!(
        said.output,
        "read 3, inserted 2, updated 0, unchanged 0, rejected 1\n"
    );
    assert!(said.errors.contains("codes.csv:4: "), "{}", said.errors);
    let beneath = "SELECT count(*) FROM classification_codes WHERE parent_code = '500'";
    assert_eq!(scratch.number(beneath).await, 1);
}

async fn users_and_keys_are_made_listed_and_revoked(backend: Backend) {
    let scratch = Scratch::empty(backend).await;
    let program = Program::on(&scratch);
    let mut server = Process::start(&scratch.url).await;
    let admin = server.first_admin().await;
    let key = program
        .run(&[
            "key",
            "create",
            "someone@example.org",
            "--role",
            "editor",
            "--quiet",
        ])
        .well();
    let holder = Client::new(server.address, Some(key.trim().to_owned()));
    let me = holder.get("me").await.is(200).json();
    assert_eq!(
        (&me["user"]["email"], &me["role"]),
        (&json!("someone@example.org"), &json!("editor"))
    );
    let short = program
        .run(&[
            "key",
            "create",
            "someone@example.org",
            "--role",
            "reader",
            "--expires",
            "1h",
        ])
        .well();
    assert!(short.contains("the key is not shown again"), "{short}");
    let keys = program.run(&["key", "list", "--json"]).lines();
    assert_eq!(keys.len(), 3);
    assert!(
        keys[0]["expires_at"].is_string() && keys[0]["role"] == "reader",
        "{:?}",
        keys[0]
    );
    program
        .run(&["key", "revoke", me["key_id"].as_str().unwrap()])
        .well();
    holder.get("me").await.problem(401, "unauthenticated");
    program
        .run(&["user", "create", "else@example.org", "--role", "admin"])
        .well();
    assert_eq!(program.run(&["user", "create", "ELSE@example.org"]).code, 1);
    let emails: Vec<Json> = program
        .run(&["user", "list", "--json"])
        .lines()
        .into_iter()
        .map(|user| user["email"].clone())
        .collect();
    assert_eq!(
        emails,
        ["admin@localhost", "else@example.org", "someone@example.org"]
    );
    assert_eq!(
        program
            .run(&["user", "create", "x@example.org", "--role", "king"])
            .code,
        2
    );
    assert_eq!(
        program
            .run(&["key", "create", "x@example.org", "--expires", "soon"])
            .code,
        2
    );
    assert_eq!(program.run(&["key", "revoke", "nonsense"]).code, 1);
    admin.get("me").await.is(200);
    server.kill().await;
}

async fn the_schema_is_shown_and_changed(backend: Backend) {
    let scratch = Scratch::empty(backend).await;
    let program = Program::on(&scratch);
    let states = || {
        let status = program.run(&["migrate", "status"]).well();
        status
            .lines()
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let before = states();
    assert!(
        before.len() >= 8 && before.iter().all(|state| state == "missing"),
        "{before:?}"
    );
    assert_eq!(program.run(&["doctor"]).code, 1);
    program.run(&["migrate", "up"]).well();
    assert!(states().iter().all(|state| state == "applied"));
    program.run(&["migrate", "down", "--steps", "2"]).well();
    assert_eq!(
        states().iter().filter(|state| *state == "missing").count(),
        2
    );
    program.run(&["migrate", "up"]).well();
    let doctor = program.run(&["doctor"]).well();
    assert!(doctor.contains("up to date"), "{doctor}");
    if backend == Backend::Postgres {
        let reserved = "SELECT current_setting('superuser_reserved_connections')::bigint \
                        + COALESCE(current_setting('reserved_connections', true)::bigint, 0)";
        let reserved = scratch.number(reserved).await;
        let words = format!("that the server takes, besides {reserved} for superusers");
        assert!(doctor.contains(&words), "{doctor}");
    }
}

async fn a_search_answers_as_the_api_does(backend: Backend) {
    let scratch = Scratch::empty(backend).await;
    let program = Program::on(&scratch);
    program
        .run_with(
            &["import", "resources", "-"],
            b"{\"title\": \"Lamps of the sea\"}\n{\"title\": \"Other\"}\n",
        )
        .well();
    let mut server = Process::start(&scratch.url).await;
    let admin = server.first_admin().await;
    let answered = admin
        .query("search", &[("q", "lamp sea"), ("limit", "10")])
        .await
        .is(200)
        .json();
    let printed: Json =
        serde_json::from_str(&program.run(&["search", "lamp sea", "--json"]).well()).unwrap();
    assert_eq!(printed, answered);
    let shown = program.run(&["search", "lamp sea"]).well();
    assert!(
        shown.contains("Lamps of the sea") && shown.ends_with("1 of 1 matches\n"),
        "{shown}"
    );
    server.kill().await;
}

async fn a_query_may_begin_with_a_minus(backend: Backend) {
    let scratch = Scratch::empty(backend).await;
    let program = Program::on(&scratch);
    let rows = b"{\"title\": \"Harry the potter\"}\n{\"title\": \"Harry the sailor\"}\n{\"title\": \"Json\"}\n";
    program.run_with(&["import", "resources", "-"], rows).well();
    for arguments in [
        &["search", "-potter harry", "--limit", "5", "--json"][..],
        &["search", "--json", "--limit", "5", "-potter harry"],
        &["search", "--json", "--", "-potter harry"],
    ] {
        let reply: Json = serde_json::from_str(&program.run(arguments).well()).unwrap();
        assert_eq!(reply["total"], 1, "{arguments:?}: {reply}");
        assert_eq!(
            reply["items"][0]["resource"]["title"], "Harry the sailor",
            "{arguments:?}"
        );
    }
    let shown = program.run(&["search", "--", "--json"]).well();
    assert!(shown.ends_with("\n2 of 2 matches\n"), "{shown}");
    let help = program.run(&["search", "--help"]).well();
    assert!(help.contains("pharos search -- --json"), "{help}");
}

async fn whoever_stops_reading_ends_the_program_quietly(backend: Backend) {
    let scratch = Scratch::empty(backend).await;
    let program = Program::on(&scratch);
    program
        .run_with(
            &["import", "resources", "-"],
            b"{\"title\": \"Lamps of the sea\"}\n",
        )
        .well();
    program.run(&["user", "create", "a@example.org"]).well();
    program.run(&["key", "create", "a@example.org"]).well();
    for arguments in [
        &["search", "lamp", "--json"][..],
        &["search", "lamp"],
        &["export", "resources"],
        &["doctor"],
        &["migrate", "status", "--json"],
        &["user", "list"],
        &["key", "list", "--json"],
        &["reindex"],
        &["openapi"],
    ] {
        let mut child = program
            .command(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let said = Said::from(child.wait_with_output().unwrap());
        assert_eq!(
            (said.code, said.errors.as_str()),
            (141, ""),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_url_that_cannot_be_used_is_refused_by_name_and_no_password_is_printed() {
    for (url, part) in [
        ("mysql://user:s3cr3t@host/db", "`mysql`"),
        ("postgres://user:s3cr3t@127.0.0.1:1/db", "127.0.0.1:1/db"),
        ("postgres://user:s3cr3t@127.0.0.1/db?colour=red", "`colour`"),
        (
            "postgres://user:s3cr3t@127.0.0.1/db?sslmode=foo",
            "sslmode `foo` is unknown: use disable, allow, prefer, require, verify-ca, verify-full: mend DATABASE_URL",
        ),
        ("sqlite::memory:", "in-memory"),
        ("nothing", "no scheme"),
    ] {
        let program = Program {
            database_url: url.to_owned(),
        };
        for arguments in [
            &["doctor"][..],
            &["migrate", "up"],
            &["export", "resources"],
        ] {
            let said = program.run(arguments);
            let all = format!("{}{}", said.output, said.errors);
            assert_eq!(said.code, 1, "{url} {arguments:?}: {all}");
            assert!(!all.contains("s3cr3t"), "{all}");
            if arguments == ["doctor"] {
                assert!(all.contains(part), "{url}: {all}");
            }
        }
    }
}

#[test]
fn the_doctor_says_what_makes_a_file_that_is_not_there() {
    let program = Program {
        database_url: "sqlite://no/such/folder/pharos.db".to_owned(),
    };
    let said = program.run(&["doctor"]);
    assert_eq!(said.code, 1);
    let expected = "there is no file no/such/folder/pharos.db: run `pharos migrate up`";
    assert!(said.output.contains(expected), "{}", said.output);
}

#[test]
fn the_printed_openapi_document_is_the_reviewed_one() {
    let program = Program {
        database_url: "sqlite://unused".to_owned(),
    };
    let printed = program.run(&["openapi"]).well();
    let reviewed =
        std::fs::read_to_string(crate::harness::repository().join("docs/openapi.json")).unwrap();
    assert_eq!(printed, reviewed);
}
