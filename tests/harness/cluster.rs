//! A throwaway PostgreSQL cluster from the machine's own programs, gone when the process ends.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::watchdog;

const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
max_connections = 300
fsync = off
synchronous_commit = off
full_page_writes = off
";

/// Starts a cluster and gives the URL of its database `postgres`; says what is missing where it cannot.
pub fn start() -> Result<String, String> {
    let programs = find_programs().ok_or("there is no initdb in PATH or /usr/lib/postgresql")?;
    let folder = std::env::temp_dir().join(format!("pharos-cluster-{}", std::process::id()));
    let owner = server_owner();
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    if let Some((user, group)) = owner {
        chown(&folder, Some(user), Some(group)).map_err(|error| error.to_string())?;
    }
    let run = |program: &str, arguments: &[&str]| {
        let output = as_owner(Command::new(programs.join(program)), owner)
            .current_dir(&folder)
            .args(arguments)
            .stdin(std::process::Stdio::null())
            .output();
        match output {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(format!(
                "{program}: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            )),
            Err(error) => Err(format!("{program}: {error}")),
        }
    };
    let dictionary = [
        "--locale=C.UTF-8",
        "--locale-provider=icu",
        "--icu-locale=en-US",
    ];
    let basic = [
        "-D",
        "data",
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-sync",
    ];
    // A dictionary order by default shows up every ORDER BY that forgot to name the byte order.
    if run("initdb", &[&basic[..], &dictionary].concat()).is_err() {
        run("initdb", &[&basic[..], &["--locale=C"]].concat())?;
    }
    let data = folder.join("data");
    let settings = data.join("postgresql.conf");
    let written = std::fs::read_to_string(&settings)
        .and_then(|text| std::fs::write(&settings, text + SETTINGS));
    written.map_err(|error| format!("{}: {error}", settings.display()))?;

    let pg_ctl = programs.join("pg_ctl").display().to_string();
    watchdog::at_process_end(
        as_owner(Command::new("sh"), owner),
        &format!(
            "cd /; '{pg_ctl}' -D '{}' -m immediate stop; rm -rf '{}'",
            data.display(),
            folder.display()
        ),
    );
    let mut trouble = String::new();
    for _ in 0..5 {
        let port = free_port().map_err(|error| error.to_string())?;
        let options = format!("-p {port} -k '{}'", folder.display());
        // With its output in a file, or pg_ctl's caller would wait for the server to close it.
        match run(
            "pg_ctl",
            &[
                "-D",
                "data",
                "-l",
                "server.log",
                "-o",
                &options,
                "-w",
                "start",
                "-s",
            ],
        ) {
            Ok(()) => return Ok(format!("postgres://postgres@127.0.0.1:{port}/postgres")),
            Err(error) => trouble = error,
        }
    }
    Err(trouble)
}

fn find_programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut packaged: Vec<PathBuf> = ["/usr/lib/postgresql", "/opt/homebrew/opt"]
        .iter()
        .filter_map(|root| std::fs::read_dir(root).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    packaged.sort();
    folders.extend(packaged.into_iter().rev());
    folders
        .into_iter()
        .find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists())
}

/// PostgreSQL refuses to run as root: then its files and processes belong to this user and group.
fn server_owner() -> Option<(u32, u32)> {
    if id(&["-u"])? != 0 {
        return None;
    }
    ["postgres", "nobody"]
        .iter()
        .find_map(|user| Some((id(&["-u", user])?, id(&["-g", user])?)))
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn as_owner(mut command: Command, owner: Option<(u32, u32)>) -> Command {
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command.current_dir(Path::new("/"));
    command
}

fn free_port() -> std::io::Result<u16> {
    std::net::TcpListener::bind(("127.0.0.1", 0))?
        .local_addr()
        .map(|address| address.port())
}
