//! Collections: trees of named gatherings of resources.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use service::Pharos;
use service::accounts::Scope;
use service::library::{Children, Collection, CollectionFields, Visibility};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::caller::Caller;
use crate::input::{ChangeBody, IfMatch, JsonBody, Parameters, PathId};
use crate::lists::{ListParameters, list_schema, page_reply};
use crate::output::{conditional, located, versioned};
use crate::problem::Problem;

list_schema!(CollectionList, Collection, "A page of collections.");

/// A collection to be created. Only the name is needed.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct NewCollection {
    /// One of the caller's own; none when absent.
    parent_id: Option<Uuid>,
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\u0000]*[^\s\u0000\u001c-\u001f\u0085][^\u0000]*$"
    )]
    name: String,
    #[schema(max_length = 4_000, pattern = r"^[^\u0000]*$")]
    description: Option<String>,
    /// `private` when absent.
    visibility: Option<Visibility>,
}

/// What is to change about a collection; absent stays, null removes.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct CollectionPatch {
    parent_id: Option<Uuid>,
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\u0000]*[^\s\u0000\u001c-\u001f\u0085][^\u0000]*$"
    )]
    name: Option<String>,
    #[schema(max_length = 4_000, pattern = r"^[^\u0000]*$")]
    description: Option<String>,
    visibility: Option<Visibility>,
}

/// What becomes of the collections in one that is deleted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the OpenAPI document only; Parameters reads the request"
)]
pub struct DeletionParameters {
    /// `delete`: they go, too, with everything beneath them; `lift`: they move up to where the deleted one stood. Without
    /// it a collection in which others stand is not deleted (409).
    #[param(inline)]
    children: Option<Children>,
}

/// Lists the collections that the caller may see: their own, those shared with them, and public ones.
#[utoipa::path(tag = "collections", params(ListParameters), security(("key" = [])), responses(
    (status = 200, description = "A page", body = CollectionList, headers(("Link" = String, description = "The next page, `rel=\"next\"`"))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/collections")]
pub async fn list_collections(
    request: HttpRequest,
    caller: Caller,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    caller.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let list = parameters.list(caller.0.viewer())?;
    parameters.finish()?;
    page_reply(&request, pharos.list_collections(&list).await?)
}

/// Creates a collection, at the top or in another one of the caller's.
#[utoipa::path(tag = "collections", request_body = NewCollection, security(("key" = [])), responses(
    (status = 201, description = "Created", body = Collection, headers(("Location" = String), ("ETag" = String))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/collections")]
pub async fn create_collection(
    request: HttpRequest,
    Caller(actor, body): Caller<JsonBody>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let fields = CollectionFields::from_json(body.0)?;
    let collection = pharos.create_collection(&actor, fields).await?;
    let response = versioned(StatusCode::CREATED, collection.version, &collection)?;
    Ok(located(
        response,
        &format!("/api/v1/collections/{}", collection.id),
    ))
}

/// Reads a collection. 404 also for one that the caller may not see.
#[utoipa::path(tag = "collections", params(("id" = Uuid, Path)), security(("key" = [])), responses(
    (status = 200, description = "The collection", body = Collection, headers(("ETag" = String))),
    (status = 304, description = "Unchanged since the version in If-None-Match"),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/collections/{id}")]
pub async fn find_collection(
    request: HttpRequest,
    Caller(actor, id): Caller<PathId>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryRead)?;
    Parameters::of(&request)?.finish()?;
    let collection = pharos.find_collection(actor.viewer(), id.0).await?;
    conditional(&request, collection.version, &collection)
}

/// Changes or moves a collection, by a merge patch or a JSON Patch. The owner's matter. 409 when it would stand beneath
/// itself. `If-Match` is needed.
#[utoipa::path(tag = "collections", params(("id" = Uuid, Path), ("If-Match" = String, Header, description = "The ETag of the version that was read, or `*`")),
    request_body(content((CollectionPatch = "application/merge-patch+json"), (Vec<serde_json::Value> = "application/json-patch+json"))), security(("key" = [])), responses(
    (status = 200, description = "Changed", body = Collection, headers(("ETag" = String))),
    (status = "4XX", description = "The request was refused: 412 when the version is stale, 428 without If-Match", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[patch("/collections/{id}")]
pub async fn patch_collection(
    request: HttpRequest,
    Caller(actor, (id, if_match, body)): Caller<(PathId, IfMatch, ChangeBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let collection = pharos
        .patch_collection(&actor, id.0, if_match.0, body.0)
        .await?;
    versioned(StatusCode::OK, collection.version, &collection)
}

/// Deletes a collection; its resources stay in the library. The owner's matter. `If-Match` is needed.
#[utoipa::path(tag = "collections", params(("id" = Uuid, Path), ("If-Match" = String, Header, description = "The ETag of the version that was read, or `*`"), DeletionParameters), security(("key" = [])), responses(
    (status = 204, description = "Deleted"),
    (status = "4XX", description = "The request was refused: 409 when other collections stand in it and `children` is absent, 412 when the version is stale, 428 without If-Match", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[delete("/collections/{id}")]
pub async fn delete_collection(
    request: HttpRequest,
    Caller(actor, (id, if_match)): Caller<(PathId, IfMatch)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    let mut parameters = Parameters::of(&request)?;
    let children: Option<Children> = parameters.parsed("children")?;
    parameters.finish()?;
    pharos
        .delete_collection(&actor, id.0, if_match.0, children)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
