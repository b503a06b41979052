//! `search`: the time of searches over HTTP, the size of the index and the time of indexing, against what the databases
//! have themselves.

mod baseline;
mod corpus;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use self::baseline::{Fts5, Index, TsRank, sqlite_bytes};
use self::corpus::Corpus;
use crate::Result;
use crate::http::{get_bytes, percent_encode};
use crate::load::ResponseReader;
use crate::options::{Database, UsageError};
use crate::pharos::{self, Pharos};
use crate::postgres::Postgres;
use crate::process::{TemporaryFolder, check_interrupt};
use crate::report::{median, percentile_95, ratio_line};

pub const USAGE: &str = "options:
  --documents N         documents in the library (100000)
  --rounds N            turns of each side; the medians of their p95 count (3)
  --only DATABASE       sqlite or postgres
environment: PHAROS_EVAL_DATA (folder of the collections), TEST_DATABASE_URL (a PostgreSQL server to use)";

struct Options {
    documents: usize,
    rounds: usize,
    databases: Vec<Database>,
}

pub fn run(arguments: &[String]) -> Result<()> {
    let options = parse(arguments)?;
    let folder = TemporaryFolder::create()?;
    let Some(corpus) = Corpus::make(folder.path(), options.documents)? else {
        return Ok(());
    };
    let binary = pharos::build()?;
    let mut lines = Vec::new();
    for database in &options.databases {
        let measured = match database {
            Database::Sqlite => on_sqlite(&binary, folder.path(), &corpus, options.rounds)?,
            Database::Postgres => on_postgres(&binary, folder.path(), &corpus, options.rounds)?,
        };
        lines.extend(measured.lines(database.name()));
    }
    println!();
    for line in lines {
        println!("{line}");
    }
    Ok(())
}

fn parse(arguments: &[String]) -> Result<Options> {
    let mut options = Options {
        documents: 100_000,
        rounds: 3,
        databases: vec![Database::Sqlite, Database::Postgres],
    };
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        let value = rest
            .next()
            .ok_or_else(|| UsageError::boxed(format!("{option} wants a value")))?;
        match option.as_str() {
            "--documents" => options.documents = crate::options::positive(option, value)?,
            "--rounds" => options.rounds = crate::options::positive(option, value)?,
            "--only" => options.databases = vec![crate::options::database(value)?],
            _ => return Err(UsageError::boxed(format!("no option is called {option:?}"))),
        }
    }
    Ok(options)
}

/// Ours, and the baseline's.
struct Comparison {
    ours: Index,
    baseline: Index,
    ours_p95: Vec<f64>,
    baseline_p95: Vec<f64>,
}

impl Comparison {
    fn lines(self, database: &str) -> Vec<String> {
        let name = format!("search-{database}");
        let seconds = |time: Duration| time.as_secs_f64();
        vec![
            ratio_line(
                &name,
                median(self.ours_p95.into_iter()),
                median(self.baseline_p95.into_iter()),
                "ms",
            ),
            ratio_line(
                &format!("{name}-size"),
                self.ours.bytes / 1e6,
                self.baseline.bytes / 1e6,
                "MB",
            ),
            ratio_line(
                &format!("{name}-indexing"),
                seconds(self.ours.build_time),
                seconds(self.baseline.build_time),
                "s",
            ),
        ]
    }
}

fn on_sqlite(binary: &Path, folder: &Path, corpus: &Corpus, rounds: usize) -> Result<Comparison> {
    let own = folder.join("pharos-sqlite");
    let file = own.join("pharos.db");
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let pharos = start(binary, &url, &own, corpus, "sqlite")?;
    let beginnings = ["search_", "idx_search_", "sqlite_autoindex_search_"];
    let bytes = sqlite_bytes(&rusqlite::Connection::open(&file)?, &beginnings)?;
    let (raw, baseline) = Fts5::build(folder, corpus)?;
    let (mut ours_p95, mut baseline_p95) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours_p95.push(percentile_95(search(pharos.address, &pharos.key, corpus)?));
        baseline_p95.push(percentile_95(raw.search(corpus)?));
    }
    Ok(Comparison {
        ours: Index {
            bytes,
            build_time: pharos.import_time,
        },
        baseline,
        ours_p95,
        baseline_p95,
    })
}

fn on_postgres(binary: &Path, folder: &Path, corpus: &Corpus, rounds: usize) -> Result<Comparison> {
    let mut postgres = Postgres::start(folder)?;
    let url = postgres.create_database("pharos")?;
    let pharos = start(
        binary,
        &url,
        &folder.join("pharos-postgres"),
        corpus,
        "postgres",
    )?;
    postgres.settle(&url)?;
    let size = postgres.ask(
        &url,
        "SELECT SUM(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relname LIKE 'search%'",
    )?;
    let (raw, baseline) = TsRank::build(folder, &mut postgres, corpus)?;
    let (mut ours_p95, mut baseline_p95) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours_p95.push(percentile_95(search(pharos.address, &pharos.key, corpus)?));
        baseline_p95.push(percentile_95(raw.search(&postgres)?));
    }
    Ok(Comparison {
        ours: Index {
            bytes: size.trim().parse()?,
            build_time: pharos.import_time,
        },
        baseline,
        ours_p95,
        baseline_p95,
    })
}

/// A server on the loaded library, with its memory index filled.
fn start(
    binary: &Path,
    url: &str,
    folder: &Path,
    corpus: &Corpus,
    database: &str,
) -> Result<Pharos> {
    let pharos = Pharos::start(binary, url, folder, std::slice::from_ref(&corpus.file))?;
    let before = pharos.idle_peak_memory()?;
    let first = search_words(pharos.address, &pharos.key, &corpus.queries[..1])?;
    println!(
        "INFO search-{database} import {:.1} s, first search {:.0} ms, memory {before:.0} MB before it and {:.0} MB after",
        pharos.import_time.as_secs_f64(),
        first[0].as_secs_f64() * 1e3,
        pharos.idle_peak_memory()?,
    );
    Ok(pharos)
}

fn search(address: SocketAddr, key: &str, corpus: &Corpus) -> Result<Vec<Duration>> {
    search_words(address, key, &corpus.queries)
}

/// The time of each search, one after the other on one connection, for the first ten.
fn search_words(address: SocketAddr, key: &str, queries: &[Vec<String>]) -> Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 256 * 1024];
    let mut times = Vec::with_capacity(queries.len());
    let mut reader = ResponseReader::keeping_bodies();
    for words in queries {
        check_interrupt()?;
        let target = format!(
            "/api/v1/search?limit=10&q={}",
            percent_encode(&words.join(" "))
        );
        let request = get_bytes(&target, key);
        let started = Instant::now();
        stream.write_all(&request)?;
        let status = loop {
            let read = stream.read(&mut buffer)?;
            if read == 0 {
                return Err("the server closed the connection within an answer".into());
            }
            if let Some(response) = reader.feed(&buffer[..read])? {
                break response.status;
            }
        };
        times.push(started.elapsed());
        reader.take_body();
        if status != 200 {
            return Err(format!("{target} is answered {status}").into());
        }
    }
    Ok(times)
}
