//! A PostgreSQL server to measure on: the one of `TEST_DATABASE_URL`, or a throwaway cluster with default durability.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::constants::Random;
use crate::http::free_port;
use crate::process::output_of;

/// Room for Pharos's pool and the peer's, both open during the whole run.
const MAX_CONNECTIONS: u32 = 200;

/// The databases it made are dropped with it.
pub struct Postgres {
    /// Of a database that is always there.
    admin_url: String,
    psql: PathBuf,
    made: Vec<String>,
    cluster: Option<Cluster>,
}

impl Postgres {
    /// `folder` takes the cluster's files.
    pub fn start(folder: &Path) -> Result<Self> {
        if let Ok(admin_url) = std::env::var("TEST_DATABASE_URL") {
            let psql = find_program("psql")
                .ok_or("TEST_DATABASE_URL is set, but psql is nowhere to be found")?;
            return Ok(Self {
                admin_url,
                psql,
                made: Vec::new(),
                cluster: None,
            });
        }
        let cluster = Cluster::start(&folder.join("postgres"))?;
        Ok(Self {
            admin_url: cluster.url.clone(),
            psql: cluster.programs.psql.clone(),
            made: Vec::new(),
            cluster: Some(cluster),
        })
    }

    /// Makes the files of a throwaway cluster's log beforehand, more than a run writes: in a server that has run for a while
    /// they are there and used again, in a new one each has to be made first, while every commit waits.
    pub fn use_log(&self) -> Result<()> {
        if self.cluster.is_none() {
            return Ok(());
        }
        for sql in [
            "ALTER SYSTEM SET min_wal_size = '1GB'",
            "ALTER SYSTEM SET max_wal_size = '2GB'",
            "SELECT pg_reload_conf()",
            "SELECT pg_logical_emit_message(false, '', repeat('x', 1048576)) FROM generate_series(1, 1024)",
            "CHECKPOINT",
        ] {
            self.execute(&self.admin_url, sql)?;
        }
        Ok(())
    }

    /// Makes an empty database and gives its URL, `postgres://…`.
    pub fn create_database(&mut self, purpose: &str) -> Result<String> {
        let name = format!("pharos_bench_{}_{purpose}", std::process::id());
        self.execute(
            &self.admin_url,
            &format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"),
        )?;
        let url = with_database(&self.admin_url, &name)?;
        self.made.push(name);
        Ok(url)
    }

    /// Brings a freshly loaded database to rest: statistics are made and pending index entries merged.
    pub fn settle(&self, url: &str) -> Result<()> {
        self.execute(url, "VACUUM ANALYZE")
    }

    pub fn execute(&self, url: &str, sql: &str) -> Result<()> {
        self.psql(&["-c", sql, url]).map(drop)
    }

    /// The one value that a query gives.
    pub fn ask(&self, url: &str, sql: &str) -> Result<String> {
        self.psql(&["-t", "-A", "-c", sql, url])
    }

    /// What a file of statements prints.
    pub fn run_script(&self, url: &str, script: &Path) -> Result<String> {
        self.psql(&["-f", &script.display().to_string(), url])
    }

    fn psql(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.psql);
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1"]);
        output_of(command.args(arguments))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The databases of a throwaway cluster go with its files.
        if self.cluster.is_some() {
            return;
        }
        for name in &self.made {
            // Not through `output_of`, which does nothing once the run is interrupted.
            let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            let dropped = Command::new(&self.psql)
                .args(["-X", "-q", "-c", &sql, &self.admin_url])
                .status();
            if !dropped.is_ok_and(|status| status.success()) {
                eprintln!("cannot drop the database {name}: drop it by hand");
            }
        }
    }
}

struct Programs {
    initdb: PathBuf,
    pg_ctl: PathBuf,
    psql: PathBuf,
}

struct Cluster {
    programs: Programs,
    /// The server refuses to run as root: then its files and processes are of this user and group.
    owner: Option<(u32, u32)>,
    folder: PathBuf,
    url: String,
}

impl Cluster {
    fn start(folder: &Path) -> Result<Self> {
        let find = |name| {
            find_program(name).ok_or_else(|| {
                format!("{name} is neither in PATH nor in /usr/lib/postgresql: install PostgreSQL, or set TEST_DATABASE_URL")
            })
        };
        let programs = Programs {
            initdb: find("initdb")?,
            pg_ctl: find("pg_ctl")?,
            psql: find("psql")?,
        };
        fs::create_dir(folder)?;
        let owner = server_user()?;
        if let Some((user, group)) = owner {
            chown(folder, Some(user), Some(group))?;
        }
        let port = free_port()?;
        let password = password();
        let url = format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres");
        let cluster = Self {
            programs,
            owner,
            folder: folder.to_owned(),
            url,
        };
        cluster.initialise(&password)?;
        let settings = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c max_connections={MAX_CONNECTIONS} -k {}",
            folder.display()
        );
        let log = folder.join("log");
        output_of(
            cluster
                .command(&cluster.programs.pg_ctl)
                .args(["start", "-w", "-s", "-o", &settings, "-l"])
                .arg(&log),
        )
        .map_err(|e| format!("{e}\n{}", fs::read_to_string(&log).unwrap_or_default()))?;
        Ok(cluster)
    }

    fn initialise(&self, password: &str) -> Result<()> {
        let file = self.folder.join("password");
        fs::write(&file, password)?;
        if let Some((user, group)) = self.owner {
            chown(&file, Some(user), Some(group))?;
        }
        let mut initdb = self.command(&self.programs.initdb);
        initdb
            .args([
                "-U",
                "postgres",
                "-A",
                "scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
                "--pwfile",
            ])
            .arg(&file);
        output_of(&mut initdb)?;
        Ok(fs::remove_file(&file)?)
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .arg("-D")
            .arg(self.folder.join("data"))
            .current_dir(&self.folder);
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Nothing in it is worth a clean shutdown. Where the start failed there is nothing to stop.
        let stopped = self
            .command(&self.programs.pg_ctl)
            .args(["stop", "-m", "immediate", "-s"])
            .output();
        if let Err(error) = stopped {
            eprintln!(
                "cannot stop the PostgreSQL cluster in {}: {error}",
                self.folder.display()
            );
        }
    }
}

fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    in_path.or_else(|| {
        let versions = fs::read_dir("/usr/lib/postgresql")
            .ok()?
            .filter_map(|entry| entry.ok());
        let found = versions
            .map(|version| version.path().join("bin").join(name))
            .filter(|file| file.is_file());
        found.max_by_key(|file| version_of(file))
    })
}

/// The 15 of /usr/lib/postgresql/15/bin/initdb.
fn version_of(program: &Path) -> u32 {
    let folder = program.ancestors().nth(2).and_then(Path::file_name);
    folder
        .and_then(|name| name.to_str()?.parse().ok())
        .unwrap_or(0)
}

/// User and group `postgres` when we are root, else none.
fn server_user() -> Result<Option<(u32, u32)>> {
    let id = |arguments: &[&str]| -> Result<u32> {
        Ok(output_of(Command::new("id").args(arguments))?
            .trim()
            .parse()?)
    };
    if id(&["-u"])? != 0 {
        return Ok(None);
    }
    Ok(Some((id(&["-u", "postgres"])?, id(&["-g", "postgres"])?)))
}

/// Other users of the machine can reach the port, so even a throwaway server has a password nobody can guess.
fn password() -> String {
    use std::hash::{BuildHasher, RandomState};
    let mut random = Random::new(RandomState::new().hash_one(std::process::id()));
    format!(
        "{:016x}{:016x}",
        random.next(),
        RandomState::new().hash_one(random.next())
    )
}

/// `url` with another database in its path.
fn with_database(url: &str, name: &str) -> Result<String> {
    let (scheme, rest) = url
        .split_once("://")
        .ok_or("TEST_DATABASE_URL is no URL: postgres://user@host/database")?;
    let (before, parameters) = rest
        .split_once('?')
        .map_or((rest, None), |(b, p)| (b, Some(p)));
    let authority = before.split('/').next().unwrap_or(before);
    let parameters = parameters.map(|p| format!("?{p}")).unwrap_or_default();
    Ok(format!("{scheme}://{authority}/{name}{parameters}"))
}
