//! Resources: what the library holds.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use service::Pharos;
use service::accounts::Scope;
use service::library::{Resource, ResourceFields};
use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::caller::Caller;
use crate::input::{ChangeBody, IfMatch, JsonBody, Parameters, PathId};
use crate::lists::{ResourceListParameters, list_schema, page_reply};
use crate::output::{conditional, located, versioned};
use crate::problem::Problem;

list_schema!(ResourceList, Resource, "A page of resources.");

/// The fields of a new resource: as in a reply, without those that the server sets. Only the title is needed.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct NewResource {
    /// At least one of its characters is visible.
    #[schema(
        min_length = 1,
        max_length = 4_000,
        pattern = "^[^\\u0000]*[^\\s\\u0000\\u001c-\\u001f\\u0085][^\\u0000]*$"
    )]
    title: String,
    #[schema(max_length = 1_000_000, pattern = "^[^\\u0000]*$")]
    description: Option<String>,
    #[schema(max_length = 4_000, pattern = "^[^\\u0000]*$")]
    creator: Option<String>,
    #[schema(max_length = 4_000, pattern = "^[^\\u0000]*$")]
    publisher: Option<String>,
    #[schema(max_length = 4_000, pattern = "^[^\\u0000]*$")]
    contributor: Option<String>,
    /// A year (negative before the common era), a month, a day, or an RFC 3339 time.
    #[schema(schema_with = date)]
    date: Option<String>,
    #[schema(max_length = 4_000, pattern = "^[^\\u0000]*$")]
    r#type: Option<String>,
    #[schema(max_length = 4_000, pattern = "^[^\\u0000]*$")]
    format: Option<String>,
    #[schema(max_length = 4_000, pattern = "^[^\\u0000]*$")]
    identifier: Option<String>,
    #[schema(max_length = 4_000, pattern = "^[^\\u0000]*$")]
    source: Option<String>,
    /// A language tag of ASCII letters, digits and hyphens.
    #[schema(
        max_length = 35,
        pattern = "^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$",
        example = "en-US"
    )]
    language: Option<String>,
    #[schema(max_items = 1_000)]
    relation: Option<Vec<Entry>>,
    #[schema(max_length = 4_000, pattern = "^[^\\u0000]*$")]
    coverage: Option<String>,
    #[schema(max_length = 4_000, pattern = "^[^\\u0000]*$")]
    rights: Option<String>,
    #[schema(max_items = 1_000)]
    subject: Option<Vec<Entry>>,
    #[schema(max_length = 4_000, pattern = "^[^\\u0000]*$")]
    classification_code: Option<String>,
    read_status: Option<service::library::ReadStatus>,
    #[schema(minimum = 0, maximum = 100)]
    quality_score: Option<f64>,
    /// Anything else: an object of up to 262,144 bytes of JSON, nested up to 64 deep.
    metadata: Option<Metadata>,
}

/// Any JSON object.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the OpenAPI document's view of free JSON")]
pub struct Metadata(std::collections::BTreeMap<String, serde_json::Value>);

/// An entry of a list of texts.
#[derive(ToSchema)]
#[schema(value_type = String, max_length = 4_000, pattern = "^[^\\u0000]*$")]
#[expect(dead_code, reason = "the OpenAPI document's view of a text")]
pub struct Entry(String);

fn date() -> Schema {
    let years = text().pattern(Some("^-?[0-9]{1,4}$"));
    let months = text().pattern(Some("^[0-9]{4}-(0[1-9]|1[0-2])$"));
    let days = text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)));
    let times = text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    let any = AnyOfBuilder::new()
        .item(years)
        .item(months)
        .item(days)
        .item(times)
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .examples([serde_json::json!("1998-09-04")]);
    Schema::AnyOf(any.build())
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// What is to change about a resource: as [`NewResource`], and nothing is needed.
pub struct ResourcePatch;

impl PartialSchema for ResourcePatch {
    fn schema() -> RefOr<Schema> {
        let mut schema = NewResource::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.required.clear();
            object.description = Some(
                "What is to change about a resource: null removes, what is absent stays."
                    .to_owned(),
            );
        }
        schema
    }
}

impl ToSchema for ResourcePatch {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        NewResource::schemas(schemas);
    }
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
    request_body(content((ResourcePatch = "application/merge-patch+json"), (Vec<serde_json::Value> = "application/json-patch+json"))), security(("key" = [])), responses(
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
