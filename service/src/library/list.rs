//! Lists of resources: filter, order, keyset pages.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::resources::Column;
use sea_orm::sea_query::{Expr, ExprTrait, Func, NullOrdering, Order, Query, SelectStatement};
use sea_orm::{Statement, Value};
use serde_json::Value as Json;
use uuid::Uuid;

use super::record::{self, Rendered, Resource, Stamp, resource_columns, stamp_columns};
use crate::Pharos;
use crate::database::{DatabaseError, FromRow, Row};
use crate::error::{Error, Fault};
use crate::json::filter::Reach;
use crate::time::parse_timestamp;

/// Items on a page when the request does not say.
pub const DEFAULT_LIMIT: u64 = 25;
/// Items on a page at most.
pub const LARGEST_LIMIT: u64 = 200;
/// How often a page is looked at again when rows on it change meanwhile, before it is read whole.
const ATTEMPTS: usize = 3;
/// Sort keys at most, beside the id that breaks ties.
const MOST_SORT_KEYS: usize = 5;

/// The columns that can be sorted by, and whether they may be NULL.
const SORTABLE: [(&str, Column, bool); 18] = [
    ("id", Column::Id, false),
    ("title", Column::Title, false),
    ("creator", Column::Creator, true),
    ("publisher", Column::Publisher, true),
    ("contributor", Column::Contributor, true),
    ("date", Column::Date, true),
    ("year", Column::Year, true),
    ("type", Column::ResourceType, true),
    ("format", Column::Format, true),
    ("identifier", Column::Identifier, true),
    ("source", Column::Source, true),
    ("language", Column::Language, true),
    ("classification_code", Column::ClassificationCode, true),
    ("read_status", Column::ReadStatus, false),
    ("quality_score", Column::QualityScore, true),
    ("version", Column::Version, false),
    ("created_at", Column::CreatedAt, false),
    ("updated_at", Column::UpdatedAt, false),
];

/// What a list is asked for.
#[derive(Debug, Clone, Default)]
pub struct ListRequest {
    /// AIP-160; see [`crate::json::filter`].
    pub filter: Option<String>,
    /// Comma-separated field names, `-` before one for descending; `-created_at` when absent.
    pub sort: Option<String>,
    /// 1 to [`LARGEST_LIMIT`].
    pub limit: Option<u64>,
    pub cursor: Option<String>,
    /// Whether to count all matches.
    pub total: bool,
    /// Who asks; decides which collections a filter sees. `None` sees all.
    pub viewer: Option<Uuid>,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
    pub total: Option<i64>,
}

/// Checks a page size.
pub(crate) fn checked_limit(limit: Option<u64>) -> Result<u64, Error> {
    match limit.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=LARGEST_LIMIT => Ok(limit),
        other => Err(Error::BadParameter(vec![Fault::parameter(
            "limit",
            "out_of_range",
            format!("expected a number from 1 to {LARGEST_LIMIT}, found {other}"),
        )])),
    }
}

#[derive(Debug, Clone, Copy)]
struct SortKey {
    name: &'static str,
    column: Column,
    nullable: bool,
    descending: bool,
}

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

impl Pharos {
    /// A page of the resources that match, in the order asked for: NULLs last, ties broken by id in the direction
    /// of the last sort key.
    pub async fn list_resources(
        &self,
        request: &ListRequest,
    ) -> Result<Page<Arc<Rendered>>, Error> {
        let limit = checked_limit(request.limit)?;
        let sort = request
            .sort
            .as_deref()
            .filter(|sort| !sort.trim().is_empty())
            .unwrap_or("-created_at");
        let keys = parse_sort(sort)?;
        let binding = format!(
            "resources\u{1}{}\u{1}{}",
            request.filter.as_deref().unwrap_or(""),
            sort
        );
        let position = match &request.cursor {
            Some(cursor) => Some(self.cursors.read(&binding, cursor)?),
            None => None,
        };
        let query = self.page_query(request, &keys, position, limit).await?;
        let items = self.read_page(query, &keys, limit + 1).await?;
        let mut page = Page::cut(items, limit, |last| {
            let value = |key: &SortKey| last.sort_value(key.column);
            let position: Vec<Json> = keys.iter().map(value).collect();
            self.cursors.write(&binding, &Json::Array(position))
        });
        if request.total {
            page.total = Some(self.count_resources(request).await?);
        }
        Ok(page)
    }

    /// How the database would read a first page, line by line in its own words.
    pub async fn explain_resources(&self, request: &ListRequest) -> Result<Vec<String>, Error> {
        let keys = parse_sort(request.sort.as_deref().unwrap_or("-created_at"))?;
        let limit = checked_limit(request.limit)?;
        let query = self.page_query(request, &keys, None, limit).await?;
        let statement = match self.positions(&query, limit + 1) {
            Some(statement) => statement,
            None => self.whole_rows(query, &keys, limit + 1),
        };
        Ok(self.database.explain(statement).await?)
    }

    /// A SELECT of one row more than the page takes, still without columns.
    async fn page_query(
        &self,
        request: &ListRequest,
        keys: &[SortKey],
        position: Option<Json>,
        limit: u64,
    ) -> Result<SelectStatement, Error> {
        let condition = match request.filter.as_deref().map(str::trim) {
            None | Some("") => None,
            Some(text) => Some(self.filter(text, request.viewer, Reach::FirstFew).await?),
        };
        let mut query = Query::select();
        query
            .from(entity::resources::Entity)
            .and_where_option(condition);
        if let Some(position) = position {
            query.and_where(after(keys, &position)?);
        }
        order(&mut query, keys);
        query.limit(limit + 1);
        Ok(query)
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
            query = Query::select();
            query
                .from(entity::resources::Entity)
                .and_where(Expr::col(id).in_subquery(ids));
            order(&mut query, keys);
        }
        query.columns(resource_columns());
        self.database.build_limited(&query, rows)
    }

    /// The rows of a query without columns, of which there are at most `rows`.
    async fn read_page(
        &self,
        query: SelectStatement,
        keys: &[SortKey],
        rows: u64,
    ) -> Result<Vec<Arc<Rendered>>, Error> {
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
        let statement = self.whole_rows(query, keys, rows);
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

    async fn count_resources(&self, request: &ListRequest) -> Result<i64, Error> {
        let condition = match request.filter.as_deref().map(str::trim) {
            None | Some("") => None,
            Some(text) => Some(self.filter(text, request.viewer, Reach::All).await?),
        };
        let count = Query::select()
            .expr(Expr::from(Func::count(Expr::col((
                entity::resources::Entity,
                Column::Id,
            )))))
            .from(entity::resources::Entity)
            .and_where_option(condition)
            .take();
        Ok(self
            .database
            .fetch_one(self.database.build(&count))
            .await?
            .unwrap_or(0))
    }
}

fn order(query: &mut SelectStatement, keys: &[SortKey]) {
    for key in keys {
        let order = if key.descending {
            Order::Desc
        } else {
            Order::Asc
        };
        let column = (entity::resources::Entity, key.column);
        if key.nullable {
            query.order_by_with_nulls(column, order, NullOrdering::Last);
        } else {
            query.order_by(column, order);
        }
    }
}

fn parse_sort(sort: &str) -> Result<Vec<SortKey>, Error> {
    let mut keys: Vec<SortKey> = Vec::new();
    let mut position = 0;
    for part in sort.split(',') {
        let name = part.trim();
        let (name, descending) = name
            .strip_prefix('-')
            .map_or((name, false), |name| (name, true));
        let Some((name, column, nullable)) = SORTABLE.iter().find(|(known, ..)| *known == name)
        else {
            let known = SORTABLE.map(|(name, ..)| name).join(", ");
            return Err(bad_sort(
                position,
                "unknown_field",
                format!(
                    "`{}` cannot be sorted by: use {known}",
                    name.chars().take(40).collect::<String>()
                ),
            ));
        };
        if keys.iter().any(|key| key.name == *name) {
            return Err(bad_sort(
                position,
                "duplicate",
                format!("`{name}` is named twice"),
            ));
        }
        keys.push(SortKey {
            name,
            column: *column,
            nullable: *nullable,
            descending,
        });
        position += part.chars().count() + 1;
    }
    if keys.len() > MOST_SORT_KEYS {
        return Err(bad_sort(
            0,
            "too_long",
            format!("at most {MOST_SORT_KEYS} fields can be sorted by"),
        ));
    }
    if let Some(last) = keys
        .last()
        .filter(|last| !matches!(last.column, Column::Id))
        .copied()
    {
        keys.push(SortKey {
            name: "id",
            column: Column::Id,
            nullable: false,
            descending: last.descending,
        });
    }
    Ok(keys)
}

fn bad_sort(position: usize, code: &'static str, detail: String) -> Error {
    Error::BadParameter(vec![Fault::parameter_at("sort", position, code, detail)])
}

/// The condition for rows that come after a position: later by the first key, or equal there and later by the
/// second, and so on.
fn after(keys: &[SortKey], position: &Json) -> Result<Expr, Error> {
    let values = position
        .as_array()
        .filter(|values| values.len() == keys.len());
    let values =
        values.ok_or_else(|| Error::Internal("a signed cursor has another shape".to_owned()))?;
    let mut alternatives: Option<Expr> = None;
    let mut ties: Option<Expr> = None;
    for (key, value) in keys.iter().zip(values) {
        let value = cursor_value(key.column, value)?;
        let column = Expr::col((entity::resources::Entity, key.column));
        let later = match &value {
            // NULLs are last: nothing but further NULLs follows one.
            None => None,
            Some(value) => {
                let beyond = if key.descending {
                    column.clone().lt(value.clone())
                } else {
                    column.clone().gt(value.clone())
                };
                Some(if key.nullable {
                    beyond.or(column.clone().is_null())
                } else {
                    beyond
                })
            }
        };
        if let Some(later) = later {
            let alternative = match ties.clone() {
                Some(ties) => ties.and(later),
                None => later,
            };
            alternatives = Some(match alternatives {
                Some(alternatives) => alternatives.or(alternative),
                None => alternative,
            });
        }
        let tie = value.map_or_else(
            || column.clone().is_null(),
            |value| column.clone().eq(value),
        );
        ties = Some(match ties {
            Some(ties) => ties.and(tie),
            None => tie,
        });
    }
    let alternatives = alternatives.unwrap_or_else(|| Expr::val(false));
    // A bound on the first key lets both planners start in the index instead of at its beginning.
    match (keys.first(), values.first()) {
        (Some(first), Some(value)) if !first.nullable => {
            let column = Expr::col((entity::resources::Entity, first.column));
            Ok(match cursor_value(first.column, value)? {
                Some(value) if first.descending => column.lte(value).and(alternatives),
                Some(value) => column.gte(value).and(alternatives),
                None => alternatives,
            })
        }
        _ => Ok(alternatives),
    }
}

fn cursor_value(column: Column, value: &Json) -> Result<Option<Value>, Error> {
    let wrong = || Error::Internal(format!("a signed cursor has {value} for {column:?}"));
    if value.is_null() {
        return Ok(None);
    }
    Ok(Some(match column {
        Column::Year | Column::Version => Value::from(value.as_i64().ok_or_else(wrong)?),
        Column::QualityScore => Value::from(value.as_f64().ok_or_else(wrong)?),
        Column::CreatedAt | Column::UpdatedAt => {
            let time: DateTime<Utc> = value.as_str().and_then(parse_timestamp).ok_or_else(wrong)?;
            Value::from(time)
        }
        Column::Id => Value::from(
            value
                .as_str()
                .and_then(|id| Uuid::try_parse(id).ok())
                .ok_or_else(wrong)?,
        ),
        _ => Value::from(value.as_str().ok_or_else(wrong)?),
    }))
}

impl<T> Page<T> {
    /// A page of rows of which one more than `limit` was asked for.
    pub(crate) fn cut(mut items: Vec<T>, limit: u64, cursor: impl FnOnce(&T) -> String) -> Self {
        let more = items.len() as u64 > limit;
        items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next_cursor = items.last().filter(|_| more).map(cursor);
        Self {
            items,
            next_cursor,
            total: None,
        }
    }
}
