//! Full-text search.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Serialize;
use service::Pharos;
use service::accounts::Scope;
use service::library::Resource;
use service::search::{FACETS, Facet, MatchMode, SearchRequest};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::caller::Caller;
use crate::input::Parameters;
use crate::output::{json, linked};
use crate::problem::Problem;

/// What a search takes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the OpenAPI document only; Parameters reads the request"
)]
pub struct SearchParameters {
    /// Words, `"a phrase"`, `OR`, `-not`, `prefix*`, `field:value` with title, creator, subject, description, language,
    /// type, `year:2001..2010`. No string is an error; a blank one matches everything.
    q: Option<String>,
    /// `best`: any word may match, documents with more and rarer of them come first. `all`: every word must.
    #[param(pattern = "^(best|all)$", default = "best")]
    r#match: Option<String>,
    /// What is searched: `resource`.
    #[param(pattern = "^resource$")]
    kind: Option<String>,
    /// Of subject, creator, language, type, year, classification; separated by commas.
    #[param(
        example = "subject,language",
        pattern = "^(subject|creator|language|type|year|classification)?(,(subject|creator|language|type|year|classification)?)*$"
    )]
    facets: Option<String>,
    /// AIP-160, as in lists of resources.
    #[param(max_length = 8_000)]
    filter: Option<String>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 200, default = 25)]
    limit: Option<u64>,
    /// `next_cursor` of a reply to the same search.
    cursor: Option<String>,
}

/// A page of matches.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of what the service writes"
)]
pub struct SearchReply {
    items: Vec<SearchItem>,
    /// How many match in all.
    total: u64,
    facets: std::collections::BTreeMap<String, Vec<FacetCount>>,
    /// The query as it was understood.
    query: serde_json::Value,
    /// The query with the words that no document has replaced by near ones of the library; absent when there are none.
    #[schema(nullable = false)]
    did_you_mean: Option<String>,
    /// Whether these are the matches of `did_you_mean`: because the query itself matches nothing, or by stop words and
    /// whole values alone, or because a document has more of its words than any has of the query's.
    corrected: bool,
    #[schema(required)]
    next_cursor: Option<String>,
}

/// A match.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of what the service writes"
)]
pub struct SearchItem {
    kind: String,
    id: Uuid,
    /// BM25; higher is better; comparable within one query only.
    score: f64,
    /// HTML by field, with `<mark>` around what matched.
    highlights: std::collections::BTreeMap<String, String>,
    resource: Resource,
}

/// A value and how many matches have it.
#[derive(ToSchema, Serialize)]
pub struct FacetCount {
    value: String,
    count: u64,
}

/// Searches the library, best matches first, ties by id.
#[utoipa::path(tag = "search", params(SearchParameters), security(("key" = [])), responses(
    (status = 200, description = "A page", body = SearchReply, headers(("Link" = String, description = "The next page, `rel=\"next\"`"))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/search")]
pub async fn search_library(
    request: HttpRequest,
    caller: Caller,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    caller.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let search = SearchRequest {
        q: parameters.text("q")?.unwrap_or_default(),
        mode: match parameters.text("match")?.as_deref() {
            None | Some("best") => MatchMode::Best,
            Some("all") => MatchMode::All,
            Some(_) => return Err(Problem::parameter("match", "enum", "expected best or all")),
        },
        facets: facets(parameters.text("facets")?.as_deref())?,
        filter: parameters.text("filter")?,
        limit: parameters.number("limit")?,
        cursor: parameters.text("cursor")?,
        viewer: Some(caller.0.viewer()),
    };
    if !matches!(parameters.text("kind")?.as_deref(), None | Some("resource")) {
        return Err(Problem::parameter("kind", "enum", "expected resource"));
    }
    parameters.finish()?;
    let reply = pharos.search(&search).await?;
    Ok(linked(
        json(StatusCode::OK, &reply)?,
        &request,
        reply.next_cursor.as_deref(),
    ))
}

/// What a completion takes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the OpenAPI document only; Parameters reads the request"
)]
pub struct SuggestParameters {
    /// What was typed so far. Each word must be in the text, the last one as the beginning of a word. Blank: no items.
    q: Option<String>,
    /// Items at most.
    #[param(minimum = 1, maximum = 200, default = 10)]
    limit: Option<u64>,
}

/// Completions, best first.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of what the service writes"
)]
pub struct Suggestions {
    items: Vec<Completion>,
}

/// A title, subject or creator of the library.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of what the service writes"
)]
pub struct Completion {
    text: String,
    #[schema(pattern = "^(title|subject|creator)$")]
    kind: String,
    /// Resources that have it.
    #[schema(minimum = 1)]
    count: u64,
    /// For a title: the resource, of several the one with the lowest id.
    #[schema(nullable = false)]
    resource_id: Option<Uuid>,
}

/// Completes titles, subjects and creators: texts that begin with what was typed first, then those of more resources.
#[utoipa::path(tag = "search", params(SuggestParameters), security(("key" = [])), responses(
    (status = 200, description = "Completions", body = Suggestions),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/search/suggest")]
pub async fn suggest_completions(
    request: HttpRequest,
    caller: Caller,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    caller.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let typed = parameters.text("q")?.unwrap_or_default();
    let limit = parameters.number("limit")?;
    parameters.finish()?;
    json(StatusCode::OK, &pharos.suggest(&typed, limit).await?)
}

fn facets(text: Option<&str>) -> Result<Vec<Facet>, Problem> {
    let names = text
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    names
        .map(|name| {
            FACETS
                .into_iter()
                .find(|facet| facet.name() == name)
                .ok_or_else(|| {
                    let known = FACETS.map(Facet::name).join(", ");
                    Problem::parameter(
                        "facets",
                        "enum",
                        format!(
                            "`{}` is no facet: use {known}",
                            name.chars().take(40).collect::<String>()
                        ),
                    )
                })
        })
        .collect()
}
