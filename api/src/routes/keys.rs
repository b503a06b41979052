//! API keys. Everybody manages their own; an admin everybody's.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use service::accounts::{Actor, CreatedKey, Key, NewKey, Role, Scope};
use service::{Error, Pharos};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::Caller;
use crate::input::{JsonBody, Parameters, PathId};
use crate::lists::{ListParameters, list_schema, page_reply};
use crate::output::{conditional, located, tagged};
use crate::problem::Problem;

list_schema!(KeyList, Key, "A page of keys.");

/// A key to be created.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct NewKeyBody {
    /// What the key is for.
    #[schema(max_length = 200, pattern = "^[^\\u0000]*$")]
    name: Option<String>,
    /// The caller when absent; another user needs `admin`.
    user_id: Option<Uuid>,
    /// Narrows the user's role.
    role: Option<Role>,
    /// Narrows what the role may do.
    scopes: Option<Vec<Scope>>,
    /// In the future; never when absent.
    expires_at: Option<DateTime<Utc>>,
}

/// Lists keys, newest first unless asked otherwise: all for an admin, else the caller's own. Filters and sorts know `id`,
/// `user_id`, `name`, `prefix`, `role`, `expires_at`, `revoked_at`, `last_used_at` and `created_at`.
#[utoipa::path(tag = "accounts", params(ListParameters), security(("key" = [])), responses(
    (status = 200, description = "A page", body = KeyList, headers(("Link" = String))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/keys")]
pub async fn list_keys(
    request: HttpRequest,
    caller: Caller,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    caller.0.require_key_management()?;
    let mut parameters = Parameters::of(&request)?;
    let list = parameters.list(caller.0.viewer())?;
    parameters.finish()?;
    let user_id = if caller.0.may(Scope::Admin) {
        None
    } else {
        Some(caller.0.user_id)
    };
    page_reply(&request, pharos.list_keys(user_id, &list).await?)
}

/// Creates a key. The secret is in this reply only.
#[utoipa::path(tag = "accounts", request_body = NewKeyBody, security(("key" = [])), responses(
    (status = 201, description = "Created", body = CreatedKey, headers(("Location" = String), ("ETag" = String))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/keys")]
pub async fn create_key(
    request: HttpRequest,
    Caller(actor, body): Caller<JsonBody>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require_key_management()?;
    Parameters::of(&request)?.finish()?;
    let mut new = NewKey::from_json(body.0, actor.user_id)?;
    if !actor.may(Scope::Admin) {
        narrow_to_own(&mut new, &actor)?;
    }
    let created = pharos.create_key(new).await?;
    let mut response = tagged(StatusCode::CREATED, &created.key.tag(), &created)?;
    // It holds the secret.
    let unkept = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, unkept);
    let path = format!("/api/v1/keys/{}", created.key.id);
    Ok(located(response, &path))
}

/// A key never reaches further than the one that made it.
fn narrow_to_own(new: &mut NewKey, actor: &Actor) -> Result<(), Problem> {
    if new.user_id != actor.user_id {
        actor.require(Scope::Admin)?;
    }
    if let Some(own) = actor.expires_at {
        new.expires_at = Some(new.expires_at.map_or(own, |wanted| wanted.min(own)));
    }
    new.role = Some(new.role.map_or(actor.role, |role| role.min(actor.role)));
    Ok(())
}

/// Reads a key, without its secret.
#[utoipa::path(tag = "accounts", params(("id" = Uuid, Path)), security(("key" = [])), responses(
    (status = 200, description = "The key", body = Key, headers(("ETag" = String))),
    (status = 304, description = "Unchanged since the ETag in If-None-Match"),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/keys/{id}")]
pub async fn find_key(
    request: HttpRequest,
    Caller(actor, id): Caller<PathId>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    Parameters::of(&request)?.finish()?;
    let key = own_key(&actor, &pharos, id.0).await?;
    conditional(&request, key.tag(), &key)
}

/// Revokes a key for good. It stays in the list, refused.
#[utoipa::path(tag = "accounts", params(("id" = Uuid, Path)), security(("key" = [])), responses(
    (status = 200, description = "Revoked", body = Key, headers(("ETag" = String))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/keys/{id}/revoke")]
pub async fn revoke_key(
    request: HttpRequest,
    Caller(actor, id): Caller<PathId>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    Parameters::of(&request)?.finish()?;
    own_key(&actor, &pharos, id.0).await?;
    let key = pharos.revoke_key(id.0).await?;
    tagged(StatusCode::OK, &key.tag(), &key)
}

/// Somebody else's key is not there, unless the caller is an admin.
async fn own_key(actor: &Actor, pharos: &Pharos, id: Uuid) -> Result<Key, Problem> {
    actor.require_key_management()?;
    let key = pharos.find_key(id).await?;
    if key.user_id != actor.user_id && !actor.may(Scope::Admin) {
        return Err(Error::NotFound {
            kind: "key",
            id: id.to_string(),
        }
        .into());
    }
    Ok(key)
}
