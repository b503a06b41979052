//! What a browser sees.

use std::sync::OnceLock;

use actix_web::http::header::{self, ContentType};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpResponse, get};
use service::{Error, Pharos};

use crate::app::openapi_document;
use crate::problem::Problem;

/// The search page.
#[get("/")]
pub async fn show_home(pharos: Data<Pharos>) -> HttpResponse {
    pharos.expect_typing();
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"))
        .body(include_str!("../pages/home.html"))
}

/// `/docs` is a folder.
#[get("/docs")]
pub async fn redirect_docs() -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header((header::LOCATION, "/docs/"))
        .finish()
}

/// The OpenAPI document as it is served, made when it is first asked for.
#[derive(Default)]
pub struct DocumentText(OnceLock<Bytes>);

#[get("/openapi.json")]
pub async fn show_document(document: Data<DocumentText>) -> Result<HttpResponse, Problem> {
    let text = match document.0.get() {
        Some(text) => text,
        None => {
            let text = serde_json::to_vec(&openapi_document())
                .map_err(|error| Error::Internal(error.to_string()))?;
            document.0.get_or_init(|| text.into())
        }
    };
    Ok(HttpResponse::Ok()
        .insert_header(ContentType::json())
        .body(text.clone()))
}
