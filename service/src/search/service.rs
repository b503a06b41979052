//! Searching: candidates from the database, the decision here, the page's resources from the database again.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query as SqlQuery, SelectStatement};
use serde::Serialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::candidates::Candidates;
use super::document::{Facet, read_facets};
use super::highlight::highlights;
use super::query::{MatchMode, Query, parse};
use super::rank::{Collector, Hit};
use super::{DOCUMENTS, KIND_RESOURCE};
use crate::Pharos;
use crate::database::{DatabaseError, FromRow, Row};
use crate::error::{Error, Fault};
use crate::json::filter;
use crate::library::Resource;

/// Values of a facet that are returned at most, those with the most matches first.
const MOST_FACET_VALUES: usize = 25;

/// What is searched.
#[derive(Debug, Clone, Default)]
pub struct SearchRequest {
    pub q: String,
    pub mode: MatchMode,
    pub facets: Vec<Facet>,
    /// AIP-160, over resources.
    pub filter: Option<String>,
    /// 1 to 200; 25 when absent.
    pub limit: Option<u64>,
    pub cursor: Option<String>,
}

/// One page of matches.
#[derive(Debug, Clone, Serialize)]
pub struct SearchReply {
    pub items: Vec<SearchItem>,
    /// How many match in all.
    pub total: usize,
    pub facets: serde_json::Map<String, Json>,
    /// The query as it was understood.
    pub query: Query,
    pub next_cursor: Option<String>,
}

/// A match.
#[derive(Debug, Clone, Serialize)]
pub struct SearchItem {
    pub kind: &'static str,
    pub id: Uuid,
    /// BM25F with feedback, six digits; higher is better; comparable within one query only.
    pub score: f64,
    /// HTML by field, with `<mark>` around what matched.
    pub highlights: serde_json::Map<String, Json>,
    pub resource: Resource,
}

/// A value and how many matches have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FacetCount {
    pub value: String,
    pub count: u64,
}

#[derive(Default)]
struct Matches {
    collector: Option<Collector>,
    facets: HashMap<(u8, String), u64>,
}

struct Found {
    resource: Resource,
    terms: Vec<u8>,
}

impl FromRow for Found {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        let resource = Resource::from_row(row)?;
        Ok(Self {
            resource,
            terms: row.bytes(23, <[u8]>::to_vec)?,
        })
    }
}

impl Pharos {
    /// Searches the library. No query string is an error; a blank one matches everything.
    pub async fn search(&self, request: &SearchRequest) -> Result<SearchReply, Error> {
        let limit = crate::library::checked_limit(request.limit)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let query = parse(&request.q, request.mode);
        let binding = format!(
            "search\u{1}{}\u{1}{:?}\u{1}{}",
            request.q,
            request.mode,
            request.filter.as_deref().unwrap_or("")
        );
        let after = match &request.cursor {
            Some(cursor) => Some(read_position(&self.cursors.read(&binding, cursor)?)?),
            None => None,
        };
        let mut facets = serde_json::Map::new();
        self.follow.call(()).await?;
        let (hits, more, total) =
            if query.is_plain() && request.facets.is_empty() && request.filter.is_none() {
                self.memory.search(&query, after, limit)
            } else {
                let matches = self.find_matches(&query, request).await?;
                for facet in &request.facets {
                    facets.insert(
                        facet.name().to_owned(),
                        json!(top_values(&matches.facets, *facet)),
                    );
                }
                let collector = matches
                    .collector
                    .unwrap_or_else(|| Collector::new(query.clone()));
                let hits = collector.hits(&self.memory.statistics(&query));
                self.memory.best(&query, hits, after, limit)
            };
        let items = self
            .load_items(&hits, &mut Collector::new(query.clone()))
            .await?;
        let next_cursor = hits
            .last()
            .filter(|_| more)
            .map(|hit| self.cursors.write(&binding, &json!([hit.score, hit.id])));
        Ok(SearchReply {
            items,
            total,
            facets,
            query,
            next_cursor,
        })
    }

    /// Matches found by the database's token index: every kind of query, with filters and facets.
    async fn find_matches(&self, query: &Query, request: &SearchRequest) -> Result<Matches, Error> {
        let candidates = Candidates::of(query);
        if candidates == Candidates::Nothing {
            // The filter is still checked.
            self.filter_condition(request)?;
            return Ok(Matches::default());
        }
        let select = self.candidate_select(&candidates, request)?;
        self.collect(select, query.clone(), !request.facets.is_empty())
            .await
    }

    fn filter_condition(&self, request: &SearchRequest) -> Result<Option<Expr>, Error> {
        match request.filter.as_deref().map(str::trim) {
            None | Some("") => Ok(None),
            Some(text) => filter::compile(text, &*self.json).map(Some),
        }
    }

    /// The candidates with what decides about them.
    fn candidate_select(
        &self,
        candidates: &Candidates,
        request: &SearchRequest,
    ) -> Result<SelectStatement, Error> {
        use entity::{resources, search_documents};

        let documents = || Alias::new(DOCUMENTS);
        let facets = if request.facets.is_empty() {
            Expr::val(Vec::<u8>::new())
        } else {
            Expr::col((documents(), search_documents::Column::Facets))
        };
        let mut select = SqlQuery::select()
            .column((documents(), search_documents::Column::ResourceId))
            .column((documents(), search_documents::Column::Terms))
            .expr(facets)
            .from(documents())
            .take();
        if let Candidates::Having(tokens) = candidates {
            self.search.narrow(&mut select, tokens);
        }
        if let Some(condition) = self.filter_condition(request)? {
            let id = Expr::col((resources::Entity, resources::Column::Id));
            select.inner_join(
                resources::Entity,
                id.equals((documents(), search_documents::Column::ResourceId)),
            );
            select.and_where(condition);
        }
        Ok(select)
    }

    async fn collect(
        &self,
        select: SelectStatement,
        query: Query,
        with_facets: bool,
    ) -> Result<Matches, Error> {
        let query = Arc::new(query);
        let statement = self.database.build(&select);
        let matches = self
            .database
            .fold(statement, move |matches: &mut Matches, row| {
                let id: Uuid = row.get(0)?;
                let collector = matches
                    .collector
                    .get_or_insert_with(|| Collector::new((*query).clone()));
                let found = row.bytes(1, |terms| collector.consider(id, terms))?;
                if found && with_facets {
                    let counts = &mut matches.facets;
                    row.bytes(2, |packed| {
                        read_facets(packed, |facet, value| {
                            *counts.entry((facet, value.to_owned())).or_default() += 1;
                        });
                    })?;
                }
                Ok(())
            })
            .await?;
        Ok(matches)
    }

    async fn load_items(
        &self,
        hits: &[Hit],
        collector: &mut Collector,
    ) -> Result<Vec<SearchItem>, Error> {
        use entity::{resources, search_documents};

        if hits.is_empty() {
            return Ok(Vec::new());
        }
        let documents = Alias::new(DOCUMENTS);
        let id = (resources::Entity, resources::Column::Id);
        let select = crate::library::select()
            .column((documents.clone(), search_documents::Column::Terms))
            .inner_join(
                documents.clone(),
                Expr::col(id).equals((documents, search_documents::Column::ResourceId)),
            )
            .and_where(Expr::col(id).is_in(hits.iter().map(|hit| hit.id)))
            .take();
        let found: Vec<Found> = self
            .database
            .fetch_all(self.database.build(&select))
            .await?;
        let mut by_id: HashMap<Uuid, Found> = found
            .into_iter()
            .map(|found| (found.resource.id, found))
            .collect();
        let mut items = Vec::with_capacity(hits.len());
        for hit in hits {
            // One that was deleted since the first statement is left out.
            let Some(found) = by_id.remove(&hit.id) else {
                continue;
            };
            let mut marked = serde_json::Map::new();
            if let Some((positions, ends)) = collector.matched_positions(&found.terms)
                && !positions.is_empty()
            {
                for (field, html) in highlights(&found.resource.fields, ends, &positions) {
                    marked.insert(field.to_owned(), html.into());
                }
            }
            items.push(SearchItem {
                kind: KIND_RESOURCE,
                id: hit.id,
                score: hit.score,
                highlights: marked,
                resource: found.resource,
            });
        }
        Ok(items)
    }
}

fn read_position(position: &Json) -> Result<(f64, Uuid), Error> {
    let score = position.get(0).and_then(Json::as_f64);
    let id = position
        .get(1)
        .and_then(Json::as_str)
        .and_then(|id| Uuid::try_parse(id).ok());
    score.zip(id).ok_or_else(|| {
        Error::BadParameter(vec![Fault::parameter(
            "cursor",
            "bad_cursor",
            "the cursor is not one of this search",
        )])
    })
}

fn top_values(counts: &HashMap<(u8, String), u64>, facet: Facet) -> Vec<FacetCount> {
    let mut values: Vec<FacetCount> = counts
        .iter()
        .filter(|((number, _), _)| *number == facet as u8)
        .map(|((_, value), count)| FacetCount {
            value: value.clone(),
            count: *count,
        })
        .collect();
    values.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    values.truncate(MOST_FACET_VALUES);
    values
}
