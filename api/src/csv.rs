//! Resources as CSV, as the import takes them: without what the server sets.

use actix_web::web::Bytes;
use serde_json::Value as Json;
use service::Error;
use service::library::Resource;

use crate::problem::Problem;

/// The columns, in the order of [`header`].
const COLUMNS: [&str; 19] = [
    "title",
    "description",
    "creator",
    "publisher",
    "contributor",
    "date",
    "type",
    "format",
    "identifier",
    "source",
    "language",
    "relation",
    "coverage",
    "rights",
    "subject",
    "classification_code",
    "read_status",
    "quality_score",
    "metadata",
];

pub fn header() -> Result<Bytes, Problem> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS).map_err(failed)?;
    finished(writer)
}

/// Entries of lists with `|` between, escaped where an entry has one; metadata as JSON; what is absent is empty.
pub fn rows(batch: &[Resource]) -> Result<Bytes, Problem> {
    let mut writer = ::csv::Writer::from_writer(Vec::with_capacity(batch.len() * 512));
    for resource in batch {
        let shown = serde_json::to_value(resource).map_err(failed)?;
        let cells = COLUMNS.map(|column| cell(&shown[column]));
        writer.write_record(&cells).map_err(failed)?;
    }
    finished(writer)
}

fn cell(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Array(entries) => {
            let entries: Vec<_> = entries.iter().filter_map(Json::as_str).collect();
            service::library::join_entries(&entries)
        }
        other => other.to_string(),
    }
}

fn finished(writer: ::csv::Writer<Vec<u8>>) -> Result<Bytes, Problem> {
    Ok(writer.into_inner().map_err(failed)?.into())
}

fn failed(error: impl std::fmt::Display) -> Problem {
    Error::Internal(error.to_string()).into()
}
