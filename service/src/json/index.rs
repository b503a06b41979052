//! Indexes as an administrator sees them: declared paths, and the work of indexing what waits.

use std::sync::Arc;

use entity::json_paths;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{EntityTrait, Set};
use uuid::Uuid;

use super::declared::written_paths;
use super::filter::json_path;
use super::{DeclaredIndex, DeclaredPath};
use crate::Pharos;
use crate::database::DatabaseError;
use crate::error::Error;
use crate::library::{RESOURCES, find_where};
use crate::lists::Holds;
use crate::search;

/// Resources that are indexed in one transaction.
const BATCH: u64 = 100;

/// What every path begins with.
const TABLE: &str = "resources.";

impl Pharos {
    /// Declares a path such as `resources.metadata.pages` or `resources.title`, and makes its indexes while others read
    /// and write. Tells whether it is new; of one that is not, what could not be made before is made. On SQLite every
    /// path into JSON is indexed already, and nothing of texts; there it is kept for the day of a move.
    pub async fn add_index(&self, path: &str) -> Result<bool, Error> {
        let declared = parse_path(path)?;
        let path = written(&declared);
        let is_new = !self.indexed_paths().await?.contains(&path);
        let trigrams = self.database.schema_of_trigrams().await?;
        let indexes = self.json.declared_indexes(&declared, trigrams.as_deref());
        if !indexes.is_empty() && indexes.iter().all(|index| index.create.is_none()) {
            return Err(Error::Conflict(format!(
                "`{path}` is text, whose parts PostgreSQL indexes with its extension pg_trgm, which is not installed in \
                 this database: let the database's owner run CREATE EXTENSION pg_trgm"
            )));
        }
        let there = self.database.indexes_of_resources().await?;
        let mut statements: Vec<String> = indexes
            .iter()
            .filter(|index| !there.contains(&index.name))
            // What an interrupted attempt has left is no good.
            .filter_map(|index| Some([index.drop(), index.create.clone()?]))
            .flatten()
            .collect();
        if !statements.is_empty() {
            statements.push(String::from("ANALYZE resources"));
            self.database.run_online(&statements).await?;
        }
        if !is_new {
            return Ok(false);
        }
        let now = self.clock.now();
        self.database
            .write(move |transaction| {
                let path = path.clone();
                async move {
                    let row = json_paths::ActiveModel {
                        path: Set(path),
                        created_at: Set(now),
                    };
                    json_paths::Entity::insert(row)
                        .on_conflict(
                            OnConflict::column(json_paths::Column::Path)
                                .do_nothing()
                                .to_owned(),
                        )
                        .exec_without_returning(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                    Ok(())
                }
            })
            .await?;
        self.read_declared_paths().await?;
        Ok(true)
    }

    /// The declared paths, by their bytes.
    pub async fn indexed_paths(&self) -> Result<Vec<String>, Error> {
        written_paths(&self.database).await
    }

    /// Takes a declaration back and drops the indexes of its path. Tells whether it was there.
    pub async fn drop_index(&self, path: &str) -> Result<bool, Error> {
        let declared = parse_path(path)?;
        let path = written(&declared);
        let known = self.indexed_paths().await?.contains(&path);
        let indexes = self.json.declared_indexes(&declared, None);
        let statements: Vec<String> = indexes.iter().map(DeclaredIndex::drop).collect();
        self.database.run_online(&statements).await?;
        self.database
            .write(move |transaction| {
                let path = path.clone();
                async move {
                    json_paths::Entity::delete_by_id(path)
                        .exec(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                    Ok(())
                }
            })
            .await?;
        self.read_declared_paths().await?;
        Ok(known)
    }

    /// Indexes what waits, beside the requests: filters are right in the meantime, because they look at what waits.
    pub(crate) async fn index_waiting_beside(&self) -> Result<(), Error> {
        if self.waiting().await?.is_empty() {
            return Ok(());
        }
        let indexer = self.indexer();
        self.database.spawn(async move {
            match indexer.index_all().await {
                Ok(count) => tracing::info!(count, "resources were indexed anew"),
                Err(error) => tracing::warn!(%error, "resources wait to be indexed"),
            }
        });
        Ok(())
    }

    /// Indexes the resources that other tools have made or changed, and those of an older schema; returns how many.
    pub async fn index_waiting(&self) -> Result<u64, Error> {
        self.indexer().index_all().await
    }

    async fn waiting(&self) -> Result<Vec<Uuid>, Error> {
        self.indexer().next().await
    }

    fn indexer(&self) -> Indexer {
        Indexer {
            database: self.database.clone(),
            search: Arc::clone(&self.search),
            waiting: self.json.waiting(),
        }
    }
}

struct Indexer {
    database: crate::database::Database,
    search: Arc<dyn search::FullTextSearch>,
    waiting: Option<sea_orm::sea_query::SelectStatement>,
}

impl Indexer {
    async fn next(&self) -> Result<Vec<Uuid>, Error> {
        let Some(waiting) = &self.waiting else {
            return Ok(Vec::new());
        };
        let next = self.database.build(&waiting.clone().limit(BATCH).take());
        Ok(self.database.fetch_all(next).await?)
    }

    async fn index_all(&self) -> Result<u64, Error> {
        let mut count = 0;
        loop {
            let ids = self.next().await?;
            if ids.is_empty() {
                return Ok(count);
            }
            count += ids.len() as u64;
            self.index(ids).await?;
        }
    }

    async fn index(&self, ids: Vec<Uuid>) -> Result<(), Error> {
        let (search, ids) = (Arc::clone(&self.search), Arc::new(ids));
        self.database
            .write(move |transaction| {
                let (search, ids) = (Arc::clone(&search), Arc::clone(&ids));
                async move {
                    use entity::resources::{Column, Entity};

                    let wanted = Expr::col((Entity, Column::Id)).is_in(ids.iter().copied());
                    for resource in find_where(&transaction, wanted).await? {
                        let document = search.analyse(&resource.fields, resource.version);
                        search::reindex(&*search, &transaction, resource.id, &document)
                            .await
                            .map_err(DatabaseError::from)?;
                    }
                    // Those of resources that are gone by now.
                    let listed = Query::delete()
                        .from_table("json_unindexed")
                        .and_where(Expr::col("resource_id").is_in(ids.iter().copied()))
                        .take();
                    sea_orm::ConnectionTrait::execute(&transaction, &listed)
                        .await
                        .map_err(DatabaseError::from)?;
                    Ok(())
                }
            })
            .await
    }
}

/// What a path that is declared means.
pub(super) fn parse_path(path: &str) -> Result<DeclaredPath, Error> {
    let expected = || {
        Error::Conflict(format!(
            "`{path}` is no path that can be indexed: write for example resources.metadata.pages, keys with other \
             characters in quotes, or a column of text, resources.title"
        ))
    };
    let rest = path.strip_prefix(TABLE).ok_or_else(expected)?;
    let text = RESOURCES
        .field(rest)
        .filter(|field| matches!(field.holds, Holds::Text));
    if let Some(field) = text {
        return Ok(DeclaredPath::Text(field.name));
    }
    json_path(rest)
        .filter(|(_, keys)| {
            // Other characters would have to be escaped in the index's own definition.
            let plain = |c: char| c.is_alphanumeric() || " _-:./".contains(c);
            !keys.is_empty() && keys.iter().all(|key| key.chars().all(plain))
        })
        .map(|(column, keys)| DeclaredPath::Json(column, keys))
        .ok_or_else(expected)
}

/// The path in one spelling.
fn written(path: &DeclaredPath) -> String {
    let plain = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_');
    match path {
        DeclaredPath::Text(column) => format!("{TABLE}{column}"),
        DeclaredPath::Json(column, keys) => {
            let beginning = format!("{TABLE}{}", column.name());
            keys.iter().fold(beginning, |path, key| {
                if plain(key) {
                    format!("{path}.{key}")
                } else {
                    format!("{path}.\"{key}\"")
                }
            })
        }
    }
}
