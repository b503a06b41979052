//! The authority files in memory, and the check that they are still so.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use uuid::Uuid;

use super::file::AuthorityFile;
use super::forms::key_of;
use crate::Pharos;
use crate::database::{BulkInsert, ColumnType, Database, DatabaseError, Form, Row, Transaction};
use crate::error::Error;
use crate::library::ResourceFields;

/// How often a write is tried while the authority files change under it.
const ATTEMPTS: usize = 100;

/// The authority files as this process knows them.
pub(crate) struct Authorities {
    known: RwLock<Arc<KnownNames>>,
    /// Held while resources are rewritten: one pass at a time.
    pub(super) rewriting: tokio::sync::Mutex<()>,
}

/// The canonical names at one epoch.
#[derive(Clone)]
pub(crate) struct KnownNames {
    pub(crate) epoch: i64,
    subjects: Names,
    creators: Names,
    publishers: Names,
}

/// Canonical names by the keys of their forms.
type Names = HashMap<Uuid, Arc<str>>;

/// What changed since an epoch.
#[derive(Default)]
struct Delta {
    epoch: i64,
    forms: Vec<(AuthorityFile, Uuid, Option<Arc<str>>)>,
}

impl Default for Authorities {
    fn default() -> Self {
        Self {
            known: RwLock::new(Arc::new(KnownNames::nothing())),
            rewriting: tokio::sync::Mutex::new(()),
        }
    }
}

impl Authorities {
    pub(crate) fn known(&self) -> Arc<KnownNames> {
        Arc::clone(&self.known.read())
    }

    /// Takes over what has been committed.
    pub(crate) async fn refresh(&self, database: &Database) -> Result<(), Error> {
        let before = self.known();
        let delta = read_since(database, before.epoch).await?;
        if delta.epoch == before.epoch {
            return Ok(());
        }
        if delta.epoch < before.epoch {
            // An older state of the database was restored under a running server: begin anew.
            let nothing = KnownNames::nothing();
            let all = read_since(database, nothing.epoch).await?;
            *self.known.write() = Arc::new(nothing.with(all));
            return Ok(());
        }
        let names = KnownNames::clone(&before).with(delta);
        let mut known = self.known.write();
        if known.epoch < names.epoch {
            *known = Arc::new(names);
        }
        Ok(())
    }
}

async fn read_since(database: &Database, epoch: i64) -> Result<Delta, Error> {
    let sql = format!(
        "SELECT e.epoch, f.file, f.key, f.authority_id, f.name FROM authority_epoch AS e \
         LEFT JOIN authority_forms AS f ON f.changed > {}",
        database.placeholder(1)
    );
    let statement = database.statement(&sql, [epoch.into()]);
    Ok(database.fold(statement, Delta::add).await?)
}

impl Delta {
    fn add(&mut self, row: &Row<'_>) -> Result<(), DatabaseError> {
        self.epoch = row.get(0)?;
        let Some(file) = row.get::<Option<String>>(1)? else {
            return Ok(());
        };
        let file = file
            .parse()
            .map_err(|_| DatabaseError::Other(format!("`{file}` is no authority file")))?;
        let owner: Option<Uuid> = row.get(3)?;
        let name: String = row.get(4)?;
        self.forms
            .push((file, row.get(2)?, owner.map(|_| name.into())));
        Ok(())
    }
}

impl KnownNames {
    /// Before the first change.
    fn nothing() -> Self {
        Self {
            epoch: -1,
            subjects: Names::new(),
            creators: Names::new(),
            publishers: Names::new(),
        }
    }

    fn with(mut self, delta: Delta) -> Self {
        self.epoch = delta.epoch;
        for (file, key, name) in delta.forms {
            match name {
                Some(name) => self.of_mut(file).insert(key, name),
                None => self.of_mut(file).remove(&key),
            };
        }
        self
    }

    fn of(&self, file: AuthorityFile) -> &Names {
        match file {
            AuthorityFile::Subjects => &self.subjects,
            AuthorityFile::Creators => &self.creators,
            AuthorityFile::Publishers => &self.publishers,
        }
    }

    fn of_mut(&mut self, file: AuthorityFile) -> &mut Names {
        match file {
            AuthorityFile::Subjects => &mut self.subjects,
            AuthorityFile::Creators => &mut self.creators,
            AuthorityFile::Publishers => &mut self.publishers,
        }
    }

    /// The canonical form of a name, where it is another one.
    pub(super) fn canonical(&self, file: AuthorityFile, name: &str) -> Option<&Arc<str>> {
        let names = self.of(file);
        if names.is_empty() {
            return None;
        }
        names.get(&key_of(name)).filter(|known| ***known != *name)
    }

    /// Entries with their canonical forms, each of these once; `None` when nothing changes.
    pub(super) fn canonical_list(
        &self,
        file: AuthorityFile,
        names: &[String],
    ) -> Option<Vec<String>> {
        if !names
            .iter()
            .any(|name| self.canonical(file, name).is_some())
        {
            return None;
        }
        let mut resolved: Vec<String> = Vec::with_capacity(names.len());
        for name in names {
            let canonical = self.of(file).get(&key_of(name));
            let name = canonical.map_or(name.as_str(), |known| known);
            if canonical.is_none() || !resolved.iter().any(|entry| entry == name) {
                resolved.push(name.to_owned());
            }
        }
        Some(resolved)
    }

    /// The fields with canonical names; `None` when they have them already.
    pub(crate) fn resolve(&self, fields: &ResourceFields) -> Option<ResourceFields> {
        let one = |file, name: &Option<String>| self.canonical(file, name.as_deref()?).cloned();
        let creator = one(AuthorityFile::Creators, &fields.creator);
        let publisher = one(AuthorityFile::Publishers, &fields.publisher);
        let subject = self.canonical_list(AuthorityFile::Subjects, &fields.subject);
        if creator.is_none() && publisher.is_none() && subject.is_none() {
            return None;
        }
        let mut resolved = fields.clone();
        if let Some(name) = creator {
            resolved.creator = Some(name.to_string());
        }
        if let Some(name) = publisher {
            resolved.publisher = Some(name.to_string());
        }
        if let Some(names) = subject {
            resolved.subject = names;
        }
        Some(resolved)
    }
}

/// Whether a resource has a name that an authority file may be about.
pub(crate) fn names_something(fields: &ResourceFields) -> bool {
    fields.creator.is_some() || fields.publisher.is_some() || !fields.subject.is_empty()
}

/// A trigger refuses every epoch but the current one, and keeps none.
static CHECK: BulkInsert = BulkInsert::new(
    "authority_checks",
    Form::Arrays,
    &[("epoch", ColumnType::BigInt)],
    &[],
);

/// Lets the transaction succeed only if the authority files are, and until its end stay, what they were at this epoch;
/// else it fails with [`DatabaseError::Outdated`].
pub(crate) async fn check(transaction: &Transaction, epoch: i64) -> Result<(), Error> {
    check_all(transaction, vec![epoch]).await
}

/// The same for each of these epochs.
pub(crate) async fn check_all(transaction: &Transaction, epochs: Vec<i64>) -> Result<(), Error> {
    let rows = epochs.into_iter().map(|epoch| vec![epoch.into()]);
    transaction
        .insert_rows(&CHECK, rows)
        .await
        .map_err(DatabaseError::from)?;
    Ok(())
}

impl Pharos {
    /// Runs a write by the authority files as they are known, again when they turn out to have changed.
    pub(crate) async fn by_authorities<T, F>(
        &self,
        attempt: impl Fn(Arc<KnownNames>) -> F + Send,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send,
    {
        by_authorities(&self.database, &self.authorities, attempt).await
    }
}

pub(crate) async fn by_authorities<T, F>(
    database: &Database,
    authorities: &Authorities,
    attempt: impl Fn(Arc<KnownNames>) -> F + Send,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>> + Send,
{
    let mut attempts = 1;
    loop {
        match attempt(authorities.known()).await {
            Err(Error::Database(error)) if error.is_outdated() && attempts < ATTEMPTS => {
                attempts += 1;
                authorities.refresh(database).await?;
            }
            result => return result,
        }
    }
}
