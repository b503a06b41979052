//! `pharos evaluate`: a collection in, two figures out, and the rankings when asked for.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use indicatif::ProgressBar;
use service::database::{DatabaseError, ScratchDatabase};
use service::evaluation::{self, Evaluation};
use service::random::SystemRandom;

use crate::arguments::EvaluateArguments;
use crate::output::say;
use crate::settings::Settings;

/// Measures in a scratch database, which is removed also after an error or Ctrl-C.
pub async fn evaluate(
    settings: &Settings,
    options: &EvaluateArguments,
) -> Result<ExitCode, Box<dyn Error>> {
    let like = settings.database_url()?;
    // Before the work begins: a file that cannot be written would waste it.
    let run = match &options.run {
        Some(path) => Some(
            File::create(path)
                .map_err(|error| format!("cannot write {}: {error}", path.display()))?,
        ),
        None => None,
    };
    let scratch = ScratchDatabase::create(&like, &SystemRandom)
        .await
        .map_err(|error| match error {
            DatabaseError::Unavailable(_) => error.to_string(),
            error => format!("cannot create a scratch database beside {like}: {error}"),
        })?;
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    let database_options = settings.database_options();
    let outcome = tokio::select! {
        outcome = evaluation::evaluate(&options.folder, scratch.url(), &database_options, |read| {
            bar.set_message(format!("{read} documents"));
            bar.tick();
        }) => outcome.map_err(Box::<dyn Error>::from),
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    bar.finish_and_clear();
    let removed = scratch.remove().await;
    let evaluation = outcome?;
    removed?;
    if let Some(file) = run {
        write_run(file, &evaluation)?;
    }
    eprintln!(
        "{} documents, {} queries, {} of them with relevant documents",
        evaluation.documents,
        evaluation.rankings.len(),
        evaluation.judged
    );
    say!(
        "nDCG@10 {:.4} recall@100 {:.4}",
        evaluation.ndcg_at_10,
        evaluation.recall_at_100
    );
    Ok(ExitCode::SUCCESS)
}

/// Query, `Q0`, document, rank from 1, score, name of the run.
fn write_run(file: File, evaluation: &Evaluation) -> std::io::Result<()> {
    let mut file = BufWriter::new(file);
    for ranking in &evaluation.rankings {
        for ((document, score), rank) in ranking.documents.iter().zip(1_u32..) {
            writeln!(
                file,
                "{} Q0 {document} {rank} {score} pharos",
                ranking.query
            )?;
        }
    }
    file.flush()
}
