//! Lists of any table: filter, order, keyset pages, totals.
//!
//! A [`Table`] says which fields there are; a SELECT without columns says which rows the caller may see.
//! [`Pharos::list_rows`] does the rest: `filter=` is compiled to a condition, `sort=` to an order that ends in the key,
//! and the cursor carries the sort values of the last row, signed together with what was asked.

mod described;
mod sort;
mod table;

use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SelectStatement};
use serde::Serialize;
use serde_json::Value as Json;

pub use self::described::{DESCRIBED_LISTS, DescribedList};
pub(crate) use self::sort::{SortKey, after, order, parse_sort};
pub use self::table::{Field, Holds, Related, Table};
use crate::Pharos;
use crate::accounts::Viewer;
use crate::database::FromRow;
use crate::error::{Error, Fault};
use crate::json::filter::Reach;

/// Items on a page when the request does not say.
pub const DEFAULT_LIMIT: u64 = 25;
/// Items on a page at most.
pub const LARGEST_LIMIT: u64 = 200;

/// What a list is asked for.
#[derive(Debug, Clone, Default)]
pub struct ListRequest {
    /// AIP-160; see [`crate::json::filter`].
    pub filter: Option<String>,
    /// Comma-separated field names, `-` before one for descending; the table's own order when absent.
    pub sort: Option<String>,
    /// 1 to [`LARGEST_LIMIT`].
    pub limit: Option<u64>,
    pub cursor: Option<String>,
    /// Whether to count all matches.
    pub total: bool,
    /// Who asks; decides what is seen. `None` sees all.
    pub viewer: Option<Viewer>,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
    pub total: Option<i64>,
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

/// A row that a list shows.
pub trait Listed: Serialize {
    /// The value of a sortable field; by default the member of that name in the row's JSON.
    fn sort_value(&self, field: &str) -> Json {
        serde_json::to_value(self).map_or(Json::Null, |json| json[field].clone())
    }
}

/// What a list reads rows of.
pub struct Source {
    /// Which list it is, for cursors: they are good for no other.
    pub name: String,
    pub table: &'static Table,
    /// The rows that the caller may see: FROM, joins and WHERE, without columns.
    pub rows: SelectStatement,
}

/// A page that is asked for, checked.
pub(crate) struct Asked {
    pub limit: u64,
    pub keys: Vec<SortKey>,
    /// What the cursor is good for.
    binding: String,
    position: Option<Json>,
}

impl Asked {
    /// The position of a row with these sort values, as a cursor.
    pub(crate) fn cursor(&self, pharos: &Pharos, value: impl Fn(&SortKey) -> Json) -> String {
        let position: Vec<Json> = self.keys.iter().map(value).collect();
        pharos.cursors.write(&self.binding, &Json::Array(position))
    }
}

fn text_of(filter: &Option<String>) -> Option<&str> {
    filter
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

impl Pharos {
    /// A page of any table's rows: NULLs last, ties broken by the key in the direction of the last sort field.
    pub async fn list_rows<T, C>(
        &self,
        source: &Source,
        request: &ListRequest,
        columns: C,
    ) -> Result<Page<T>, Error>
    where
        T: FromRow + Listed + Send + 'static,
        C: IntoIterator<Item = Expr>,
    {
        let asked = self.asked(source, request)?;
        let mut query = self.page_query(source, request, &asked).await?;
        if self.database.sorts_ids_first()
            && let Some(key) = source.table.field(source.table.key)
        {
            let ids = query.expr(key.expression()).take();
            query = source.rows.clone();
            query.and_where(key.expression().in_subquery(ids));
            order(&mut query, &asked.keys);
        }
        query.exprs(columns);
        let statement = self.database.build_limited(&query, asked.limit + 1);
        let items: Vec<T> = self.database.fetch_all(statement).await?;
        let mut page = Page::cut(items, asked.limit, |last| {
            asked.cursor(self, |key| last.sort_value(key.field.name))
        });
        if request.total {
            page.total = Some(self.count_rows(source, request).await?);
        }
        Ok(page)
    }

    /// Checks what is asked of a list.
    pub(crate) fn asked(&self, source: &Source, request: &ListRequest) -> Result<Asked, Error> {
        let limit = checked_limit(request.limit)?;
        let sort = request
            .sort
            .as_deref()
            .filter(|sort| !sort.trim().is_empty())
            .unwrap_or(source.table.default_sort);
        let keys = parse_sort(source.table, sort)?;
        let binding = format!(
            "{}\u{1}{}\u{1}{}",
            source.name,
            request.filter.as_deref().unwrap_or(""),
            sort
        );
        let position = match &request.cursor {
            Some(cursor) => Some(self.cursors.read(&binding, cursor)?),
            None => None,
        };
        Ok(Asked {
            limit,
            keys,
            binding,
            position,
        })
    }

    /// A SELECT of one row more than the page takes, still without columns.
    pub(crate) async fn page_query(
        &self,
        source: &Source,
        request: &ListRequest,
        asked: &Asked,
    ) -> Result<SelectStatement, Error> {
        let condition = self
            .list_condition(source, request, Reach::FirstFew)
            .await?;
        let mut query = source.rows.clone();
        query.and_where_option(condition);
        if let Some(position) = &asked.position {
            query.and_where(after(&asked.keys, position)?);
        }
        order(&mut query, &asked.keys);
        query.limit(asked.limit + 1);
        Ok(query)
    }

    async fn list_condition(
        &self,
        source: &Source,
        request: &ListRequest,
        reach: Reach,
    ) -> Result<Option<Expr>, Error> {
        match text_of(&request.filter) {
            None => Ok(None),
            Some(text) => self
                .filter(source.table, text, request.viewer, reach)
                .await
                .map(Some),
        }
    }

    /// How many rows match, on all pages together.
    pub(crate) async fn count_rows(
        &self,
        source: &Source,
        request: &ListRequest,
    ) -> Result<i64, Error> {
        let condition = self.list_condition(source, request, Reach::All).await?;
        let mut count = source.rows.clone();
        if let Some(key) = source.table.field(source.table.key) {
            count.expr(Expr::from(Func::count(key.expression())));
        }
        count.and_where_option(condition);
        Ok(self
            .database
            .fetch_one(self.database.build(&count))
            .await?
            .unwrap_or(0))
    }
}

/// The rows of one table, all of them.
pub(crate) fn all_rows(table: &'static str) -> SelectStatement {
    Query::select().from(table).take()
}
