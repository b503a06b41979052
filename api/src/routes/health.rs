//! Is the server there, and can it work?

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use service::Pharos;

use crate::problem::Problem;

/// Answers as long as the process runs; asks nothing of the database.
#[utoipa::path(tag = "operations", responses((status = 200, description = "The process runs", content_type = "text/plain", body = String)))]
#[get("/livez")]
pub async fn check_liveness() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .body("ok\n")
}

/// Answers 200 when the database answers, its schema is up to date and there is a connection to use; within a second.
#[utoipa::path(tag = "operations", responses(
    (status = 200, description = "Ready", content_type = "text/plain", body = String),
    (status = 503, description = "Not ready; `errors` says what is wrong: `database`, `migrations` or `pool`", body = Problem, content_type = "application/problem+json"),
))]
#[get("/readyz")]
pub async fn check_readiness(pharos: Data<Pharos>) -> Result<HttpResponse, Problem> {
    pharos.check_readiness().await.map_err(Problem::not_ready)?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .body("ready\n"))
}
