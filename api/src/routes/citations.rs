//! Citations: what resources cite, and how important that makes them.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use service::Pharos;
use service::accounts::Scope;
use service::library::{
    Citation, CitationFields, CitationType, ComputedImportance, Direction, Importance,
};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::caller::Caller;
use crate::input::{ChangeBody, IfMatch, JsonBody, Parameters, PathId};
use crate::lists::{ListParameters, list_schema, page_reply};
use crate::output::{conditional, json, located, tagged};
use crate::problem::Problem;

list_schema!(CitationList, Citation, "A page of citations.");
list_schema!(
    ImportanceList,
    Importance,
    "A page of what was computed last."
);

/// Which citations of a resource.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the OpenAPI document only; Parameters reads the request"
)]
pub struct DirectionParameters {
    /// `out` (default): what it cites; `in`: what cites it.
    #[param(inline)]
    direction: Option<Direction>,
}

/// A citation to be made. One of `cited_id`, `identifier` and `raw_text` is needed (else 422).
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct NewCitation {
    /// `cites` when absent.
    r#type: Option<CitationType>,
    /// A resource of the library.
    cited_id: Option<Uuid>,
    /// Finds the resource, now or as soon as the library holds it.
    #[schema(
        max_length = 4_000,
        pattern = r"^[^\u0000]*$",
        example = "doi:10.1000/182"
    )]
    identifier: Option<String>,
    /// The reference as it is printed.
    #[schema(max_length = 10_000, pattern = r"^[^\u0000]*$")]
    raw_text: Option<String>,
}

/// Lists what a resource cites, or what cites it.
#[utoipa::path(tag = "citations", params(("id" = Uuid, Path), DirectionParameters, ListParameters), security(("key" = [])), responses(
    (status = 200, description = "A page", body = CitationList, headers(("Link" = String, description = "The next page, `rel=\"next\"`"))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/resources/{id}/citations")]
pub async fn list_resource_citations(
    request: HttpRequest,
    Caller(actor, id): Caller<PathId>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let direction = parameters.parsed("direction")?.unwrap_or_default();
    let list = parameters.list(actor.viewer())?;
    parameters.finish()?;
    let page = pharos
        .list_resource_citations(id.0, direction, &list)
        .await?;
    page_reply(&request, page)
}

/// Notes that a resource cites something: a resource of the library, or what an identifier or a text names.
#[utoipa::path(tag = "citations", params(("id" = Uuid, Path)), request_body = NewCitation, security(("key" = [])), responses(
    (status = 201, description = "Created", body = Citation, headers(("Location" = String), ("ETag" = String))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/resources/{id}/citations")]
pub async fn create_citation(
    request: HttpRequest,
    Caller(actor, (id, body)): Caller<(PathId, JsonBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let fields = CitationFields::from_json(body.0)?;
    let citation = pharos.create_citation(id.0, fields).await?;
    let response = tagged(StatusCode::CREATED, &citation.tag(), &citation)?;
    Ok(located(
        response,
        &format!("/api/v1/citations/{}", citation.id),
    ))
}

/// Lists the citations of all resources.
#[utoipa::path(tag = "citations", params(ListParameters), security(("key" = [])), responses(
    (status = 200, description = "A page", body = CitationList, headers(("Link" = String, description = "The next page, `rel=\"next\"`"))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/citations")]
pub async fn list_citations(
    request: HttpRequest,
    caller: Caller,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    caller.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let list = parameters.list(caller.0.viewer())?;
    parameters.finish()?;
    page_reply(&request, pharos.list_citations(&list).await?)
}

/// Reads a citation.
#[utoipa::path(tag = "citations", params(("id" = Uuid, Path)), security(("key" = [])), responses(
    (status = 200, description = "The citation", body = Citation, headers(("ETag" = String))),
    (status = 304, description = "Unchanged since the ETag in If-None-Match"),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/citations/{id}")]
pub async fn find_citation(
    request: HttpRequest,
    Caller(actor, id): Caller<PathId>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryRead)?;
    Parameters::of(&request)?.finish()?;
    let citation = pharos.find_citation(id.0).await?;
    conditional(&request, citation.tag(), &citation)
}

/// Changes a citation, by a merge patch or a JSON Patch. `cited_id` is in it what was named by hand. `If-Match` is needed.
#[utoipa::path(tag = "citations", params(("id" = Uuid, Path), ("If-Match" = String, Header, description = "The ETag of the version that was read, or `*`")),
    request_body(content((NewCitation = "application/merge-patch+json"), (Vec<serde_json::Value> = "application/json-patch+json"))), security(("key" = [])), responses(
    (status = 200, description = "Changed", body = Citation, headers(("ETag" = String))),
    (status = "4XX", description = "The request was refused: 412 when the version is stale, 428 without If-Match", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[patch("/citations/{id}")]
pub async fn patch_citation(
    request: HttpRequest,
    Caller(actor, (id, if_match, body)): Caller<(PathId, IfMatch, ChangeBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let citation = pharos.patch_citation(id.0, if_match.0, body.0).await?;
    tagged(StatusCode::OK, &citation.tag(), &citation)
}

/// Deletes a citation. `If-Match` is needed.
#[utoipa::path(tag = "citations", params(("id" = Uuid, Path), ("If-Match" = String, Header, description = "The ETag of the version that was read, or `*`")), security(("key" = [])), responses(
    (status = 204, description = "Deleted"),
    (status = "4XX", description = "The request was refused: 412 when the version is stale, 428 without If-Match", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[delete("/citations/{id}")]
pub async fn delete_citation(
    request: HttpRequest,
    Caller(actor, (id, if_match)): Caller<(PathId, IfMatch)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    pharos.delete_citation(id.0, if_match.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Lists the importance of resources that cite or are cited, as it was computed last.
#[utoipa::path(tag = "citations", params(ListParameters), security(("key" = [])), responses(
    (status = 200, description = "A page", body = ImportanceList, headers(("Link" = String, description = "The next page, `rel=\"next\"`"))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/citations/importance")]
pub async fn list_importance(
    request: HttpRequest,
    caller: Caller,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    caller.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let list = parameters.list(caller.0.viewer())?;
    parameters.finish()?;
    page_reply(&request, pharos.list_importance(&list).await?)
}

/// Computes the importance of resources by PageRank, from the citations as they are now.
#[utoipa::path(tag = "citations", security(("key" = [])), responses(
    (status = 200, description = "Computed", body = ComputedImportance),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/citations/importance")]
pub async fn compute_importance(
    request: HttpRequest,
    caller: Caller,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    caller.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    json(StatusCode::OK, &pharos.compute_importance().await?)
}
