//! Resources: what the library holds.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use serde::Serialize;
use service::Pharos;
use service::accounts::Scope;
use service::library::{ListRequest, Rendered, Resource, ResourceFields};
use utoipa::{IntoParams, ToSchema};

use crate::caller::Caller;
use crate::input::{ChangeBody, IfMatch, JsonBody, Parameters, PathId, is_unchanged};
use crate::output::{json, linked, located, versioned};
use crate::problem::Problem;

/// What a list takes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the OpenAPI document only; Parameters reads the request"
)]
pub struct ListParameters {
    /// AIP-160: `language = "en" AND metadata.pages > 300`, `subject:"Databases"`, `metadata.doi:*`, `NOT`, `OR`, `-`,
    /// parentheses. OR binds more tightly than AND.
    #[param(max_length = 8_000)]
    filter: Option<String>,
    /// Fields separated by commas, `-` before one for descending; without a value last, ties broken by id. Default
    /// `-created_at`.
    #[param(example = "-created_at,title")]
    sort: Option<String>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 200, default = 25)]
    limit: Option<u64>,
    /// `next_cursor` of a reply with the same filter and sort.
    cursor: Option<String>,
    /// Whether to count all matches.
    #[param(default = false)]
    total: Option<bool>,
}

/// A page of resources.
#[derive(Serialize, ToSchema)]
pub struct ResourceList {
    #[schema(value_type = Vec<Resource>)]
    items: Vec<Arc<Rendered>>,
    #[schema(required)]
    next_cursor: Option<String>,
    /// With `total=true` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<i64>,
}

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
#[utoipa::path(tag = "resources", params(ListParameters), security(("key" = [])), responses(
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
    let list = ListRequest {
        filter: parameters.text("filter")?,
        sort: parameters.text("sort")?,
        limit: parameters.number("limit")?,
        cursor: parameters.text("cursor")?,
        total: parameters.flag("total")?,
        viewer: Some(caller.0.user_id),
    };
    parameters.finish()?;
    let page = pharos.list_resources(&list).await?;
    let body = ResourceList {
        items: page.items,
        next_cursor: page.next_cursor,
        total: page.total,
    };
    Ok(linked(
        json(StatusCode::OK, &body)?,
        &request,
        body.next_cursor.as_deref(),
    ))
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
    let mut response = versioned(StatusCode::OK, resource.version, &resource)?;
    if is_unchanged(&request, resource.version) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response.drop_body().map_into_boxed_body());
    }
    Ok(response)
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
