//! Figures for whoever runs the server.

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse, get};
use serde::Serialize;
use service::Pharos;
use service::accounts::Scope;
use service::database::{DatabaseReport, SlowStatementReport};
use utoipa::{IntoParams, ToSchema};

use crate::caller::Caller;
use crate::input::Parameters;
use crate::metrics::Metrics;
use crate::output::json;
use crate::problem::Problem;

/// How many slow statements are shown when nobody says how many, and at most.
const SLOW_STATEMENTS: (u64, u64) = (25, 200);

/// Headers that a proxy adds: what comes with one does not come from this machine.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// All figures in Prometheus' text format. Open to requests from this machine that have no `Authorization` and came
/// through no proxy; any other needs a key with the scope `admin`.
#[utoipa::path(tag = "operations", responses(
    (status = 200, description = "Text format 0.0.4", content_type = "text/plain", body = String),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/metrics")]
pub async fn show_metrics(
    request: HttpRequest,
    pharos: Data<Pharos>,
    metrics: Data<Metrics>,
) -> Result<HttpResponse, actix_web::Error> {
    if !is_from_here(&request) {
        let caller = Caller::<()>::extract(&request).await?;
        caller.require(Scope::Admin)?;
    }
    Parameters::of(&request)?.finish()?;
    Ok(HttpResponse::Ok()
        .insert_header((
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        ))
        .body(metrics.render(pharos.database())))
}

fn is_from_here(request: &HttpRequest) -> bool {
    let headers = request.headers();
    request
        .peer_addr()
        .is_some_and(|peer| peer.ip().to_canonical().is_loopback())
        && !headers.contains_key(header::AUTHORIZATION)
        && !FORWARDED.iter().any(|name| headers.contains_key(*name))
}

/// Tells how the database is and how it is used: connections, waits, statements by operation, slow statements with
/// their plans, and what the database's own statistics say.
#[utoipa::path(tag = "operations", security(("key" = [])), responses(
    (status = 200, description = "The report", body = DatabaseReport),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/monitoring/database")]
pub async fn monitor_database(
    request: HttpRequest,
    caller: Caller,
    pharos: Data<Pharos>,
    metrics: Data<Metrics>,
) -> Result<HttpResponse, Problem> {
    caller.require(Scope::Admin)?;
    Parameters::of(&request)?.finish()?;
    let report = pharos.database().report(metrics.routes()).await;
    json(StatusCode::OK, &report.map_err(service::Error::from)?)
}

/// What the list of slow statements takes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the OpenAPI document only; Parameters reads the request"
)]
pub struct SlowQueryParameters {
    /// How many.
    #[param(minimum = 1, maximum = 200, default = 25)]
    limit: Option<u64>,
}

/// Statements that were slow since the start, at most 200 are remembered.
#[derive(Serialize, ToSchema)]
pub struct SlowStatementList {
    /// From when on a statement is slow: `SLOW_QUERY_THRESHOLD`.
    threshold_seconds: f64,
    /// Those that took longest together come first; the first 25 have their plan.
    items: Vec<SlowStatementReport>,
}

/// Lists the statements that were slow.
#[utoipa::path(tag = "operations", params(SlowQueryParameters), security(("key" = [])), responses(
    (status = 200, description = "The statements", body = SlowStatementList),
    (status = "4XX", description = "The request was refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "The server failed", body = Problem, content_type = "application/problem+json"),
))]
#[get("/monitoring/slow-queries")]
pub async fn list_slow_queries(
    request: HttpRequest,
    caller: Caller,
    pharos: Data<Pharos>,
) -> Result<HttpResponse, Problem> {
    caller.require(Scope::Admin)?;
    let mut parameters = Parameters::of(&request)?;
    let limit = parameters.number("limit")?.unwrap_or(SLOW_STATEMENTS.0);
    parameters.finish()?;
    if !(1..=SLOW_STATEMENTS.1).contains(&limit) {
        return Err(Problem::parameter(
            "limit",
            "out_of_range",
            format!(
                "expected a number from 1 to {}, found {limit}",
                SLOW_STATEMENTS.1
            ),
        ));
    }
    let database = pharos.database();
    let list = SlowStatementList {
        threshold_seconds: database.slow_threshold().as_secs_f64(),
        items: database.slow_statements(limit as usize).await,
    };
    json(StatusCode::OK, &list)
}
