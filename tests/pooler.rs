//! PgBouncer in transaction mode between Pharos and PostgreSQL, where it is installed.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::harness::{Cluster, Process, block_on, free_port, pharos_binary};

#[test]
fn a_pooler_in_transaction_mode_is_noticed_and_everything_works() {
    block_on(everything_works(""));
}

/// Then nothing is refused, and settings are silently left out.
#[test]
fn a_pooler_that_ignores_settings_is_noticed_too() {
    block_on(everything_works(
        "ignore_startup_parameters = options, extra_float_digits\n",
    ));
}

/// Ended with the value.
struct Pooler {
    child: Child,
    port: u16,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("pgbouncer"))
        .find(|program| program.exists())
}

impl Pooler {
    /// With fewer connections to the server than Pharos has to the pooler.
    fn start(program: &Path, cluster: &Cluster, settings: &str) -> Self {
        let port = free_port().expect("a port");
        let folder = cluster.data();
        let users = folder.join("pooler-users");
        std::fs::write(&users, "\"postgres\" \"\"\n").expect("users");
        let configuration = folder.join("pooler.ini");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 3\n\
             max_client_conn = 100\n{settings}",
            cluster.port,
            users.display()
        );
        std::fs::write(&configuration, text).expect("a configuration");
        cluster.adopt(&users, 0o600);
        cluster.adopt(&configuration, 0o600);
        let mut command = Command::new(program);
        command
            .arg("--quiet")
            .arg(&configuration)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some((user, group)) = cluster.owner() {
            command.uid(user).gid(group);
        }
        let child = command.spawn().expect("pgbouncer starts");
        for _ in 0..100 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { child, port }
    }
}

async fn everything_works(settings: &str) {
    let Some(program) = program() else {
        return println!("skipped: there is no pgbouncer");
    };
    let cluster = match Cluster::start("") {
        Ok(cluster) => cluster,
        Err(trouble) => return println!("skipped: {trouble}"),
    };
    let pooler = Pooler::start(&program, &cluster, settings);
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", pooler.port);
    let log = [("RUST_LOG", "error")];
    let mut one = Process::start_with(&url, &log, Stdio::inherit()).await;
    // Two, so that each finds what the other has left on the server's connections.
    let other = Process::start_with(&url, &log, Stdio::inherit()).await;
    let admin = one.first_admin().await;
    let clients = (0..16).map(|number: usize| {
        let client = admin.at([one.address, other.address][number % 2]);
        tokio::spawn(async move {
            for round in 0..10_i64 {
                let body = json!({"title": format!("pooled {number} {round}"), "metadata": {"pages": round}});
                let made = client.post("resources", &body).await.is(201).json();
                let path = format!("resources/{}", made["id"].as_str().unwrap());
                assert_eq!(client.get(&path).await.is(200).json(), made);
                let change = json!({"metadata": {"number": number}});
                let changed = client.patch(&path, "\"1\"", &change).await.is(200);
                assert_eq!(changed.json()["version"], 2);
                client.patch(&path, "\"1\"", &json!({})).await.problem(412, "stale_version");
                let filter = [("filter", "metadata.pages >= 0"), ("total", "true"), ("limit", "3")];
                client.query("resources", &filter).await.is(200);
                client.get("search?q=pooled&facets=language&limit=3").await.is(200);
                if round % 5 == 4 {
                    client.delete(&path, "\"2\"").await.is(204);
                }
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    for client in clients {
        client.await.expect("a client without a complaint");
    }
    let found = admin.get("search?q=pooled&limit=1").await.is(200).json();
    assert_eq!(found["total"], 16 * 8);
    let report = admin.get("monitoring/database").await.is(200).json();
    assert_eq!(report["postgresql"]["pooled"], true, "{report}");
    for (arguments, said) in [
        (&["index", "add", "resources.metadata.pages"][..], ""),
        (&["migrate", "down"], "reverted 1"),
        (&["migrate", "up"], "up to date"),
        (&["doctor"], "pooler"),
    ] {
        let output = Command::new(pharos_binary())
            .args(arguments)
            .env("DATABASE_URL", &url)
            .env("RUST_LOG", "error")
            .output()
            .expect("pharos");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success() && text.contains(said),
            "{arguments:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    admin.get("/readyz").await.is(200);
    one.kill().await;
    other.kill().await;
}
