//! Our side: the release binary, prepared and driven by its own commands, as a user would.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Result;
use crate::constants::{START_LIMIT, USER, repository};
use crate::http::{free_port, wait_until_ready};
use crate::process::{Server, check_interrupt, output_of};

/// How long the fresh server idles before its memory is read.
const IDLE: Duration = Duration::from_secs(2);

pub struct Pharos {
    server: Server,
    pub address: SocketAddr,
    pub key: String,
    /// From starting the process to its first answer on `/readyz`.
    pub start_time: Duration,
    /// Of `pharos import`, the whole command.
    pub import_time: Duration,
}

/// Builds the release binary and finds out where cargo put it.
pub fn build() -> Result<PathBuf> {
    check_interrupt()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args([
            "build",
            "--release",
            "--package",
            "pharos",
            "--bin",
            "pharos",
        ])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(repository())
        .stderr(Stdio::inherit());
    // Cargo says which package this is; build scripts that look at that would run again, and all that needs them.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    let output = command
        .output()
        .map_err(|e| format!("cannot start cargo: {e}"))?;
    if !output.status.success() {
        return Err(format!("pharos does not build: {}", output.status).into());
    }
    let messages = String::from_utf8(output.stdout)?;
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .find_map(executable_of);
    executable.ok_or_else(|| "cargo names no executable of pharos".into())
}

fn executable_of(message: Value) -> Option<PathBuf> {
    let is_pharos =
        message["reason"] == "compiler-artifact" && message["target"]["name"] == "pharos";
    message["executable"]
        .as_str()
        .filter(|_| is_pharos)
        .map(PathBuf::from)
}

impl Pharos {
    /// Loads `files` into an empty database and starts a fresh server on it. `folder` takes its data folder.
    pub fn start(
        executable: &Path,
        database_url: &str,
        folder: &Path,
        files: &[PathBuf],
    ) -> Result<Self> {
        Self::start_with(executable, database_url, folder, files, &[], &[])
    }

    /// The same with settings of its own, and with commands that are run after the files are loaded.
    pub fn start_with(
        executable: &Path,
        database_url: &str,
        folder: &Path,
        files: &[PathBuf],
        settings: &[(&str, &str)],
        commands: &[&[&str]],
    ) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let command = |arguments: &[&str]| {
            let mut command = Command::new(executable);
            // Settings of the user's shell or of a `.env` file would make figures that nobody can repeat.
            for (name, _) in std::env::vars_os() {
                let text = name.to_string_lossy();
                if ["DATABASE_", "PHAROS_", "REDIS_", "REPORTING_"]
                    .iter()
                    .any(|prefix| text.starts_with(prefix))
                {
                    command.env_remove(name);
                }
            }
            command.args(arguments).current_dir(folder);
            command
                .env("DATABASE_URL", database_url)
                .env("PHAROS_LISTEN", address.to_string());
            command
                .env("PHAROS_DATA_DIR", folder)
                .env("RUST_LOG", "warn")
                // They would be reached, and are no part of what is compared.
                .env("PHAROS_RATE_LIMIT_KEY", "off")
                .env("PHAROS_RATE_LIMIT_ADDRESS", "off")
                .env("PHAROS_RATE_LIMIT_FAILURES", "off")
                .envs(settings.iter().copied());
            command
        };
        output_of(&mut command(&["migrate", "up"]))?;
        output_of(&mut command(&["user", "create", USER, "--role", "admin"]))?;
        let key = output_of(&mut command(&[
            "key", "create", USER, "--role", "admin", "--quiet",
        ]))?
        .trim()
        .to_owned();
        let importing = Instant::now();
        output_of(command(&["import", "resources"]).args(files))?;
        let import_time = importing.elapsed();
        for arguments in commands {
            output_of(&mut command(arguments))?;
        }

        let started = Instant::now();
        let mut server = Server::start(&mut command(&["serve"]))?;
        wait_until_ready(&mut server, address, "/readyz", START_LIMIT)?;
        Ok(Self {
            server,
            address,
            key,
            start_time: started.elapsed(),
            import_time,
        })
    }

    /// The most memory in MB that the server has had resident so far, after letting it idle.
    ///
    /// # Errors
    /// Where the system has no `/proc`.
    pub fn idle_peak_memory(&self) -> Result<f64> {
        std::thread::sleep(IDLE);
        let status = fs::read_to_string(format!("/proc/{}/status", self.server.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .ok_or("no VmHWM in /proc")?;
        let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kibibytes * 1024.0 / 1e6)
    }
}
