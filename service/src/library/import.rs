//! Importing resources: a stream of rows, written in batches, idempotent by natural key.
//!
//! The natural key is `identifier`, else `source` and `title` together. A row whose key is known updates that
//! resource, and only the fields that the row has; a row that changes nothing leaves it untouched.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::resources::Column;
use futures_util::future::join;
use sea_orm::sea_query::{Expr, ExprTrait};
use serde::Serialize;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::fields::ResourceFields;
use super::record::Resource;
use super::resources::{NewResource, find_where, insert_all, update};
use super::rows::{ImportFormat, Line, open, read_batch};
use crate::Pharos;
use crate::authorities::{self, KnownNames};
use crate::database::{DatabaseError, Turn};
use crate::error::Error;
use crate::search::FullTextSearch;

/// Rows that are written in one transaction.
pub(super) const BATCH_ROWS: usize = 500;

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    pub read: u64,
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub rejected: u64,
}

/// A row that was not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reject {
    /// Line of the file, from 1.
    pub line: u64,
    pub reason: String,
    /// The row as it was read.
    pub row: Json,
}

/// A row that keeps the rules, with what it sets.
#[derive(Clone)]
struct Candidate {
    line: u64,
    patch: Json,
    fields: ResourceFields,
}

/// Rows ready to be written.
struct Batch {
    rejected: Vec<Reject>,
    rows: Vec<(Candidate, NewResource)>,
}

impl Batch {
    fn len(&self) -> usize {
        self.rejected.len() + self.rows.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What became of a row.
enum Outcome {
    Inserted,
    Updated,
    Unchanged,
    Rejected(Reject),
}

impl Pharos {
    /// Imports resources from a reader. `progress` is called after each batch with the sums so far, `reject` for each
    /// row that is not taken. Two batches are in memory: one is prepared while the one before is written.
    pub async fn import_resources(
        &self,
        reader: Box<dyn Read + Send>,
        format: ImportFormat,
        mut progress: impl FnMut(&ImportReport) + Send,
        mut reject: impl FnMut(Reject) -> Result<(), Error> + Send,
    ) -> Result<ImportReport, Error> {
        let mut lines = open(reader, format)?;
        let mut report = ImportReport::default();
        let mut next = self.prepare(read_batch(&mut lines)?).await?;
        loop {
            let batch = next;
            if batch.is_empty() {
                return Ok(report);
            }
            let read = batch.len() as u64;
            let (written, prepared) = join(self.write_batch(batch), async {
                self.prepare(read_batch(&mut lines)?).await
            })
            .await;
            report.read += read;
            for outcome in written? {
                match outcome {
                    Outcome::Inserted => report.inserted += 1,
                    Outcome::Updated => report.updated += 1,
                    Outcome::Unchanged => report.unchanged += 1,
                    Outcome::Rejected(rejected) => {
                        report.rejected += 1;
                        reject(rejected)?;
                    }
                }
            }
            progress(&report);
            next = prepared?;
        }
    }

    /// Checks and analyses rows on a thread of its own, so that the writer has the other one. Ids and times are given here,
    /// once, so that a batch that is run again gives the same.
    async fn prepare(&self, lines: Vec<Line>) -> Result<Batch, Error> {
        let numbered: Vec<Numbered> = lines
            .into_iter()
            .map(|line| {
                let now = self.clock.now();
                (line, (crate::ids::new_id(now, &*self.random), now))
            })
            .collect();
        let (names, search) = (self.authorities.known(), Arc::clone(&self.search));
        tokio::task::spawn_blocking(move || prepare_rows(numbered, &names, &*search))
            .await
            .map_err(|error| Error::Internal(format!("rows were not prepared: {error}")))
    }

    async fn write_batch(&self, batch: Batch) -> Result<Vec<Outcome>, Error> {
        let mut outcomes: Vec<Outcome> =
            batch.rejected.into_iter().map(Outcome::Rejected).collect();
        let rows = Arc::new(batch.rows);
        let written = self
            .by_authorities(|names| {
                let mut rows = Arc::clone(&rows);
                if !rows.iter().all(|(_, new)| new.is_of(&names)) {
                    for (_, new) in Arc::make_mut(&mut rows) {
                        new.renew(&names, &*self.search);
                    }
                }
                let search = Arc::clone(&self.search);
                self.database.write(move |transaction| {
                    let (rows, search, names) =
                        (Arc::clone(&rows), Arc::clone(&search), Arc::clone(&names));
                    async move { write_rows(&transaction, &*search, &names, &rows).await }
                })
            })
            .await?;
        outcomes.extend(written);
        Ok(outcomes)
    }
}

type Numbered = (Line, (Uuid, DateTime<Utc>));

fn prepare_rows(lines: Vec<Numbered>, names: &KnownNames, search: &dyn FullTextSearch) -> Batch {
    let mut rejected = Vec::new();
    let mut rows = Vec::with_capacity(lines.len());
    for (line, place) in lines {
        let parsed = line.row.and_then(|row| {
            let patch = Json::Object(row);
            match ResourceFields::from_json(without_nulls(&patch)) {
                Ok(fields) => Ok(Candidate {
                    line: line.number,
                    patch,
                    fields,
                }),
                Err(error) => Err(error.to_string()),
            }
        });
        match parsed {
            Ok(candidate) => {
                let fields = candidate.fields.clone();
                let new = NewResource::new(place, fields, None, names, search);
                rows.push((candidate, new));
            }
            Err(reason) => rejected.push(Reject {
                line: line.number,
                reason,
                row: line.text,
            }),
        }
    }
    Batch { rejected, rows }
}

/// A key by which a row is recognised.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum NaturalKey {
    Identifier(String),
    SourceAndTitle(String, String),
}

fn natural_key(fields: &ResourceFields) -> Option<NaturalKey> {
    match (&fields.identifier, &fields.source) {
        (Some(identifier), _) => Some(NaturalKey::Identifier(identifier.clone())),
        (None, Some(source)) => Some(NaturalKey::SourceAndTitle(
            source.clone(),
            fields.title.clone(),
        )),
        (None, None) => None,
    }
}

async fn write_rows(
    transaction: &crate::database::Transaction,
    search: &dyn FullTextSearch,
    names: &KnownNames,
    prepared: &[(Candidate, NewResource)],
) -> Result<Vec<Outcome>, Error> {
    authorities::check(transaction, names.epoch).await?;
    transaction
        .take_turn(Turn::Imports)
        .await
        .map_err(DatabaseError::from)?;
    let mut known: HashMap<NaturalKey, Resource> = HashMap::new();
    if let Some(condition) = known_keys(prepared) {
        let mut found = find_where(transaction, condition).await?;
        // The oldest of several with one key is the one that is updated.
        found.sort_by_key(|resource| std::cmp::Reverse(resource.id));
        known.extend(
            found
                .into_iter()
                .filter_map(|resource| Some((natural_key(&resource.fields)?, resource))),
        );
    }
    let mut outcomes = Vec::with_capacity(prepared.len());
    let mut new: Vec<NewResource> = Vec::new();
    let mut pending: HashMap<NaturalKey, ()> = HashMap::new();
    for (candidate, row) in prepared {
        let Some(key) = natural_key(&candidate.fields) else {
            new.push(row.clone());
            outcomes.push(Outcome::Inserted);
            continue;
        };
        if pending.contains_key(&key) {
            // The same key twice in one batch: what came before is written first, and found again.
            insert_all(transaction, search, &new).await?;
            known.extend(new.drain(..).filter_map(|new| {
                Some((
                    natural_key(&new.resource.fields)?,
                    Resource::clone(&new.resource),
                ))
            }));
            pending.clear();
        }
        match known.remove(&key) {
            None => {
                pending.insert(key, ());
                new.push(row.clone());
                outcomes.push(Outcome::Inserted);
            }
            Some(current) => match changed(&current, candidate, names) {
                Ok(fields) if fields == current.fields => {
                    known.insert(key, current);
                    outcomes.push(Outcome::Unchanged);
                }
                Ok(fields) => {
                    let updated = update(
                        transaction,
                        search,
                        current,
                        fields,
                        row.resource.updated_at,
                    )
                    .await?;
                    known.insert(key, updated);
                    outcomes.push(Outcome::Updated);
                }
                Err(error) => {
                    known.insert(key, current);
                    outcomes.push(Outcome::Rejected(Reject {
                        line: candidate.line,
                        reason: error.to_string(),
                        row: candidate.patch.clone(),
                    }));
                }
            },
        }
    }
    insert_all(transaction, search, &new).await?;
    Ok(outcomes)
}

/// The fields of a record that is there already, with what the row has, in canonical names.
fn changed(
    current: &Resource,
    candidate: &Candidate,
    names: &KnownNames,
) -> Result<ResourceFields, Error> {
    let fields = current.fields.merge_patch(candidate.patch.clone())?;
    Ok(names.resolve(&fields).unwrap_or(fields))
}

/// The condition for every resource that a batch may be about.
fn known_keys(prepared: &[(Candidate, NewResource)]) -> Option<Expr> {
    let column = |column| Expr::col((entity::resources::Entity, column));
    let mut identifiers = Vec::new();
    let mut titles = Vec::new();
    for (candidate, _) in prepared {
        match natural_key(&candidate.fields) {
            Some(NaturalKey::Identifier(identifier)) => identifiers.push(identifier),
            Some(NaturalKey::SourceAndTitle(source, title)) => titles.push((source, title)),
            None => {}
        }
    }
    let by_identifier =
        (!identifiers.is_empty()).then(|| column(Column::Identifier).is_in(identifiers));
    let by_title = titles
        .into_iter()
        .map(|(source, title)| {
            column(Column::Source)
                .eq(source)
                .and(column(Column::Title).eq(title))
                .and(column(Column::Identifier).is_null())
        })
        .reduce(Expr::or);
    match (by_identifier, by_title) {
        (Some(one), Some(other)) => Some(one.or(other)),
        (one, other) => one.or(other),
    }
}

fn without_nulls(row: &Json) -> Json {
    let members = row.as_object().into_iter().flatten();
    members
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect::<Map<_, _>>()
        .into()
}
