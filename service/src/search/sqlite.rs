//! The token index on SQLite: an FTS5 table without content, its rowid the document's number.

use std::collections::HashMap;

use sea_orm::sea_query::{Alias, Expr, ExprTrait, SelectStatement};
use sea_orm::{ConnectionTrait, DbErr, Statement};
use uuid::Uuid;

use super::candidates::TokenQuery;
use super::document::{Document, analyse};
use super::fts5::{INDEXES, damage_of, make_anew};
use super::token_sum::token_hash;
use super::{
    COLUMNS, DOCUMENTS, FullTextSearch, IndexedTokens, StrayEntries, TokenSum, row, update,
};
use crate::database::{
    BulkInsert, Database, DatabaseError, Deferral, DeferredRow, Form, Row, Transaction,
};
use crate::error::Error;
use crate::json;
use crate::library::ResourceFields;

/// The change that is being written: the counter is moved on before it is read. The one writer makes changes visible
/// in this order.
const NEXT_CHANGE: &str = "(SELECT last FROM search_changes)";

static INSERT: BulkInsert = BulkInsert::new(
    DOCUMENTS,
    Form::Arrays,
    COLUMNS,
    &[("changed", NEXT_CHANGE)],
);

/// How a token index is written and merged.
struct TokenIndex {
    insert: &'static str,
    merge: &'static str,
}

impl TokenIndex {
    fn row(&self, tokens: &str) -> DeferredRow {
        DeferredRow {
            insert: self.insert,
            text: tokens.to_owned(),
            merge: self.merge,
        }
    }
}

const SEARCH_INDEX: TokenIndex = TokenIndex {
    insert: "INSERT OR REPLACE INTO search_index (rowid, tokens) VALUES (?1, ?2)",
    merge: "INSERT INTO search_index (search_index, rank) VALUES ('merge', ?1)",
};

const JSON_INDEX: TokenIndex = TokenIndex {
    insert: "INSERT OR REPLACE INTO json_index (rowid, tokens) VALUES (?1, ?2)",
    merge: "INSERT INTO json_index (json_index, rank) VALUES ('merge', ?1)",
};

/// Whether the token indexes may have a document's tokens of before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    OtherVersion,
    /// The document is written anew to be mended.
    SameVersion,
}

/// The index over JSON goes with the document, because it is kept under the document's number.
pub(super) struct SqliteSearch {
    pub indexes_json: bool,
}

#[async_trait::async_trait]
impl FullTextSearch for SqliteSearch {
    fn narrow(&self, select: &mut SelectStatement, query: &TokenQuery) {
        let index = Alias::new("search_index");
        select.inner_join(
            index.clone(),
            Expr::col((index, Alias::new("rowid")))
                .equals((Alias::new(DOCUMENTS), Alias::new("doc"))),
        );
        select.and_where(Expr::cust_with_values(
            "search_index MATCH ?",
            [expression(query)],
        ));
    }

    fn next_change(&self) -> &'static str {
        NEXT_CHANGE
    }

    fn reach(&self) -> (&'static str, &'static str) {
        (
            "(SELECT last FROM search_changes)",
            "(SELECT CAST(last AS text) FROM search_changes)",
        )
    }

    fn not_seen(&self, changed: &str, mark: &str) -> String {
        format!("{changed} > CAST({mark} AS integer)")
    }

    fn analyse(&self, fields: &ResourceFields, version: i64) -> Document {
        let mut document = analyse(fields, version);
        if self.indexes_json {
            document.json_tokens = Some(json::tokens_of(fields).join(" "));
        }
        document
    }

    async fn begin_change(&self, transaction: &Transaction) -> Result<(), DbErr> {
        let statement = Statement::from_sql_and_values(
            transaction.get_database_backend(),
            "UPDATE search_changes SET last = last + 1",
            [],
        );
        transaction.execute_raw(statement).await.map(|_| ())
    }

    fn renumber_changes(&self) -> Option<&'static str> {
        None
    }

    async fn insert(
        &self,
        transaction: &Transaction,
        documents: &[(Uuid, &Document)],
    ) -> Result<(), DbErr> {
        for (id, document) in documents {
            transaction
                .insert_rows(&INSERT, std::iter::once(row(*id, document)))
                .await?;
            index_document(transaction, *id, document, Before::Nothing).await?;
        }
        Ok(())
    }

    async fn replace(
        &self,
        transaction: &Transaction,
        id: Uuid,
        document: &Document,
        before: i64,
    ) -> Result<(), DbErr> {
        transaction
            .execute(&update(id, document, NEXT_CHANGE))
            .await?;
        let before = match before == document.version {
            true => Before::SameVersion,
            false => Before::OtherVersion,
        };
        index_document(transaction, id, document, before).await
    }

    async fn damage(&self, database: &Database) -> Result<Vec<String>, DatabaseError> {
        let mut damage = Vec::new();
        for index in INDEXES {
            damage.extend(damage_of(database, index).await?);
        }
        Ok(damage)
    }

    async fn replace_damaged(&self, database: &Database) -> Result<u64, Error> {
        let mut replaced = 0;
        for index in INDEXES {
            let Some(damage) = damage_of(database, index).await? else {
                continue;
            };
            tracing::warn!(damage, "the index is made anew");
            make_anew(database, index).await?;
            replaced += 1;
        }
        Ok(replaced)
    }

    async fn read_index(&self, database: &Database) -> Result<IndexedTokens, DatabaseError> {
        let last = database.statement("SELECT last FROM search_changes", []);
        let reach = database.fetch_one(last).await?.unwrap_or(0);
        let entries = database.statement("SELECT doc, term FROM search_terms", []);
        let read = database
            .fold(entries, |read: &mut Entries, row| {
                let document = row.get(0)?;
                row.bytes(1, |term| read.add(document, term))
            })
            .await?;
        Ok(IndexedTokens {
            documents: read.documents,
            reach,
        })
    }

    fn indexed_column(&self) -> &'static str {
        "d.doc"
    }

    fn indexed_tokens(
        &self,
        row: &Row<'_>,
        column: usize,
        changed: i64,
        index: &IndexedTokens,
    ) -> Result<Option<TokenSum>, DatabaseError> {
        let document: i64 = row.get(column)?;
        let indexed = index.documents.get(&document).copied();
        Ok((changed <= index.reach).then_some(indexed.unwrap_or_default()))
    }

    fn stray_entries(&self) -> Option<StrayEntries> {
        Some(StrayEntries {
            count: "SELECT count(*) FROM search_index_docsize s \
                    WHERE NOT EXISTS (SELECT 1 FROM search_documents d WHERE d.doc = s.id)",
            delete: "DELETE FROM search_index WHERE rowid IN (SELECT s.id FROM search_index_docsize s \
                     WHERE NOT EXISTS (SELECT 1 FROM search_documents d WHERE d.doc = s.id))",
        })
    }
}

/// The entries of the index as they are read, ordered by term.
#[derive(Default)]
struct Entries {
    documents: HashMap<i64, TokenSum>,
    term: Vec<u8>,
    hash: u64,
}

impl Entries {
    fn add(&mut self, document: i64, term: &[u8]) {
        if self.term != term {
            self.term.clear();
            self.term.extend_from_slice(term);
            self.hash = token_hash(term);
        }
        self.documents.entry(document).or_default().add(self.hash);
    }
}

/// Adds a document to the token indexes when the group ends, if it is there then; and takes it off the list of those that
/// the index over JSON lacks. What is not on that list has the JSON that it had.
async fn index_document(
    transaction: &Transaction,
    id: Uuid,
    document: &Document,
    before: Before,
) -> Result<(), DbErr> {
    let backend = transaction.get_database_backend();
    let mut rows = vec![SEARCH_INDEX.row(&document.tokens)];
    if let Some(tokens) = &document.json_tokens {
        let listed = Statement::from_sql_and_values(
            backend,
            "DELETE FROM json_unindexed WHERE resource_id = ?1",
            [id.into()],
        );
        let listed = transaction.execute_raw(listed).await?.rows_affected() > 0;
        // One without tokens is not to be found, and need not be there.
        let changed = match before {
            Before::Nothing => !tokens.is_empty(),
            Before::OtherVersion => listed,
            Before::SameVersion => true,
        };
        rows.extend(changed.then(|| JSON_INDEX.row(tokens)));
    }
    transaction.defer(Deferral {
        number: Statement::from_sql_and_values(
            backend,
            "SELECT doc FROM search_documents WHERE resource_id = ?1",
            [id.into()],
        ),
        rows,
    })
}

/// An FTS5 expression: every token quoted.
fn expression(query: &TokenQuery) -> String {
    let quoted = |token: &str| format!("\"{}\"", token.replace('"', "\"\""));
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
        TokenQuery::Prefix(token) => format!("{}*", quoted(token)),
        TokenQuery::And(parts) => list(parts, " AND "),
        TokenQuery::Or(parts) => list(parts, " OR "),
    }
}
