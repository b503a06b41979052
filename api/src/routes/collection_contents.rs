//! What is in a collection, and with whom it is shared.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put};
use serde::Serialize;
use service::Pharos;
use service::accounts::Scope;
use service::library::{Added, CollectionItem, Member, MemberRole, placement, resource_ids};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::Caller;
use crate::input::{JsonBody, Parameters, PathId, PathIds};
use crate::lists::{ListParameters, list_schema, page_reply};
use crate::output::json;
use crate::problem::Problem;

list_schema!(
    CollectionItemList,
    CollectionItem,
    "A page of the resources in a collection."
);
list_schema!(MemberList, Member, "A page of members.");

/// Resources that a collection is about to hold, or to hold no longer.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct ResourceSelection {
    /// One named twice counts once.
    #[schema(min_items = 1, max_items = 1_000)]
    resource_ids: Vec<Uuid>,
}

/// What came of taking resources out.
#[derive(Serialize, ToSchema)]
pub struct Removed {
    /// How many were in the collection.
    #[schema(minimum = 0)]
    removed: u64,
}

/// Where a resource is to stand.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct Placement {
    /// Behind the last one when absent.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    position: Option<i64>,
}

/// Where a resource stands.
#[derive(Serialize, ToSchema)]
pub struct Placed {
    resource_id: Uuid,
    position: i64,
}

/// What a member is to be.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct NewMember {
    role: MemberRole,
}

/// Lists the resources in a collection, by default in its order. Filters and sorts take the fields of resources, and
/// `position` and `added_at`.
#[utoipa::path(tag = "collections", params(("id" = Uuid, Path), ListParameters), security(("key" = [])), responses(
    (status = 200, description = "A page", body = CollectionItemList, headers(("Link" = String, description = "The next page, `rel=\"next\"`"))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/collections/{id}/resources")]
pub async fn list_collection_resources(
    request: HttpRequest,
    Caller(actor, id): Caller<PathId>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let list = parameters.list(actor.viewer())?;
    parameters.finish()?;
    let page = pharos
        .list_collection_resources(actor.viewer(), id.0, &list)
        .await?;
    page_reply(&request, page)
}

/// Adds resources behind those that are there; what is there already stays where it is, and is no error. All or none.
#[utoipa::path(tag = "collections", params(("id" = Uuid, Path)), request_body = ResourceSelection, security(("key" = [])), responses(
    (status = 200, description = "Added", body = Added),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/collections/{id}/resources")]
pub async fn add_collection_resources(
    request: HttpRequest,
    Caller(actor, (id, body)): Caller<(PathId, JsonBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let ids = resource_ids(body.0)?;
    json(
        StatusCode::OK,
        &pharos.add_to_collection(&actor, id.0, ids).await?,
    )
}

/// Takes resources out of a collection; what is not in it is no error. They stay in the library.
#[utoipa::path(tag = "collections", params(("id" = Uuid, Path)), request_body = ResourceSelection, security(("key" = [])), responses(
    (status = 200, description = "Taken out", body = Removed),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/collections/{id}/resources/remove")]
pub async fn remove_collection_resources(
    request: HttpRequest,
    Caller(actor, (id, body)): Caller<(PathId, JsonBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let ids = resource_ids(body.0)?;
    let removed = pharos.remove_from_collection(&actor, id.0, ids).await?;
    json(StatusCode::OK, &Removed { removed })
}

/// Puts a resource at a position, adding it where it is not in the collection yet. Where another one has the position,
/// that one and those behind it move one on.
#[utoipa::path(tag = "collections", params(("id" = Uuid, Path), ("resource_id" = Uuid, Path)), request_body = Placement, security(("key" = [])), responses(
    (status = 200, description = "Placed", body = Placed),
    (status = 201, description = "Added", body = Placed),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[put("/collections/{id}/resources/{resource_id}")]
pub async fn put_collection_resource(
    request: HttpRequest,
    Caller(actor, (ids, body)): Caller<(PathIds, JsonBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let position = placement(body.0)?;
    let (position, is_new) = pharos
        .place_in_collection(&actor, ids.0, ids.1, position)
        .await?;
    let body = Placed {
        resource_id: ids.1,
        position,
    };
    json(created_or_ok(is_new), &body)
}

/// Takes a resource out of a collection. 404 when it is not in it.
#[utoipa::path(tag = "collections", params(("id" = Uuid, Path), ("resource_id" = Uuid, Path)), security(("key" = [])), responses(
    (status = 204, description = "Taken out"),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[delete("/collections/{id}/resources/{resource_id}")]
pub async fn remove_collection_resource(
    request: HttpRequest,
    Caller(actor, ids): Caller<PathIds>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let removed = pharos
        .remove_from_collection(&actor, ids.0, vec![ids.1])
        .await?;
    if removed == 0 {
        return Err(service::Error::NotFound {
            kind: "resource in this collection",
            id: ids.1.to_string(),
        }
        .into());
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Lists with whom a collection is shared; whoever sees it may.
#[utoipa::path(tag = "collections", params(("id" = Uuid, Path), ListParameters), security(("key" = [])), responses(
    (status = 200, description = "A page", body = MemberList, headers(("Link" = String, description = "The next page, `rel=\"next\"`"))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/collections/{id}/members")]
pub async fn list_members(
    request: HttpRequest,
    Caller(actor, id): Caller<PathId>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let list = parameters.list(actor.viewer())?;
    parameters.finish()?;
    page_reply(
        &request,
        pharos.list_members(actor.viewer(), id.0, &list).await?,
    )
}

/// Makes a user a member of a collection, or gives a member another role. The owner's matter. A private collection stays
/// its owner's alone until it is shared.
#[utoipa::path(tag = "collections", params(("id" = Uuid, Path), ("user_id" = Uuid, Path)), request_body = NewMember, security(("key" = [])), responses(
    (status = 200, description = "Changed", body = Member),
    (status = 201, description = "Added", body = Member),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[put("/collections/{id}/members/{user_id}")]
pub async fn put_member(
    request: HttpRequest,
    Caller(actor, (ids, body)): Caller<(PathIds, JsonBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let role = MemberRole::from_json(body.0)?;
    let (member, is_new) = pharos.put_member(&actor, ids.0, ids.1, role).await?;
    json(created_or_ok(is_new), &member)
}

/// Ends a membership: the owner anybody's, a member their own.
#[utoipa::path(tag = "collections", params(("id" = Uuid, Path), ("user_id" = Uuid, Path)), security(("key" = [])), responses(
    (status = 204, description = "Ended"),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[delete("/collections/{id}/members/{user_id}")]
pub async fn delete_member(
    request: HttpRequest,
    Caller(actor, ids): Caller<PathIds>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    pharos.delete_member(&actor, ids.0, ids.1).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn created_or_ok(is_new: bool) -> StatusCode {
    if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    }
}
