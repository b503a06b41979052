//! A throwaway PostgreSQL cluster from the machine's own programs, gone when the process ends.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::ConnectionTrait;

use super::watchdog;

const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
max_connections = 300
fsync = off
synchronous_commit = off
full_page_writes = off
";

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A cluster that a test may restart, stop and end.
pub struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    owner: Option<(u32, u32)>,
    pub port: u16,
}

/// Starts a cluster and gives the URL of its database `postgres`; says what is missing where it cannot.
pub fn start() -> Result<String, String> {
    Cluster::start("").map(|cluster| cluster.url("postgres", "postgres"))
}

impl Cluster {
    /// With `settings` added to its configuration.
    pub fn start(settings: &str) -> Result<Self, String> {
        let programs =
            find_programs().ok_or("there is no initdb in PATH or /usr/lib/postgresql")?;
        let folder = std::env::temp_dir().join(format!(
            "pharos-cluster-{}-{}",
            std::process::id(),
            COUNTER.fetch_add(1, Ordering::Relaxed)
        ));
        let owner = server_owner();
        std::fs::create_dir_all(&folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        if let Some((user, group)) = owner {
            chown(&folder, Some(user), Some(group)).map_err(|error| error.to_string())?;
        }
        let mut cluster = Self {
            programs,
            folder,
            owner,
            port: 0,
        };
        cluster.initialise(settings)?;
        let mut trouble = String::new();
        for _ in 0..5 {
            cluster.port = free_port().map_err(|error| error.to_string())?;
            match cluster.pg_ctl(&["start"]) {
                Ok(()) => return Ok(cluster),
                Err(error) => trouble = error,
            }
        }
        Err(trouble)
    }

    fn initialise(&self, settings: &str) -> Result<(), String> {
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
        if self
            .run("initdb", &[&basic[..], &dictionary].concat())
            .is_err()
        {
            self.run("initdb", &[&basic[..], &["--locale=C"]].concat())?;
        }
        let file = self.data().join("postgresql.conf");
        let written = std::fs::read_to_string(&file)
            .and_then(|text| std::fs::write(&file, text + SETTINGS + settings));
        written.map_err(|error| format!("{}: {error}", file.display()))?;
        let pg_ctl = self.programs.join("pg_ctl").display().to_string();
        watchdog::at_process_end(
            as_owner(Command::new("sh"), self.owner),
            &format!(
                "cd /; '{pg_ctl}' -D '{}' -m immediate stop; rm -rf '{}'",
                self.data().display(),
                self.folder.display()
            ),
        );
        Ok(())
    }

    /// Where its configuration is.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The user and group that the server runs as, where that is another one.
    pub fn owner(&self) -> Option<(u32, u32)> {
        self.owner
    }

    /// Gives a file or folder to the user that the server runs as, and to nobody else.
    pub fn adopt(&self, path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("its mode");
        if let Some((user, group)) = self.owner {
            chown(path, Some(user), Some(group)).expect("its owner");
        }
    }

    /// Runs a statement as the superuser.
    pub async fn execute(&self, sql: &str) {
        let connection = super::postgres::connect(&self.url("postgres", "postgres"))
            .await
            .expect("a connection");
        connection.execute_unprepared(sql).await.expect(sql);
    }

    pub fn url(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// Ends every process of the server at once and starts it again, as after a crash.
    pub fn restart_immediately(&self) -> Result<(), String> {
        self.pg_ctl(&["restart", "-m", "immediate"])
    }

    fn pg_ctl(&self, command: &[&str]) -> Result<(), String> {
        let options = format!("-p {} -k '{}'", self.port, self.folder.display());
        // With its output in a file, or pg_ctl's caller would wait for the server to close it.
        let common = ["-D", "data", "-l", "server.log", "-o", &options, "-w", "-s"];
        self.run("pg_ctl", &[&common[..], command].concat())
    }

    /// Sends a signal to the server and all its processes.
    pub fn signal(&self, signal: &str) {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).expect("its pid");
        let postmaster = file.lines().next().expect("a pid");
        let children = Command::new("ps")
            .args(["-o", "pid=", "--ppid", postmaster])
            .output()
            .expect("ps");
        let children = String::from_utf8_lossy(&children.stdout).into_owned();
        let all = std::iter::once(postmaster).chain(children.split_whitespace());
        // A child may be gone already.
        let _ = Command::new("kill")
            .arg(format!("-{signal}"))
            .args(all)
            .stderr(std::process::Stdio::null())
            .status()
            .expect("kill");
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let output = as_owner(Command::new(self.programs.join(program)), self.owner)
            .current_dir(&self.folder)
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
    }
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

/// One that nobody listens on now.
pub fn free_port() -> std::io::Result<u16> {
    std::net::TcpListener::bind(("127.0.0.1", 0))?
        .local_addr()
        .map(|address| address.port())
}
