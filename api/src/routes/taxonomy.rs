//! The taxonomy: its nodes, and the resources at them.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use service::accounts::Scope;
use service::taxonomy::{NewNode, NodeChanges, NodeList, TaxonomyNode};
use service::{BodyReader, Pharos};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::resources::ResourceList;
use crate::caller::Caller;
use crate::input::{IfMatch, JsonBody, Parameters, PathId};
use crate::lists::{ListParameters, list_schema, page_reply};
use crate::output::{located, versioned};
use crate::problem::Problem;

list_schema!(TaxonomyNodeList, TaxonomyNode, "A page of taxonomy nodes.");

/// A node to be created.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct NewTaxonomyNode {
    #[schema(
        max_length = 500,
        pattern = "^[^\\u0000]*[^\\s\\u0000\\u001c-\\u001f\\u0085][^\\u0000]*$",
        example = "Computer science"
    )]
    label: String,
    /// Names the node among its siblings, in lower case; what the label gives when absent.
    #[schema(
        max_length = 100,
        pattern = "^[^\\u0000-\\u0020/\\u007f]+$",
        example = "computer-science"
    )]
    slug: Option<String>,
    /// The node above; absent or null at the top.
    parent_id: Option<Uuid>,
}

/// What is to change about a node; absent stays.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct TaxonomyNodePatch {
    #[schema(
        nullable = false,
        max_length = 500,
        pattern = "^[^\\u0000]*[^\\s\\u0000\\u001c-\\u001f\\u0085][^\\u0000]*$"
    )]
    label: Option<String>,
    #[schema(
        nullable = false,
        max_length = 100,
        pattern = "^[^\\u0000-\\u0020/\\u007f]+$"
    )]
    slug: Option<String>,
}

/// Where a node is to be moved.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that BodyReader reads"
)]
pub struct TaxonomyMove {
    /// The node above; null for the top.
    #[schema(required)]
    parent_id: Option<Uuid>,
}

/// Into which one something is to be merged.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that merge_target reads"
)]
pub struct Merge {
    /// The one that stays.
    into_id: Uuid,
}

/// Whether what lies beneath is counted, too.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the OpenAPI document only; Parameters reads the request"
)]
pub struct SubtreeCounts {
    /// Adds `subtree_count` to each item: it takes as long as there are resources beneath.
    #[param(default = false)]
    subtree_counts: Option<bool>,
}

/// Whether what lies beneath counts.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the OpenAPI document only; Parameters reads the request"
)]
pub struct Descendants {
    /// Whether resources at nodes beneath it are listed, too.
    #[param(default = true)]
    descendants: Option<bool>,
}

/// Whether what lies beneath goes, too.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the OpenAPI document only; Parameters reads the request"
)]
pub struct Recursive {
    /// Whether the nodes beneath it are deleted, too; without, a node with others beneath it is kept.
    #[param(default = false)]
    recursive: Option<bool>,
}

/// Reads the body of a merge.
pub(super) fn merge_target(body: JsonBody) -> Result<Uuid, Problem> {
    let mut reader = BodyReader::new(body.0, "a merge")?;
    let into = reader.required_id("into_id");
    reader.finish(&["into_id"], &[])?;
    Ok(into)
}

/// Lists the nodes of the taxonomy, by path unless asked otherwise. Filters and sorts know `id`, `slug`, `label`, `path`,
/// `level`, `resource_count`, `version`, `created_at` and `updated_at`, filters also `parent_id`.
#[utoipa::path(tag = "taxonomy", params(ListParameters, SubtreeCounts), security(("key" = [])), responses(
    (status = 200, description = "A page", body = TaxonomyNodeList, headers(("Link" = String, description = "The next page, `rel=\"next\"`"))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/taxonomy")]
pub async fn list_taxonomy(
    request: HttpRequest,
    caller: Caller,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    let actor = caller.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let list = NodeList {
        list: parameters.list(actor.viewer())?,
        subtree_counts: parameters.flag("subtree_counts")?,
    };
    parameters.finish()?;
    page_reply(&request, pharos.list_taxonomy(&list).await?)
}

/// Creates a node. 409 when a sibling has the slug, or the tree would become too deep.
#[utoipa::path(tag = "taxonomy", request_body = NewTaxonomyNode, security(("key" = [])), responses(
    (status = 201, description = "Created", body = TaxonomyNode, headers(("Location" = String), ("ETag" = String))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/taxonomy")]
pub async fn create_taxonomy_node(
    request: HttpRequest,
    Caller(actor, body): Caller<JsonBody>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let node = pharos
        .create_taxonomy_node(NewNode::from_json(body.0)?)
        .await?;
    Ok(located(
        versioned(StatusCode::CREATED, node.version, &node)?,
        &format!("/api/v1/taxonomy/{}", node.id),
    ))
}

/// Reads a node. The `ETag` does not cover the counts, so a read is never answered 304.
#[utoipa::path(tag = "taxonomy", params(("id" = Uuid, Path), SubtreeCounts), security(("key" = [])), responses(
    (status = 200, description = "The node", body = TaxonomyNode, headers(("ETag" = String))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/taxonomy/{id}")]
pub async fn find_taxonomy_node(
    request: HttpRequest,
    Caller(actor, id): Caller<PathId>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let subtree_counts = parameters.flag("subtree_counts")?;
    parameters.finish()?;
    let node = pharos.find_taxonomy_node(id.0, subtree_counts).await?;
    versioned(StatusCode::OK, node.version, &node)
}

/// Changes label and slug by a merge patch (RFC 7396); the paths of what is beneath follow. 409 when a sibling has the slug.
/// `If-Match` is needed.
#[utoipa::path(tag = "taxonomy", params(("id" = Uuid, Path), ("If-Match" = String, Header, description = "The ETag of the version that was read, or `*`")),
    request_body(content((TaxonomyNodePatch = "application/merge-patch+json"))), security(("key" = [])), responses(
    (status = 200, description = "Changed", body = TaxonomyNode, headers(("ETag" = String))),
    (status = "4XX", description = "The request was refused: 412 when the version is stale, 428 without If-Match", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[patch("/taxonomy/{id}")]
pub async fn patch_taxonomy_node(
    request: HttpRequest,
    Caller(actor, (id, if_match, body)): Caller<(PathId, IfMatch, JsonBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let changes = NodeChanges::from_json(body.0)?;
    let node = pharos
        .patch_taxonomy_node(id.0, if_match.0, changes)
        .await?;
    versioned(StatusCode::OK, node.version, &node)
}

/// Deletes a node with its assignments, no resource. 409 when there are nodes beneath it, unless `recursive=true`.
/// `If-Match` is needed.
#[utoipa::path(tag = "taxonomy", params(("id" = Uuid, Path), ("If-Match" = String, Header, description = "The ETag of the version that was read, or `*`"), Recursive), security(("key" = [])), responses(
    (status = 204, description = "Deleted"),
    (status = "4XX", description = "The request was refused: 412 when the version is stale, 428 without If-Match", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[delete("/taxonomy/{id}")]
pub async fn delete_taxonomy_node(
    request: HttpRequest,
    Caller(actor, (id, if_match)): Caller<(PathId, IfMatch)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    let mut parameters = Parameters::of(&request)?;
    let recursive = parameters.flag("recursive")?;
    parameters.finish()?;
    pharos
        .delete_taxonomy_node(id.0, if_match.0, recursive)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Moves a node, with everything beneath it, beneath another one or to the top. 409 when that would be a circle, when the
/// slug is taken there, or when the tree would become too deep.
#[utoipa::path(tag = "taxonomy", params(("id" = Uuid, Path)), request_body = TaxonomyMove, security(("key" = [])), responses(
    (status = 200, description = "Moved", body = TaxonomyNode, headers(("ETag" = String))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/taxonomy/{id}/move")]
pub async fn move_taxonomy_node(
    request: HttpRequest,
    Caller(actor, (id, body)): Caller<(PathId, JsonBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let mut reader = BodyReader::new(body.0, "a move")?;
    if !reader.has("parent_id") {
        reader.fault("parent_id", "required", "an id (UUID) or null is needed");
    }
    let parent_id = reader.id("parent_id");
    reader.finish(&["parent_id"], &[])?;
    let node = pharos.move_taxonomy_node(id.0, parent_id).await?;
    versioned(StatusCode::OK, node.version, &node)
}

/// Merges a node into another one: what is beneath it and its assignments go over, and it is gone. 409 when that would be a
/// circle, or when both have nodes of the same slug beneath them. Answers the node that stays.
#[utoipa::path(tag = "taxonomy", params(("id" = Uuid, Path)), request_body = Merge, security(("key" = [])), responses(
    (status = 200, description = "Merged", body = TaxonomyNode, headers(("ETag" = String))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/taxonomy/{id}/merge")]
pub async fn merge_taxonomy_node(
    request: HttpRequest,
    Caller(actor, (id, body)): Caller<(PathId, JsonBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let into = merge_target(body)?;
    let node = pharos.merge_taxonomy_nodes(id.0, into).await?;
    versioned(StatusCode::OK, node.version, &node)
}

/// Lists the resources at a node or beneath it, with the filters and sorts of resources.
#[utoipa::path(tag = "taxonomy", params(("id" = Uuid, Path), ListParameters, Descendants), security(("key" = [])), responses(
    (status = 200, description = "A page", body = ResourceList, headers(("Link" = String, description = "The next page, `rel=\"next\"`"))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/taxonomy/{id}/resources")]
pub async fn list_taxonomy_resources(
    request: HttpRequest,
    Caller(actor, id): Caller<PathId>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let list = parameters.list(actor.viewer())?;
    let beneath = parameters.flag_or("descendants", true)?;
    parameters.finish()?;
    let page = pharos.list_taxonomy_resources(id.0, beneath, &list).await?;
    page_reply(&request, page)
}
