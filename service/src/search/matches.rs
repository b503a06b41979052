//! The matches that a page shows, with what their highlights are made of: those that are known from before are not read
//! again.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::Value;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query as SqlQuery, SelectStatement};
use uuid::Uuid;

use super::DOCUMENTS;
use super::rank::Hit;
use crate::Pharos;
use crate::database::{Batcher, Database, DatabaseError, FromRow, Row};
use crate::error::Error;
use crate::known::{Bytes, Known};
use crate::library::{Rendered, Resource, Stamp, padded, resource_columns, stamp_columns};

/// What pages of searches show, from before.
pub(crate) type KnownMatches = Known<MatchStamp, Found>;

/// What tells whether a match is as it was: the stamps of the resource and of its search document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MatchStamp {
    resource: Stamp,
    document: i64,
}

/// A match with what its highlights are made of.
pub(crate) struct Found {
    pub(super) resource: Arc<Rendered>,
    pub(super) terms: Vec<u8>,
}

impl Bytes for Found {
    fn bytes(&self) -> usize {
        self.resource.bytes() + self.terms.len()
    }
}

struct Position(Uuid, MatchStamp);

impl FromRow for Position {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        let stamp = MatchStamp {
            document: row.get(1)?,
            resource: Stamp::read(row, 2)?,
        };
        Ok(Self(row.get(0)?, stamp))
    }
}

/// A match as it is read whole, its stamp first.
struct Read(Position, Resource, Vec<u8>);

impl FromRow for Read {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self(
            Position::from_row(row)?,
            Resource::read(row, 6)?,
            row.get(5)?,
        ))
    }
}

const RESOURCE_ID: (entity::resources::Entity, entity::resources::Column) =
    (entity::resources::Entity, entity::resources::Column::Id);

/// Stamps of the matches of a page, of those that are still there.
pub(crate) type MatchStamps = Batcher<Vec<Uuid>, Vec<(Uuid, MatchStamp)>>;

/// Looks at the stamps of several pages in one statement.
pub(crate) fn stamper(database: &Database) -> MatchStamps {
    let statement = database
        .build(stamps(database).and_where(Expr::cust("resources.id = ANY($1)")))
        .sql;
    let database_for_batches = database.clone();
    database.batcher(2, move |pages: Vec<Vec<Uuid>>| {
        let database = database_for_batches.clone();
        let ids = Value::from(pages.concat());
        let statement = database.statement(&statement, [ids]);
        async move {
            let rows: Vec<Position> = match database.fetch_all(statement).await {
                Ok(rows) => rows,
                Err(error) => return pages.iter().map(|_| Err(error.clone().into())).collect(),
            };
            let stamps: HashMap<Uuid, MatchStamp> =
                rows.into_iter().map(|row| (row.0, row.1)).collect();
            let stamp = |id: &Uuid| Some((*id, *stamps.get(id)?));
            let of_page = |page: &Vec<Uuid>| Ok(page.iter().filter_map(stamp).collect());
            pages.iter().map(of_page).collect()
        }
    })
}

/// A SELECT of what [`Position`] reads, to be narrowed.
fn stamps(database: &Database) -> SelectStatement {
    let documents = Alias::new(DOCUMENTS);
    let stamp = |table| database.row_stamp(table).unwrap_or_else(|| "0".to_owned());
    SqlQuery::select()
        .from(entity::resources::Entity)
        .column(RESOURCE_ID)
        .expr(Expr::cust(stamp(DOCUMENTS)))
        .exprs(stamp_columns(stamp("resources")))
        .inner_join(
            documents.clone(),
            Expr::col(RESOURCE_ID)
                .equals((documents, entity::search_documents::Column::ResourceId)),
        )
        .take()
}

impl Pharos {
    /// The matches that are still there, each as it is by now: whoever asks looks whether it still matches.
    pub(super) async fn load_matches(
        &self,
        hits: &[Hit],
    ) -> Result<HashMap<Uuid, Arc<Found>>, Error> {
        if hits.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<Uuid> = hits.iter().map(|hit| hit.id).collect();
        let known = &self.known_matches;
        let found = if self.database.row_stamp("resources").is_none() {
            let read = self.read_matches(ids).await?.into_iter();
            return Ok(read.map(|(id, _, found)| (id, Arc::new(found))).collect());
        } else if known.is_worth_asking() {
            let rows = self.match_stamps.call(ids).await?;
            known.latest(&rows, |ids| self.read_matches(ids)).await?
        } else {
            known.keep_all(self.read_matches(ids).await?)
        };
        Ok(found.into_iter().collect())
    }

    async fn read_matches(&self, ids: Vec<Uuid>) -> Result<Vec<(Uuid, MatchStamp, Found)>, Error> {
        use entity::search_documents::Column;

        let documents = Alias::new(DOCUMENTS);
        let select = stamps(&self.database)
            .and_where(Expr::col(RESOURCE_ID).is_in(padded(ids)))
            .column((documents, Column::Terms))
            .columns(resource_columns())
            .take();
        let keeps = self.database.row_stamp("resources").is_some();
        let read: Vec<Read> = self
            .database
            .fetch_all(self.database.build(&select))
            .await?;
        let found = read
            .into_iter()
            .map(|Read(Position(id, stamp), resource, terms)| {
                let resource = Arc::new(if keeps {
                    Rendered::for_keeping(resource)
                } else {
                    resource.into()
                });
                (id, stamp, Found { resource, terms })
            });
        Ok(found.collect())
    }
}
