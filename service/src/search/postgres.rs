//! The token index on PostgreSQL: a tsvector column with a GIN index.

use sea_orm::sea_query::{Expr, SelectStatement};
use sea_orm::{ConnectionTrait, DbErr, Statement, Value};
use uuid::Uuid;

use super::candidates::TokenQuery;
use super::document::Document;
use super::{FullTextSearch, KIND_RESOURCE};
use crate::database::Transaction;

pub(super) struct PostgresSearch;

#[async_trait::async_trait]
impl FullTextSearch for PostgresSearch {
    fn narrow(&self, select: &mut SelectStatement, query: &TokenQuery) {
        select.and_where(Expr::cust_with_values(
            format!("{}.tokens @@ $1::text::tsquery", super::DOCUMENTS),
            [expression(query)],
        ));
    }

    async fn insert(&self, transaction: &Transaction, documents: &[(Uuid, &Document)]) -> Result<(), DbErr> {
        for chunk in documents.chunks(transaction.rows_per_insert()) {
            let mut rows = Vec::with_capacity(chunk.len());
            let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 7);
            for (resource_id, document) in chunk {
                let first = values.len() + 1;
                rows.push(format!(
                    "(${}, ${}, ${}, ${}, ${}, ${}, ${}::text::tsvector)",
                    first, first + 1, first + 2, first + 3, first + 4, first + 5, first + 6
                ));
                values.push(KIND_RESOURCE.into());
                values.push((*resource_id).into());
                values.push(document.terms.clone().into());
                values.push(document.places.clone().into());
                values.push(document.facets.clone().into());
                values.push(document.length.into());
                values.push(vector(&document.tokens).into());
            }
            let sql = format!(
                "INSERT INTO search_documents (kind, resource_id, terms, places, facets, length, tokens) VALUES {}",
                rows.join(", ")
            );
            transaction
                .execute_raw(Statement::from_sql_and_values(transaction.get_database_backend(), sql, values))
                .await?;
        }
        Ok(())
    }
}

/// A token as PostgreSQL's text search types read it.
fn quoted(token: &str) -> String {
    format!("'{}'", token.replace('\\', "\\\\").replace('\'', "''"))
}

fn vector(tokens: &[String]) -> String {
    tokens.iter().map(|token| quoted(token)).collect::<Vec<_>>().join(" ")
}

/// A tsquery: every token quoted.
fn expression(query: &TokenQuery) -> String {
    let list = |parts: &[TokenQuery], operator: &str| {
        format!("({})", parts.iter().map(expression).collect::<Vec<_>>().join(operator))
    };
    match query {
        TokenQuery::Token(token) => quoted(token),
        TokenQuery::Prefix(token) => format!("{}:*", quoted(token)),
        TokenQuery::And(parts) => list(parts, " & "),
        TokenQuery::Or(parts) => list(parts, " | "),
    }
}
