//! What the databases have themselves: an FTS5 table, and a tsvector column with a GIN index, of the same text.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::corpus::Corpus;
use crate::Result;
use crate::postgres::Postgres;
use crate::process::check_interrupt;

/// As many rows as Pharos imports in one transaction.
const BATCH_ROWS: usize = 500;

/// What was measured of an index.
pub struct Index {
    pub bytes: f64,
    pub build_time: Duration,
}

/// FTS5 with its own stemmer, without a copy of the text, as durable as Pharos.
pub struct Fts5(Connection);

impl Fts5 {
    pub fn build(folder: &Path, corpus: &Corpus) -> Result<(Self, Index)> {
        let mut connection = Connection::open(folder.join("raw.db"))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA mmap_size = 1073741824; \
             CREATE VIRTUAL TABLE raw USING fts5(title, text, content='', tokenize='porter unicode61')",
        )?;
        let started = Instant::now();
        let mut number = 0_i64;
        for batch in corpus.documents.chunks(BATCH_ROWS) {
            check_interrupt()?;
            let transaction = connection.transaction()?;
            {
                let mut insert = transaction
                    .prepare_cached("INSERT INTO raw (rowid, title, text) VALUES (?1, ?2, ?3)")?;
                for (title, text) in batch {
                    number += 1;
                    insert.execute(rusqlite::params![number, title, text])?;
                }
            }
            transaction.commit()?;
        }
        let build_time = started.elapsed();
        let bytes = sqlite_bytes(&connection, &["raw"])?;
        Ok((Self(connection), Index { bytes, build_time }))
    }

    /// The time of each query.
    pub fn search(&self, corpus: &Corpus) -> Result<Vec<Duration>> {
        let mut select = self
            .0
            .prepare("SELECT rowid FROM raw WHERE raw MATCH ?1 ORDER BY rank LIMIT 10")?;
        let mut times = Vec::with_capacity(corpus.queries.len());
        for words in &corpus.queries {
            let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            let query = quoted.join(" OR ");
            let started = Instant::now();
            let found = select
                .query_map([query], |row| row.get::<_, i64>(0))?
                .collect::<std::result::Result<Vec<i64>, _>>()?;
            times.push(started.elapsed());
            std::hint::black_box(found);
        }
        Ok(times)
    }
}

/// The pages of the tables and indexes whose names begin so.
pub fn sqlite_bytes(connection: &Connection, beginnings: &[&str]) -> Result<f64> {
    let mut sum = 0.0;
    for beginning in beginnings {
        let sql = "SELECT CAST(COALESCE(SUM(pgsize), 0) AS REAL) FROM dbstat WHERE substr(name, 1, ?2) = ?1";
        let length = i64::try_from(beginning.len())?;
        sum += connection.query_row(sql, rusqlite::params![beginning, length], |row| {
            row.get::<_, f64>(0)
        })?;
    }
    Ok(sum)
}

/// A table of tsvectors with a GIN index, in a database of its own.
pub struct TsRank {
    url: String,
    script: std::path::PathBuf,
}

impl TsRank {
    pub fn build(folder: &Path, postgres: &mut Postgres, corpus: &Corpus) -> Result<(Self, Index)> {
        let url = postgres.create_database("raw")?;
        let rows = folder.join("raw.tsv");
        let mut file = BufWriter::new(File::create(&rows)?);
        for (number, (title, text)) in corpus.documents.iter().enumerate() {
            writeln!(file, "{number}\t{title} {text}")?;
        }
        file.flush()?;
        postgres.execute(
            &url,
            "CREATE UNLOGGED TABLE texts (id bigint, text text); \
             CREATE TABLE raw (id bigint PRIMARY KEY, v tsvector); CREATE INDEX raw_v ON raw USING gin (v)",
        )?;
        let copy = format!("\\copy texts FROM '{}'", rows.display());
        postgres.execute(&url, &copy)?;
        let started = Instant::now();
        postgres.execute(
            &url,
            "INSERT INTO raw SELECT id, to_tsvector('english', text) FROM texts",
        )?;
        let build_time = started.elapsed();
        postgres.settle(&url)?;
        let size = postgres.ask(&url, "SELECT pg_total_relation_size('raw')")?;
        let script = folder.join("queries.sql");
        let mut file = BufWriter::new(File::create(&script)?);
        writeln!(
            file,
            "\\o /dev/null\nSELECT count(*) FROM raw;\n\\o\n\\timing on"
        )?;
        for words in &corpus.queries {
            let query = words.join(" | ");
            writeln!(
                file,
                "SELECT id FROM raw, to_tsquery('english', '{query}') q WHERE v @@ q ORDER BY ts_rank(v, q) DESC LIMIT 10;"
            )?;
        }
        file.flush()?;
        let index = Index {
            bytes: size.trim().parse()?,
            build_time,
        };
        Ok((Self { url, script }, index))
    }

    /// The time of each query, as `psql` measures it on one connection.
    pub fn search(&self, postgres: &Postgres) -> Result<Vec<Duration>> {
        let output = postgres.run_script(&self.url, &self.script)?;
        output
            .lines()
            .filter_map(|line| line.strip_prefix("Time: ")?.split(' ').next())
            .map(|time| Ok(Duration::from_secs_f64(time.parse::<f64>()? / 1e3)))
            .collect()
    }
}
