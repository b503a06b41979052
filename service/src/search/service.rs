//! Searching: candidates from the database, the decision here, the page's resources from the database again.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query as SqlQuery, SelectStatement};
use serde::Serialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::candidates::Candidates;
use super::correction::Correction;
use super::document::{Facet, read_facets};
use super::highlight::highlights;
use super::memory::BestHits;
use super::query::{MatchMode, Query, parse};
use super::rank::{Collector, Hit};
use super::walks::Position;
use super::{DOCUMENTS, KIND_RESOURCE};
use crate::Pharos;
use crate::error::{Error, Fault};
use crate::json::filter::Reach;
use crate::library::{RESOURCES, Rendered};

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
    /// Who asks; decides which collections a filter sees. `None` sees all.
    pub viewer: Option<crate::accounts::Viewer>,
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
    /// The query with the words that no document has replaced by near ones of the library, where there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub did_you_mean: Option<String>,
    /// Whether these are the matches of `did_you_mean`: because the query itself matches nothing, or by stop words and
    /// whole values alone, or because a document has more of its words than any has of the query's.
    pub corrected: bool,
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
    pub resource: Arc<Rendered>,
}

/// A value and how many matches have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FacetCount {
    pub value: String,
    pub count: u64,
}

/// What a query finds on one page.
struct PageOfHits {
    best: BestHits,
    facets: serde_json::Map<String, Json>,
}

/// What answers a query.
struct Answer {
    page: PageOfHits,
    did_you_mean: Option<String>,
    /// The correction whose matches these are.
    instead: Option<Query>,
}

#[derive(Default)]
struct Matches {
    collector: Option<Collector>,
    facets: HashMap<(u8, String), u64>,
}

impl Pharos {
    /// Searches the library. No query string is an error; a blank one matches everything.
    pub async fn search(&self, request: &SearchRequest) -> Result<SearchReply, Error> {
        let limit = crate::lists::checked_limit(request.limit)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
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
        self.follow.call(()).await?;
        let languages = self.memory.languages();
        let mut query = parse(&request.q, request.mode, &languages);
        self.complete_prefixes(&mut query).await?;
        let correction = self.correction(&request.q, &query, &languages).await?;
        let Answer {
            page,
            did_you_mean,
            instead,
        } = self
            .answer(
                &query,
                correction,
                &languages,
                request,
                after.as_ref(),
                limit,
            )
            .await?;
        let marked = instead.as_ref().unwrap_or(&query);
        let items = self
            .load_items(&page.best.hits, &mut Collector::new(marked.clone()))
            .await?;
        let next_cursor = page.best.next.map(|next| {
            let position = json!([next.score, next.id, next.walk]);
            self.cursors.write(&binding, &position)
        });
        Ok(SearchReply {
            items,
            total: page.best.total,
            facets: page.facets,
            corrected: instead.is_some(),
            query,
            did_you_mean,
            next_cursor,
        })
    }

    /// The matches of a query, or of what it may have meant where that is better or all there is.
    async fn answer(
        &self,
        query: &Query,
        correction: Option<Correction>,
        languages: &[&'static str],
        request: &SearchRequest,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Answer, Error> {
        let (texts, is_better) = match correction {
            Some(meant) => (meant.texts, meant.is_better),
            None => (Vec::new(), false),
        };
        if is_better
            && let Some(other) = self
                .find_first(&texts, languages, request, after, limit)
                .await?
        {
            return Ok(other);
        }
        let page = self.find_page(query, request, after, limit).await?;
        if page.best.total == 0
            && !is_better
            && let Some(other) = self
                .find_first(&texts, languages, request, after, limit)
                .await?
        {
            return Ok(other);
        }
        let is_offered = page.best.total > 0 && !is_better;
        Ok(Answer {
            page,
            did_you_mean: texts.into_iter().next().filter(|_| is_offered),
            instead: None,
        })
    }

    /// The matches of the first of some corrections that has any.
    async fn find_first(
        &self,
        texts: &[String],
        languages: &[&'static str],
        request: &SearchRequest,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Option<Answer>, Error> {
        for text in texts {
            let mut query = parse(text, request.mode, languages);
            self.complete_prefixes(&mut query).await?;
            let page = self.find_page(&query, request, after, limit).await?;
            if page.best.total > 0 {
                return Ok(Some(Answer {
                    page,
                    did_you_mean: Some(text.clone()),
                    instead: Some(query),
                }));
            }
        }
        Ok(None)
    }

    async fn find_page(
        &self,
        query: &Query,
        request: &SearchRequest,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<PageOfHits, Error> {
        let mut facets = serde_json::Map::new();
        let best = if query.is_plain() && request.facets.is_empty() && request.filter.is_none() {
            self.memory.search(query, after, limit)
        } else {
            let matches = self.find_matches(query, request).await?;
            for facet in &request.facets {
                facets.insert(
                    facet.name().to_owned(),
                    json!(top_values(&matches.facets, *facet)),
                );
            }
            let collector = matches
                .collector
                .unwrap_or_else(|| Collector::new(query.clone()));
            let hits = collector.hits(&self.memory.statistics(query));
            self.memory.best(query, hits, after, limit)
        };
        Ok(PageOfHits { best, facets })
    }

    /// Matches found by the database's token index: every kind of query, with filters and facets.
    async fn find_matches(&self, query: &Query, request: &SearchRequest) -> Result<Matches, Error> {
        let candidates = Candidates::of(query);
        if candidates == Candidates::Nothing {
            // The filter is still checked.
            self.filter_condition(request).await?;
            return Ok(Matches::default());
        }
        let select = self.candidate_select(&candidates, request).await?;
        self.collect(select, query.clone(), !request.facets.is_empty())
            .await
    }

    async fn filter_condition(&self, request: &SearchRequest) -> Result<Option<Expr>, Error> {
        match request.filter.as_deref().map(str::trim) {
            None | Some("") => Ok(None),
            Some(text) => self
                .filter(&RESOURCES, text, request.viewer, Reach::All)
                .await
                .map(Some),
        }
    }

    /// The candidates with what decides about them.
    async fn candidate_select(
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
        if let Some(condition) = self.filter_condition(request).await? {
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
        let by_id = self.load_matches(hits).await?;
        let mut items = Vec::with_capacity(hits.len());
        for hit in hits {
            // One that was deleted, or changed so that it does not match, since the first statement is left out.
            let Some(found) = by_id.get(&hit.id) else {
                continue;
            };
            let Some((positions, ends)) = collector.matched_positions(&found.terms) else {
                continue;
            };
            let mut marked = serde_json::Map::new();
            if !positions.is_empty() {
                for (field, html) in highlights(hit.id, &found.resource.fields, ends, &positions) {
                    marked.insert(field.to_owned(), html.into());
                }
            }
            items.push(SearchItem {
                kind: KIND_RESOURCE,
                id: hit.id,
                score: hit.score,
                highlights: marked,
                resource: Arc::clone(&found.resource),
            });
        }
        Ok(items)
    }
}

fn read_position(position: &Json) -> Result<Position, Error> {
    let score = position.get(0).and_then(Json::as_f64);
    let id = position
        .get(1)
        .and_then(Json::as_str)
        .and_then(|id| Uuid::try_parse(id).ok());
    let walk = position.get(2).and_then(Json::as_u64).unwrap_or(0);
    let position = score
        .zip(id)
        .map(|(score, id)| Position { score, id, walk });
    position.ok_or_else(|| {
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
