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
use crate::input::{JsonBody, Members, Parameters, PathId};
use crate::lists::{PageParameters, list_schema, page_reply};
use crate::output::{json, located};
use crate::problem::Problem;

list_schema!(plain UserList, User, "A page of users.");

/// A user to be created.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that Members reads"
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
    reason = "the OpenAPI document's view of a body that Members reads"
)]
pub struct UserPatch {
    #[schema(max_length = 200, pattern = "^[^\\u0000]*$")]
    display_name: Option<String>,
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

/// Lists users in the order of their addresses.
#[utoipa::path(tag = "accounts", params(PageParameters), security(("key" = [])), responses(
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
    caller.require(Scope::Admin)?;
    let mut parameters = Parameters::of(&request)?;
    let (limit, cursor) = (parameters.number("limit")?, parameters.text("cursor")?);
    parameters.finish()?;
    let page = pharos.list_users(limit, cursor.as_deref()).await?;
    page_reply(&request, page)
}

/// Creates a user. 409 when the address is taken.
#[utoipa::path(tag = "accounts", request_body = NewUserBody, security(("key" = [])), responses(
    (status = 201, description = "Created", body = User, headers(("Location" = String))),
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
    let mut members = Members::new(body.0)?;
    let new = NewUser {
        email: members.required_text("email"),
        display_name: members.text("display_name").flatten(),
        role: members.parsed("role").unwrap_or(Role::Reader),
    };
    members.finish()?;
    let user = pharos.create_user(new).await?;
    Ok(located(
        json(StatusCode::CREATED, &user)?,
        &format!("/api/v1/users/{}", user.id),
    ))
}

/// Reads a user.
#[utoipa::path(tag = "accounts", params(("id" = Uuid, Path)), security(("key" = [])), responses(
    (status = 200, description = "The user", body = User),
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
    json(StatusCode::OK, &pharos.find_user(id.0).await?)
}

/// Changes a user. 409 when that would leave no admin.
#[utoipa::path(tag = "accounts", params(("id" = Uuid, Path)), request_body = UserPatch, security(("key" = [])), responses(
    (status = 200, description = "Changed", body = User),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[patch("/users/{id}")]
pub async fn patch_user(
    request: HttpRequest,
    Caller(actor, (id, body)): Caller<(PathId, JsonBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::Admin)?;
    Parameters::of(&request)?.finish()?;
    let mut members = Members::new(body.0)?;
    let changes = UserChanges {
        display_name: members.text("display_name"),
        role: members.parsed("role"),
        disabled: members.boolean("disabled"),
    };
    members.finish()?;
    json(StatusCode::OK, &pharos.change_user(id.0, changes).await?)
}

/// Deletes a user with all keys. 409 for the caller's own.
#[utoipa::path(tag = "accounts", params(("id" = Uuid, Path)), security(("key" = [])), responses(
    (status = 204, description = "Deleted"),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[delete("/users/{id}")]
pub async fn delete_user(
    request: HttpRequest,
    Caller(actor, id): Caller<PathId>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::Admin)?;
    Parameters::of(&request)?.finish()?;
    pharos.delete_user(&actor, id.0).await?;
    Ok(HttpResponse::NoContent().finish())
}
