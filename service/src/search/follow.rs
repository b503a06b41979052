//! What is derived from the library's texts and kept in memory follows the database, as the memory index does: before
//! each use one statement reads everything that any process has committed until then. It is filled by its first use.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use uuid::Uuid;

use super::look::{Change, FIRST, Look, Reach, State, change};
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
    reach: Reach,
    known: HashMap<Uuid, Known<D::Entry>>,
    derived: D,
}

/// Which state of a resource is in.
struct Known<E> {
    state: State,
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
            reach: Reach::default(),
            known: HashMap::new(),
            derived: D::default(),
        }
    }
}

/// What changed, as it was read.
#[derive(Default)]
struct Changes {
    reach: Reach,
    removed: Vec<Uuid>,
    written: Vec<Written>,
}

struct Written {
    id: Uuid,
    state: State,
    fields: ResourceFields,
}

/// Something that rows of a look are put into.
trait Receiver {
    fn reached(&mut self, reach: Reach);
    fn remove(&mut self, id: Uuid);
    fn write(&mut self, written: Written);
}

impl Receiver for Changes {
    fn reached(&mut self, reach: Reach) {
        self.reach = reach;
    }

    fn remove(&mut self, id: Uuid) {
        self.removed.push(id);
    }

    fn write(&mut self, written: Written) {
        self.written.push(written);
    }
}

impl<D: Derived> Following<D> {
    /// Reads the derived value.
    pub(super) fn read<R>(&self, read: impl FnOnce(&D) -> R) -> R {
        read(&self.contents.read().derived)
    }

    async fn follow(&self, database: &Database, look: &Look) -> Result<(), DatabaseError> {
        let (anew, reach) = {
            let contents = self.contents.read();
            (contents.must_be_read_anew(), contents.reach.clone())
        };
        if anew {
            let _filling = self.filling.lock().await;
            if !self.contents.read().must_be_read_anew() {
                // Somebody else read it meanwhile, but maybe began before this call: look again for what is new.
                return Box::pin(self.follow(database, look)).await;
            }
            let read_at = Instant::now();
            let mut read: Contents<D> = look.all(database, receive).await?;
            read.followed_at = Some(read_at);
            read.derived.shrink();
            *self.contents.write() = read;
            return Ok(());
        }
        let read_at = Instant::now();
        let changes: Changes = look.since(&reach, database, receive).await?;
        let mut contents = self.contents.write();
        // Whatever an older look has seen is in already, as it was then or later.
        if !changes.reach.is_before(&contents.reach) {
            for id in changes.removed {
                contents.remove(id);
            }
            for written in changes.written {
                contents.write(written);
            }
            contents.reached(changes.reach);
            contents.followed_at = Some(read_at);
        }
        Ok(())
    }
}

impl<D: Derived> Receiver for Contents<D> {
    fn reached(&mut self, reach: Reach) {
        self.reach = reach;
    }

    fn write(&mut self, written: Written) {
        let same = self
            .known
            .get(&written.id)
            .is_some_and(|known| known.state == written.state);
        if same {
            return;
        }
        self.remove(written.id);
        let entry = self.derived.add(written.id, &written.fields);
        let known = Known {
            state: written.state,
            entry,
        };
        self.known.insert(written.id, known);
    }

    fn remove(&mut self, id: Uuid) {
        if let Some(known) = self.known.remove(&id) {
            self.derived.take_out(id, known.entry);
        }
    }
}

impl<D: Derived> Contents<D> {
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
    let look = look::<D>(database, &**search);
    let (database_for_batches, following) = (database.clone(), Arc::clone(following));
    database.batcher(1, move |calls: Vec<()>| {
        let (database, following, look) = (
            database_for_batches.clone(),
            Arc::clone(&following),
            look.clone(),
        );
        async move {
            let result = apart(following.follow(&database, &look)).await;
            calls
                .iter()
                .map(|()| result.clone().map_err(Into::into))
                .collect()
        }
    })
}

/// The searched texts of a resource.
pub(super) const TEXTS: [&str; 10] = [
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

/// Asks for the texts that are needed.
fn look<D: Derived>(database: &Database, search: &dyn FullTextSearch) -> Look {
    let texts: Vec<String> = TEXTS
        .iter()
        .enumerate()
        .map(|(index, name)| match index {
            ..3 => format!("r.{name}"),
            _ if D::ALL_TEXTS => format!("r.{name}"),
            _ => "CAST(NULL AS text)".to_owned(),
        })
        .collect();
    Look::new(
        database,
        search,
        &texts,
        "JOIN resources r ON r.id = d.resource_id",
    )
}

fn receive<R: Receiver>(receiver: &mut R, row: &Row<'_>) -> Result<(), DatabaseError> {
    match change(row)? {
        Change::Reached(reach) => receiver.reached(reach),
        Change::Removed(id) => receiver.remove(id),
        Change::Written(id, state) => receiver.write(Written {
            id,
            state,
            fields: texts(row, FIRST)?,
        }),
    }
    Ok(())
}

/// A resource with its texts alone, read from the columns of [`TEXTS`].
pub(super) fn texts(row: &Row<'_>, first: usize) -> Result<ResourceFields, DatabaseError> {
    Ok(ResourceFields {
        title: row.get(first)?,
        subject: row.get(first + 1)?,
        creator: row.get(first + 2)?,
        description: row.get(first + 3)?,
        publisher: row.get(first + 4)?,
        contributor: row.get(first + 5)?,
        identifier: row.get(first + 6)?,
        source: row.get(first + 7)?,
        coverage: row.get(first + 8)?,
        classification_code: row.get(first + 9)?,
        ..ResourceFields::default()
    })
}
