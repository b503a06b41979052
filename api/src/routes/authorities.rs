//! Authority files: canonical names of subjects, creators and publishers.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use service::Pharos;
use service::accounts::Scope;
use service::authorities::{
    Authority, AuthorityChanges, AuthorityList, LONGEST_NAME, NewAuthority,
};
use utoipa::{IntoParams, ToSchema};

use super::taxonomy::{Merge, merge_target};
use crate::caller::Caller;
use crate::input::{IfMatch, JsonBody, Parameters, PathId};
use crate::lists::{ListParameters, list_schema, page_reply};
use crate::output::{located, versioned};
use crate::paths::PathFile;
use crate::problem::Problem;

list_schema!(
    AuthorityPage,
    Authority,
    "A page of the entries of an authority file."
);

/// Which authority file.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a path that PathFile reads"
)]
pub enum AuthorityFileName {
    Subjects,
    Creators,
    Publishers,
}

/// An authority to be created.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct NewAuthorityBody {
    /// The canonical form.
    #[schema(
        max_length = 500,
        pattern = "^[^\\u0000]*[^\\s\\u0000\\u001c-\\u001f\\u0085][^\\u0000]*$",
        example = "Knuth, Donald E."
    )]
    name: String,
    /// What is written instead of it. Forms that differ in case, accents or spacing alone are found anyway and left out.
    #[schema(max_items = 1_000, value_type = Option<Vec<NameForm>>, example = json!(["Donald Knuth", "D. E. Knuth"]))]
    variants: Option<Vec<String>>,
}

/// A form of a name.
#[derive(ToSchema)]
#[schema(value_type = String, max_length = 500, pattern = "^[^\\u0000]*[^\\s\\u0000\\u001c-\\u001f\\u0085][^\\u0000]*$")]
#[expect(dead_code, reason = "the OpenAPI document's view of a text")]
pub struct NameForm(String);

/// What is to change about an authority; absent stays.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct AuthorityPatch {
    /// The old name becomes a variant.
    #[schema(
        nullable = false,
        max_length = 500,
        pattern = "^[^\\u0000]*[^\\s\\u0000\\u001c-\\u001f\\u0085][^\\u0000]*$"
    )]
    name: Option<String>,
    /// All of them; null for none.
    #[schema(max_items = 1_000, value_type = Option<Vec<NameForm>>)]
    variants: Option<Vec<String>>,
}

/// Completion.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the OpenAPI document only; Parameters reads the request"
)]
pub struct PrefixParameter {
    /// Only those of which the name or a variant begins so; case, accents and spacing do not count.
    #[param(max_length = 500)]
    prefix: Option<String>,
}

/// Lists the entries of an authority file by name, unless asked otherwise, or completes what was typed so far. Filters and
/// sorts know `id`, `name`, `version`, `created_at` and `updated_at`.
#[utoipa::path(tag = "authorities", params(("file" = inline(AuthorityFileName), Path), ListParameters, PrefixParameter), security(("key" = [])), responses(
    (status = 200, description = "A page", body = AuthorityPage, headers(("Link" = String, description = "The next page, `rel=\"next\"`"))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/authorities/{file}")]
pub async fn list_authorities(
    request: HttpRequest,
    Caller(actor, file): Caller<PathFile>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let list = AuthorityList {
        list: parameters.list(actor.viewer())?,
        prefix: parameters.text("prefix")?,
    };
    if list
        .prefix
        .iter()
        .any(|text| text.chars().count() > LONGEST_NAME)
    {
        let detail = format!("at most {LONGEST_NAME} characters are allowed");
        return Err(Problem::parameter("prefix", "too_long", detail));
    }
    parameters.finish()?;
    page_reply(&request, pharos.list_authorities(file.0, &list).await?)
}

/// Creates an authority. Resources that have another form of the name get this one before the reply comes. 409 when one of
/// the forms belongs to another authority of the file.
#[utoipa::path(tag = "authorities", params(("file" = inline(AuthorityFileName), Path)), request_body = NewAuthorityBody, security(("key" = [])), responses(
    (status = 201, description = "Created", body = Authority, headers(("Location" = String), ("ETag" = String))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/authorities/{file}")]
pub async fn create_authority(
    request: HttpRequest,
    Caller(actor, (file, body)): Caller<(PathFile, JsonBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let new = NewAuthority::from_json(body.0)?;
    let authority = pharos.create_authority(file.0, new).await?;
    Ok(located(
        versioned(StatusCode::CREATED, authority.version, &authority)?,
        &format!("/api/v1/authorities/{}/{}", file.0.as_str(), authority.id),
    ))
}

/// Reads an authority. The `ETag` does not cover the count, so a read is never answered 304.
#[utoipa::path(tag = "authorities", params(("file" = inline(AuthorityFileName), Path), ("id" = Uuid, Path)), security(("key" = [])), responses(
    (status = 200, description = "The authority", body = Authority, headers(("ETag" = String))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/authorities/{file}/{id}")]
pub async fn find_authority(
    request: HttpRequest,
    Caller(actor, (file, id)): Caller<(PathFile, PathId)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryRead)?;
    Parameters::of(&request)?.finish()?;
    let authority = pharos.find_authority(file.0, id.0).await?;
    versioned(StatusCode::OK, authority.version, &authority)
}

/// Changes name and variants by a merge patch (RFC 7396). The old name becomes a variant, and resources are rewritten before
/// the reply comes. 409 when a form belongs to another authority of the file. `If-Match` is needed.
#[utoipa::path(tag = "authorities", params(("file" = inline(AuthorityFileName), Path), ("id" = Uuid, Path), ("If-Match" = String, Header, description = "The ETag of the version that was read, or `*`")),
    request_body(content((AuthorityPatch = "application/merge-patch+json"))), security(("key" = [])), responses(
    (status = 200, description = "Changed", body = Authority, headers(("ETag" = String))),
    (status = "4XX", description = "The request was refused: 412 when the version is stale, 428 without If-Match", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[patch("/authorities/{file}/{id}")]
pub async fn patch_authority(
    request: HttpRequest,
    Caller(actor, (file, id, if_match, body)): Caller<(PathFile, PathId, IfMatch, JsonBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let changes = AuthorityChanges::from_json(body.0)?;
    let authority = pharos
        .patch_authority(file.0, id.0, if_match.0, changes)
        .await?;
    versioned(StatusCode::OK, authority.version, &authority)
}

/// Deletes an authority. Resources keep the names that they have. `If-Match` is needed.
#[utoipa::path(tag = "authorities", params(("file" = inline(AuthorityFileName), Path), ("id" = Uuid, Path), ("If-Match" = String, Header, description = "The ETag of the version that was read, or `*`")), security(("key" = [])), responses(
    (status = 204, description = "Deleted"),
    (status = "4XX", description = "The request was refused: 412 when the version is stale, 428 without If-Match", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[delete("/authorities/{file}/{id}")]
pub async fn delete_authority(
    request: HttpRequest,
    Caller(actor, (file, id, if_match)): Caller<(PathFile, PathId, IfMatch)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    pharos.delete_authority(file.0, id.0, if_match.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Merges an authority into another one of the file: its name and variants become variants of that one, and it is gone.
/// Resources are rewritten before the reply comes, which has the one that stays.
#[utoipa::path(tag = "authorities", params(("file" = inline(AuthorityFileName), Path), ("id" = Uuid, Path)), request_body = Merge, security(("key" = [])), responses(
    (status = 200, description = "Merged", body = Authority, headers(("ETag" = String))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/authorities/{file}/{id}/merge")]
pub async fn merge_authority(
    request: HttpRequest,
    Caller(actor, (file, id, body)): Caller<(PathFile, PathId, JsonBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let into = merge_target(body)?;
    let authority = pharos.merge_authorities(file.0, id.0, into).await?;
    versioned(StatusCode::OK, authority.version, &authority)
}
