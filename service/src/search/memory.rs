//! Plain queries are answered from memory: an inverted index of the library that follows the database.
//!
//! It is derived from `search_documents` and nothing else, and it is no cache that could be stale: before each search
//! everything committed by any process until then is read (one statement, usually without a row) and applied. Queries
//! with phrases, prefixes, fields, filters or facets are answered by the database's token index. Both ways find the
//! same documents with the same scores: how common a word is comes from here.
//!
//! What it holds, and how much memory that takes, is in `postings.rs`. It is filled by the first search.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use uuid::Uuid;

use super::feedback::{Asked, refine};
use super::formula::weight;
use super::languages::LATIN;
use super::look::{Change, FIRST, Look, Reach, State, change};
use super::postings::Postings;
use super::query::Query;
use super::rank::{Hit, Statistics, best_after, without};
use super::stems::language_token;
use super::stop_words::word_weight;
use super::walks::{Position, Walks};
use super::workspace::{Matching, Workspace};
use super::{FullTextSearch, REMOVALS_KEPT};
use crate::database::{Batcher, Database, DatabaseError, Row, apart};

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
    /// What searches wrote their scores to, for the next ones.
    workspaces: Mutex<Vec<Workspace>>,
    /// What was shown on the pages before.
    walks: Walks,
}

#[derive(Default)]
struct Contents {
    /// When the database was last read; `None` before the first time.
    followed_at: Option<Instant>,
    reach: Reach,
    postings: Postings,
}

/// What changed, as it was read.
#[derive(Default)]
struct Changes {
    reach: Reach,
    removed: Vec<Uuid>,
    written: Vec<(Uuid, State, Vec<u8>)>,
}

/// Something that rows of changes are put into.
trait Receiver {
    fn reached(&mut self, reach: Reach);
    fn remove(&mut self, id: Uuid);
    fn write(&mut self, id: Uuid, state: State, terms: &[u8]);
}

impl Receiver for Changes {
    fn reached(&mut self, reach: Reach) {
        self.reach = reach;
    }

    fn remove(&mut self, id: Uuid) {
        self.removed.push(id);
    }

    fn write(&mut self, id: Uuid, state: State, terms: &[u8]) {
        self.written.push((id, state, terms.to_vec()));
    }
}

impl Receiver for Contents {
    fn reached(&mut self, reach: Reach) {
        self.reach = reach;
    }

    fn remove(&mut self, id: Uuid) {
        self.postings.remove(id);
    }

    fn write(&mut self, id: Uuid, state: State, terms: &[u8]) {
        self.postings.write(id, state, terms);
    }
}

impl Contents {
    fn must_be_read_anew(&self) -> bool {
        let too_long_away =
            Duration::from_secs(u64::try_from(REMOVALS_KEPT.num_seconds() / 2).unwrap_or(0));
        let outdated = self.postings.outdated();
        self.followed_at
            .is_none_or(|at| at.elapsed() > too_long_away)
            || (outdated > OUTDATED_FEW && outdated * OUTDATED_SHARE > self.postings.len())
    }
}

/// What brings the index up to date. Calls that arrive together share one look, which begins after all of them.
pub(crate) fn follower(
    database: &Database,
    search: &Arc<dyn FullTextSearch>,
    memory: &Arc<MemoryIndex>,
) -> Batcher<(), ()> {
    let look = Look::new(database, &**search, &["d.terms".to_owned()], "");
    let (database_for_batches, memory) = (database.clone(), Arc::clone(memory));
    database.batcher(1, move |calls: Vec<()>| {
        let (database, memory, look) = (
            database_for_batches.clone(),
            Arc::clone(&memory),
            look.clone(),
        );
        async move {
            let result = apart(memory.follow(&database, &look)).await;
            calls
                .iter()
                .map(|()| result.clone().map_err(Into::into))
                .collect()
        }
    })
}

impl MemoryIndex {
    async fn follow(&self, database: &Database, look: &Look) -> Result<(), DatabaseError> {
        let (anew, reach) = {
            let contents = self.contents.read();
            (contents.must_be_read_anew(), contents.reach.clone())
        };
        if anew {
            let _filling = self.filling.lock().await;
            let read_at = Instant::now();
            if !self.contents.read().must_be_read_anew() {
                // Somebody else read it meanwhile, but maybe began before this call: look again for what is new.
                return Box::pin(self.follow(database, look)).await;
            }
            let mut contents: Contents = look.all(database, receive).await?;
            contents.followed_at = Some(read_at);
            contents.postings.shrink();
            *self.contents.write() = contents;
            return Ok(());
        }
        let read_at = Instant::now();
        let changes: Changes = look.since(&reach, database, receive).await?;
        let nothing_new = {
            let contents = self.contents.read();
            changes.reach == contents.reach
                && changes.removed.is_empty()
                && changes.written.is_empty()
                && contents
                    .followed_at
                    .is_some_and(|at| at.elapsed() < Duration::from_secs(60))
        };
        if !nothing_new {
            let mut contents = self.contents.write();
            // Whatever an older look has seen is in already, as it was then or later.
            if changes.reach.is_before(&contents.reach) {
                return Ok(());
            }
            for id in changes.removed {
                contents.remove(id);
            }
            for (id, state, terms) in changes.written {
                contents.write(id, state, &terms);
            }
            contents.reached(changes.reach);
            contents.followed_at = Some(read_at);
        }
        Ok(())
    }

    /// Whether any document has one of the terms.
    pub(crate) fn knows(&self, terms: &[String]) -> bool {
        let contents = self.contents.read();
        let postings = &contents.postings;
        postings
            .find(terms)
            .any(|term| postings.documents(term) > 0)
    }

    /// Reads the lists, as they were when they were last brought up to date.
    pub(super) fn read<R>(&self, read: impl FnOnce(&Postings) -> R) -> R {
        read(&self.contents.read().postings)
    }

    /// The languages, other than English and those of a script, in which documents have stems.
    pub(super) fn languages(&self) -> Vec<&'static str> {
        let is_there = |language: &&str| self.knows(&[language_token(language)]);
        LATIN.into_iter().filter(is_there).collect()
    }

    /// What the library as a whole says to the scores of a query.
    pub(crate) fn statistics(&self, query: &Query) -> Statistics {
        let contents = self.contents.read();
        let postings = &contents.postings;
        let atoms = query.atoms().into_iter();
        let counts = atoms
            .map(|(atom, _)| Some(Matching::of(postings, atom.single_word()?).count(postings)));
        Statistics {
            documents: f64::from(postings.totals().documents),
            norms: postings.totals().norms(),
            counts: counts.collect(),
        }
    }

    /// The best of hits that were scored elsewhere, after a position.
    pub(super) fn best(
        &self,
        query: &Query,
        hits: Vec<Hit>,
        after: Option<&Position>,
        limit: usize,
    ) -> BestHits {
        self.best_of(&self.contents.read().postings, query, hits, after, limit)
    }

    /// Answers a plain query: the best hits after a position.
    pub(super) fn search(&self, query: &Query, after: Option<&Position>, limit: usize) -> BestHits {
        let mut workspace = self.workspaces.lock().pop().unwrap_or_default();
        let contents = self.contents.read();
        workspace.begin(contents.postings.len());
        let hits = workspace.score(&contents.postings, query);
        let best = self.best_of(&contents.postings, query, hits, after, limit);
        drop(contents);
        self.workspaces.lock().push(workspace);
        best
    }

    fn best_of(
        &self,
        postings: &Postings,
        query: &Query,
        mut hits: Vec<Hit>,
        after: Option<&Position>,
        limit: usize,
    ) -> BestHits {
        let total = hits.len();
        let mut in_order = refine(postings, &asked(query), &mut hits);
        let mut behind = after.map(|position| (position.score, position.id));
        if let Some(shown) = after.and_then(|position| self.walks.shown(position)) {
            in_order = without(&mut hits, in_order, &shown);
            behind = None;
        }
        let (hits, more) = best_after(hits, in_order, behind, limit);
        let walk = if more {
            self.walks.keep(after, &hits)
        } else {
            0
        };
        let next = hits.last().filter(|_| more).map(|last| Position {
            score: last.score,
            id: last.id,
            walk,
        });
        BestHits { hits, total, next }
    }
}

/// A page of hits.
pub(super) struct BestHits {
    pub hits: Vec<Hit>,
    /// How many there are in all.
    pub total: usize,
    /// Where the next page begins.
    pub next: Option<Position>,
}

/// What feedback has to know of a query.
fn asked(query: &Query) -> Asked {
    let atoms = query.atoms().into_iter();
    let asked = atoms.filter(|(atom, excluded)| !excluded && atom.field.is_none());
    let (mut words, mut total): (Vec<&str>, f64) = (Vec::new(), 0.0);
    for (atom, _) in asked {
        total += weight(atom);
        words.extend(
            atom.words
                .iter()
                .filter_map(|terms| terms.last())
                .map(String::as_str),
        );
    }
    words.retain(|word| word_weight(word) == 1.0);
    words.sort_unstable();
    words.dedup();
    Asked {
        words: words.len(),
        weight: total,
    }
}

fn receive<R: Receiver>(receiver: &mut R, row: &Row<'_>) -> Result<(), DatabaseError> {
    match change(row)? {
        Change::Reached(reach) => receiver.reached(reach),
        Change::Removed(id) => receiver.remove(id),
        Change::Written(id, state) => {
            row.bytes(FIRST, |terms| receiver.write(id, state, terms))?;
        }
    }
    Ok(())
}
