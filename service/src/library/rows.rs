//! The rows of a file that is imported: CSV or NDJSON.

use std::io::{BufRead, Read};

use serde_json::{Map, Number, Value as Json};

use super::fields::FIELD_NAMES;
use super::import::BATCH_ROWS;
use crate::error::Error;

/// Bytes of one line of NDJSON at most.
const LONGEST_LINE: u64 = 8 * 1024 * 1024;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// A header line with field names; `|` separates the entries of lists; other columns become metadata.
    Csv,
    /// One JSON object a line.
    NdJson,
}

/// A row of the file.
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) row: Result<Map<String, Json>, String>,
    pub(super) text: Json,
}

pub(super) type Lines = Box<dyn Iterator<Item = Result<Line, Error>> + Send>;

pub(super) fn read_batch(lines: &mut Lines) -> Result<Vec<Line>, Error> {
    lines.take(BATCH_ROWS).collect()
}

pub(super) fn open(reader: Box<dyn Read + Send>, format: ImportFormat) -> Result<Lines, Error> {
    match format {
        ImportFormat::Csv => open_csv(reader),
        ImportFormat::NdJson => Ok(open_ndjson(reader)),
    }
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    Error::Invalid(vec![crate::error::Fault::at(
        "",
        "unreadable",
        format!("the file cannot be read: {error}"),
    )])
}

fn open_ndjson(reader: Box<dyn Read + Send>) -> Lines {
    let mut reader = std::io::BufReader::new(reader);
    let mut number = 0;
    Box::new(std::iter::from_fn(move || {
        loop {
            let mut bytes = Vec::new();
            let read = (&mut reader)
                .take(LONGEST_LINE)
                .read_until(b'\n', &mut bytes);
            match read {
                Err(error) => return Some(Err(unreadable(error))),
                Ok(0) => return None,
                Ok(_) => number += 1,
            }
            if bytes.len() as u64 == LONGEST_LINE && !bytes.ends_with(b"\n") {
                return Some(Err(unreadable(format!(
                    "line {number} is longer than {LONGEST_LINE} bytes"
                ))));
            }
            let start = if number == 1 && bytes.starts_with(b"\xef\xbb\xbf") {
                3
            } else {
                0
            };
            let bytes = bytes[start..].trim_ascii();
            if bytes.is_empty() {
                continue;
            }
            let text = String::from_utf8_lossy(bytes).into_owned();
            let row = match serde_json::from_slice(bytes) {
                Ok(Json::Object(row)) => Ok(row),
                Ok(_) => Err("expected a JSON object".to_owned()),
                Err(error) => Err(not_json(&error)),
            };
            let text = match &row {
                Ok(row) => Json::Object(row.clone()),
                Err(_) => Json::String(text),
            };
            return Some(Ok(Line { number, row, text }));
        }
    }))
}

/// The columns of a header, for errors.
pub(crate) fn listed<'a>(columns: impl Iterator<Item = &'a str>) -> String {
    let columns: Vec<&str> = columns.filter(|name| !name.is_empty()).collect();
    if columns.is_empty() {
        return "none".to_owned();
    }
    columns.join(", ")
}

/// Why a line is no JSON, with the column; the number of the line stands beside it.
pub fn not_json(error: &serde_json::Error) -> String {
    let reason = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match reason.strip_suffix(&place) {
        Some(reason) => format!("not valid JSON: {reason} at column {}", error.column()),
        None => format!("not valid JSON: {reason}"),
    }
}

/// By how much the CSV reader counts the lines of a file that begins so too low: after a row that ends in CR LF it counts
/// the LF to the next one.
pub(crate) fn late_lines(beginning: &[u8]) -> u64 {
    let end = beginning.iter().position(|byte| *byte == b'\n');
    u64::from(end.is_some_and(|end| beginning[..end].ends_with(b"\r")))
}

fn open_csv(reader: Box<dyn Read + Send>) -> Result<Lines, Error> {
    let mut reader = std::io::BufReader::new(reader);
    let late = late_lines(reader.fill_buf().map_err(unreadable)?);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(reader);
    let headers = reader.byte_headers().map_err(unreadable)?.clone();
    let headers: Vec<String> = headers
        .iter()
        .map(|name| {
            String::from_utf8(name.to_vec())
                .map(|name| name.trim_start_matches('\u{feff}').trim().to_owned())
                .map_err(|_| unreadable("the header is not UTF-8"))
        })
        .collect::<Result<_, _>>()?;
    if !headers.iter().any(|name| name == "title") {
        return Err(unreadable(format!(
            "the header has no column `title`: it has {}",
            listed(headers.iter().map(String::as_str))
        )));
    }
    Ok(Box::new(reader.into_byte_records().map(move |record| {
        let record = record.map_err(unreadable)?;
        let number = record.position().map_or(0, csv::Position::line) + late;
        let cells: Vec<String> = record
            .iter()
            .map(|cell| String::from_utf8_lossy(cell).into_owned())
            .collect();
        let text = Json::from(cells.clone());
        let valid = record.iter().all(|cell| std::str::from_utf8(cell).is_ok());
        let row = if !valid {
            Err("the row is not UTF-8".to_owned())
        } else if cells.len() != headers.len() {
            Err(format!(
                "expected {} columns as in the header, found {}",
                headers.len(),
                cells.len()
            ))
        } else {
            Ok(csv_row(&headers, cells))
        };
        Ok(Line { number, row, text })
    })))
}

/// Known columns become fields, the others metadata; an empty cell is absent.
fn csv_row(headers: &[String], cells: Vec<String>) -> Map<String, Json> {
    let mut row = Map::new();
    let mut metadata = Map::new();
    for (name, cell) in headers.iter().zip(cells) {
        if cell.is_empty() {
            continue;
        }
        match name.as_str() {
            "subject" | "relation" => {
                row.insert(name.clone(), split_entries(&cell).into());
            }
            "quality_score" => {
                row.insert(name.clone(), scalar(cell));
            }
            "metadata" => {
                let value = serde_json::from_str(&cell).unwrap_or(Json::String(cell));
                match value {
                    Json::Object(members) => metadata.extend(members),
                    other => {
                        row.insert(name.clone(), other);
                    }
                }
            }
            known if FIELD_NAMES.contains(&known) => {
                row.insert(name.clone(), cell.into());
            }
            _ => {
                let value = if is_reference(name) {
                    cell.into()
                } else {
                    scalar(cell)
                };
                metadata.insert(name.clone(), value);
            }
        }
    }
    if !metadata.is_empty() && !row.contains_key("metadata") {
        row.insert("metadata".to_owned(), metadata.into());
    }
    row
}

/// The entries of a list as one cell: `|` between them, `\|` for a `|` of an entry, and `\\` for a `\` that stands before
/// either of the two, or at an entry's end. Every other `\` stands for itself.
pub fn join_entries(entries: &[&str]) -> String {
    let mut cell = String::new();
    for (number, entry) in entries.iter().enumerate() {
        if number > 0 {
            cell.push('|');
        }
        let mut rest = entry.chars().peekable();
        while let Some(character) = rest.next() {
            let is_escaped = match character {
                '|' => true,
                '\\' => matches!(rest.peek(), None | Some('|' | '\\')),
                _ => false,
            };
            if is_escaped {
                cell.push('\\');
            }
            cell.push(character);
        }
    }
    cell
}

/// The entries of a cell that [`join_entries`] wrote, or a person: space around them does not count, nor do empty ones.
fn split_entries(cell: &str) -> Vec<String> {
    let mut entries = vec![String::new()];
    let mut rest = cell.chars().peekable();
    while let Some(character) = rest.next() {
        match (character, rest.peek()) {
            ('|', _) => entries.push(String::new()),
            ('\\', Some('|' | '\\')) => {
                let escaped = rest.next();
                entries
                    .last_mut()
                    .into_iter()
                    .for_each(|entry| entry.extend(escaped));
            }
            _ => entries
                .last_mut()
                .into_iter()
                .for_each(|entry| entry.push(character)),
        }
    }
    entries
        .iter()
        .map(|entry| entry.trim().to_owned())
        .filter(|entry| !entry.is_empty())
        .collect()
}

/// Whether a column holds references, which are texts even where one of them is all digits.
fn is_reference(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["isbn", "issn", "doi", "id", "code", "phone", "zip"]
        .iter()
        .any(|kind| {
            name == *kind
                || name.ends_with(&format!("_{kind}"))
                || name.starts_with(&format!("{kind}_"))
        })
        || ["isbn", "issn"].iter().any(|kind| name.starts_with(kind))
}

/// A number where the text is exactly how that number is written, so that `0439023483` stays a text.
fn scalar(text: String) -> Json {
    match text.parse::<Number>() {
        Ok(number) if number.to_string() == text => number.into(),
        _ => text.into(),
    }
}
