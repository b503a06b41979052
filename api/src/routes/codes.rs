//! Classification codes.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse, delete, get, patch, post};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use service::Pharos;
use service::accounts::Scope;
use service::codes::{ClassificationCode, CodeChanges, CodeImportReport, CodeList, NewCode};
use service::library::ImportFormat;
use utoipa::ToSchema;

use super::taxonomy::SubtreeCounts;
use crate::body::{media_type, read_body};
use crate::caller::Caller;
use crate::input::{IfMatch, JsonBody, Parameters};
use crate::lists::{ListParameters, list_schema, page_reply};
use crate::output::{json, located, versioned};
use crate::paths::PathCode;
use crate::problem::Problem;

list_schema!(
    ClassificationCodeList,
    ClassificationCode,
    "A page of classification codes."
);

/// A code to be created.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct NewClassificationCode {
    #[schema(
        max_length = 100,
        pattern = "^(?!import$)[^\\u0000-\\u0020/.\\u007f][^\\u0000-\\u0020/\\u007f]*$",
        example = "512.5"
    )]
    code: String,
    #[schema(
        max_length = 500,
        pattern = "^[^\\u0000]*[^\\s\\u0000\\u001c-\\u001f\\u0085][^\\u0000]*$",
        example = "Linear algebra"
    )]
    label: String,
    /// The code above; absent or null for the longest prefix that is listed.
    #[schema(
        max_length = 100,
        pattern = "^(?!import$)[^\\u0000-\\u0020/.\\u007f][^\\u0000-\\u0020/\\u007f]*$"
    )]
    parent_code: Option<String>,
}

/// What is to change about a code; absent stays.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct ClassificationCodePatch {
    #[schema(
        nullable = false,
        max_length = 500,
        pattern = "^[^\\u0000]*[^\\s\\u0000\\u001c-\\u001f\\u0085][^\\u0000]*$"
    )]
    label: Option<String>,
    /// The code above; null for the longest prefix that is listed.
    #[schema(
        max_length = 100,
        pattern = "^(?!import$)[^\\u0000-\\u0020/.\\u007f][^\\u0000-\\u0020/\\u007f]*$"
    )]
    parent_code: Option<String>,
}

/// Rows of codes under a header.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^code,label(,parent_code)?(\\r?\\n|$)")]
#[expect(dead_code, reason = "the OpenAPI document's view of a text")]
pub struct CodeTable(String);

/// Rows of codes as CSV or NDJSON.
pub struct CodeRows {
    format: ImportFormat,
    bytes: Vec<u8>,
}

impl FromRequest for CodeRows {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let format = match media_type(request).as_deref() {
            Some("text/csv") => Some(ImportFormat::Csv),
            Some("application/x-ndjson") => Some(ImportFormat::NdJson),
            _ => None,
        };
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let format = format.ok_or_else(|| {
                Problem::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "unsupported_media_type",
                    "send the rows as `Content-Type: text/csv` or `application/x-ndjson`",
                )
            })?;
            let bytes = read_body(&request, &mut payload).await?;
            Ok(Self { format, bytes })
        })
    }
}

/// Lists the codes of the classification in their order, unless asked otherwise. Filters and sorts know `code`, `label`,
/// `level`, `version`, `created_at` and `updated_at`, filters also `parent_code` and `parent_given`.
#[utoipa::path(tag = "classification", params(ListParameters, SubtreeCounts), security(("key" = [])), responses(
    (status = 200, description = "A page", body = ClassificationCodeList, headers(("Link" = String, description = "The next page, `rel=\"next\"`"))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/classification-codes")]
pub async fn list_classification_codes(
    request: HttpRequest,
    caller: Caller,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    let actor = caller.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let list = CodeList {
        list: parameters.list(actor.viewer())?,
        subtree_counts: parameters.flag("subtree_counts")?,
    };
    parameters.finish()?;
    page_reply(&request, pharos.list_classification_codes(&list).await?)
}

/// Creates a code. What lies beneath it by its prefix goes there. 404 when there is no such `parent_code`, 409 when the code
/// is there already.
#[utoipa::path(tag = "classification", request_body = NewClassificationCode, security(("key" = [])), responses(
    (status = 201, description = "Created", body = ClassificationCode, headers(("Location" = String), ("ETag" = String))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/classification-codes")]
pub async fn create_classification_code(
    request: HttpRequest,
    Caller(actor, body): Caller<JsonBody>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let code = pharos
        .create_classification_code(NewCode::from_json(body.0)?)
        .await?;
    let path = utf8_percent_encode(&code.code, NON_ALPHANUMERIC);
    Ok(located(
        versioned(StatusCode::CREATED, code.version, &code)?,
        &format!("/api/v1/classification-codes/{path}"),
    ))
}

/// Imports codes, all in one transaction and in whatever order they come, up to 50,000 rows: as NDJSON with the fields
/// `code`, `label` and perhaps `parent_code`, or as CSV with these columns. A code that is known gets the label of its row,
/// and its parent where the row has one. Rows that break a rule are refused alone.
#[utoipa::path(tag = "classification", request_body(content((String = "application/x-ndjson", example = json!("{\"code\": \"510\", \"label\": \"Mathematics\"}\n")), (CodeTable = "text/csv", example = json!("code,label\n510,Mathematics\n")))), security(("key" = [])), responses(
    (status = 200, description = "What was done", body = CodeImportReport),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/classification-codes/import")]
pub async fn import_classification_codes(
    request: HttpRequest,
    Caller(actor, rows): Caller<CodeRows>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let report = pharos
        .import_classification_codes(&rows.bytes, rows.format)
        .await?;
    json(StatusCode::OK, &report)
}

/// Reads a code. The `ETag` does not cover the counts, so a read is never answered 304.
#[utoipa::path(tag = "classification", params(("code" = String, Path), SubtreeCounts), security(("key" = [])), responses(
    (status = 200, description = "The code", body = ClassificationCode, headers(("ETag" = String))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/classification-codes/{code}")]
pub async fn find_classification_code(
    request: HttpRequest,
    Caller(actor, code): Caller<PathCode>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let subtree_counts = parameters.flag("subtree_counts")?;
    parameters.finish()?;
    let code = pharos
        .find_classification_code(&code.0, subtree_counts)
        .await?;
    versioned(StatusCode::OK, code.version, &code)
}

/// Changes label and parent by a merge patch (RFC 7396). 404 when there is no such `parent_code`, 409 when it lies beneath the
/// code. `If-Match` is needed.
#[utoipa::path(tag = "classification", params(("code" = String, Path), ("If-Match" = String, Header, description = "The ETag of the version that was read, or `*`")),
    request_body(content((ClassificationCodePatch = "application/merge-patch+json"))), security(("key" = [])), responses(
    (status = 200, description = "Changed", body = ClassificationCode, headers(("ETag" = String))),
    (status = "4XX", description = "The request was refused: 412 when the version is stale, 428 without If-Match", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[patch("/classification-codes/{code}")]
pub async fn patch_classification_code(
    request: HttpRequest,
    Caller(actor, (code, if_match, body)): Caller<(PathCode, IfMatch, JsonBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let changes = CodeChanges::from_json(body.0)?;
    let code = pharos
        .patch_classification_code(&code.0, if_match.0, changes)
        .await?;
    versioned(StatusCode::OK, code.version, &code)
}

/// Deletes a code. What was beneath it goes beneath what its prefixes say, and resources keep the code. `If-Match` is needed.
#[utoipa::path(tag = "classification", params(("code" = String, Path), ("If-Match" = String, Header, description = "The ETag of the version that was read, or `*`")), security(("key" = [])), responses(
    (status = 204, description = "Deleted"),
    (status = "4XX", description = "The request was refused: 412 when the version is stale, 428 without If-Match", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[delete("/classification-codes/{code}")]
pub async fn delete_classification_code(
    request: HttpRequest,
    Caller(actor, (code, if_match)): Caller<(PathCode, IfMatch)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    pharos
        .delete_classification_code(&code.0, if_match.0)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
