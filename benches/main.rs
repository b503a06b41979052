//! Benchmarks of Pharos against its peers: `cargo bench -p benches -- NAME [OPTIONS]`.
//!
//! Each measures both sides in the same run, taking turns, and prints last its `BENCH` lines (see `report.rs`).

mod catalogue;
mod constants;
mod http;
mod json;
mod load;
mod options;
mod peer;
mod pharos;
mod postgres;
mod process;
mod report;
mod requests;
mod rest;
mod search;

use std::error::Error;
use std::process::ExitCode;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

struct Benchmark {
    name: &'static str,
    summary: &'static str,
    usage: &'static str,
    run: fn(&[String]) -> Result<()>,
}

const BENCHMARKS: &[Benchmark] = &[
    Benchmark {
        name: "rest",
        summary: "the REST API on SQLite and PostgreSQL, against FastAPI and against a constant body",
        usage: options::USAGE,
        run: rest::run,
    },
    Benchmark {
        name: "json",
        summary: "filters over JSON on SQLite, against PostgreSQL's indexes and against a scan; what the index costs",
        usage: json::USAGE,
        run: json::run,
    },
    Benchmark {
        name: "search",
        summary: "searches, index size and indexing, against bare FTS5 and ts_rank",
        usage: search::USAGE,
        run: search::run,
    },
];

fn main() -> ExitCode {
    // cargo adds `--bench` to what the user typed.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let name = arguments.first().map(String::as_str);
    let Some(benchmark) = BENCHMARKS.iter().find(|b| Some(b.name) == name) else {
        match name {
            Some(unknown) => eprintln!("no benchmark is called {unknown:?}; there are:"),
            None => {
                eprintln!("usage: cargo bench -p benches -- NAME [OPTIONS], where NAME is one of:")
            }
        }
        for benchmark in BENCHMARKS {
            eprintln!("  {:8} {}", benchmark.name, benchmark.summary);
        }
        return ExitCode::from(2);
    };
    if arguments.iter().any(|a| a == "--help" || a == "-h") {
        println!(
            "{}: {}\n\n{}",
            benchmark.name, benchmark.summary, benchmark.usage
        );
        return ExitCode::SUCCESS;
    }
    if let Err(error) = process::watch_for_interrupts() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    match (benchmark.run)(&arguments[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<options::UsageError>() => {
            eprintln!("{error}\n\n{}", benchmark.usage);
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("{} failed: {error}", benchmark.name);
            ExitCode::FAILURE
        }
    }
}
