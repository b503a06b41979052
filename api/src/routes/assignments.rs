//! Which resources belong to which nodes of the taxonomy, and the review of predictions.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use service::Pharos;
use service::accounts::Scope;
use service::taxonomy::{Assignment, NewAssignment, Prediction, ReviewStatus};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::caller::Caller;
use crate::input::{JsonBody, Parameters, PathId};
use crate::lists::{ListParameters, list_schema, page_reply};
use crate::output::{json, located};
use crate::paths::PathIds;
use crate::problem::Problem;

list_schema!(
    AssignmentList,
    Assignment,
    "A page of what a resource is assigned to."
);
list_schema!(
    PredictionList,
    Prediction,
    "A page of predictions that wait for review, or were rejected."
);

/// What a resource is to be assigned to.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct NewAssignmentBody {
    node_id: Uuid,
    /// Makes it a prediction, which waits for review: how sure it is, from 0 to 1. Absent or null for one by hand.
    #[schema(minimum = 0, maximum = 1)]
    confidence: Option<f64>,
}

/// Lists the nodes of a resource, by path unless asked otherwise. Filters and sorts know `node_id`, `path`, `label`,
/// `source`, `confidence` and `created_at`.
#[utoipa::path(tag = "taxonomy", params(("id" = Uuid, Path), ListParameters), security(("key" = [])), responses(
    (status = 200, description = "A page", body = AssignmentList, headers(("Link" = String, description = "The next page, `rel=\"next\"`"))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/resources/{id}/taxonomy")]
pub async fn list_resource_taxonomy(
    request: HttpRequest,
    Caller(actor, id): Caller<PathId>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let list = parameters.list(actor.viewer())?;
    parameters.finish()?;
    page_reply(&request, pharos.list_resource_taxonomy(id.0, &list).await?)
}

/// Assigns a resource to a node: by hand, or as a prediction that waits for review. 200 when it was there already; 409 for a
/// prediction that was rejected before.
#[utoipa::path(tag = "taxonomy", params(("id" = Uuid, Path)), request_body = NewAssignmentBody, security(("key" = [])), responses(
    (status = 200, description = "It was there already", body = Assignment),
    (status = 201, description = "Assigned or predicted", body = Assignment, headers(("Location" = String, description = "Where the nodes of the resource, or the prediction, can be read"))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/resources/{id}/taxonomy")]
pub async fn assign_taxonomy_node(
    request: HttpRequest,
    Caller(actor, (id, body)): Caller<(PathId, JsonBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let new = NewAssignment::from_json(body.0)?;
    let (assignment, is_new) = pharos.assign_taxonomy_node(id.0, new).await?;
    if !is_new {
        return json(StatusCode::OK, &assignment);
    }
    let path = match assignment.prediction_id {
        Some(id) => format!("/api/v1/taxonomy/review/{id}"),
        None => format!("/api/v1/resources/{}/taxonomy", id.0),
    };
    Ok(located(json(StatusCode::CREATED, &assignment)?, &path))
}

/// Takes a resource from a node. Both stay.
#[utoipa::path(tag = "taxonomy", params(("id" = Uuid, Path), ("node_id" = Uuid, Path)), security(("key" = [])), responses(
    (status = 204, description = "Taken away"),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[delete("/resources/{id}/taxonomy/{node_id}")]
pub async fn unassign_taxonomy_node(
    request: HttpRequest,
    Caller(actor, ids): Caller<PathIds>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    pharos.unassign_taxonomy_node(ids.0, ids.1).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Which predictions the review lists.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the OpenAPI document only; Parameters reads the request"
)]
struct ReviewParameters {
    /// `pending` (default) for those that wait for review, `rejected` for those that were rejected.
    #[param(inline)]
    status: Option<ReviewStatus>,
}

/// Lists the predictions that wait for review, or with `status=rejected` those that were rejected, surest first unless asked
/// otherwise. Filters and sorts know `id`, `path`, `confidence` and `created_at`, filters also `resource_id` and `node_id`.
#[utoipa::path(tag = "taxonomy", params(ReviewParameters, ListParameters), security(("key" = [])), responses(
    (status = 200, description = "A page", body = PredictionList, headers(("Link" = String, description = "The next page, `rel=\"next\"`"))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/taxonomy/review")]
pub async fn list_taxonomy_review(
    request: HttpRequest,
    caller: Caller,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    let actor = caller.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let status = parameters.parsed("status")?.unwrap_or_default();
    let list = parameters.list(actor.viewer())?;
    parameters.finish()?;
    let page = pharos.list_taxonomy_review(status, &list).await?;
    page_reply(&request, page)
}

/// Reads a prediction that waits for review or was rejected.
#[utoipa::path(tag = "taxonomy", params(("id" = Uuid, Path)), security(("key" = [])), responses(
    (status = 200, description = "The prediction", body = Prediction),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/taxonomy/review/{id}")]
pub async fn find_prediction(
    request: HttpRequest,
    Caller(actor, id): Caller<PathId>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryRead)?;
    Parameters::of(&request)?.finish()?;
    json(StatusCode::OK, &pharos.find_prediction(id.0).await?)
}

/// Accepts a prediction: the resource belongs to the node from now on.
#[utoipa::path(tag = "taxonomy", params(("id" = Uuid, Path)), security(("key" = [])), responses(
    (status = 200, description = "Accepted", body = Assignment),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/taxonomy/review/{id}/accept")]
pub async fn accept_prediction(
    request: HttpRequest,
    Caller(actor, id): Caller<PathId>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    json(StatusCode::OK, &pharos.accept_prediction(id.0).await?)
}

/// Rejects a prediction: it is not made again.
#[utoipa::path(tag = "taxonomy", params(("id" = Uuid, Path)), security(("key" = [])), responses(
    (status = 200, description = "Rejected", body = Assignment),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/taxonomy/review/{id}/reject")]
pub async fn reject_prediction(
    request: HttpRequest,
    Caller(actor, id): Caller<PathId>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    json(StatusCode::OK, &pharos.reject_prediction(id.0).await?)
}
