//! Resources: what the library holds.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use service::Pharos;
use service::accounts::Scope;
use service::library::{Resource, ResourceFields};
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::input::{ChangeBody, IfMatch, JsonBody, Parameters, PathId};
use crate::lists::{ResourceListParameters, list_schema, page_reply};
use crate::output::{conditional, located, versioned};
use crate::problem::Problem;

list_schema!(ResourceList, Resource, "A page of resources.");

/// The fields of a new resource: as in a reply, without those that the server sets. Only the title is needed.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct NewResource {
    #[schema(min_length = 1, max_length = 4_000)]
    title: String,
    description: Option<String>,
    creator: Option<String>,
    publisher: Option<String>,
    contributor: Option<String>,
    date: Option<String>,
    r#type: Option<String>,
    format: Option<String>,
    identifier: Option<String>,
    source: Option<String>,
    language: Option<String>,
    relation: Option<Vec<String>>,
    coverage: Option<String>,
    rights: Option<String>,
    subject: Option<Vec<String>>,
    classification_code: Option<String>,
    read_status: Option<service::library::ReadStatus>,
    #[schema(minimum = 0, maximum = 100)]
    quality_score: Option<f64>,
    metadata: Option<std::collections::BTreeMap<String, serde_json::Value>>,
}

/// Lists resources.
#[utoipa::path(tag = "resources", params(ResourceListParameters), security(("key" = [])), responses(
    (status = 200, description = "A page", body = ResourceList, headers(("Link" = String, description = "The next page, `rel=\"next\"`"))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/resources")]
pub async fn list_resources(
    request: HttpRequest,
    caller: Caller,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    caller.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let list = parameters.list(caller.0.viewer())?;
    parameters.finish()?;
    page_reply(&request, pharos.list_resources(&list).await?)
}

/// Creates a resource. It is on disk and can be found when the reply comes.
#[utoipa::path(tag = "resources", request_body = NewResource, security(("key" = [])), responses(
    (status = 201, description = "Created", body = Resource, headers(("Location" = String), ("ETag" = String))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/resources")]
pub async fn create_resource(
    request: HttpRequest,
    Caller(actor, body): Caller<JsonBody>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let fields = ResourceFields::from_json(body.0)?;
    let resource = pharos.create_resource(&actor, fields).await?;
    let response = versioned(StatusCode::CREATED, resource.version, &resource)?;
    Ok(located(
        response,
        &format!("/api/v1/resources/{}", resource.id),
    ))
}

/// Reads a resource.
#[utoipa::path(tag = "resources", params(("id" = Uuid, Path)), security(("key" = [])), responses(
    (status = 200, description = "The resource", body = Resource, headers(("ETag" = String))),
    (status = 304, description = "Unchanged since the version in If-None-Match"),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/resources/{id}")]
pub async fn find_resource(
    request: HttpRequest,
    Caller(actor, id): Caller<PathId>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryRead)?;
    Parameters::of(&request)?.finish()?;
    let resource = pharos.find_resource(id.0).await?;
    conditional(&request, resource.version, &resource)
}

/// Changes a resource by a merge patch (RFC 7396: null removes, metadata merges by key), or by the operations `add`,
/// `remove`, `replace` and `test` of a JSON Patch (RFC 6902). It is applied to what is stored when its turn comes, so
/// that with `If-Match: *` none is lost. `If-Match` is needed.
#[utoipa::path(tag = "resources", params(("id" = Uuid, Path), ("If-Match" = String, Header, description = "The ETag of the version that was read, or `*`")),
    request_body(content((serde_json::Value = "application/merge-patch+json"), (Vec<serde_json::Value> = "application/json-patch+json"))), security(("key" = [])), responses(
    (status = 200, description = "Changed", body = Resource, headers(("ETag" = String))),
    (status = "4XX", description = "The request was refused: 412 when the version is stale, 428 without If-Match", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[patch("/resources/{id}")]
pub async fn patch_resource(
    request: HttpRequest,
    Caller(actor, (id, if_match, body)): Caller<(PathId, IfMatch, ChangeBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let resource = pharos.patch_resource(id.0, if_match.0, body.0).await?;
    versioned(StatusCode::OK, resource.version, &resource)
}

/// Deletes a resource with what hangs on it. `If-Match` is needed.
#[utoipa::path(tag = "resources", params(("id" = Uuid, Path), ("If-Match" = String, Header, description = "The ETag of the version that was read, or `*`")), security(("key" = [])), responses(
    (status = 204, description = "Deleted"),
    (status = "4XX", description = "The request was refused: 412 when the version is stale, 428 without If-Match", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[delete("/resources/{id}")]
pub async fn delete_resource(
    request: HttpRequest,
    Caller(actor, (id, if_match)): Caller<(PathId, IfMatch)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    pharos.delete_resource(id.0, if_match.0).await?;
    Ok(HttpResponse::NoContent().finish())
}
