//! What is derived from the library's texts and kept in memory follows the database, as the memory index does: before
//! each use one statement reads everything that any process has committed until then. It is filled by its first use.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use uuid::Uuid;

use super::{FullTextSearch, REMOVALS_KEPT};
use crate::database::{Batcher, Database, DatabaseError, Row, apart};
use crate::library::ResourceFields;

/// Something derived from the texts of resources, which can be taken out again.
pub(super) trait Derived: Default + Send + Sync + 'static {
    /// What has to be known of a resource to take it out.
    type Entry: Send + Sync + 'static;

    /// Whether all searched texts are needed, or title, subject and creator alone.
    const ALL_TEXTS: bool;

    fn add(&mut self, id: Uuid, fields: &ResourceFields) -> Self::Entry;

    fn take_out(&mut self, id: Uuid, entry: Self::Entry);

    /// Called once everything was added, to give room back.
    fn shrink(&mut self);
}

/// A derived value with what it has read so far.
pub(super) struct Following<D: Derived> {
    contents: RwLock<Contents<D>>,
    /// Held while everything is read, so that many first uses read it once.
    filling: tokio::sync::Mutex<()>,
}

struct Contents<D: Derived> {
    /// When the database was last read; `None` before the first time.
    followed_at: Option<Instant>,
    /// Every change below this number is in.
    settled: i64,
    known: HashMap<Uuid, Known<D::Entry>>,
    derived: D,
}

/// Which state of a resource is in.
struct Known<E> {
    version: i64,
    changed: i64,
    entry: E,
}

impl<D: Derived> Default for Following<D> {
    fn default() -> Self {
        Self {
            contents: RwLock::default(),
            filling: tokio::sync::Mutex::default(),
        }
    }
}

impl<D: Derived> Default for Contents<D> {
    fn default() -> Self {
        Self {
            followed_at: None,
            settled: 0,
            known: HashMap::new(),
            derived: D::default(),
        }
    }
}

/// A row of the statement that reads changes.
enum Change {
    Settled(i64),
    Removed(Uuid),
    Written(Box<Written>),
}

struct Written {
    id: Uuid,
    version: i64,
    changed: i64,
    fields: ResourceFields,
}

impl<D: Derived> Following<D> {
    /// Reads the derived value.
    pub(super) fn read<R>(&self, read: impl FnOnce(&D) -> R) -> R {
        read(&self.contents.read().derived)
    }

    async fn follow(&self, database: &Database, sql: &str) -> Result<(), DatabaseError> {
        let (anew, settled) = {
            let contents = self.contents.read();
            (contents.must_be_read_anew(), contents.settled)
        };
        let statement = |since: i64| database.statement(sql, [since.into(), Uuid::nil().into()]);
        if anew {
            let _filling = self.filling.lock().await;
            if !self.contents.read().must_be_read_anew() {
                // Somebody else read it meanwhile, but maybe began before this call: look again for what is new.
                return Box::pin(self.follow(database, sql)).await;
            }
            let read_at = Instant::now();
            let mut read: Contents<D> = database
                .fold(statement(0), |contents: &mut Contents<D>, row| {
                    contents.apply(change(row)?);
                    Ok(())
                })
                .await?;
            read.followed_at = Some(read_at);
            read.derived.shrink();
            *self.contents.write() = read;
            return Ok(());
        }
        let read_at = Instant::now();
        let changes: Vec<Change> = database
            .fold(statement(settled), |changes: &mut Vec<Change>, row| {
                changes.push(change(row)?);
                Ok(())
            })
            .await?;
        let latest = changes.iter().find_map(|change| match change {
            Change::Settled(settled) => Some(*settled),
            _ => None,
        });
        let mut contents = self.contents.write();
        // Whatever an older look has seen is in already, as it was then or later.
        if latest >= Some(contents.settled) {
            changes
                .into_iter()
                .for_each(|change| contents.apply(change));
            contents.followed_at = Some(read_at);
        }
        Ok(())
    }
}

impl<D: Derived> Contents<D> {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Settled(settled) => self.settled = settled,
            Change::Removed(id) => self.remove(id),
            Change::Written(written) => {
                let same = self.known.get(&written.id).is_some_and(|known| {
                    (known.version, known.changed) == (written.version, written.changed)
                });
                if same {
                    return;
                }
                self.remove(written.id);
                let entry = self.derived.add(written.id, &written.fields);
                let known = Known {
                    version: written.version,
                    changed: written.changed,
                    entry,
                };
                self.known.insert(written.id, known);
            }
        }
    }

    fn remove(&mut self, id: Uuid) {
        if let Some(known) = self.known.remove(&id) {
            self.derived.take_out(id, known.entry);
        }
    }

    fn must_be_read_anew(&self) -> bool {
        let too_long_away =
            Duration::from_secs(u64::try_from(REMOVALS_KEPT.num_seconds() / 2).unwrap_or(0));
        self.followed_at
            .is_none_or(|at| at.elapsed() > too_long_away)
    }
}

/// What brings a derived value up to date with everything committed before the call. Calls that arrive together share
/// one look where that saves round trips.
pub(super) fn follower<D: Derived>(
    database: &Database,
    search: &Arc<dyn FullTextSearch>,
    following: &Arc<Following<D>>,
) -> Batcher<(), ()> {
    let sql = statement::<D>(database, &**search);
    let (database_for_batches, following) = (database.clone(), Arc::clone(following));
    database.batcher(1, move |calls: Vec<()>| {
        let (database, following, sql) = (
            database_for_batches.clone(),
            Arc::clone(&following),
            sql.clone(),
        );
        async move {
            let result = apart(following.follow(&database, &sql)).await;
            calls
                .iter()
                .map(|()| result.clone().map_err(Into::into))
                .collect()
        }
    })
}

const TEXTS: [&str; 10] = [
    "title",
    "subject",
    "creator",
    "description",
    "publisher",
    "contributor",
    "identifier",
    "source",
    "coverage",
    "classification_code",
];

/// Documents that were written, documents that are gone (and were not written again), and how far this look reaches.
fn statement<D: Derived>(database: &Database, search: &dyn FullTextSearch) -> String {
    let texts: Vec<String> = TEXTS
        .iter()
        .enumerate()
        .map(|(index, name)| match index {
            ..3 => format!("r.{name}"),
            _ if D::ALL_TEXTS => format!("r.{name}"),
            _ => "CAST(NULL AS text)".to_owned(),
        })
        .collect();
    let nothing = vec!["NULL"; TEXTS.len()].join(", ");
    format!(
        "SELECT d.resource_id, d.version, d.changed, {texts} FROM search_documents d \
         JOIN resources r ON r.id = d.resource_id WHERE d.changed >= {since} \
         UNION ALL SELECT g.resource_id, -1, 0, {nothing} FROM search_removals g WHERE g.changed >= {since} \
         AND NOT EXISTS (SELECT 1 FROM search_documents d WHERE d.resource_id = g.resource_id) \
         UNION ALL SELECT {nil}, {settled}, 0, {nothing}",
        texts = texts.join(", "),
        settled = search.settled_changes(),
        since = database.placeholder(1),
        nil = database.placeholder(2),
    )
}

fn change(row: &Row<'_>) -> Result<Change, DatabaseError> {
    let id: Uuid = row.get(0)?;
    let version: i64 = row.get(1)?;
    if id.is_nil() {
        return Ok(Change::Settled(version));
    }
    if version < 0 {
        return Ok(Change::Removed(id));
    }
    Ok(Change::Written(Box::new(Written {
        id,
        version,
        changed: row.get(2)?,
        fields: ResourceFields {
            title: row.get(3)?,
            subject: row.get(4)?,
            creator: row.get(5)?,
            description: row.get(6)?,
            publisher: row.get(7)?,
            contributor: row.get(8)?,
            identifier: row.get(9)?,
            source: row.get(10)?,
            coverage: row.get(11)?,
            classification_code: row.get(12)?,
            ..ResourceFields::default()
        },
    })))
}
