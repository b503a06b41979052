//! The application: what is mounted where, and what happens around every request.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data};
use actix_web::{App, Error, HttpRequest, HttpResponse, HttpServer};
use service::Pharos;
use service::database::observe::{Origin, attributed};
use utoipa::OpenApi;
use utoipa_actix_web::{AppExt, scope};
use utoipa_swagger_ui::SwaggerUi;

use crate::metrics::Metrics;
use crate::openapi::Document;
use crate::problem::Problem;
use crate::routes::{health, keys, monitoring, pages, resources, search, users};
use crate::trace;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How the server runs.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Threads that serve requests.
    pub workers: usize,
    /// How long open requests may go on after a signal to stop.
    pub shutdown_timeout: Duration,
}

/// Serves a library on a listening socket until a signal to stop, or until the returned server's handle stops it.
pub fn serve(
    pharos: Pharos,
    listener: TcpListener,
    options: &ServerOptions,
) -> std::io::Result<Server> {
    let pharos = Data::new(pharos);
    let metrics = Data::from(Metrics::of(&openapi_document()));
    let server = HttpServer::new(move || build(pharos.clone(), metrics.clone()).0)
        .workers(options.workers.max(1))
        .keep_alive(Duration::from_secs(75))
        .client_request_timeout(Duration::from_secs(10))
        .shutdown_timeout(options.shutdown_timeout.as_secs())
        .listen(listener)?;
    Ok(server.run())
}

/// The OpenAPI document of everything that is mounted.
pub fn openapi_document() -> utoipa::openapi::OpenApi {
    mounted(App::new().into_utoipa_app().openapi(Document::openapi()))
        .split_for_parts()
        .1
}

fn mounted<T>(app: utoipa_actix_web::UtoipaApp<T>) -> utoipa_actix_web::UtoipaApp<T>
where
    T: ServiceFactory<ServiceRequest, Config = (), Error = Error, InitError = ()>,
{
    app.service(health::check_liveness)
        .service(health::check_readiness)
        .service(monitoring::show_metrics)
        .service(
            scope("/api/v1")
                .service(resources::list_resources)
                .service(resources::create_resource)
                .service(resources::find_resource)
                .service(resources::patch_resource)
                .service(resources::delete_resource)
                .service(search::search_library)
                .service(search::suggest_completions)
                .service(users::find_me)
                .service(users::list_users)
                .service(users::create_user)
                .service(users::find_user)
                .service(users::patch_user)
                .service(users::delete_user)
                .service(keys::list_keys)
                .service(keys::create_key)
                .service(keys::find_key)
                .service(keys::revoke_key)
                .service(monitoring::monitor_database)
                .service(monitoring::list_slow_queries),
        )
}

fn build(
    pharos: Data<Pharos>,
    metrics: Data<Metrics>,
) -> (
    App<
        impl ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<impl MessageBody>,
            Error = Error,
            InitError = (),
        >,
    >,
    utoipa::openapi::OpenApi,
) {
    let app = App::new()
        .wrap(from_fn(around))
        .app_data(pharos)
        .app_data(metrics)
        .into_utoipa_app();
    let (app, document) = mounted(app.openapi(Document::openapi())).split_for_parts();
    let app = app
        .app_data(Data::new(Paths::of(&document)))
        .service(pages::show_home)
        .service(pages::redirect_docs)
        .service(SwaggerUi::new("/docs/{_:.*}").url("/openapi.json", document.clone()))
        .default_service(web::to(answer_unknown));
    (app, document)
}

/// Around every request: an id, also for the statements' log and for problem documents; the caller's trace; figures.
async fn around(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let Some(metrics) = request.app_data::<Data<Metrics>>() else {
        return next.call(request).await;
    };
    let metrics = metrics.clone().into_inner();
    let under_way = metrics.begin(request.method(), request.path());
    let request_id: Arc<str> = uuid_text().into();
    let trace = trace::continued(request.request());
    #[cfg(feature = "otel")]
    let trace = match &metrics.exporter {
        Some(_) => trace.or_else(|| trace::begun(&request_id)),
        None => trace,
    };
    let origin = Origin {
        route: under_way.route(),
        request_id: Arc::clone(&request_id),
        trace_id: trace.as_ref().map(|trace| Arc::clone(&trace.id)),
    };
    // Errors of handlers and extractors are responses already; the request must not be held here meanwhile.
    let result = attributed(origin, next.call(request)).await;
    let status = match &result {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    let elapsed = under_way.answered(status);
    tracing::debug!(
        target: "pharos::request",
        route = %under_way.route(),
        status = status.as_u16(),
        milliseconds = elapsed.as_secs_f64() * 1_000.0,
        request_id = &*request_id,
        trace_id = trace.as_ref().map(|trace| &*trace.id),
        "answered"
    );
    #[cfg(feature = "otel")]
    export(&metrics, trace.as_ref(), under_way.route(), status, elapsed);
    let mut response = result?;
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    if let Some(trace) = trace {
        response
            .headers_mut()
            .insert(trace::TRACEPARENT, trace.header);
    }
    Ok(response)
}

#[cfg(feature = "otel")]
fn export(
    metrics: &Metrics,
    trace: Option<&trace::Trace>,
    route: Arc<service::database::observe::Route>,
    status: StatusCode,
    duration: Duration,
) {
    if let (Some(exporter), Some(trace)) = (&metrics.exporter, trace)
        && trace.sampled
    {
        exporter.send(crate::export::Span {
            trace_id: Arc::clone(&trace.id),
            span_id: trace.span.clone(),
            parent_id: trace.parent.clone(),
            route,
            status: status.as_u16(),
            duration,
        });
    }
}

fn uuid_text() -> String {
    let mut bytes = [0; 16];
    service::random::Random::fill(&service::random::SystemRandom, &mut bytes);
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .simple()
        .to_string()
}

/// Which methods each path has, for telling 405 from 404.
struct Paths {
    known: Vec<(Vec<String>, Vec<Method>)>,
}

impl Paths {
    fn of(document: &utoipa::openapi::OpenApi) -> Self {
        let known = document.paths.paths.iter().map(|(path, item)| {
            let segments = path.split('/').map(str::to_owned).collect();
            let methods = [
                (&item.get, Method::GET),
                (&item.post, Method::POST),
                (&item.put, Method::PUT),
                (&item.patch, Method::PATCH),
                (&item.delete, Method::DELETE),
            ];
            let methods = methods
                .into_iter()
                .filter(|(operation, _)| operation.is_some())
                .map(|(_, method)| method);
            (segments, methods.collect())
        });
        Self {
            known: known.collect(),
        }
    }

    fn methods(&self, path: &str) -> Vec<Method> {
        let asked: Vec<&str> = path.split('/').collect();
        let same = |segments: &[String]| {
            segments.len() == asked.len()
                && segments.iter().zip(&asked).all(|(known, asked)| {
                    known == asked || (known.starts_with('{') && !asked.is_empty())
                })
        };
        self.known
            .iter()
            .filter(|(segments, _)| same(segments))
            .flat_map(|(_, methods)| methods.clone())
            .collect()
    }
}

/// What is mounted nowhere: 405 where another method would do, else 404.
async fn answer_unknown(request: HttpRequest, paths: Data<Paths>) -> Result<HttpResponse, Problem> {
    let methods = paths.methods(request.path());
    if methods.is_empty() {
        let detail = format!(
            "there is nothing at {}: see /docs for what there is",
            request.path()
        );
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail));
    }
    let allowed = methods
        .iter()
        .map(Method::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let detail = format!("{} is not possible here: use {allowed}", request.method());
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
    Err(match HeaderValue::from_str(&allowed) {
        Ok(allowed) => problem.with_header(header::ALLOW, allowed),
        Err(_) => problem,
    })
}
