//! Full-text search: the database narrows, Rust decides.
//!
//! A strategy keeps a token index and finds candidates with it; matching, ranking, snippets and facets are read from
//! the packed document by the same code on both databases, so that the answers are equal by construction.

mod analysis;
mod beginning;
mod candidates;
mod completions;
mod correction;
mod detection;
mod document;
mod drift;
mod feedback;
mod folding;
mod follow;
mod formula;
mod fts5;
mod highlight;
mod known_places;
mod known_words;
mod languages;
mod look;
mod matches;
mod memory;
mod mistakes;
mod occurrences;
mod packed;
mod postgres;
mod postings;
mod prefixes;
mod query;
mod rank;
mod rebuild;
mod service;
mod sqlite;
mod stems;
mod stop_words;
mod suggest;
mod syntax;
mod together;
mod token_sum;
mod vocabulary;
mod walks;
mod words;
mod workspace;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use sea_orm::sea_query::{
    Alias, Expr, ExprTrait, Query as SqlQuery, SelectStatement, UpdateStatement,
};
use sea_orm::{ConnectionTrait, DbErr, Value};
use uuid::Uuid;

pub use self::analysis::{ANALYSIS, Analyser, Word};
pub use self::candidates::{Candidates, TokenQuery};
pub use self::completions::{Completion, CompletionKind};
pub use self::document::{Document, FACETS, Facet, analyse};
pub use self::drift::{SearchDrift, search_drift};
pub use self::folding::{fold, fold_name};
pub use self::languages::primary_language;
pub use self::query::{Atom, Clause, MatchMode, Occurs, Part, Query, parse};
pub use self::rebuild::RebuildReport;
pub use self::service::{FacetCount, SearchItem, SearchReply, SearchRequest};
pub use self::suggest::Suggestions;
pub use self::token_sum::TokenSum;

pub(crate) use self::matches::{KnownMatches, MatchStamps, stamper};
pub(crate) use self::memory::{MemoryIndex, follower};
pub(crate) use self::words::Words;

use crate::database::{ColumnType, Database, DatabaseError, Row, Transaction};
use crate::error::Error;
use crate::library::ResourceFields;

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
    ("facets", ColumnType::Bytes),
    ("length", ColumnType::BigInt),
    ("version", ColumnType::BigInt),
    ("analysis", ColumnType::BigInt),
];

fn row(resource_id: Uuid, document: &Document) -> Vec<Value> {
    vec![
        KIND_RESOURCE.into(),
        resource_id.into(),
        document.terms.clone().into(),
        document.facets.clone().into(),
        document.length.into(),
        document.version.into(),
        ANALYSIS.into(),
    ]
}

/// An UPDATE of the document of a resource, to which a strategy may add.
fn update(resource_id: Uuid, document: &Document, next_change: &'static str) -> UpdateStatement {
    let mut update = SqlQuery::update();
    update.table(Alias::new(DOCUMENTS));
    for ((name, _), value) in COLUMNS.iter().zip(row(resource_id, document)) {
        update.value(Alias::new(*name), value);
    }
    update
        .value(Alias::new("changed"), Expr::cust(next_change))
        .and_where(Expr::col(Alias::new("resource_id")).eq(resource_id));
    update
}

/// A token index beside the table of documents.
#[async_trait::async_trait]
pub trait FullTextSearch: Send + Sync {
    /// Narrows a SELECT over `search_documents` to the documents that have the tokens asked for.
    fn narrow(&self, select: &mut SelectStatement, query: &TokenQuery);

    /// The SQL expression for the number under which a change is written.
    fn next_change(&self) -> &'static str;

    /// Two SQL expressions for how far a statement sees: a number that never becomes smaller, and the text for
    /// [`Self::not_seen`].
    fn reach(&self) -> (&'static str, &'static str);

    /// The SQL condition for the changes that a statement has not seen whose text `mark` is.
    fn not_seen(&self, changed: &str, mark: &str) -> String;

    /// A resource ready for the indexes of this database.
    fn analyse(&self, fields: &ResourceFields, version: i64) -> Document {
        analyse(fields, version)
    }

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

    /// Replaces the document of a resource that has one, of the version `before`, with its tokens.
    async fn replace(
        &self,
        transaction: &Transaction,
        id: Uuid,
        document: &Document,
        before: i64,
    ) -> Result<(), DbErr>;

    /// What is wrong with the index itself, so that it has to be made anew: a line for each fault. Nothing where the
    /// database knows no such faults.
    async fn damage(&self, database: &Database) -> Result<Vec<String>, DatabaseError>;

    /// Makes the indexes that are damaged anew, empty; returns how many.
    async fn replace_damaged(&self, database: &Database) -> Result<u64, Error>;

    /// Reads the whole index, where it is no part of the documents.
    async fn read_index(&self, database: &Database) -> Result<IndexedTokens, DatabaseError>;

    /// The SQL expression, over the documents as `d`, of what [`Self::indexed_tokens`] reads.
    fn indexed_column(&self) -> &'static str;

    /// The tokens that the index has of the document of a row; `None` where that cannot be said, because the document
    /// was written since the index was read.
    fn indexed_tokens(
        &self,
        row: &Row<'_>,
        column: usize,
        changed: i64,
        index: &IndexedTokens,
    ) -> Result<Option<TokenSum>, DatabaseError>;

    /// How entries of the index that belong to no document are found; `None` where the index is a part of the document.
    fn stray_entries(&self) -> Option<StrayEntries>;
}

/// What a token index has of each document, and the last change that it was read after.
#[derive(Debug, Default)]
pub struct IndexedTokens {
    documents: HashMap<i64, TokenSum>,
    reach: i64,
}

/// Statements about entries of a token index that belong to no document.
pub struct StrayEntries {
    pub count: &'static str,
    pub delete: &'static str,
}

/// The strategy for a database.
pub fn full_text_search(database: &Database) -> Arc<dyn FullTextSearch> {
    database.choose::<Arc<dyn FullTextSearch>>(
        || {
            Arc::new(sqlite::SqliteSearch {
                indexes_json: database.indexes_json(),
            })
        },
        || Arc::new(postgres::PostgresSearch),
    )
}

/// Adds new documents.
pub(crate) async fn index_new(
    search: &dyn FullTextSearch,
    transaction: &Transaction,
    documents: &[(Uuid, &Document)],
) -> Result<(), DbErr> {
    search.begin_change(transaction).await?;
    search.insert(transaction, documents).await
}

/// Writes the document of a resource, which may have one already.
pub(crate) async fn reindex(
    search: &dyn FullTextSearch,
    transaction: &Transaction,
    id: Uuid,
    document: &Document,
) -> Result<(), DbErr> {
    use entity::search_documents::{Column, Entity};
    use sea_orm::{EntityTrait, QueryFilter, QuerySelect};

    let before: Option<i64> = Entity::find()
        .select_only()
        .column(Column::Version)
        .filter(sea_orm::ColumnTrait::eq(&Column::ResourceId, id))
        .into_tuple()
        .one(transaction)
        .await?;
    search.begin_change(transaction).await?;
    match before {
        Some(before) => search.replace(transaction, id, document, before).await,
        None => search.insert(transaction, &[(id, document)]).await,
    }
}

/// Forgets removals that nobody follows any more. A trigger records them, so that none is missed, whoever deletes.
pub(crate) async fn forget_old_removals(
    transaction: &Transaction,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    use entity::search_removals::{Column, Entity};

    let old = SqlQuery::delete()
        .from_table(Entity)
        .and_where(Expr::col(Column::RemovedAt).lt(now - REMOVALS_KEPT))
        .take();
    transaction.execute(&old).await.map(|_| ())
}
