//! What a browser sees.

use actix_web::http::header;
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
