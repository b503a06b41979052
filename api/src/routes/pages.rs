//! What a browser sees.

use actix_web::http::header::{self, ContentType};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpResponse, get};

/// The search page.
#[get("/")]
pub async fn show_home() -> HttpResponse {
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

/// The OpenAPI document as it is served, made once.
pub struct DocumentText(pub Bytes);

#[get("/openapi.json")]
pub async fn show_document(text: Data<DocumentText>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(ContentType::json())
        .body(text.0.clone())
}
