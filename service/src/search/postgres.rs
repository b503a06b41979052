//! The token index on PostgreSQL: a tsvector column with a GIN index.

use sea_orm::sea_query::{Alias, Expr, SelectStatement};
use sea_orm::{ConnectionTrait, DbErr};
use uuid::Uuid;

use super::candidates::TokenQuery;
use super::document::Document;
use super::{
    COLUMNS, DOCUMENTS, FullTextSearch, IndexedTokens, StrayEntries, TokenSum, row, update,
};
use crate::database::{
    BulkInsert, ColumnType, Database, DatabaseError, Form, Row, Transaction, token_vector,
};
use crate::error::Error;

/// The writing transaction's number.
const NEXT_CHANGE: &str = "pg_current_xact_id()::text::bigint";

/// [`super::COLUMNS`], and the text that becomes the vector of tokens.
static INSERT: BulkInsert =
    BulkInsert::new(DOCUMENTS, Form::Arrays, GIVEN, &[("changed", NEXT_CHANGE)]);

const GIVEN: &[(&str, ColumnType)] = &[
    COLUMNS[0],
    COLUMNS[1],
    COLUMNS[2],
    COLUMNS[3],
    COLUMNS[4],
    COLUMNS[5],
    COLUMNS[6],
    ("tokens", ColumnType::TokenVector),
];

pub(super) struct PostgresSearch;

#[async_trait::async_trait]
impl FullTextSearch for PostgresSearch {
    fn narrow(&self, select: &mut SelectStatement, query: &TokenQuery) {
        select.and_where(Expr::cust_with_values(
            format!("{DOCUMENTS}.tokens @@ $1::text::tsquery"),
            [expression(query)],
        ));
    }

    fn next_change(&self) -> &'static str {
        NEXT_CHANGE
    }

    fn reach(&self) -> (&'static str, &'static str) {
        (
            "pg_snapshot_xmax(pg_current_snapshot())::text::bigint",
            "pg_current_snapshot()::text",
        )
    }

    /// What began later, and what had not ended: so a transaction that runs long, in any database of the server, has
    /// nothing sent twice. The first condition is for the index, and with a known text the planner takes it for few rows.
    fn not_seen(&self, changed: &str, mark: &str) -> String {
        format!(
            "{changed} >= pg_snapshot_xmin({mark}::text::pg_snapshot)::text::bigint \
             AND NOT pg_visible_in_snapshot({changed}::text::xid8, {mark}::text::pg_snapshot)"
        )
    }

    async fn begin_change(&self, _: &Transaction) -> Result<(), DbErr> {
        Ok(())
    }

    fn renumber_changes(&self) -> Option<&'static str> {
        Some(
            "UPDATE search_documents SET changed = 0 WHERE changed > pg_current_xact_id()::text::bigint",
        )
    }

    async fn insert(
        &self,
        transaction: &Transaction,
        documents: &[(Uuid, &Document)],
    ) -> Result<(), DbErr> {
        let rows = documents.iter().map(|(id, document)| {
            let mut row = row(*id, document);
            row.push(document.tokens.as_str().into());
            row
        });
        transaction.insert_rows(&INSERT, rows).await
    }

    async fn replace(
        &self,
        transaction: &Transaction,
        id: Uuid,
        document: &Document,
        _: i64,
    ) -> Result<(), DbErr> {
        let mut update = update(id, document, NEXT_CHANGE);
        update.value(
            Alias::new("tokens"),
            Expr::cust_with_values(token_vector("$1::text"), [document.tokens.as_str()]),
        );
        transaction.execute(&update).await.map(|_| ())
    }

    async fn damage(&self, _: &Database) -> Result<Vec<String>, DatabaseError> {
        Ok(Vec::new())
    }

    async fn replace_damaged(&self, _: &Database) -> Result<u64, Error> {
        Ok(0)
    }

    async fn read_index(&self, _: &Database) -> Result<IndexedTokens, DatabaseError> {
        Ok(IndexedTokens::default())
    }

    fn indexed_column(&self) -> &'static str {
        "array_to_string(tsvector_to_array(d.tokens), ' ')"
    }

    fn indexed_tokens(
        &self,
        row: &Row<'_>,
        column: usize,
        _: i64,
        _: &IndexedTokens,
    ) -> Result<Option<TokenSum>, DatabaseError> {
        let tokens: String = row.get(column)?;
        Ok(Some(TokenSum::of_text(&tokens)))
    }

    fn stray_entries(&self) -> Option<StrayEntries> {
        None
    }
}

/// A token as PostgreSQL's text search types read it.
fn quoted(token: &str) -> String {
    let mut out = String::with_capacity(token.len() + 2);
    out.push('\'');
    for character in token.chars() {
        if matches!(character, '\\' | '\'') {
            out.push(character);
        }
        out.push(character);
    }
    out.push('\'');
    out
}

/// A tsquery: every token quoted.
fn expression(query: &TokenQuery) -> String {
    let list = |parts: &[TokenQuery], operator: &str| {
        format!(
            "({})",
            parts
                .iter()
                .map(expression)
                .collect::<Vec<_>>()
                .join(operator)
        )
    };
    match query {
        TokenQuery::Token(token) => quoted(token),
        TokenQuery::Prefix(token) => format!("{}:*", quoted(token)),
        TokenQuery::And(parts) => list(parts, " & "),
        TokenQuery::Or(parts) => list(parts, " | "),
    }
}
