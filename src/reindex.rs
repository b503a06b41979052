//! `pharos reindex`: mends the search index, with a progress bar on a terminal and lines elsewhere.

use std::error::Error;
use std::fmt::Arguments;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use service::Pharos;
use service::search::RebuildReport;

use crate::output::say;

/// A line of progress comes at least so often.
const SILENCE: Duration = Duration::from_secs(10);

/// Rebuilds what is wrong, or everything.
pub async fn reindex(
    pharos: &Pharos,
    all: bool,
    as_json: bool,
) -> Result<ExitCode, Box<dyn Error>> {
    let mut progress = Progress::start();
    let report = pharos
        .rebuild_search(all, |report| progress.show(report))
        .await?;
    progress.bar.finish_and_clear();
    if report.rebuilt + report.removed > 0 {
        pharos.database().analyse().await?;
    }
    if as_json {
        say!("{}", serde_json::to_string(&report)?);
    } else {
        let mut said = format!(
            "outdated {}, rebuilt {}, removed {}",
            report.outdated, report.rebuilt, report.removed,
        );
        if report.replaced > 0 {
            said.push_str(&format!(", indexes made anew {}", report.replaced));
        }
        say!("{said}");
    }
    Ok(ExitCode::SUCCESS)
}

/// A bar, or a line for each tenth and every ten seconds.
struct Progress {
    bar: ProgressBar,
    shown: Instant,
    tenths: u64,
    begun: bool,
}

impl Progress {
    fn start() -> Self {
        let bar = if std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{bar:40} {pos} of {len} {elapsed}");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        } else {
            ProgressBar::hidden()
        };
        Self {
            bar,
            shown: Instant::now(),
            tenths: 0,
            begun: false,
        }
    }

    fn show(&mut self, report: &RebuildReport) {
        if !self.begun && report.written_before > 0 {
            self.bar.suspend(|| {
                note(format_args!(
                    "goes on behind {} documents that a run before has written",
                    report.written_before
                ));
            });
        }
        self.begun = true;
        self.bar.set_length(report.outdated);
        self.bar.set_position(report.rebuilt);
        let tenths = report.rebuilt * 10 / report.outdated.max(1);
        if self.bar.is_hidden() && (tenths > self.tenths || self.shown.elapsed() > SILENCE) {
            let (rebuilt, outdated) = (report.rebuilt, report.outdated);
            note(format_args!("{rebuilt} of {outdated} documents"));
            self.tenths = tenths;
            self.shown = Instant::now();
        }
    }
}

/// The work goes on, also when nobody reads this.
fn note(text: Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "pharos: {text}");
}
