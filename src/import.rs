//! `pharos import`: files in, sums out, a progress bar on a terminal.

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use flate2::read::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};
use service::Pharos;
use service::codes::CodeImportReport;
use service::library::{ImportFormat, ImportReport};

use crate::arguments::ImportArguments;
use crate::output::say;

/// Imports every file in turn. Rejected rows make the exit code 1.
pub async fn import(
    pharos: &Pharos,
    options: &ImportArguments,
) -> Result<ExitCode, Box<dyn Error>> {
    let mut rejects = match &options.rejects {
        Some(path) => Some(
            File::create(path)
                .map_err(|error| format!("cannot write {}: {error}", path.display()))?,
        ),
        None => None,
    };
    let mut sum = ImportReport::default();
    for path in &options.files {
        let report = import_file(pharos, path, options, rejects.as_mut()).await?;
        sum.read += report.read;
        sum.inserted += report.inserted;
        sum.updated += report.updated;
        sum.unchanged += report.unchanged;
        sum.rejected += report.rejected;
    }
    if sum.inserted + sum.updated > 0 {
        pharos.database().analyse().await?;
    }
    if options.json {
        say!("{}", serde_json::to_string(&sum)?);
    } else {
        say!(
            "read {}, inserted {}, updated {}, unchanged {}, rejected {}",
            sum.read,
            sum.inserted,
            sum.updated,
            sum.unchanged,
            sum.rejected
        );
    }
    Ok(if sum.rejected == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Imports every file of classification codes in turn, each in one transaction. Rejected rows make the exit code 1.
pub async fn import_codes(
    pharos: &Pharos,
    options: &ImportArguments,
) -> Result<ExitCode, Box<dyn Error>> {
    let mut sum = CodeImportReport::default();
    for path in &options.files {
        let name = path.display().to_string();
        let (mut reader, format, _) = open(path, &options.stdin_format)?;
        let mut bytes = Vec::new();
        let format = match format {
            Compressed::Plain(format) => {
                reader.read_to_end(&mut bytes)?;
                format
            }
            Compressed::Gzip(format) => {
                MultiGzDecoder::new(reader).read_to_end(&mut bytes)?;
                format
            }
        };
        let report = pharos
            .import_classification_codes(&bytes, format)
            .await
            .map_err(|error| format!("{name}: {error}"))?;
        for reject in &report.rejects {
            eprintln!("{name}:{}: {}", reject.line, reject.reason);
        }
        sum.read += report.read;
        sum.inserted += report.inserted;
        sum.updated += report.updated;
        sum.unchanged += report.unchanged;
        sum.rejected += report.rejected;
        sum.rejects.extend(report.rejects);
    }
    if let Some(path) = &options.rejects {
        let mut file = File::create(path)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        for reject in &sum.rejects {
            serde_json::to_writer(&mut file, reject)?;
            file.write_all(b"\n")?;
        }
    }
    if options.json {
        say!("{}", serde_json::to_string(&sum)?);
    } else {
        say!(
            "read {}, inserted {}, updated {}, unchanged {}, rejected {}",
            sum.read,
            sum.inserted,
            sum.updated,
            sum.unchanged,
            sum.rejected
        );
    }
    Ok(if sum.rejected == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn import_file(
    pharos: &Pharos,
    path: &Path,
    options: &ImportArguments,
    mut rejects: Option<&mut File>,
) -> Result<ImportReport, Box<dyn Error>> {
    let (reader, format, size) = open(path, &options.stdin_format)?;
    let bar = progress_bar(size);
    let counted = bar.wrap_read(reader);
    let (reader, format): (Box<dyn Read + Send>, ImportFormat) = match format {
        Compressed::Plain(format) => (Box::new(counted), format),
        Compressed::Gzip(format) => (Box::new(MultiGzDecoder::new(counted)), format),
    };
    let name = path.display().to_string();
    let report = pharos
        .import_resources(
            reader,
            format,
            |report| bar.set_message(format!("{} rows", report.read)),
            |reject| {
                eprintln!("{name}:{}: {}", reject.line, reject.reason);
                if let Some(file) = rejects.as_deref_mut() {
                    serde_json::to_writer(&mut *file, &reject)
                        .map_err(std::io::Error::from)
                        .and_then(|()| file.write_all(b"\n"))
                        .map_err(|error| {
                            service::Error::Internal(format!("cannot write the rejects: {error}"))
                        })?;
                }
                Ok(())
            },
        )
        .await
        .map_err(|error| format!("{name}: {error}"))?;
    bar.finish_and_clear();
    Ok(report)
}

enum Compressed {
    Plain(ImportFormat),
    Gzip(ImportFormat),
}

type Opened = (Box<dyn Read + Send>, Compressed, Option<u64>);

fn open(path: &Path, stdin_format: &str) -> Result<Opened, Box<dyn Error>> {
    if path.as_os_str() == "-" {
        let format = if stdin_format == "csv" {
            ImportFormat::Csv
        } else {
            ImportFormat::NdJson
        };
        return Ok((Box::new(std::io::stdin()), Compressed::Plain(format), None));
    }
    let name = path.to_string_lossy().to_ascii_lowercase();
    let (plain, gzip) = name
        .strip_suffix(".gz")
        .map_or((name.as_str(), false), |plain| (plain, true));
    let format = if plain.ends_with(".csv") {
        ImportFormat::Csv
    } else if plain.ends_with(".ndjson") || plain.ends_with(".jsonl") {
        ImportFormat::NdJson
    } else {
        return Err(format!(
            "{}: expected a name ending in .csv, .ndjson or .jsonl, each also .gz",
            path.display()
        )
        .into());
    };
    let file =
        File::open(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let size = file.metadata().ok().map(|metadata| metadata.len());
    let compressed = if gzip {
        Compressed::Gzip(format)
    } else {
        Compressed::Plain(format)
    };
    Ok((Box::new(BufReader::new(file)), compressed, size))
}

/// A bar over the bytes of the file; nothing where stderr is no terminal.
fn progress_bar(size: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    match size {
        None => ProgressBar::new_spinner(),
        Some(size) => {
            let style = ProgressStyle::with_template("{bar:40} {percent:>3} % {msg} {elapsed}");
            ProgressBar::new(size)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        }
    }
}
