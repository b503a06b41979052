//! Plain queries are answered from memory: an inverted index of the library that follows the database.
//!
//! It is derived from `search_documents` and nothing else, and it is no cache that could be stale: before each search
//! everything committed by any process until then is read (one statement, usually without a row) and applied. Queries
//! with phrases, prefixes, fields, filters or facets are answered by the database's token index. Both ways find the
//! same documents with the same scores: how common a word is comes from here.
//!
//! Memory: 8 bytes for each distinct word of each document and about 100 for the document, so some 10 MB for 10,000
//! abstracts. It is filled by the first search.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use sea_orm::Value;
use uuid::Uuid;

use super::document::{FIELDS, Terms};
use super::query::{Occurs, Query};
use super::rank::{
    Hit, K1, Statistics, best_after, inverse_frequency, length_norm, rounded, totals,
};
use super::{FullTextSearch, REMOVALS_KEPT};
use crate::database::{Batcher, Database, DatabaseError, Row};

/// When this share of the documents is outdated, the index is read anew.
const OUTDATED_SHARE: usize = 4;
/// Fewer outdated documents than this are no reason to.
const OUTDATED_FEW: usize = 1_000;

/// The index; empty until the first search.
#[derive(Default)]
pub(crate) struct MemoryIndex {
    contents: RwLock<Contents>,
    /// Held while everything is read, so that many first searches read it once.
    filling: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Contents {
    /// When the database was last read; `None` before the first time.
    followed_at: Option<Instant>,
    /// Every change below this number is in.
    settled: i64,
    documents: i64,
    tokens: i64,
    entries: Vec<Entry>,
    by_id: HashMap<Uuid, u32>,
    /// By the 64-bit hash of the term, ascending by entry.
    postings: HashMap<u64, Vec<Posting>>,
    outdated: usize,
}

struct Entry {
    id: Uuid,
    state: State,
    length: f64,
    live: bool,
}

#[derive(Clone, Copy)]
struct Posting {
    entry: u32,
    /// Frequency weighted by field.
    frequency: u16,
}

/// Which state of a document: its version, and the change that wrote it.
type State = (i64, i64);

/// That a document is gone.
const GONE: State = (i64::MAX, 0);

/// What changed, as it was read.
#[derive(Default)]
struct Changes {
    settled: i64,
    documents: i64,
    tokens: i64,
    removed: Vec<Uuid>,
    written: Vec<(Uuid, State, i64, Vec<u8>)>,
}

/// Something that rows of changes are put into.
trait Receiver {
    fn settle(&mut self, settled: i64, documents: i64, tokens: i64);
    fn remove(&mut self, id: Uuid);
    fn write(&mut self, id: Uuid, state: State, length: i64, terms: &[u8]);
}

impl Receiver for Changes {
    fn settle(&mut self, settled: i64, documents: i64, tokens: i64) {
        (self.settled, self.documents, self.tokens) = (settled, documents, tokens);
    }

    fn remove(&mut self, id: Uuid) {
        self.removed.push(id);
    }

    fn write(&mut self, id: Uuid, state: State, length: i64, terms: &[u8]) {
        self.written.push((id, state, length, terms.to_vec()));
    }
}

impl Receiver for Contents {
    fn settle(&mut self, settled: i64, documents: i64, tokens: i64) {
        if settled >= self.settled {
            (self.settled, self.documents, self.tokens) = (settled, documents, tokens);
        }
    }

    fn remove(&mut self, id: Uuid) {
        self.replace(id, GONE, 0.0);
    }

    fn write(&mut self, id: Uuid, state: State, length: i64, terms: &[u8]) {
        let Some(entry) = self.replace(id, state, length as f64) else {
            return;
        };
        let Some(terms) = Terms::new(terms) else {
            return;
        };
        for (term, positions) in terms.all() {
            let frequency: f64 = positions
                .map(|position| FIELDS[terms.field_at(position)].weight())
                .sum();
            let frequency = frequency as u16;
            self.postings
                .entry(hash(term))
                .or_default()
                .push(Posting { entry, frequency });
        }
    }
}

impl Contents {
    /// Puts a new entry in the place of an older state; `None` when there is none to be put. [`GONE`] removes.
    fn replace(&mut self, id: Uuid, state: State, length: f64) -> Option<u32> {
        let number = u32::try_from(self.entries.len()).ok()?;
        if let Some(known) = self.by_id.get(&id) {
            let known = &mut self.entries[*known as usize];
            if known.state == state {
                return None;
            }
            self.outdated += usize::from(known.live);
            known.live = false;
        }
        let live = state != GONE;
        self.entries.push(Entry {
            id,
            state,
            length,
            live,
        });
        self.by_id.insert(id, number);
        live.then_some(number)
    }

    fn must_be_read_anew(&self) -> bool {
        let too_long_away =
            Duration::from_secs(u64::try_from(REMOVALS_KEPT.num_seconds() / 2).unwrap_or(0));
        self.followed_at
            .is_none_or(|at| at.elapsed() > too_long_away)
            || (self.outdated > OUTDATED_FEW && self.outdated * OUTDATED_SHARE > self.entries.len())
    }
}

/// FNV-1a, 64 bits.
fn hash(term: &[u8]) -> u64 {
    term.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// What brings the index up to date. Calls that arrive together share one look, which begins after all of them.
pub(crate) fn follower(
    database: &Database,
    search: &Arc<dyn FullTextSearch>,
    memory: &Arc<MemoryIndex>,
) -> Batcher<(), ()> {
    let sql = format!(
        "SELECT resource_id, version, length, terms, changed FROM search_documents WHERE changed >= {since} \
         UNION ALL SELECT resource_id, -1, 0, {empty}, 0 FROM search_removals g WHERE changed >= {since} \
         AND NOT EXISTS (SELECT 1 FROM search_documents d WHERE d.resource_id = g.resource_id) \
         UNION ALL SELECT {nil}, {settled}, CAST(SUM(documents) AS bigint), {empty}, CAST(SUM(tokens) AS bigint) \
         FROM search_statistics",
        settled = search.settled_changes(),
        since = database.placeholder(1),
        nil = database.placeholder(2),
        empty = database.placeholder(3),
    );
    let (database_for_batches, memory) = (database.clone(), Arc::clone(memory));
    database.batcher(1, move |calls: Vec<()>| {
        let (database, memory, sql) = (
            database_for_batches.clone(),
            Arc::clone(&memory),
            sql.clone(),
        );
        async move {
            let result = memory.follow(&database, &sql).await;
            calls
                .iter()
                .map(|()| result.clone().map_err(Into::into))
                .collect()
        }
    })
}

impl MemoryIndex {
    async fn follow(&self, database: &Database, sql: &str) -> Result<(), DatabaseError> {
        let (anew, settled) = {
            let contents = self.contents.read();
            (contents.must_be_read_anew(), contents.settled)
        };
        let statement = |since: i64| {
            database.statement(
                sql,
                [
                    since.into(),
                    Uuid::nil().into(),
                    Value::from(Vec::<u8>::new()),
                ],
            )
        };
        if anew {
            let _filling = self.filling.lock().await;
            let read_at = Instant::now();
            if !self.contents.read().must_be_read_anew() {
                // Somebody else read it meanwhile, but maybe began before this call: look again for what is new.
                return Box::pin(self.follow(database, sql)).await;
            }
            let mut contents: Contents = database.fold(statement(0), receive).await?;
            contents.followed_at = Some(read_at);
            contents.postings.values_mut().for_each(Vec::shrink_to_fit);
            *self.contents.write() = contents;
            return Ok(());
        }
        let read_at = Instant::now();
        let changes: Changes = database.fold(statement(settled), receive).await?;
        let nothing_new = {
            let contents = self.contents.read();
            changes.settled == contents.settled
                && changes.removed.is_empty()
                && changes.written.is_empty()
                && contents
                    .followed_at
                    .is_some_and(|at| at.elapsed() < Duration::from_secs(60))
        };
        if !nothing_new {
            let mut contents = self.contents.write();
            // Whatever an older look has seen is in already, as it was then or later.
            if changes.settled < contents.settled {
                return Ok(());
            }
            for id in changes.removed {
                contents.remove(id);
            }
            for (id, state, length, terms) in changes.written {
                contents.write(id, state, length, &terms);
            }
            contents.settle(changes.settled, changes.documents, changes.tokens);
            contents.followed_at = Some(read_at);
        }
        Ok(())
    }

    /// Whether any document has one of the terms.
    pub(crate) fn knows(&self, terms: &[String]) -> bool {
        let contents = self.contents.read();
        terms.iter().any(|term| {
            contents
                .postings
                .get(&hash(term.as_bytes()))
                .is_some_and(|list| {
                    list.iter()
                        .any(|posting| contents.entries[posting.entry as usize].live)
                })
        })
    }

    /// What the library as a whole says to the scores of a query.
    pub(crate) fn statistics(&self, query: &Query) -> Statistics {
        let contents = self.contents.read();
        let counts = query
            .clauses
            .iter()
            .flat_map(|clause| &clause.any_of)
            .map(|atom| {
                atom.single_word()
                    .map(|terms| contents.matching(terms).len() as f64)
            });
        Statistics {
            documents: contents.documents,
            tokens: contents.tokens,
            counts: counts.collect(),
        }
    }

    /// Answers a plain query: the best hits after a position, whether there are more, and how many there are in all.
    pub(crate) fn search(
        &self,
        query: &Query,
        after: Option<(f64, Uuid)>,
        limit: usize,
    ) -> (Vec<Hit>, bool, usize) {
        let contents = self.contents.read();
        let (documents, average) = totals(contents.documents, contents.tokens);
        let mut scores = vec![0.0_f64; contents.entries.len()];
        // One bit for each clause that holds.
        let mut held = vec![0_u64; contents.entries.len()];
        let mut touched: Vec<u32> = Vec::new();
        let (mut must, mut must_not, mut should) = (0_u64, 0_u64, 0_u64);
        for (index, clause) in query.clauses.iter().enumerate() {
            let bit = 1_u64 << (index % 64);
            match clause.occurs {
                Occurs::Must => must |= bit,
                Occurs::MustNot => must_not |= bit,
                Occurs::Should => should |= bit,
            }
            for atom in &clause.any_of {
                let matching = contents.matching(atom.single_word().unwrap_or_default());
                let idf = inverse_frequency(documents, matching.len() as f64);
                for posting in &matching {
                    let entry = posting.entry as usize;
                    if held[entry] == 0 {
                        touched.push(posting.entry);
                    }
                    held[entry] |= bit;
                    if clause.occurs != Occurs::MustNot {
                        let frequency = f64::from(posting.frequency);
                        let norm = length_norm(contents.entries[entry].length, average);
                        scores[entry] += idf * frequency * (K1 + 1.0) / (frequency + norm);
                    }
                }
            }
        }
        let hits: Vec<Hit> = touched
            .into_iter()
            .filter(|entry| {
                let held = held[*entry as usize];
                held & must == must && held & must_not == 0 && (must != 0 || held & should != 0)
            })
            .map(|entry| Hit {
                id: contents.entries[entry as usize].id,
                score: rounded(scores[entry as usize]),
            })
            .collect();
        drop(contents);
        let total = hits.len();
        let (hits, more) = best_after(hits, after, limit);
        (hits, more, total)
    }
}

impl Contents {
    /// The live entries that have any of the terms, each once with its highest frequency.
    fn matching(&self, terms: &[String]) -> Vec<Posting> {
        let mut lists = terms
            .iter()
            .filter_map(|term| self.postings.get(&hash(term.as_bytes())));
        let live = |posting: &&Posting| self.entries[posting.entry as usize].live;
        let mut matching: Vec<Posting> = lists
            .next()
            .map_or_else(Vec::new, |list| list.iter().filter(live).copied().collect());
        for list in lists {
            matching.extend(list.iter().filter(live));
            matching.sort_unstable_by_key(|posting| {
                (posting.entry, std::cmp::Reverse(posting.frequency))
            });
            matching.dedup_by_key(|posting| posting.entry);
        }
        matching
    }
}

fn receive<R: Receiver>(receiver: &mut R, row: &Row<'_>) -> Result<(), DatabaseError> {
    let id: Uuid = row.get(0)?;
    let version: i64 = row.get(1)?;
    let number: i64 = row.get(2)?;
    if id.is_nil() {
        receiver.settle(version, number, row.get(4)?);
    } else if version < 0 {
        receiver.remove(id);
    } else {
        let state = (version, row.get(4)?);
        row.bytes(3, |terms| receiver.write(id, state, number, terms))?;
    }
    Ok(())
}
