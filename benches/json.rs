//! `json`: filters over the metadata of many resources on SQLite, against PostgreSQL's indexes on the same rows, against
//! a scan with `json_each`, and what SQLite's index over JSON costs a writer.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::Result;
use crate::constants::{Random, SEED};
use crate::http::{get_bytes, get_json, percent_encode, post_bytes};
use crate::load::{self, Load, Outcome};
use crate::options::UsageError;
use crate::pharos::{self, Pharos};
use crate::postgres::Postgres;
use crate::process::{TemporaryFolder, check_interrupt};
use crate::report::{self, Measured};

pub const USAGE: &str = "options:
  --rows N              resources, each with metadata of 20 paths (100000)
  --seconds N           length of one turn (4)
  --rounds N            turns of each side; their medians count (3)
  --connections N       keep-alive connections, each with one request at a time (8)
environment: TEST_DATABASE_URL (a PostgreSQL server to use)";

const WARM_UP: Duration = Duration::from_secs(1);
/// Different requests of a kind.
const REQUESTS: usize = 200;
/// Scans that are timed in a round; each takes long enough.
const SCANS: usize = 2;
/// Keys that few resources have each, about 20 of 100,000.
const RARE_KEYS: usize = 100;
/// Those that are asked about: every declared path costs PostgreSQL's planner time.
const ASKED_KEYS: usize = 3;

struct Options {
    rows: usize,
    seconds: Duration,
    rounds: usize,
    connections: usize,
}

/// A question, as a filter and as SQL over `json_each` with the same meaning for these rows.
struct Question {
    filter: String,
    scan: String,
}

pub fn run(arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments)?;
    let folder = TemporaryFolder::create()?;
    let binary = pharos::build()?;
    let files = vec![write_rows(folder.path(), options.rows)?];
    let mut postgres = Postgres::start(folder.path())?;
    println!(
        "INFO {} resources with metadata of 20 paths, {} connections, {} rounds of {} s",
        options.rows,
        options.connections,
        options.rounds,
        options.seconds.as_secs()
    );
    let sqlite_folder = folder.path().join("sqlite");
    let database = sqlite_folder.join("pharos.db");
    let sqlite = Pharos::start(&binary, &sqlite_url(&database), &sqlite_folder, &files)?;
    let url = postgres.create_database("json")?;
    // PostgreSQL's best: GIN for what is contained, the index of the declared path for what exists and for order.
    let mut declare = vec![String::from("resources.metadata.price")];
    declare.extend((0..ASKED_KEYS).map(|key| format!("resources.metadata.award_{key}")));
    let commands: Vec<[&str; 3]> = declare
        .iter()
        .map(|path| ["index", "add", path.as_str()])
        .collect();
    let commands: Vec<&[&str]> = commands.iter().map(|command| &command[..]).collect();
    let on_postgres = Pharos::start_with(
        &binary,
        &url,
        &folder.path().join("postgres-pharos"),
        &files,
        &[],
        &commands,
    )?;
    postgres.settle(&url)?;

    let mut lines = Vec::new();
    let mut random = Random::new(SEED + 1);
    report::print_table_head();
    for (name, question) in [
        ("contains", contains as fn(&mut Random) -> Question),
        ("exists", exists),
        ("compare", compare),
    ] {
        let questions: Vec<Question> = (0..REQUESTS).map(|_| question(&mut random)).collect();
        check_answers(
            &questions,
            sqlite.address,
            &sqlite.key,
            on_postgres.address,
            &on_postgres.key,
        )?;
        let sides = [
            ("sqlite", sqlite.address, lists(&questions, &sqlite.key)),
            (
                "postgres",
                on_postgres.address,
                lists(&questions, &on_postgres.key),
            ),
        ];
        let measured = options.measure(&sides)?;
        for ((side, ..), measured) in sides.iter().zip(&measured) {
            report::print_table_row(side, name, "pharos", measured);
        }
        lines.push(report::rate_line(
            &format!("json-{name}-vs-gin"),
            measured[0].per_second,
            measured[1].per_second,
        ));
        let one = options.measure_alone(&sides[0])?;
        let scan = scan_time(&database, &questions)?;
        lines.push(report::time_line(
            &format!("json-{name}-vs-scan"),
            one.p50_ms,
            scan,
        ));
    }
    drop(on_postgres);

    // The same file without the index, and without the triggers that keep the list of what is not in it.
    let bare_folder = folder.path().join("bare");
    let bare_database = bare_folder.join("pharos.db");
    let bare = Pharos::start_with(
        &binary,
        &sqlite_url(&bare_database),
        &bare_folder,
        &files,
        &[("PHAROS_JSON_INDEX", "off")],
        &[],
    )?;
    Connection::open(&bare_database)?.execute_batch(
        "PRAGMA busy_timeout = 10000; DROP TRIGGER resources_json_new; DROP TRIGGER resources_json_changed;",
    )?;
    let new: Vec<Value> = (0..2_000)
        .map(|number| row(options.rows + number, &mut random))
        .collect();
    let sides = [
        ("indexed", sqlite.address, creates(&new, &sqlite.key)),
        ("bare", bare.address, creates(&new, &bare.key)),
    ];
    let measured = options.measure(&sides)?;
    for ((side, ..), measured) in sides.iter().zip(&measured) {
        report::print_table_row("sqlite", "create", side, measured);
    }
    lines.push(report::rate_line(
        "json-write-cost",
        measured[0].per_second,
        measured[1].per_second,
    ));
    println!();
    for line in lines {
        println!("{line}");
    }
    Ok(())
}

type Side = (&'static str, SocketAddr, Vec<Vec<u8>>);

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            rows: 100_000,
            seconds: Duration::from_secs(4),
            rounds: 3,
            connections: 8,
        };
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let value = arguments.next().and_then(|value| value.parse().ok());
            let value: usize = value
                .filter(|value| *value > 0)
                .ok_or_else(|| UsageError(format!("{name} needs a number above 0")))?;
            match name.as_str() {
                "--rows" => options.rows = value,
                "--seconds" => options.seconds = Duration::from_secs(value as u64),
                "--rounds" => options.rounds = value,
                "--connections" => options.connections = value,
                other => return Err(UsageError(format!("unknown option {other}")).into()),
            }
        }
        Ok(options)
    }

    /// Lets the sides take turns, and gives the medians of each in the same order.
    fn measure(&self, sides: &[Side]) -> Result<Vec<Measured>> {
        let mut turns: Vec<Vec<Outcome>> = sides.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.rounds {
            for (side, turns) in sides.iter().zip(&mut turns) {
                turns.push(self.turn(side, self.connections)?);
            }
        }
        Ok(turns.iter().map(|turns| Measured::of(turns)).collect())
    }

    /// One request at a time, as the scan is timed.
    fn measure_alone(&self, side: &Side) -> Result<Measured> {
        let turns = (0..self.rounds)
            .map(|_| self.turn(side, 1))
            .collect::<Result<Vec<_>>>()?;
        Ok(Measured::of(&turns))
    }

    fn turn(&self, (name, address, requests): &Side, connections: usize) -> Result<Outcome> {
        let outcome = load::run(&Load {
            address: *address,
            requests,
            connections,
            warm_up: WARM_UP,
            duration: self.seconds,
        })?;
        match &outcome.failure {
            None => Ok(outcome),
            Some(failure) => Err(format!("{name}: not every answer is 2xx: {failure}").into()),
        }
    }
}

fn sqlite_url(database: &Path) -> String {
    format!("sqlite://{}?mode=rwc", database.display())
}

fn contains(random: &mut Random) -> Question {
    let (publisher, tag) = (random.below(500), random.below(50));
    Question {
        filter: format!(
            "contains(metadata, '{{\"publisher\": \"Publisher {publisher}\", \"tags\": [\"tag {tag}\"]}}')"
        ),
        scan: format!(
            "EXISTS (SELECT 1 FROM json_each(metadata) WHERE key = 'publisher' AND value = 'Publisher {publisher}') AND \
             EXISTS (SELECT 1 FROM json_each(metadata, '$.tags') WHERE value = 'tag {tag}')"
        ),
    }
}

fn exists(random: &mut Random) -> Question {
    let key = random.below(ASKED_KEYS);
    Question {
        filter: format!("metadata.award_{key}:*"),
        scan: format!(
            "EXISTS (SELECT 1 FROM json_each(metadata) WHERE key = 'award_{key}' AND type <> 'null')"
        ),
    }
}

fn compare(random: &mut Random) -> Question {
    let from = random.below(99_900);
    let (from, to) = (from as f64 / 100.0, (from + 20) as f64 / 100.0);
    Question {
        filter: format!("metadata.price >= {from} AND metadata.price < {to}"),
        scan: format!(
            "EXISTS (SELECT 1 FROM json_each(metadata) WHERE key = 'price' AND value >= {from} AND value < {to})"
        ),
    }
}

fn target(question: &Question) -> String {
    format!(
        "/api/v1/resources?filter={}",
        percent_encode(&question.filter)
    )
}

fn lists(questions: &[Question], key: &str) -> Vec<Vec<u8>> {
    questions
        .iter()
        .map(|question| get_bytes(&target(question), key))
        .collect()
}

fn creates(rows: &[Value], key: &str) -> Vec<Vec<u8>> {
    rows.iter()
        .map(|row| post_bytes("/api/v1/resources", key, &row.to_string()))
        .collect()
}

/// # Errors
/// When the two libraries answer differently: figures about them could not be compared.
fn check_answers(
    questions: &[Question],
    one: SocketAddr,
    one_key: &str,
    other: SocketAddr,
    other_key: &str,
) -> Result<()> {
    let mut found = 0;
    for question in questions.iter().take(20) {
        let target = format!("{}&sort=identifier&total=true", target(question));
        let titles = |address, key: &str| -> Result<Vec<Value>> {
            let page = get_json(address, &target, key)?;
            let items = page["items"].as_array().ok_or("a list without items")?;
            let mut titles: Vec<Value> = items
                .iter()
                .map(|item| item["identifier"].clone())
                .collect();
            titles.push(page["total"].clone());
            Ok(titles)
        };
        let (one, other) = (titles(one, one_key)?, titles(other, other_key)?);
        if one != other {
            return Err(format!("{}: {one:?} and {other:?}", question.filter).into());
        }
        found += one.len() - 1;
    }
    println!("INFO the first 20 questions fill {found} places of their pages");
    Ok(())
}

/// Milliseconds of the median scan that answers the first page.
fn scan_time(database: &Path, questions: &[Question]) -> Result<f64> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.pragma_update(None, "mmap_size", 1_i64 << 30)?;
    let mut times = Vec::new();
    for question in questions.iter().take(2 * SCANS + 1) {
        check_interrupt()?;
        let sql = format!(
            "SELECT id, title, metadata FROM resources WHERE {} ORDER BY created_at DESC, id DESC LIMIT 26",
            question.scan
        );
        let started = Instant::now();
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

fn write_rows(folder: &Path, count: usize) -> Result<PathBuf> {
    let path = folder.join("rows.ndjson");
    let mut file = BufWriter::new(File::create(&path)?);
    let mut random = Random::new(SEED);
    for number in 0..count {
        writeln!(file, "{}", row(number, &mut random))?;
    }
    file.flush()?;
    Ok(path)
}

/// A record whose metadata has 20 paths: texts and numbers that are the same in many records, in some, and in one alone,
/// a list, and objects two deep. One in 50 has one key of the rare ones instead of a note.
fn row(number: usize, random: &mut Random) -> Value {
    let mut metadata = json!({
        "isbn": format!("978{:010}", random.next() % 10_000_000_000),
        "doi": format!("10.{}/{number}", 1_000 + random.below(50)),
        "publisher": format!("Publisher {}", random.below(500)),
        "place": format!("City {}", random.below(200)),
        "shelf": format!("{}-{}", random.below(40), random.below(100)),
        "pages": 40 + random.below(900),
        "price": random.below(100_000) as f64 / 100.0,
        "copies": random.below(20),
        "edition": 1 + random.below(9),
        "lent": random.below(2) == 1,
        "illustrated": random.below(10) == 0,
        "tags": (0..3).map(|_| format!("tag {}", random.below(50))).collect::<Vec<_>>(),
        "rating": {"average": random.below(500) as f64 / 100.0, "count": random.below(5_000)},
        "size": {"height": 100 + random.below(200), "width": 80 + random.below(150)},
        "scan": {"by": format!("Operator {}", random.below(30)), "quality": {"dpi": 150 * (1 + random.below(4))}},
        "acquired": format!("{}-{:02}-{:02}", 1990 + random.below(35), 1 + random.below(12), 1 + random.below(28)),
    });
    let last = if random.below(50) == 0 {
        format!("award_{}", random.below(RARE_KEYS))
    } else {
        "note".to_owned()
    };
    metadata[last] = format!("Note {}", random.below(1_000)).into();
    json!({
        "identifier": format!("json:{number}"),
        "title": format!("Record {number} of {}", random.below(10_000)),
        "creator": format!("Author {}", random.below(5_000)),
        "date": (1950 + random.below(75)).to_string(),
        "type": "book",
        "language": "en",
        "source": "generated",
        "metadata": metadata,
    })
}
