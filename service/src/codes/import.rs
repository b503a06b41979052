//! Importing a classification: all rows in one transaction, in whatever order they come.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::change::model;
use super::code::NewCode;
use super::tree::{Codes, arrange, in_circles, without_parent};
use crate::Pharos;
use crate::body::shortened;
use crate::error::{Error, Fault};
use crate::library::{ImportFormat, late_lines, listed, not_json};

/// Rows of an import at most.
const MOST_ROWS: usize = 50_000;
/// Rejected rows that a report names at most.
const MOST_REJECTS: usize = 100;

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct CodeImportReport {
    pub read: u64,
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub rejected: u64,
    /// The first 100 rows that were not taken.
    #[schema(max_items = 100)]
    pub rejects: Vec<CodeReject>,
}

/// A row that was not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct CodeReject {
    /// Line of the file, from 1.
    #[schema(minimum = 1)]
    pub line: u64,
    pub reason: String,
}

type Line = (u64, Result<NewCode, String>);

impl Pharos {
    /// Imports codes. A row whose code is known changes its label, and its parent where the row has one.
    pub async fn import_classification_codes(
        &self,
        bytes: &[u8],
        format: ImportFormat,
    ) -> Result<CodeImportReport, Error> {
        let lines = match format {
            ImportFormat::Csv => read_csv(bytes)?,
            ImportFormat::NdJson => read_ndjson(bytes),
        };
        if lines.len() > MOST_ROWS {
            return Err(unreadable(format!(
                "an import has at most {MOST_ROWS} rows, and this one has {}",
                lines.len()
            )));
        }
        self.edit_codes(move |codes, now| {
            let mut import = Import::default();
            for (line, row) in &lines {
                import.take(codes, *line, row.clone(), now);
            }
            import.refuse_loose_ends(codes);
            Ok(import.report())
        })
        .await
    }
}

/// An import under way: what was there before, and which line each code came from last.
#[derive(Default)]
struct Import {
    read: u64,
    touched: HashMap<String, Touched>,
    rejects: Vec<CodeReject>,
}

struct Touched {
    before: Option<entity::classification_codes::Model>,
    rows: Vec<(u64, Effect)>,
}

/// What a row did to its code as the rows before it had left it.
#[derive(Clone, Copy)]
enum Effect {
    Inserted,
    Updated,
    Unchanged,
}

impl Import {
    fn take(
        &mut self,
        codes: &mut Codes,
        line: u64,
        row: Result<NewCode, String>,
        now: chrono::DateTime<chrono::Utc>,
    ) {
        self.read += 1;
        let new = match row {
            Ok(new) => new,
            Err(reason) => return self.rejects.push(CodeReject { line, reason }),
        };
        let name = new.code.clone();
        let before = codes.get(&name).cloned();
        let (after, effect) = match before.clone() {
            None => (model(new, now), Effect::Inserted),
            Some(mut code) => {
                let is_same = code.label == new.label
                    && (new.parent_code.is_none()
                        || code.parent_given && code.parent_code == new.parent_code);
                code.label = new.label;
                if let Some(parent) = new.parent_code {
                    code.parent_given = true;
                    code.parent_code = Some(parent);
                }
                let effect = if is_same {
                    Effect::Unchanged
                } else {
                    Effect::Updated
                };
                (code, effect)
            }
        };
        codes.insert(name.clone(), after);
        let rows = Vec::new();
        let touched = self.touched.entry(name);
        let touched = touched.or_insert(Touched { before, rows });
        touched.rows.push((line, effect));
    }

    /// Refuses rows that name a parent which is not there, and those that would make a circle.
    fn refuse_loose_ends(&mut self, codes: &mut Codes) {
        loop {
            let lost = without_parent(codes);
            if !lost.is_empty() {
                for code in lost {
                    let above = codes
                        .get(&code)
                        .and_then(|code| code.parent_code.clone())
                        .unwrap_or_default();
                    let reason =
                        format!("/parent_code: there is no code `{above}`, which `{code}` names");
                    self.refuse(codes, &code, &reason);
                }
                continue;
            }
            arrange(codes);
            let circles = in_circles(codes);
            if circles.is_empty() {
                return;
            }
            for code in circles {
                let reason = format!(
                    "/parent_code: `{code}` would lie beneath itself: that would be a circle"
                );
                self.refuse(codes, &code, &reason);
            }
        }
    }

    /// Puts a code back to what it was, or leaves it to its prefix where it was not changed by this import.
    fn refuse(&mut self, codes: &mut Codes, code: &str, reason: &str) {
        let Some(touched) = self.touched.remove(code) else {
            if let Some(code) = codes.get_mut(code) {
                code.parent_given = false;
            }
            return;
        };
        for (line, _) in touched.rows {
            let reason = reason.to_owned();
            self.rejects.push(CodeReject { line, reason });
        }
        match touched.before {
            Some(before) => codes.insert(code.to_owned(), before),
            None => codes.remove(code),
        };
    }

    fn report(mut self) -> CodeImportReport {
        let mut report = CodeImportReport {
            read: self.read,
            rejected: self.rejects.len() as u64,
            ..CodeImportReport::default()
        };
        for (_, effect) in self.touched.values().flat_map(|touched| &touched.rows) {
            match effect {
                Effect::Inserted => report.inserted += 1,
                Effect::Updated => report.updated += 1,
                Effect::Unchanged => report.unchanged += 1,
            }
        }
        self.rejects.sort_by_key(|reject| reject.line);
        self.rejects.truncate(MOST_REJECTS);
        report.rejects = self.rejects;
        report
    }
}

fn unreadable(detail: String) -> Error {
    Error::Invalid(vec![Fault::at("", "unreadable", detail)])
}

fn read_row(row: Json) -> Result<NewCode, String> {
    NewCode::from_json(row).map_err(|error| error.to_string())
}

fn read_ndjson(bytes: &[u8]) -> Vec<Line> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lines = bytes.split(|byte| *byte == b'\n').zip(1_u64..);
    lines
        .filter(|(line, _)| !line.trim_ascii().is_empty())
        .map(|(line, number)| {
            let row = match serde_json::from_slice(line) {
                Ok(row) => read_row(row),
                Err(error) => Err(not_json(&error)),
            };
            (number, row)
        })
        .collect()
}

/// Columns that a table of codes may have.
const COLUMNS: [&str; 3] = ["code", "label", "parent_code"];

fn read_csv(bytes: &[u8]) -> Result<Vec<Line>, Error> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let late = late_lines(bytes);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let headers = reader
        .headers()
        .map_err(|error| unreadable(format!("the header cannot be read: {error}")))?
        .clone();
    if !["code", "label"]
        .iter()
        .all(|name| headers.iter().any(|header| header.trim() == *name))
    {
        return Err(unreadable(format!(
            "the header needs the columns code and label: it has {}",
            listed(headers.iter())
        )));
    }
    let mut seen = Vec::new();
    for name in headers.iter().map(str::trim) {
        if !COLUMNS.contains(&name) || seen.contains(&name) {
            return Err(unreadable(format!(
                "the columns are {}, each once: the header has `{}`",
                COLUMNS.join(", "),
                shortened(name)
            )));
        }
        seen.push(name);
    }
    let mut lines = Vec::new();
    for record in reader.byte_records() {
        let record =
            record.map_err(|error| unreadable(format!("the file cannot be read: {error}")))?;
        let line = record.position().map_or(0, csv::Position::line) + late;
        let row = if record.len() == headers.len() {
            csv_row(&headers, &record).and_then(read_row)
        } else {
            Err(format!(
                "expected {} columns as in the header, found {}",
                headers.len(),
                record.len()
            ))
        };
        lines.push((line, row));
    }
    Ok(lines)
}

/// An empty cell is absent.
fn csv_row(headers: &csv::StringRecord, record: &csv::ByteRecord) -> Result<Json, String> {
    let mut row = Map::new();
    for (name, cell) in headers.iter().zip(record) {
        let cell = std::str::from_utf8(cell).map_err(|_| "the row is not UTF-8".to_owned())?;
        if !cell.is_empty() {
            row.insert(name.trim().to_owned(), cell.into());
        }
    }
    Ok(row.into())
}
