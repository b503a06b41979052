//! The command line of the `rest` benchmark.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::Result;

pub const USAGE: &str = "options:
  --seconds N           length of one turn (4)
  --rounds N            turns of each side; their medians count (3)
  --connections N       keep-alive connections, each with one request at a time (32)
  --only DATABASE       sqlite or postgres
  --ops OP,OP           of read,list,search,create
  --peer-auth on|off    off leaves out the peer's key check, never ours: the harder comparison (on)
  --ours-only           leave the peer out
  --peer-only           leave Pharos out; there are no BENCH lines then
  --log used|new        whether a throwaway PostgreSQL has the log's files already (used)
environment: PHAROS_EVAL_DATA (folder of the catalogue), TEST_DATABASE_URL (a PostgreSQL server to use)";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Read,
    List,
    Search,
    Create,
}

impl Operation {
    /// Creates come last: they change the rows that the others read.
    pub const ALL: [Self; 4] = [Self::Read, Self::List, Self::Search, Self::Create];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::List => "list",
            Self::Search => "search",
            Self::Create => "create",
        }
    }
}

#[derive(Debug)]
pub struct Options {
    pub seconds: Duration,
    pub rounds: usize,
    pub connections: usize,
    pub databases: Vec<Database>,
    pub operations: Vec<Operation>,
    pub peer_checks_keys: bool,
    pub with_ours: bool,
    pub with_peer: bool,
    /// Whether the log of a throwaway PostgreSQL is as in a server that has run for a while.
    pub used_log: bool,
}

#[derive(Debug)]
pub struct UsageError(pub String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for UsageError {}

impl UsageError {
    pub fn boxed(message: String) -> Box<dyn Error> {
        Box::new(Self(message))
    }
}

impl Options {
    /// # Errors
    /// A [`UsageError`] for an unknown option or value.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            seconds: Duration::from_secs(4),
            rounds: 3,
            connections: 32,
            databases: vec![Database::Sqlite, Database::Postgres],
            operations: Operation::ALL.to_vec(),
            peer_checks_keys: true,
            with_ours: true,
            with_peer: true,
            used_log: true,
        };
        let mut rest = arguments.iter();
        while let Some(option) = rest.next() {
            let mut value = || {
                rest.next()
                    .map(String::as_str)
                    .ok_or_else(|| usage(format!("{option} wants a value")))
            };
            match option.as_str() {
                "--seconds" => {
                    options.seconds = Duration::from_secs(positive(option, value()?)? as u64)
                }
                "--rounds" => options.rounds = positive(option, value()?)?,
                "--connections" => options.connections = positive(option, value()?)?,
                "--only" => options.databases = vec![database(value()?)?],
                "--ops" => options.operations = operations(value()?)?,
                "--peer-auth" => {
                    options.peer_checks_keys = one_of(option, value()?, "on", "off")?;
                }
                "--log" => options.used_log = one_of(option, value()?, "used", "new")?,
                "--ours-only" => options.with_peer = false,
                "--peer-only" => options.with_ours = false,
                _ => return Err(usage(format!("no option is called {option:?}"))),
            }
        }
        if !options.with_ours && !options.with_peer {
            return Err(usage(
                "--ours-only and --peer-only leave nobody to measure".to_owned(),
            ));
        }
        Ok(options)
    }
}

fn usage(message: String) -> Box<dyn Error> {
    UsageError::boxed(message)
}

pub fn positive(option: &str, value: &str) -> Result<usize> {
    match value.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(usage(format!(
            "{option} wants a whole number above 0, not {value:?}"
        ))),
    }
}

pub fn database(value: &str) -> Result<Database> {
    match value {
        "sqlite" => Ok(Database::Sqlite),
        "postgres" => Ok(Database::Postgres),
        _ => Err(usage(format!(
            "--only wants sqlite or postgres, not {value:?}"
        ))),
    }
}

fn operations(value: &str) -> Result<Vec<Operation>> {
    let asked: Vec<&str> = value.split(',').collect();
    if let Some(unknown) = asked
        .iter()
        .find(|name| Operation::ALL.iter().all(|o| o.name() != **name))
    {
        return Err(usage(format!(
            "--ops wants some of read,list,search,create, not {unknown:?}"
        )));
    }
    Ok(Operation::ALL
        .into_iter()
        .filter(|o| asked.contains(&o.name()))
        .collect())
}

/// Whether it is the first of two words.
fn one_of(option: &str, value: &str, yes: &str, no: &str) -> Result<bool> {
    match value {
        _ if value == yes => Ok(true),
        _ if value == no => Ok(false),
        _ => Err(usage(format!(
            "{option} wants {yes} or {no}, not {value:?}"
        ))),
    }
}
