//! Which paths are declared, as far as this process knows. A condition on a declared path has to spell it as the path's
//! indexes do; every other path is bound, so that nothing of a request's text becomes SQL.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use entity::json_paths;
use parking_lot::{Mutex, RwLock};
use sea_orm::{EntityTrait, QueryOrder};

use super::index::parse_path;
use super::{JsonColumn, JsonPath};
use crate::Pharos;
use crate::database::{Database, DatabaseError};
use crate::error::Error;

/// How old what is known may become: other processes declare paths, too.
const GOOD_FOR: Duration = Duration::from_secs(10);

/// What an administrator may declare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeclaredPath {
    /// Keys into a column of JSON.
    Json(JsonColumn, JsonPath),
    /// A column of text.
    Text(&'static str),
}

/// The declared paths into JSON of a library.
#[derive(Default)]
pub struct DeclaredPaths {
    known: RwLock<HashSet<(JsonColumn, JsonPath)>>,
    read_at: Mutex<Option<Instant>>,
}

impl DeclaredPaths {
    pub(super) fn contains(&self, column: JsonColumn, path: &[String]) -> bool {
        let known = self.known.read();
        !known.is_empty() && known.contains(&(column, path.to_vec()))
    }

    async fn read(&self, database: &Database) -> Result<(), Error> {
        *self.read_at.lock() = Some(Instant::now());
        let written = written_paths(database).await?;
        let parsed = written.iter().filter_map(|path| parse_path(path).ok());
        self.set(parsed.filter_map(|path| match path {
            DeclaredPath::Json(column, keys) => Some((column, keys)),
            DeclaredPath::Text(_) => None,
        }));
        Ok(())
    }

    pub(super) fn set(&self, paths: impl IntoIterator<Item = (JsonColumn, JsonPath)>) {
        *self.known.write() = paths.into_iter().collect();
    }

    /// Whether it is time to read them again; of many that ask at once one is told so.
    fn is_old(&self) -> bool {
        let mut read_at = self.read_at.lock();
        let is_old = read_at.is_none_or(|time| time.elapsed() > GOOD_FOR);
        if is_old {
            *read_at = Some(Instant::now());
        }
        is_old
    }
}

impl Pharos {
    /// Reads which paths are declared, where the database asks for it.
    pub(crate) async fn read_declared_paths(&self) -> Result<(), Error> {
        match self.json.declared() {
            Some(declared) => declared.read(&self.database).await,
            None => Ok(()),
        }
    }

    /// The same beside the requests, now and then. Until then a path that another process has declared is answered without
    /// its index.
    pub(super) fn read_declared_paths_beside(&self) {
        let Some(declared) = self.json.declared().filter(|declared| declared.is_old()) else {
            return;
        };
        let (declared, database) = (Arc::clone(declared), self.database.clone());
        self.database.spawn(async move {
            if let Err(error) = declared.read(&database).await {
                tracing::debug!(%error, "the declared paths were not read");
            }
        });
    }
}

/// The declared paths as they are written, by their bytes.
pub(super) async fn written_paths(database: &Database) -> Result<Vec<String>, Error> {
    let found = json_paths::Entity::find()
        .order_by_asc(json_paths::Column::Path)
        .all(database)
        .await
        .map_err(DatabaseError::from)?;
    Ok(found.into_iter().map(|row| row.path).collect())
}
