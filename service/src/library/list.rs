//! Lists of resources: keyset pages of rows that are known as far as they can be.

use std::sync::Arc;

use entity::resources::Column;
use sea_orm::Statement;
use sea_orm::sea_query::{Expr, ExprTrait, SelectStatement};
use uuid::Uuid;

use super::record::{self, Rendered, Resource, Stamp, resource_columns, stamp_columns};
use crate::Pharos;
use crate::database::{DatabaseError, FromRow, Row};
use crate::error::Error;
use crate::lists::{Asked, ListRequest, Page, SortKey, Source, all_rows, order};

/// How often a page is looked at again when rows on it change meanwhile, before it is read whole.
const ATTEMPTS: usize = 3;

/// Where a row is on a page, and whether it is known.
struct Position {
    id: Uuid,
    stamp: Stamp,
}

impl FromRow for Position {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.get(0)?,
            stamp: Stamp::read(row, 1)?,
        })
    }
}

struct Stamped {
    resource: Resource,
    stamp: Stamp,
}

impl FromRow for Stamped {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            resource: Resource::read(row, 0)?,
            stamp: Stamp::read(row, record::COLUMNS.len())?,
        })
    }
}

/// Repeats the last id until there is a power of two of them, so that there are few different statements to prepare.
pub(crate) fn padded(mut ids: Vec<Uuid>) -> Vec<Uuid> {
    if let Some(last) = ids.last().copied() {
        ids.resize(ids.len().next_power_of_two(), last);
    }
    ids
}

fn source() -> Source {
    Source {
        name: "resources".to_owned(),
        table: &super::table::RESOURCES,
        rows: all_rows("resources"),
    }
}

impl Pharos {
    /// A page of the resources that match, in the order asked for: NULLs last, ties broken by id in the direction
    /// of the last sort key.
    pub async fn list_resources(
        &self,
        request: &ListRequest,
    ) -> Result<Page<Arc<Rendered>>, Error> {
        self.list_resources_of(&source(), request).await
    }

    /// The same for some of the resources: those that the source selects.
    pub(crate) async fn list_resources_of(
        &self,
        source: &Source,
        request: &ListRequest,
    ) -> Result<Page<Arc<Rendered>>, Error> {
        let asked = self.asked(source, request)?;
        let query = self.page_query(source, request, &asked).await?;
        let items = self.read_page(query, &asked).await?;
        let mut page = Page::cut(items, asked.limit, |last| {
            asked.cursor(self, |key| last.sort_value(key.field.name))
        });
        if request.total {
            page.total = Some(self.count_rows(source, request).await?);
        }
        Ok(page)
    }

    /// How the database would read a first page, line by line in its own words.
    pub async fn explain_resources(&self, request: &ListRequest) -> Result<Vec<String>, Error> {
        let source = source();
        let request = ListRequest {
            cursor: None,
            ..request.clone()
        };
        let asked = self.asked(&source, &request)?;
        let query = self.page_query(&source, &request, &asked).await?;
        let statement = match self.positions(&query, asked.limit + 1) {
            Some(statement) => statement,
            None => self.whole_rows(query, &asked.keys, asked.limit + 1),
        };
        Ok(self.database.explain(statement).await?)
    }

    /// Which rows a page has, for looking up those that are known; `None` where that saves nothing.
    fn positions(&self, query: &SelectStatement, rows: u64) -> Option<Statement> {
        let row_stamp = self.database.row_stamp("resources")?;
        let positions = query
            .clone()
            .column((entity::resources::Entity, Column::Id))
            .exprs(stamp_columns(row_stamp))
            .take();
        Some(self.database.build_limited(&positions, rows))
    }

    fn whole_rows(&self, mut query: SelectStatement, keys: &[SortKey], rows: u64) -> Statement {
        if self.database.sorts_ids_first() {
            let id = (entity::resources::Entity, Column::Id);
            let ids = query.column(id).take();
            query = all_rows("resources");
            query.and_where(Expr::col(id).in_subquery(ids));
            order(&mut query, keys);
        }
        query.columns(resource_columns());
        self.database.build_limited(&query, rows)
    }

    /// The rows of a query without columns.
    async fn read_page(
        &self,
        query: SelectStatement,
        asked: &Asked,
    ) -> Result<Vec<Arc<Rendered>>, Error> {
        let rows = asked.limit + 1;
        if let Some(positions) = self.positions(&query, rows) {
            for _ in 0..ATTEMPTS {
                let positions: Vec<Position> = self.database.fetch_all(positions.clone()).await?;
                let positions: Vec<_> = positions.iter().map(|at| (at.id, at.stamp)).collect();
                let read = |ids| self.read_stamped(ids);
                if let Some(found) = self.known_resources.values(&positions, read).await? {
                    return Ok(found);
                }
            }
        }
        let statement = self.whole_rows(query, &asked.keys, rows);
        let found: Vec<Resource> = self.database.fetch_all(statement).await?;
        Ok(found.into_iter().map(|it| Arc::new(it.into())).collect())
    }

    async fn read_stamped(&self, ids: Vec<Uuid>) -> Result<Vec<(Uuid, Stamp, Rendered)>, Error> {
        let Some(row_stamp) = self.database.row_stamp("resources") else {
            return Ok(Vec::new());
        };
        let id = Expr::col((entity::resources::Entity, Column::Id));
        let select = record::select()
            .exprs(stamp_columns(row_stamp))
            .and_where(id.is_in(padded(ids)))
            .take();
        let found: Vec<Stamped> = self
            .database
            .fetch_all(self.database.build(&select))
            .await?;
        let found = found.into_iter().map(|row| {
            (
                row.resource.id,
                row.stamp,
                Rendered::for_keeping(row.resource),
            )
        });
        Ok(found.collect())
    }
}
