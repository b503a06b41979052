//! Where the search index is not what the library says: counted, so that it can be mended.

use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use super::follow::{TEXTS, texts};
use super::packed::Terms;
use super::{ANALYSIS, FullTextSearch, IndexedTokens, analyse, full_text_search};
use crate::database::{Database, DatabaseError, Row};

/// Documents that are compared by one statement.
const PAGE: usize = 500;

/// How many places of each kind differ; all 0 when nothing is to be mended. Changes meanwhile are no drift: each place
/// is looked at by one statement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SearchDrift {
    /// Resources that cannot be found, because they have no search document.
    pub resources_without_document: i64,
    /// Search documents of resources that are gone.
    pub documents_without_resource: i64,
    /// Search documents made from another version of their resource: another tool changed it.
    pub documents_of_another_version: i64,
    /// Search documents made by the analysis of another version of Pharos.
    pub documents_of_another_analysis: i64,
    /// Search documents that do not say what their resource says, though they are of its version.
    pub documents_of_other_content: i64,
    /// Documents of which the database's token index has other tokens.
    pub documents_indexed_differently: i64,
    /// Entries of the token index that belong to no document.
    pub stray_index_entries: i64,
    /// Faults of the token indexes themselves, in the database's words.
    pub damage: Vec<String>,
}

impl SearchDrift {
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

pub(super) const WITHOUT_RESOURCE: &str =
    "NOT EXISTS (SELECT 1 FROM resources r WHERE r.id = d.resource_id)";

/// Counts where the search index of a database is off. Every resource is analysed again for it.
pub async fn search_drift(database: &Database) -> Result<SearchDrift, DatabaseError> {
    let search = full_text_search(database);
    let count = async |sql: &str| {
        let counted: Option<i64> = database.fetch_one(database.statement(sql, [])).await?;
        Ok::<_, DatabaseError>(counted.unwrap_or(0))
    };
    let damage = search.damage(database).await?;
    let different = different_documents(database, &search, damage.is_empty()).await?;
    let differing = |kind| {
        let counted = different.iter().filter(|found| found.kind == kind).count();
        i64::try_from(counted).unwrap_or(i64::MAX)
    };
    Ok(SearchDrift {
        resources_without_document: count(
            "SELECT count(*) FROM resources r \
             WHERE NOT EXISTS (SELECT 1 FROM search_documents d WHERE d.resource_id = r.id)",
        )
        .await?,
        documents_without_resource: count(&format!(
            "SELECT count(*) FROM search_documents d WHERE {WITHOUT_RESOURCE}"
        ))
        .await?,
        documents_of_another_version: count(
            "SELECT count(*) FROM search_documents d JOIN resources r ON r.id = d.resource_id \
             WHERE d.version <> r.version",
        )
        .await?,
        documents_of_another_analysis: count(&format!(
            "SELECT count(*) FROM search_documents WHERE analysis <> {ANALYSIS}"
        ))
        .await?,
        documents_of_other_content: differing(Kind::Content),
        documents_indexed_differently: differing(Kind::Index),
        stray_index_entries: match search.stray_entries() {
            Some(stray) => count(stray.count).await?,
            None => 0,
        },
        damage,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is not what the analysis makes of its resource.
    Content,
    /// The token index has other tokens of it.
    Index,
}

/// A document that differs.
pub(super) struct Different {
    pub resource: Uuid,
    pub kind: Kind,
    /// Whether it is of its resource's version and of today's analysis, so that nothing else shows it.
    pub looks_current: bool,
}

/// What one statement has compared.
#[derive(Default)]
struct Page {
    last: Option<Uuid>,
    different: Vec<Different>,
}

/// Compares every document with its resource, and with what the token index has of it when that can be read.
pub(super) async fn different_documents(
    database: &Database,
    search: &Arc<dyn FullTextSearch>,
    with_index: bool,
) -> Result<Vec<Different>, DatabaseError> {
    let index = match with_index {
        true => Some(search.read_index(database).await?),
        false => None,
    };
    let index = Arc::new(index);
    let select = format!(
        "SELECT d.resource_id, d.version = r.version AND d.analysis = {ANALYSIS}, r.version, d.changed, \
         d.terms, d.facets, d.length, {}, r.language, r.type, r.date, r.{} \
         FROM search_documents d JOIN resources r ON r.id = d.resource_id \
         WHERE d.resource_id > {} ORDER BY d.resource_id LIMIT {PAGE}",
        search.indexed_column(),
        TEXTS.join(", r."),
        database.placeholder(1)
    );
    let (mut after, mut different) = (Uuid::nil(), Vec::new());
    loop {
        let (search, index) = (Arc::clone(search), Arc::clone(&index));
        let statement = database.statement(&select, [after.into()]);
        let page = database
            .fold(statement, move |page: &mut Page, row| {
                let resource = row.get(0)?;
                page.last = Some(resource);
                let looks_current = row.get(1)?;
                if let Some(kind) = compare(row, looks_current, &*search, index.as_ref().as_ref())?
                {
                    page.different.push(Different {
                        resource,
                        kind,
                        looks_current,
                    });
                }
                Ok(())
            })
            .await?;
        different.extend(page.different);
        match page.last {
            Some(last) => after = last,
            None => return Ok(different),
        }
    }
}

fn compare(
    row: &Row<'_>,
    looks_current: bool,
    search: &dyn FullTextSearch,
    index: Option<&IndexedTokens>,
) -> Result<Option<Kind>, DatabaseError> {
    if looks_current {
        let mut fields = texts(row, 11)?;
        fields.language = row.get(8)?;
        fields.resource_type = row.get(9)?;
        fields.date = row.get(10)?;
        let document = analyse(&fields, row.get(2)?);
        let same = row.bytes(4, |terms| terms == document.terms)?
            && row.bytes(5, |facets| facets == document.facets)?
            && row.get::<i64>(6)? == document.length;
        if !same {
            return Ok(Some(Kind::Content));
        }
    }
    let Some(index) = index else {
        return Ok(None);
    };
    let indexed = search.indexed_tokens(row, 7, row.get(3)?, index)?;
    let tokens = row.bytes(4, Terms::tokens)?;
    Ok(indexed
        .is_some_and(|indexed| indexed != tokens)
        .then_some(Kind::Index))
}
