//! `pharos conformance`: two libraries in, the sums or a difference out.

use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use crate::arguments::ConformanceArguments;
use crate::output::say;

/// Compares two libraries; fails when they differ.
pub fn compare(arguments: &ConformanceArguments) -> Result<ExitCode, Box<dyn Error>> {
    let options = conformance::Options {
        a: arguments.a.reveal().to_owned(),
        b: arguments.b.reveal().to_owned(),
        seed: arguments.seed,
        cases: arguments.cases,
        server: std::env::current_exe()?,
    };
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new(arguments.cases as u64)
    } else {
        ProgressBar::hidden()
    };
    bar.set_style(ProgressStyle::with_template(
        "{bar:40} {pos}/{len} cases, {elapsed}",
    )?);
    let report = conformance::run(&options, |cases| bar.set_position(cases as u64))?;
    bar.finish_and_clear();
    if let Some(file) = &arguments.report {
        std::fs::write(file, report.to_markdown())
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    say!("{}", report.summary());
    if report.difference.is_some() {
        say!("");
        say!("{}", report.to_markdown());
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
