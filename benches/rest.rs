//! `rest`: reads, lists, searches and creates over HTTP on both databases, against FastAPI and a constant body.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Result;
use crate::catalogue::{self, Row};
use crate::http::get_bytes;
use crate::load::{self, Load, Outcome};
use crate::options::{Database, Operation, Options};
use crate::peer::{self, Peer};
use crate::pharos::{self, Pharos};
use crate::postgres::Postgres;
use crate::process::TemporaryFolder;
use crate::report::{self, Measured};
use crate::requests;

const WARM_UP: Duration = Duration::from_secs(1);
const OURS: &str = "pharos";
const PEER: &str = "fastapi";
const CONSTANT: &str = "constant";

/// What both databases are measured with. The folder is declared last, because fields are dropped in order.
struct Bench {
    options: Options,
    pharos: Option<PathBuf>,
    python: Option<PathBuf>,
    files: Vec<PathBuf>,
    folder: TemporaryFolder,
}

/// One server with one operation's requests.
struct Side {
    name: &'static str,
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
}

/// A server with its records.
struct Library {
    address: SocketAddr,
    key: String,
    rows: Vec<Row>,
}

pub fn run(arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments)?;
    let folder = TemporaryFolder::create()?;
    let bench = Bench {
        pharos: options.with_ours.then(pharos::build).transpose()?,
        python: options.with_peer.then(peer::install).transpose()?,
        files: catalogue::files(folder.path())?,
        options,
        folder,
    };
    println!(
        "INFO {} connections, {} rounds of {} s, the peer {} keys, the log of a throwaway PostgreSQL is {}",
        bench.options.connections,
        bench.options.rounds,
        bench.options.seconds.as_secs(),
        if bench.options.peer_checks_keys {
            "checks"
        } else {
            "does not check"
        },
        if bench.options.used_log {
            "used"
        } else {
            "new"
        },
    );
    let mut lines = Vec::new();
    for database in &bench.options.databases {
        lines.extend(bench.measure_database(*database)?);
    }
    println!();
    for line in lines {
        println!("{line}");
    }
    Ok(())
}

impl Bench {
    /// Gives the `BENCH` lines.
    fn measure_database(&self, database: Database) -> Result<Vec<String>> {
        // Declared first: it is dropped after the servers that use it.
        let mut postgres = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(Postgres::start(self.folder.path())?),
        };
        if let Some(postgres) = postgres.as_ref().filter(|_| self.options.used_log) {
            postgres.use_log()?;
        }
        let ours = self
            .pharos
            .as_deref()
            .map(|binary| self.start_pharos(binary, database, &mut postgres))
            .transpose()?;
        let peer = self
            .python
            .as_deref()
            .map(|python| self.start_peer(python, &mut postgres))
            .transpose()?;
        let ours = ours
            .as_ref()
            .map(|server| Library::open(server.address, &server.key))
            .transpose()?;
        let peer = peer
            .as_ref()
            .map(|server| Library::open(server.address, &server.key))
            .transpose()?;
        check_same_records(ours.as_ref(), peer.as_ref())?;

        report::print_table_head();
        let mut lines = Vec::new();
        for operation in &self.options.operations {
            let sides = sides_of(*operation, ours.as_ref(), peer.as_ref())?;
            let measured = self.measure(&sides)?;
            for (side, measured) in sides.iter().zip(&measured) {
                report::print_table_row(database.name(), operation.name(), side.name, measured);
            }
            lines.extend(compare(
                &format!("rest-{}-{}", database.name(), operation.name()),
                &sides,
                &measured,
            ));
        }
        Ok(lines)
    }

    fn start_pharos(
        &self,
        binary: &Path,
        database: Database,
        postgres: &mut Option<Postgres>,
    ) -> Result<Pharos> {
        let folder = self
            .folder
            .path()
            .join(format!("pharos-{}", database.name()));
        let url = match postgres {
            None => format!("sqlite://{}?mode=rwc", folder.join("pharos.db").display()),
            Some(postgres) => postgres.create_database("pharos")?,
        };
        let pharos = Pharos::start(binary, &url, &folder, &self.files)?;
        println!(
            "INFO start-{} {} ms",
            database.name(),
            pharos.start_time.as_millis()
        );
        println!(
            "INFO idle-peak-memory-{} {:.1} MB",
            database.name(),
            pharos.idle_peak_memory()?
        );
        if let Some(postgres) = postgres {
            postgres.settle(&url)?;
        }
        Ok(pharos)
    }

    fn start_peer(&self, python: &Path, postgres: &mut Option<Postgres>) -> Result<Peer> {
        let checks_keys = self.options.peer_checks_keys;
        match postgres {
            None => {
                let file = self.folder.path().join("peer.db");
                let url = format!("sqlite+aiosqlite:///{}", file.display());
                Peer::start(python, &url, &self.files, checks_keys)
            }
            Some(postgres) => {
                let url = postgres.create_database("peer")?;
                let peer = Peer::start(
                    python,
                    &peer::sqlalchemy_url(&url)?,
                    &self.files,
                    checks_keys,
                )?;
                postgres.settle(&url)?;
                Ok(peer)
            }
        }
    }

    /// Lets the sides take turns, and gives the medians of each in the same order.
    fn measure(&self, sides: &[Side]) -> Result<Vec<Measured>> {
        let mut turns: Vec<Vec<Outcome>> = sides.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.options.rounds {
            for (side, turns) in sides.iter().zip(&mut turns) {
                turns.push(
                    self.take_turn(side)
                        .map_err(|e| format!("{}: {e}", side.name))?,
                );
            }
        }
        Ok(turns.iter().map(|turns| Measured::of(turns)).collect())
    }

    fn take_turn(&self, side: &Side) -> Result<Outcome> {
        let outcome = load::run(&Load {
            address: side.address,
            requests: &side.requests,
            connections: self.options.connections,
            warm_up: WARM_UP,
            duration: self.options.seconds,
        })?;
        match &outcome.failure {
            None => Ok(outcome),
            Some(failure) => Err(format!(
                "not every answer is 2xx: {:?}, the first is {failure}",
                outcome.statuses
            )
            .into()),
        }
    }
}

impl Library {
    fn open(address: SocketAddr, key: &str) -> Result<Self> {
        Ok(Self {
            address,
            key: key.to_owned(),
            rows: catalogue::fetch(address, key)?,
        })
    }

    fn requests(&self, operation: Operation, sample: &[Row]) -> Result<Vec<Vec<u8>>> {
        match operation {
            Operation::Read => {
                let ids: BTreeMap<_, _> = self
                    .rows
                    .iter()
                    .map(|r| (r.identifier.as_str(), r.id.as_str()))
                    .collect();
                requests::reads(sample, &ids, &self.key)
            }
            Operation::List => requests::lists(self.address, &self.key),
            Operation::Search => Ok(requests::searches(sample, &self.key)),
            Operation::Create => Ok(requests::creates(sample, &self.key)),
        }
    }
}

/// # Errors
/// When the two libraries do not hold the same records: figures about them could not be compared.
fn check_same_records(ours: Option<&Library>, peer: Option<&Library>) -> Result<()> {
    let (Some(ours), Some(peer)) = (ours, peer) else {
        return Ok(());
    };
    let same = ours.rows.len() == peer.rows.len()
        && ours
            .rows
            .iter()
            .zip(&peer.rows)
            .all(|(a, b)| a.identifier == b.identifier && a.title == b.title);
    if same {
        return Ok(());
    }
    Err(format!(
        "pharos holds {} records, the peer {}, and they are not the same",
        ours.rows.len(),
        peer.rows.len()
    )
    .into())
}

fn sides_of(
    operation: Operation,
    ours: Option<&Library>,
    peer: Option<&Library>,
) -> Result<Vec<Side>> {
    let mut sides = Vec::new();
    // The records are the same on both; each side gets its requests from the same sample.
    let Some(sample) = ours.or(peer) else {
        return Ok(sides);
    };
    if let Some(ours) = ours {
        sides.push(Side {
            name: OURS,
            address: ours.address,
            requests: ours.requests(operation, &sample.rows)?,
        });
    }
    if let Some(peer) = peer {
        sides.push(Side {
            name: PEER,
            address: peer.address,
            requests: peer.requests(operation, &sample.rows)?,
        });
    }
    if let Some(ours) = ours {
        sides.push(Side {
            name: CONSTANT,
            address: ours.address,
            requests: vec![get_bytes("/livez", &ours.key)],
        });
    }
    Ok(sides)
}

fn compare(name: &str, sides: &[Side], measured: &[Measured]) -> Vec<String> {
    let of = |wanted: &str| {
        sides
            .iter()
            .zip(measured)
            .find(|(side, _)| side.name == wanted)
            .map(|(_, m)| m)
    };
    let Some(ours) = of(OURS) else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    if let Some(peer) = of(PEER) {
        lines.push(report::rate_line(
            &format!("{name}-vs-{PEER}"),
            ours.per_second,
            peer.per_second,
        ));
        lines.push(report::time_line(
            &format!("{name}-p99-vs-{PEER}"),
            ours.p99_ms,
            peer.p99_ms,
        ));
    }
    if let Some(constant) = of(CONSTANT) {
        lines.push(report::rate_line(
            &format!("{name}-vs-{CONSTANT}"),
            ours.per_second,
            constant.per_second,
        ));
    }
    lines
}
