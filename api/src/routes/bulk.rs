//! Many resources at once: a batch of lines in, an export out, a deletion by filter.

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, get, post};
use futures_util::StreamExt;
use serde::Serialize;
use service::accounts::Scope;
use service::idempotency::Attempt;
use service::library::{MOST_DELETED, Resource};
use service::{BodyReader, Pharos};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::batch::Batch;
use crate::body::{media_type, refuse_encoding};
use crate::caller::Caller;
use crate::csv;
use crate::input::{JsonBody, Parameters};
use crate::output::json;
use crate::problem::Problem;

const NDJSON: &str = "application/x-ndjson";

/// Media types in which lines of JSON are taken.
const LINES: [&str; 4] = [
    NDJSON,
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
];

/// A body of lines that is read while it comes.
pub struct Lines(Payload);

impl FromRequest for Lines {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let known = media_type(request).is_some_and(|found| LINES.contains(&found.as_str()));
        let taken = if known {
            refuse_encoding(request).map(|()| Self(payload.take()))
        } else {
            Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "send the lines as `Content-Type: application/x-ndjson`",
            ))
        };
        std::future::ready(taken)
    }
}

/// What became of one line of a batch.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of the lines that `batch` writes"
)]
pub struct LineResult {
    /// From 1; blank lines are counted, too.
    #[schema(minimum = 1)]
    line: u64,
    /// As `POST /resources` would have answered.
    #[schema(minimum = 200, maximum = 599)]
    status: u16,
    /// Of the new resource.
    #[schema(nullable = false)]
    id: Option<Uuid>,
    /// Of the error.
    #[schema(nullable = false)]
    code: Option<String>,
    #[schema(nullable = false)]
    detail: Option<String>,
    #[schema(nullable = false)]
    errors: Option<Vec<crate::problem::ProblemFault>>,
}

/// Creates a resource of each line, and answers each with a line. Lines are read and answered while they come; each
/// stands for itself. The reply is NDJSON of `LineResult`.
#[utoipa::path(tag = "resources", security(("key" = [])),
    request_body(content = String, content_type = "application/x-ndjson", description = "A JSON object a line, as `POST /resources` takes it; up to 2 MiB a line", example = "{\"title\": \"One\"}\n{\"title\": \"Two\"}\n"),
    responses(
    (status = 200, description = "A line for each line that was not blank, in their order", body = String, content_type = "application/x-ndjson", example = "{\"line\":1,\"status\":201,\"id\":\"01a1f8ec-4640-7efc-9229-ea9bac1f10c2\"}\n"),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/resources/batch")]
pub async fn create_resources(
    request: HttpRequest,
    Caller(actor, lines): Caller<Lines>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let attempt = request.extensions_mut().remove::<Attempt>();
    let batch = Batch::new(pharos, actor, lines.0, attempt);
    Ok(streamed(NDJSON).streaming(batch.results().await?))
}

/// What an export takes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the OpenAPI document only; Parameters reads the request"
)]
pub struct ExportParameters {
    /// As in lists; all resources when absent.
    #[param(max_length = 8_000)]
    filter: Option<String>,
    #[param(pattern = "^(ndjson|csv)$", default = "ndjson")]
    format: Option<String>,
}

/// Writes every resource that matches, in the order of ids, as they all were at one moment. NDJSON of `Resource`, or CSV
/// as the import takes it.
#[utoipa::path(tag = "resources", params(ExportParameters), security(("key" = [])), responses(
    (status = 200, description = "A line for each resource", content((String = "application/x-ndjson"), (String = "text/csv"))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/resources/export")]
pub async fn export_resources(
    request: HttpRequest,
    caller: Caller,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    let actor = caller.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let (filter, format) = (parameters.text("filter")?, parameters.text("format")?);
    parameters.finish()?;
    let is_csv = match format.as_deref() {
        None | Some("ndjson") => false,
        Some("csv") => true,
        Some(_) => {
            return Err(Problem::parameter(
                "format",
                "enum",
                "expected ndjson or csv",
            ));
        }
    };
    let batches = pharos
        .export(filter.as_deref(), Some(actor.viewer()))
        .await?;
    let write: fn(&[Resource]) -> Result<Bytes, Problem> = if is_csv { csv::rows } else { ndjson };
    let head = is_csv.then(csv::header).transpose()?;
    let rows = futures_util::stream::unfold(batches, move |mut batches| async move {
        let batch = batches.recv().await?;
        let bytes = batch.map_err(Problem::from).and_then(|batch| write(&batch));
        Some((bytes, batches))
    });
    let head = futures_util::stream::iter(head.map(Ok));
    let media_type = if is_csv {
        "text/csv; charset=utf-8; header=present"
    } else {
        NDJSON
    };
    Ok(streamed(media_type).streaming(head.chain(rows)))
}

fn streamed(media_type: &'static str) -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static(media_type)));
    response
}

fn ndjson(batch: &[Resource]) -> Result<Bytes, Problem> {
    let mut bytes = Vec::with_capacity(batch.len() * 1_024);
    for resource in batch {
        serde_json::to_writer(&mut bytes, resource)
            .map_err(|error| service::Error::Internal(error.to_string()))?;
        bytes.push(b'\n');
    }
    Ok(bytes.into())
}

/// Which resources are to be deleted.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that BodyReader reads"
)]
pub struct Deletion {
    /// As in lists.
    #[schema(
        min_length = 1,
        max_length = 8_000,
        format = "aip-160-filter",
        example = "identifier = \"draft:*\""
    )]
    filter: String,
    /// How many the filter finds; when it finds another number, nothing is deleted.
    #[schema(minimum = 0, maximum = 10_000)]
    expected_count: u64,
}

/// What was deleted.
#[derive(Serialize, ToSchema)]
pub struct Deleted {
    #[schema(minimum = 0, maximum = 10_000)]
    deleted: u64,
}

/// Deletes every resource that matches, with what hangs on them, when there are as many as expected: all or none. Else 409
/// `count_mismatch` with the real `count`.
#[utoipa::path(tag = "resources", request_body = Deletion, security(("key" = [])), responses(
    (status = 200, description = "Deleted", body = Deleted),
    (status = "4XX", description = "The request was refused: 409 when another number matches", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/resources/delete")]
pub async fn delete_resources(
    request: HttpRequest,
    Caller(actor, body): Caller<JsonBody>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let mut reader = BodyReader::new(body.0, "a deletion")?;
    let filter = reader.required_text("filter", usize::MAX);
    reader.require("expected_count", "the number of resources that match");
    let expected = reader.integer("expected_count", 0..=i64::from(MOST_DELETED));
    reader.finish(&["filter", "expected_count"], &[])?;
    let expected = expected.unwrap_or_default().unsigned_abs();
    let deleted = pharos.delete_resources(&actor, &filter, expected).await?;
    json(StatusCode::OK, &Deleted { deleted })
}
