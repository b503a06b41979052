//! The command line: parse, build, run, exit code.

mod arguments;
mod commands;
mod conformance;
mod doctor;
mod evaluate;
mod import;
mod output;
mod reindex;
mod settings;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;
use crate::output::Closed;

/// Requests allocate many small texts; the system's allocator took a fifth of their time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match dotenvy::dotenv() {
        Err(error) if !error.not_found() => {
            eprintln!("pharos: the .env file cannot be read: {error}");
            return ExitCode::from(2);
        }
        _ => {}
    }
    let arguments = Arguments::parse();
    if let Err(error) = settings::start_logging(&arguments.settings) {
        eprintln!("pharos: {error}");
        return ExitCode::from(2);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("pharos: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(commands::run(arguments)) {
        Ok(code) => code,
        Err(error) if error.is::<Closed>() => ExitCode::from(Closed::EXIT_CODE),
        Err(error) => {
            eprintln!("pharos: {error}");
            ExitCode::FAILURE
        }
    }
}
