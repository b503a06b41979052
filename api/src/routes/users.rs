//! Users, and who the caller is.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use serde::Serialize;
use service::Pharos;
use service::accounts::{NewUser, Role, Scope, User, UserChanges};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::Caller;
use crate::input::{IfMatch, JsonBody, Parameters, PathId};
use crate::lists::{ListParameters, list_schema, page_reply};
use crate::output::{conditional, json, located, versioned};
use crate::problem::Problem;

list_schema!(UserList, User, "A page of users.");

/// A user to be created.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct NewUserBody {
    #[schema(
        max_length = 254,
        example = "ada@example.org",
        pattern = "^[^@\\s\\u0000-\\u0020\\u007f-\\u009f]+@[^@\\s\\u0000-\\u0020\\u007f-\\u009f]+$"
    )]
    email: String,
    #[schema(max_length = 200, pattern = "^[^\\u0000]*$")]
    display_name: Option<String>,
    /// `reader` when absent.
    role: Option<Role>,
}

/// What is to change about a user; absent stays.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct UserPatch {
    #[schema(
        nullable = false,
        max_length = 254,
        pattern = "^[^@\\s\\u0000-\\u0020\\u007f-\\u009f]+@[^@\\s\\u0000-\\u0020\\u007f-\\u009f]+$"
    )]
    email: Option<String>,
    #[schema(max_length = 200, pattern = "^[^\\u0000]*$")]
    display_name: Option<String>,
    #[schema(nullable = false)]
    role: Option<Role>,
    /// Refuses all keys of the user while true.
    #[schema(nullable = false)]
    disabled: Option<bool>,
}

/// Who the caller is.
#[derive(Serialize, ToSchema)]
pub struct Me {
    user: User,
    key_id: Uuid,
    /// The lower of the user's role and the key's.
    role: Role,
    /// What the key is narrowed to; null for all that the role has.
    #[schema(required)]
    scopes: Option<Vec<Scope>>,
}

/// Tells who the caller is and what the key may do.
#[utoipa::path(tag = "accounts", security(("key" = [])), responses(
    (status = 200, description = "The caller", body = Me),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/me")]
pub async fn find_me(
    request: HttpRequest,
    caller: Caller,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    Parameters::of(&request)?.finish()?;
    let actor = caller.0;
    let user = pharos.find_user(actor.user_id).await?;
    json(
        StatusCode::OK,
        &Me {
            user,
            key_id: actor.key_id,
            role: actor.role,
            scopes: actor.scopes,
        },
    )
}

/// Lists users, by their addresses unless asked otherwise. Filters and sorts know `id`, `email`, `display_name`, `role`,
/// `disabled_at`, `created_at` and `updated_at`.
#[utoipa::path(tag = "accounts", params(ListParameters), security(("key" = [])), responses(
    (status = 200, description = "A page", body = UserList, headers(("Link" = String))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/users")]
pub async fn list_users(
    request: HttpRequest,
    caller: Caller,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    let actor = caller.require(Scope::Admin)?;
    let mut parameters = Parameters::of(&request)?;
    let list = parameters.list(actor.viewer())?;
    parameters.finish()?;
    page_reply(&request, pharos.list_users(&list).await?)
}

/// Creates a user. 409 when the address is taken.
#[utoipa::path(tag = "accounts", request_body = NewUserBody, security(("key" = [])), responses(
    (status = 201, description = "Created", body = User, headers(("Location" = String), ("ETag" = String))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/users")]
pub async fn create_user(
    request: HttpRequest,
    Caller(actor, body): Caller<JsonBody>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::Admin)?;
    Parameters::of(&request)?.finish()?;
    let new = NewUser::from_json(body.0)?;
    let user = pharos.create_user(new).await?;
    Ok(located(
        versioned(StatusCode::CREATED, user.version(), &user)?,
        &format!("/api/v1/users/{}", user.id),
    ))
}

/// Reads a user.
#[utoipa::path(tag = "accounts", params(("id" = Uuid, Path)), security(("key" = [])), responses(
    (status = 200, description = "The user", body = User, headers(("ETag" = String))),
    (status = 304, description = "Unchanged since the ETag in If-None-Match"),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/users/{id}")]
pub async fn find_user(
    request: HttpRequest,
    Caller(actor, id): Caller<PathId>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    if actor.user_id != id.0 {
        actor.require(Scope::Admin)?;
    }
    Parameters::of(&request)?.finish()?;
    let user = pharos.find_user(id.0).await?;
    conditional(&request, user.version(), &user)
}

/// Changes a user by a merge patch (RFC 7396). 409 when the address is taken, or when that would leave no admin. `If-Match`
/// is needed.
#[utoipa::path(tag = "accounts", params(("id" = Uuid, Path), ("If-Match" = String, Header, description = "The ETag of the version that was read, or `*`")),
    request_body(content((UserPatch = "application/merge-patch+json"))), security(("key" = [])), responses(
    (status = 200, description = "Changed", body = User, headers(("ETag" = String))),
    (status = "4XX", description = "The request was refused: 412 when the version is stale, 428 without If-Match", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[patch("/users/{id}")]
pub async fn patch_user(
    request: HttpRequest,
    Caller(actor, (id, if_match, body)): Caller<(PathId, IfMatch, JsonBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::Admin)?;
    Parameters::of(&request)?.finish()?;
    let changes = UserChanges::from_json(body.0)?;
    let user = pharos.change_user(id.0, if_match.0, changes).await?;
    versioned(StatusCode::OK, user.version(), &user)
}

/// Deletes a user with all keys. 409 for the caller's own. `If-Match` is needed.
#[utoipa::path(tag = "accounts", params(("id" = Uuid, Path), ("If-Match" = String, Header, description = "The ETag of the version that was read, or `*`")), security(("key" = [])), responses(
    (status = 204, description = "Deleted"),
    (status = "4XX", description = "The request was refused: 412 when the version is stale, 428 without If-Match", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[delete("/users/{id}")]
pub async fn delete_user(
    request: HttpRequest,
    Caller(actor, (id, if_match)): Caller<(PathId, IfMatch)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::Admin)?;
    Parameters::of(&request)?.finish()?;
    pharos.delete_user(&actor, id.0, if_match.0).await?;
    Ok(HttpResponse::NoContent().finish())
}
