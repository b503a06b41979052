//! A disk of 64 MB fills up: writes are told so, reads go on, and with room again everything does.
//!
//! Mounting needs root, so this runs when it is asked for: `PHAROS_FULL_DISK=1`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Backend, Client, Cluster, Process};

backend_matrix![a_full_disk_refuses_writes_and_nothing_else];

/// What is removed to make room.
const RESERVE: usize = 8 << 20;

/// A file system of 64 MB in memory, unmounted with the value.
struct Disk(PathBuf);

impl Disk {
    fn mount(backend: Backend) -> Self {
        let folder =
            std::env::temp_dir().join(format!("pharos-disk-{}-{backend:?}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m,mode=0777", "pharos"])
            .arg(&folder)
            .status();
        assert!(mounted.expect("mount").success(), "mounting needs root");
        std::fs::write(folder.join("reserve"), vec![1; RESERVE]).expect("a reserve");
        Self(folder)
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("reserve")).expect("room");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// A database whose files are on the disk. PostgreSQL's log is elsewhere: without room for that the server itself stops.
async fn database_on(disk: &Path, backend: Backend) -> (String, Option<Cluster>) {
    match backend {
        Backend::Sqlite => (format!("sqlite://{}/pharos.db", disk.display()), None),
        Backend::Postgres => {
            let cluster = Cluster::start("").expect("a server");
            let space = disk.join("space");
            std::fs::create_dir(&space).expect("a folder");
            cluster.adopt(&space, 0o700);
            cluster
                .execute(&format!(
                    "CREATE TABLESPACE small LOCATION '{}'",
                    space.display()
                ))
                .await;
            cluster
                .execute("CREATE DATABASE small TABLESPACE small")
                .await;
            (cluster.url("postgres", "small"), Some(cluster))
        }
    }
}

async fn a_full_disk_refuses_writes_and_nothing_else(backend: Backend) {
    if std::env::var_os("PHAROS_FULL_DISK").is_none() {
        return println!("skipped: PHAROS_FULL_DISK=1 asks for it, as root");
    }
    let disk = Disk::mount(backend);
    let (url, _cluster) = database_on(&disk.0, backend).await;
    let mut server = Process::start_with(&url, &[("RUST_LOG", "error")], Stdio::inherit()).await;
    let admin = server.first_admin().await;
    let mut acknowledged = Vec::new();
    let (mut refused, mut first_refusal) = (0, None);
    // Well beyond the first refusal: small ones fit for a while where large ones do not.
    for number in 0..4_000 {
        let reply = create(&admin, number).await;
        match reply.status {
            201 => acknowledged.push(reply.json()["id"].as_str().expect("an id").to_owned()),
            _ => {
                reply.problem(507, "no_space");
                refused += 1;
                first_refusal.get_or_insert(number);
                reads_go_on(&admin, &acknowledged).await;
            }
        }
        if refused > 200 {
            break;
        }
    }
    assert!(
        refused > 0,
        "the disk was not full after {} creates",
        acknowledged.len()
    );
    disk.make_room();
    let began = Instant::now();
    let back = loop {
        let reply = create(&admin, 1_000_000).await;
        if reply.status == 201 {
            acknowledged.push(reply.json()["id"].as_str().expect("an id").to_owned());
            break began.elapsed();
        }
        reply.problem(507, "no_space");
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "writing does not go on"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    println!(
        "{backend:?}: {} creates stored, the first refusal at {first_refusal:?}, {refused} refused with 507; writing goes on {back:?} after there was room",
        acknowledged.len()
    );
    let listed = admin
        .all("resources", &[("sort", "id"), ("limit", "200")])
        .await;
    let listed: Vec<String> = listed
        .iter()
        .map(|item| item["id"].as_str().expect("an id").to_owned())
        .collect();
    acknowledged.sort();
    assert!(
        listed == acknowledged,
        "{} listed, {} acknowledged",
        listed.len(),
        acknowledged.len()
    );
    let found = admin.get("search?q=full&limit=1").await.is(200).json();
    assert_eq!(found["total"], acknowledged.len());
    server.kill().await;
    if backend == Backend::Sqlite {
        let checked: String = rusqlite::Connection::open(disk.0.join("pharos.db"))
            .and_then(|file| file.query_row("PRAGMA integrity_check", [], |row| row.get(0)))
            .expect("a check");
        assert_eq!(checked, "ok");
    }
}

async fn create(client: &Client, number: usize) -> crate::harness::Reply {
    // Not compressible, so that it takes its room on PostgreSQL, too.
    let mut chance = crate::harness::Chance::new(number as u64);
    let noise: String = (0..2_000)
        .map(|_| format!("{:016x}", chance.number()))
        .collect();
    let body = json!({"title": format!("full {number}"), "metadata": {"noise": noise}});
    client.post("resources", &body).await
}

async fn reads_go_on(client: &Client, acknowledged: &[String]) {
    client.get("/readyz").await.is(200);
    client.get("resources?limit=5").await.is(200);
    client.get("search?q=full&limit=5").await.is(200);
    if let Some(id) = acknowledged.last() {
        client.get(&format!("resources/{id}")).await.is(200);
    }
}
