//! The program itself, as a process that can be killed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::Client;

/// The path of `pharos`, built now unless `PHAROS_TEST_BINARY` names one that is.
pub fn pharos_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("PHAROS_TEST_BINARY") {
            return path.into();
        }
        let test = std::env::current_exe().expect("this program");
        let folder = test
            .parent()
            .and_then(Path::parent)
            .expect("the target's folder");
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo
            .args(["build", "--quiet", "--package", "pharos", "--bin", "pharos"])
            .current_dir(repository());
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        // Cargo says which package this is; build scripts that look at that would run again, and all that needs them.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&name);
            }
        }
        assert!(
            cargo.status().expect("cargo").success(),
            "cargo build --package pharos failed"
        );
        folder.join("pharos")
    })
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the repository")
}

/// A running `pharos serve`.
pub struct Process {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    pub address: SocketAddr,
}

impl Process {
    /// Starts it on a free port and waits until it says where it is; with few connections and much patience.
    pub async fn start(database_url: &str) -> Self {
        let settings = [
            ("DATABASE_MAX_CONNECTIONS", "8"),
            ("DATABASE_MIN_CONNECTIONS", "0"),
            ("DATABASE_ACQUIRE_TIMEOUT", "20s"),
            ("RUST_LOG", "error"),
        ];
        Self::start_with(database_url, &settings, Stdio::inherit()).await
    }

    /// The same with these settings, and its log somewhere.
    pub async fn start_with(database_url: &str, settings: &[(&str, &str)], log: Stdio) -> Self {
        let mut child = Command::new(pharos_binary())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .current_dir(std::env::temp_dir())
            .env("DATABASE_URL", database_url)
            .env("PHAROS_WORKERS", "2")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("pharos starts");
        let mut output = BufReader::new(child.stdout.take().expect("its output")).lines();
        let line = tokio::time::timeout(Duration::from_secs(60), output.next_line()).await;
        let line = line
            .expect("a line within a minute")
            .expect("its output")
            .expect("where it serves");
        let address = line
            .strip_prefix("Pharos serves http://")
            .and_then(|rest| rest.split(' ').next())
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("no address in {line:?}"));
        Self {
            child,
            output,
            address,
        }
    }

    /// Somebody with the key that the first start prints.
    pub async fn first_admin(&mut self) -> Client {
        loop {
            let line = self
                .output
                .next_line()
                .await
                .expect("its output")
                .expect("a key");
            if line.trim().starts_with("ph_") {
                return Client::new(self.address, Some(line.trim().to_owned()));
            }
        }
    }

    /// Asks it to stop, as a service manager does; gives its exit code.
    pub async fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().expect("a running process").to_string();
        let asked = Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .await
            .expect("kill");
        assert!(asked.success());
        self.child.wait().await.expect("its end").code()
    }

    pub fn id(&self) -> u32 {
        self.child.id().expect("a running process")
    }

    /// `kill -9`.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("a process to kill");
    }
}
