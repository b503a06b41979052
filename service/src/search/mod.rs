//! Full-text search: the database narrows, Rust decides.
//!
//! A strategy keeps a token index and finds candidates with it; matching, ranking, snippets and facets are read from
//! the packed document by the same code on both databases, so that the answers are equal by construction.

mod analysis;
mod candidates;
mod document;
mod highlight;
mod postgres;
mod query;
mod rank;
mod service;
mod sqlite;

use sea_orm::sea_query::{Expr, ExprTrait, Query as SqlQuery, SelectStatement};
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr};
use uuid::Uuid;

pub use self::analysis::{Analyser, Word, fold, primary_language};
pub use self::candidates::{Candidates, TokenQuery};
pub use self::document::{Document, FACETS, Facet, analyse};
pub use self::query::{Atom, Clause, MatchMode, Occurs, Query, parse};
pub use self::service::{FacetCount, SearchItem, SearchReply, SearchRequest};

use crate::database::{Transaction};

pub(crate) const KIND_RESOURCE: &str = "resource";

/// The table that candidates come from, in every strategy's statement.
pub(crate) const DOCUMENTS: &str = "search_documents";

/// A token index beside the table of documents.
#[async_trait::async_trait]
pub trait FullTextSearch: Send + Sync {
    /// Narrows a SELECT over `search_documents` to the documents that have the tokens asked for.
    fn narrow(&self, select: &mut SelectStatement, query: &TokenQuery);

    /// Adds documents, none of which is there yet, with their tokens.
    async fn insert(&self, transaction: &Transaction, documents: &[(Uuid, &Document)]) -> Result<(), DbErr>;
}

/// The strategy for a database.
pub fn full_text_search(backend: DatabaseBackend) -> Box<dyn FullTextSearch> {
    match backend {
        DatabaseBackend::Postgres => Box::new(postgres::PostgresSearch),
        _ => Box::new(sqlite::SqliteSearch),
    }
}

/// Adds new documents and counts them.
pub(crate) async fn index_new(
    search: &dyn FullTextSearch,
    transaction: &Transaction,
    documents: &[(Uuid, &Document)],
) -> Result<(), DbErr> {
    search.insert(transaction, documents).await?;
    let tokens = documents.iter().map(|(_, document)| document.length).sum();
    let count = i64::try_from(documents.len()).unwrap_or(i64::MAX);
    // One shard a transaction: two of them never wait for each other in a circle.
    match documents.first() {
        Some((id, _)) => add_statistics(transaction, *id, count, tokens).await,
        None => Ok(()),
    }
}

/// Replaces the document of a resource that has one.
pub(crate) async fn reindex(
    search: &dyn FullTextSearch,
    transaction: &Transaction,
    id: Uuid,
    document: &Document,
) -> Result<(), DbErr> {
    let before = remove_document(transaction, id).await?;
    search.insert(transaction, &[(id, document)]).await?;
    let added = i64::from(before.is_none());
    add_statistics(transaction, id, added, document.length - before.unwrap_or(0)).await
}

/// Takes a resource out of the index.
pub(crate) async fn unindex(transaction: &Transaction, id: Uuid) -> Result<(), DbErr> {
    match remove_document(transaction, id).await? {
        Some(length) => add_statistics(transaction, id, -1, -length).await,
        None => Ok(()),
    }
}

/// Deletes a document; returns the length it had. On SQLite a trigger takes it out of the token index.
async fn remove_document(transaction: &Transaction, id: Uuid) -> Result<Option<i64>, DbErr> {
    use entity::search_documents::{Column, Entity};
    use sea_orm::{EntityTrait, QueryFilter, QuerySelect};

    let length: Option<i64> = Entity::find()
        .select_only()
        .column(Column::Length)
        .filter(sea_orm::ColumnTrait::eq(&Column::ResourceId, id))
        .into_tuple()
        .one(transaction)
        .await?;
    if length.is_some() {
        Entity::delete_many().filter(sea_orm::ColumnTrait::eq(&Column::ResourceId, id)).exec(transaction).await?;
    }
    Ok(length)
}

async fn add_statistics(transaction: &Transaction, id: Uuid, documents: i64, tokens: i64) -> Result<(), DbErr> {
    use entity::search_statistics::{Column, Entity};

    let shard = i64::from(id.as_bytes()[15] & 15);
    let update = SqlQuery::update()
        .table(Entity)
        .value(Column::Documents, Expr::col(Column::Documents).add(documents))
        .value(Column::Tokens, Expr::col(Column::Tokens).add(tokens))
        .and_where(Expr::col(Column::Shard).eq(shard))
        .take();
    transaction.execute(&update).await.map(|_| ())
}
