//! `pharos reindex`: mends the search index, with a progress bar on a terminal.

use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use service::Pharos;

/// Rebuilds what is wrong, or everything.
pub async fn reindex(
    pharos: &Pharos,
    all: bool,
    as_json: bool,
) -> Result<ExitCode, Box<dyn Error>> {
    let bar = if std::io::stderr().is_terminal() {
        let style = ProgressStyle::with_template("{bar:40} {pos} of {len} {elapsed}");
        ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    } else {
        ProgressBar::hidden()
    };
    let report = pharos
        .rebuild_search(all, |report| {
            bar.set_length(report.outdated);
            bar.set_position(report.rebuilt);
        })
        .await?;
    bar.finish_and_clear();
    if report.rebuilt + report.removed > 0 {
        pharos.database().analyse().await?;
    }
    if as_json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!(
            "outdated {}, rebuilt {}, removed {}",
            report.outdated, report.rebuilt, report.removed,
        );
    }
    Ok(ExitCode::SUCCESS)
}
