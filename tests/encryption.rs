//! TLS to PostgreSQL: every `sslmode` against a server with a certificate authority of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use service::database::{Database, DatabaseOptions, DatabaseUrl};
use service::random::SystemRandom;

use crate::harness::{Cluster, block_on};

/// Who may come how; the first line that fits counts.
const ACCESS: &str = "
local all all trust
host all postgres 127.0.0.1/32 trust
hostssl all only_encrypted 127.0.0.1/32 trust
hostnossl all only_plain 127.0.0.1/32 trust
hostssl all certified 127.0.0.1/32 cert
";

struct Authority<'a> {
    folder: &'a Path,
    name: &'a str,
}

impl Authority<'_> {
    fn certificate(&self) -> PathBuf {
        self.folder.join(format!("{}.crt", self.name))
    }

    fn make(&self) {
        openssl(
            self.folder,
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={0} \
                 -addext basicConstraints=critical,CA:TRUE -keyout {0}.key -out {0}.crt",
                self.name
            ),
        );
    }

    /// A key and a certificate for `name`, `<file>.key` and `<file>.crt`.
    fn sign(&self, file: &str, name: &str) {
        let folder = self.folder;
        let names = format!("subjectAltName=DNS:{name}\nbasicConstraints=CA:FALSE\n");
        std::fs::write(folder.join(format!("{file}.ext")), names).expect("extensions");
        openssl(
            folder,
            &format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} -keyout {file}.key \
                 -out {file}.csr"
            ),
        );
        openssl(
            folder,
            &format!(
                "x509 -req -days 2 -in {file}.csr -CA {0}.crt -CAkey {0}.key -CAcreateserial -extfile {file}.ext \
                 -out {file}.crt",
                self.name
            ),
        );
    }
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()
        .expect("openssl");
    assert!(
        output.status.success(),
        "{arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Whether the connection was encrypted, or why there is none.
async fn connect(url: &str) -> Result<bool, String> {
    let options = DatabaseOptions {
        min_connections: 0,
        ..DatabaseOptions::default()
    };
    let url = DatabaseUrl::parse(url).map_err(|error| error.to_string())?;
    let database = Database::connect(&url, &options, Arc::new(SystemRandom)).await;
    let database = database.map_err(|error| error.to_string())?;
    database.probe().await.map_err(|error| error.to_string())?;
    let report = database.report(Vec::new()).await;
    let report = report.map_err(|error| error.to_string())?.postgresql;
    Ok(report.expect("a report").encrypted.expect("an answer"))
}

#[test]
fn every_sslmode_does_what_it_says_and_a_refusal_says_why() {
    if Command::new("openssl").arg("version").output().is_err() {
        return println!("skipped: there is no openssl");
    }
    block_on(async {
        let cluster = match Cluster::start("synchronous_commit = on\n") {
            Ok(cluster) => cluster,
            Err(trouble) => return println!("skipped: {trouble}"),
        };
        let folder = cluster.data();
        let ours = Authority {
            folder: &folder,
            name: "ours",
        };
        let foreign = Authority {
            folder: &folder,
            name: "foreign",
        };
        ours.make();
        foreign.make();
        ours.sign("server", "localhost");
        ours.sign("certified", "certified");
        foreign.sign("stranger", "certified");
        for file in ["server.key", "server.crt", "ours.crt"] {
            cluster.adopt(&folder.join(file), 0o600);
        }
        std::fs::write(folder.join("pg_hba.conf"), ACCESS).expect("access");
        for user in ["only_encrypted", "only_plain", "certified"] {
            cluster.execute(&format!("CREATE ROLE {user} LOGIN")).await;
        }
        let path = |name: &str| folder.join(name).display().to_string();
        let url = |user: &str, host: &str, parameters: &str| {
            format!(
                "postgres://{user}@{host}:{}/postgres?{parameters}",
                cluster.port
            )
        };
        // A server without TLS.
        for (mode, expected) in [
            ("disable", Ok(false)),
            ("allow", Ok(false)),
            ("prefer", Ok(false)),
            ("require", Err("sslmode=require needs a server with")),
            ("verify-ca", Err("sslmode=verify-ca needs a server with")),
            (
                "verify-full",
                Err("sslmode=verify-full needs a server with"),
            ),
        ] {
            check(
                &url("postgres", "127.0.0.1", &format!("sslmode={mode}")),
                expected,
            )
            .await;
        }

        for (name, value) in [
            ("ssl_cert_file", "server.crt"),
            ("ssl_key_file", "server.key"),
            ("ssl_ca_file", "ours.crt"),
            ("ssl", "on"),
        ] {
            cluster
                .execute(&format!("ALTER SYSTEM SET {name} = '{value}'"))
                .await;
        }
        cluster.restart_immediately().expect("a restart");
        let (root, foreign_root) = (ours.certificate(), foreign.certificate());
        let (root, foreign_root) = (root.display(), foreign_root.display());
        let own = format!(
            "sslcert={}&sslkey={}",
            path("certified.crt"),
            path("certified.key")
        );
        let strange = format!(
            "sslcert={}&sslkey={}",
            path("stranger.crt"),
            path("stranger.key")
        );
        let unknown = Err("name its CA's certificate in sslrootcert");
        for (user, host, parameters, expected) in [
            (
                "postgres",
                "127.0.0.1",
                "sslmode=disable".to_owned(),
                Ok(false),
            ),
            (
                "postgres",
                "127.0.0.1",
                "sslmode=allow".to_owned(),
                Ok(false),
            ),
            (
                "postgres",
                "127.0.0.1",
                "sslmode=prefer".to_owned(),
                Ok(true),
            ),
            ("postgres", "127.0.0.1", String::new(), Ok(true)),
            (
                "postgres",
                "127.0.0.1",
                "sslmode=require".to_owned(),
                Ok(true),
            ),
            (
                "postgres",
                "127.0.0.1",
                "sslmode=verify-ca".to_owned(),
                unknown,
            ),
            (
                "postgres",
                "127.0.0.1",
                format!("sslmode=verify-ca&sslrootcert={root}"),
                Ok(true),
            ),
            (
                "postgres",
                "127.0.0.1",
                format!("sslmode=verify-ca&sslrootcert={foreign_root}"),
                unknown,
            ),
            (
                "postgres",
                "127.0.0.1",
                format!("sslmode=require&sslrootcert={root}"),
                Ok(true),
            ),
            (
                "postgres",
                "127.0.0.1",
                format!("sslmode=require&sslrootcert={foreign_root}"),
                unknown,
            ),
            (
                "postgres",
                "localhost",
                "sslmode=verify-full".to_owned(),
                unknown,
            ),
            (
                "postgres",
                "localhost",
                format!("sslmode=verify-full&sslrootcert={root}"),
                Ok(true),
            ),
            (
                "postgres",
                "127.0.0.1",
                format!("sslmode=verify-full&sslrootcert={root}"),
                Err("connect to a name that is in the certificate"),
            ),
            (
                "only_encrypted",
                "127.0.0.1",
                "sslmode=disable".to_owned(),
                Err("use sslmode=require"),
            ),
            (
                "only_encrypted",
                "127.0.0.1",
                "sslmode=allow".to_owned(),
                Ok(true),
            ),
            (
                "only_encrypted",
                "127.0.0.1",
                "sslmode=prefer".to_owned(),
                Ok(true),
            ),
            (
                "only_plain",
                "127.0.0.1",
                "sslmode=prefer".to_owned(),
                Ok(false),
            ),
            (
                "only_plain",
                "127.0.0.1",
                "sslmode=require".to_owned(),
                Err("pg_hba.conf"),
            ),
            (
                "certified",
                "127.0.0.1",
                format!("sslmode=require&{own}"),
                Ok(true),
            ),
            (
                "certified",
                "localhost",
                format!("sslmode=verify-full&sslrootcert={root}&{own}"),
                Ok(true),
            ),
            (
                "certified",
                "127.0.0.1",
                "sslmode=require".to_owned(),
                Err("name it in sslcert and its key in sslkey"),
            ),
            (
                "certified",
                "127.0.0.1",
                format!("sslmode=require&{strange}"),
                Err("does not trust the authority that has signed the certificate in sslcert"),
            ),
            (
                "postgres",
                "127.0.0.1",
                "sslmode=perhaps".to_owned(),
                Err("use disable, allow, prefer, require, verify-ca, verify-full"),
            ),
            (
                "postgres",
                "127.0.0.1",
                "sslmode=verify-ca&sslrootcert=/nowhere/ca.crt".to_owned(),
                Err("sslrootcert: cannot read `/nowhere/ca.crt`"),
            ),
            (
                "postgres",
                "127.0.0.1",
                format!("sslmode=require&sslcert={}", path("certified.crt")),
                Err("sslcert needs sslkey"),
            ),
            (
                "postgres",
                "127.0.0.1",
                format!("sslmode=require&sslkey={}", path("certified.key")),
                Err("sslkey needs sslcert"),
            ),
        ] {
            check(&url(user, host, &parameters), expected).await;
        }
    });
}

async fn check(url: &str, expected: Result<bool, &str>) {
    match (connect(url).await, expected) {
        (Ok(encrypted), Ok(wanted)) => assert_eq!(encrypted, wanted, "{url}"),
        (Err(said), Err(wanted)) => assert!(said.contains(wanted), "{url}: {said}"),
        (other, expected) => panic!("{url}: {other:?} instead of {expected:?}"),
    }
}
