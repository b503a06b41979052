//! Annotations: passages that readers mark in the text of a resource.

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use futures_util::stream;
use service::accounts::{Scope, Viewer};
use service::library::{
    Annotation, AnnotationExport, AnnotationFields, AnnotationRequest, ExportedAnnotation,
    MARKDOWN_HEAD, Sharing, TextField,
};
use service::lists::Page;
use service::{Error, Pharos};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::caller::Caller;
use crate::input::{ChangeBody, IfMatch, JsonBody, Parameters, PathId};
use crate::lists::{ListParameters, list_schema, page_reply};
use crate::output::{conditional, located, versioned};
use crate::problem::Problem;

list_schema!(AnnotationList, Annotation, "A page of annotations.");

/// What annotations are searched for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the OpenAPI document only; Parameters reads the request"
)]
pub struct WordParameters {
    /// Words that quote, note and tags together must have, in any order. Case, accents and endings do not count, as in the
    /// search.
    q: Option<String>,
}

/// What an export takes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the OpenAPI document only; Parameters reads the request"
)]
pub struct ExportParameters {
    #[param(inline)]
    format: Option<AnnotationExport>,
    /// As for the list.
    #[param(max_length = 8_000)]
    filter: Option<String>,
    /// As for the list.
    q: Option<String>,
}

/// An annotation to be made: a passage, given by its offsets in Unicode scalar values from 0.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct NewAnnotation {
    field: TextField,
    /// Where the passage begins.
    #[schema(minimum = 0, maximum = 1_000_000)]
    start: i64,
    /// Where it ends: the first character behind it; at most 10,000 behind the start.
    #[schema(minimum = 0, maximum = 1_000_000)]
    end: i64,
    /// The passage, when it is to be checked against the text.
    #[schema(max_length = 10_000, pattern = r"^[^\u0000]*$")]
    quote: Option<String>,
    #[schema(max_length = 10_000, pattern = r"^[^\u0000]*$")]
    note: Option<String>,
    #[schema(max_items = 50, schema_with = tags_schema)]
    tags: Option<Vec<String>>,
    #[schema(pattern = "^#[0-9A-Fa-f]{6}$", example = "#ffcc00")]
    colour: Option<String>,
    /// `private` when absent.
    visibility: Option<Sharing>,
}

/// What is to change about an annotation; absent stays, null removes.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the OpenAPI document's view of a body that the service reads"
)]
pub struct AnnotationPatch {
    #[schema(nullable = false)]
    field: Option<TextField>,
    #[schema(nullable = false, minimum = 0, maximum = 1_000_000)]
    start: Option<i64>,
    #[schema(nullable = false, minimum = 0, maximum = 1_000_000)]
    end: Option<i64>,
    #[schema(max_length = 10_000, pattern = r"^[^\u0000]*$")]
    quote: Option<String>,
    #[schema(max_length = 10_000, pattern = r"^[^\u0000]*$")]
    note: Option<String>,
    #[schema(schema_with = tags_schema)]
    tags: Option<Vec<String>>,
    #[schema(pattern = "^#[0-9A-Fa-f]{6}$")]
    colour: Option<String>,
    visibility: Option<Sharing>,
}

fn tags_schema() -> utoipa::openapi::schema::Array {
    use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type};

    let tag = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(100))
        .pattern(Some(r"^[^\u0000]*$"));
    ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(tag)
        .max_items(Some(50))
        .build()
}

fn asked(
    parameters: &mut Parameters,
    viewer: Viewer,
    resource_id: Option<Uuid>,
) -> Result<AnnotationRequest, Problem> {
    Ok(AnnotationRequest {
        list: parameters.list(viewer)?,
        q: parameters.text("q")?,
        resource_id,
    })
}

/// Lists the annotations of a resource that the caller may see: their own, and those that are shared.
#[utoipa::path(tag = "annotations", params(("id" = Uuid, Path), WordParameters, ListParameters), security(("key" = [])), responses(
    (status = 200, description = "A page", body = AnnotationList, headers(("Link" = String, description = "The next page, `rel=\"next\"`"))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/resources/{id}/annotations")]
pub async fn list_resource_annotations(
    request: HttpRequest,
    Caller(actor, id): Caller<PathId>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let list = asked(&mut parameters, actor.viewer(), Some(id.0))?;
    parameters.finish()?;
    page_reply(&request, pharos.list_annotations(&list).await?)
}

/// Marks a passage of a resource. 409 when the text has no such passage, or another one than the quote.
#[utoipa::path(tag = "annotations", params(("id" = Uuid, Path)), request_body = NewAnnotation, security(("key" = [])), responses(
    (status = 201, description = "Created", body = Annotation, headers(("Location" = String), ("ETag" = String))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[post("/resources/{id}/annotations")]
pub async fn create_annotation(
    request: HttpRequest,
    Caller(actor, (id, body)): Caller<(PathId, JsonBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let fields = AnnotationFields::from_json(body.0)?;
    let annotation = pharos.create_annotation(&actor, id.0, fields).await?;
    let response = versioned(StatusCode::CREATED, annotation.version, &annotation)?;
    Ok(located(
        response,
        &format!("/api/v1/annotations/{}", annotation.id),
    ))
}

/// Lists the annotations of all resources that the caller may see: their own, and those that are shared.
#[utoipa::path(tag = "annotations", params(WordParameters, ListParameters), security(("key" = [])), responses(
    (status = 200, description = "A page", body = AnnotationList, headers(("Link" = String, description = "The next page, `rel=\"next\"`"))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/annotations")]
pub async fn list_annotations(
    request: HttpRequest,
    caller: Caller,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    caller.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let list = asked(&mut parameters, caller.0.viewer(), None)?;
    parameters.finish()?;
    page_reply(&request, pharos.list_annotations(&list).await?)
}

/// Reads an annotation. 404 also for one that the caller may not see.
#[utoipa::path(tag = "annotations", params(("id" = Uuid, Path)), security(("key" = [])), responses(
    (status = 200, description = "The annotation", body = Annotation, headers(("ETag" = String))),
    (status = 304, description = "Unchanged since the version in If-None-Match"),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/annotations/{id}")]
pub async fn find_annotation(
    request: HttpRequest,
    Caller(actor, id): Caller<PathId>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryRead)?;
    Parameters::of(&request)?.finish()?;
    let annotation = pharos.find_annotation(actor.viewer(), id.0).await?;
    conditional(&request, annotation.version, &annotation)
}

/// Changes an annotation, by a merge patch or a JSON Patch. Another field, start or end, and a quote, are checked against
/// the text. `If-Match` is needed.
#[utoipa::path(tag = "annotations", params(("id" = Uuid, Path), ("If-Match" = String, Header, description = "The ETag of the version that was read, or `*`")),
    request_body(content((AnnotationPatch = "application/merge-patch+json"), (Vec<serde_json::Value> = "application/json-patch+json"))), security(("key" = [])), responses(
    (status = 200, description = "Changed", body = Annotation, headers(("ETag" = String))),
    (status = "4XX", description = "The request was refused: 412 when the version is stale, 428 without If-Match", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[patch("/annotations/{id}")]
pub async fn patch_annotation(
    request: HttpRequest,
    Caller(actor, (id, if_match, body)): Caller<(PathId, IfMatch, ChangeBody)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    let annotation = pharos
        .patch_annotation(&actor, id.0, if_match.0, body.0)
        .await?;
    versioned(StatusCode::OK, annotation.version, &annotation)
}

/// Deletes an annotation. `If-Match` is needed.
#[utoipa::path(tag = "annotations", params(("id" = Uuid, Path), ("If-Match" = String, Header, description = "The ETag of the version that was read, or `*`")), security(("key" = [])), responses(
    (status = 204, description = "Deleted"),
    (status = "4XX", description = "The request was refused: 412 when the version is stale, 428 without If-Match", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[delete("/annotations/{id}")]
pub async fn delete_annotation(
    request: HttpRequest,
    Caller(actor, (id, if_match)): Caller<(PathId, IfMatch)>,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    actor.require(Scope::LibraryWrite)?;
    Parameters::of(&request)?.finish()?;
    pharos.delete_annotation(&actor, id.0, if_match.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Exports the annotations that the caller may see, by resource, field and place.
#[utoipa::path(tag = "annotations", params(ExportParameters), security(("key" = [])), responses(
    (status = 200, description = "All of them", content((Vec<ExportedAnnotation> = "application/json"), (String = "text/markdown"))),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/annotations/export")]
pub async fn export_annotations(
    request: HttpRequest,
    caller: Caller,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    caller.require(Scope::LibraryRead)?;
    let mut parameters = Parameters::of(&request)?;
    let format: AnnotationExport = parameters.parsed("format")?.unwrap_or_default();
    let mut asked = AnnotationRequest {
        q: parameters.text("q")?,
        ..AnnotationRequest::default()
    };
    asked.list.filter = parameters.text("filter")?;
    asked.list.viewer = Some(caller.0.viewer());
    parameters.finish()?;
    // The first piece is read before the reply begins, so that what is wrong can still be told.
    let first = pharos.export_annotations(&asked, None).await?;
    let (kind, name) = match format {
        AnnotationExport::Json => ("application/json", "annotations.json"),
        AnnotationExport::Markdown => ("text/markdown; charset=utf-8", "annotations.md"),
    };
    let export = Export {
        pharos,
        asked,
        format,
        next: Some(first),
        before: None,
        is_begun: false,
    };
    let pieces = stream::try_unfold(export, |mut export| async move {
        let piece = export.piece().await?;
        Ok::<_, actix_web::Error>(piece.map(|piece| (piece, export)))
    });
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, kind))
        .insert_header((
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ))
        .streaming(pieces))
}

/// An export on its way, a page in memory.
struct Export {
    pharos: Data<Pharos>,
    asked: AnnotationRequest,
    format: AnnotationExport,
    next: Option<Page<ExportedAnnotation>>,
    /// The resource that the last annotation was about.
    before: Option<Uuid>,
    is_begun: bool,
}

impl Export {
    async fn piece(&mut self) -> Result<Option<Bytes>, Problem> {
        let Some(page) = self.next.take() else {
            return Ok(None);
        };
        let mut text = String::new();
        if !self.is_begun {
            text.push_str(match self.format {
                AnnotationExport::Json => "[",
                AnnotationExport::Markdown => MARKDOWN_HEAD,
            });
        }
        for item in &page.items {
            match self.format {
                AnnotationExport::Json => {
                    if self.before.is_some() {
                        text.push(',');
                    }
                    let json = serde_json::to_string(item);
                    text.push_str(&json.map_err(|error| Error::Internal(error.to_string()))?);
                }
                AnnotationExport::Markdown => text.push_str(&item.to_markdown(self.before)),
            }
            self.before = Some(item.annotation.resource_id);
        }
        self.is_begun = true;
        match page.next_cursor {
            Some(cursor) => {
                let next = self.pharos.export_annotations(&self.asked, Some(cursor));
                self.next = Some(next.await?);
            }
            None if matches!(self.format, AnnotationExport::Json) => text.push(']'),
            None => {}
        }
        Ok(Some(text.into()))
    }
}
