//! Full-text search: the database narrows, Rust decides.
//!
//! A strategy keeps a token index and finds candidates with it; matching, ranking, snippets and facets are read from
//! the packed document by the same code on both databases, so that the answers are equal by construction.

mod analysis;
mod candidates;
mod document;
mod feedback;
mod formula;
mod highlight;
mod memory;
mod packed;
mod postgres;
mod postings;
mod query;
mod rank;
mod service;
mod sqlite;
mod stop_words;
mod workspace;

use chrono::{DateTime, Duration, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Query as SqlQuery, SelectStatement};
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, Value};
use uuid::Uuid;

pub use self::analysis::{Analyser, Word, fold, primary_language};
pub use self::candidates::{Candidates, TokenQuery};
pub use self::document::{Document, FACETS, Facet, analyse};
pub use self::query::{Atom, Clause, MatchMode, Occurs, Query, parse};
pub use self::service::{FacetCount, SearchItem, SearchReply, SearchRequest};

pub(crate) use self::memory::{MemoryIndex, follower};

use crate::database::{ColumnType, Transaction};

pub(crate) const KIND_RESOURCE: &str = "resource";

/// How long a removal is kept for those who follow the changes; who was away longer reads everything anew.
pub(crate) const REMOVALS_KEPT: Duration = Duration::hours(24);

/// The table that candidates come from, in every strategy's statement.
pub(crate) const DOCUMENTS: &str = "search_documents";

/// What every strategy writes of a document, in the order of [`row`].
const COLUMNS: &[(&str, ColumnType)] = &[
    ("kind", ColumnType::Text),
    ("resource_id", ColumnType::Uuid),
    ("terms", ColumnType::Bytes),
    ("places", ColumnType::Bytes),
    ("facets", ColumnType::Bytes),
    ("length", ColumnType::BigInt),
    ("version", ColumnType::BigInt),
];

fn row(resource_id: Uuid, document: &Document) -> Vec<Value> {
    vec![
        KIND_RESOURCE.into(),
        resource_id.into(),
        document.terms.clone().into(),
        document.places.clone().into(),
        document.facets.clone().into(),
        document.length.into(),
        document.version.into(),
    ]
}

/// A token index beside the table of documents.
#[async_trait::async_trait]
pub trait FullTextSearch: Send + Sync {
    /// Narrows a SELECT over `search_documents` to the documents that have the tokens asked for.
    fn narrow(&self, select: &mut SelectStatement, query: &TokenQuery);

    /// The SQL expression for the number under which a change is written.
    fn next_change(&self) -> &'static str;

    /// The SQL expression for the number below which no further change can appear.
    fn settled_changes(&self) -> &'static str;

    /// Comes before the changes of a transaction are written.
    async fn begin_change(&self, transaction: &Transaction) -> Result<(), DbErr>;

    /// The statement that brings numbers back which lie in the future, as they may after a dump was restored on
    /// another server.
    fn renumber_changes(&self) -> Option<&'static str>;

    /// Adds documents, none of which is there yet, with their tokens.
    async fn insert(
        &self,
        transaction: &Transaction,
        documents: &[(Uuid, &Document)],
    ) -> Result<(), DbErr>;
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
    search.begin_change(transaction).await?;
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
    search.begin_change(transaction).await?;
    search.insert(transaction, &[(id, document)]).await?;
    let added = i64::from(before.is_none());
    add_statistics(
        transaction,
        id,
        added,
        document.length - before.unwrap_or(0),
    )
    .await
}

/// Takes a resource out of the index.
pub(crate) async fn unindex(
    search: &dyn FullTextSearch,
    transaction: &Transaction,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    use entity::search_removals;

    let Some(length) = remove_document(transaction, id).await? else {
        return Ok(());
    };
    search.begin_change(transaction).await?;
    let old = SqlQuery::delete()
        .from_table(search_removals::Entity)
        .and_where(Expr::col(search_removals::Column::RemovedAt).lt(now - REMOVALS_KEPT))
        .take();
    transaction.execute(&old).await?;
    let mut removal = SqlQuery::insert();
    removal
        .into_table(search_removals::Entity)
        .columns([
            search_removals::Column::ResourceId,
            search_removals::Column::Changed,
            search_removals::Column::RemovedAt,
        ])
        .values([id.into(), Expr::cust(search.next_change()), now.into()])
        .map_err(|error| DbErr::Custom(error.to_string()))?;
    transaction.execute(&removal).await?;
    add_statistics(transaction, id, -1, -length).await
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
        Entity::delete_many()
            .filter(sea_orm::ColumnTrait::eq(&Column::ResourceId, id))
            .exec(transaction)
            .await?;
    }
    Ok(length)
}

async fn add_statistics(
    transaction: &Transaction,
    id: Uuid,
    documents: i64,
    tokens: i64,
) -> Result<(), DbErr> {
    use entity::search_statistics::{Column, Entity};

    let shard = i64::from(id.as_bytes()[15] & 15);
    let update = SqlQuery::update()
        .table(Entity)
        .value(
            Column::Documents,
            Expr::col(Column::Documents).add(documents),
        )
        .value(Column::Tokens, Expr::col(Column::Tokens).add(tokens))
        .and_where(Expr::col(Column::Shard).eq(shard))
        .take();
    transaction.execute(&update).await.map(|_| ())
}
