//! The application: what is mounted where, and what happens around every request.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Server, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::error::ErrorInternalServerError;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data};
use actix_web::{App, Error, HttpRequest, HttpResponse};
use service::Pharos;
use service::database::observe::{Origin, attributed};
use utoipa::OpenApi;
use utoipa_actix_web::{AppExt, scope};
use utoipa_swagger_ui::{Config as SwaggerConfig, SwaggerUi};

use crate::connections::{Accompanied, Progress};
use crate::gate::{Gate, Manners};
use crate::idempotency;
use crate::metrics::Metrics;
use crate::openapi::{self, Document};
use crate::operations;
use crate::problem::Problem;
use crate::routes::pages::{self, DocumentText};
use crate::server;
use crate::trace;

/// Before the paths of the API's first version.
const PREFIX: &str = "/api/v1";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How the server runs.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Threads that serve requests.
    pub workers: usize,
    /// How long open requests may go on after a signal to stop.
    pub shutdown_timeout: Duration,
    pub manners: Manners,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            workers: 2,
            shutdown_timeout: Duration::from_secs(10),
            manners: Manners::default(),
        }
    }
}

/// Serves a library on a listening socket until a signal to stop, or until the returned server's handle stops it.
pub fn serve(
    pharos: Pharos,
    listener: TcpListener,
    options: &ServerOptions,
) -> std::io::Result<Server> {
    let pharos = Data::new(pharos);
    let gate = Data::new(Gate::new(options.manners.clone()));
    let operations = operations::list(PREFIX);
    let metrics = Data::from(Metrics::of(&operations));
    let paths = Data::new(Paths::of(operations));
    let document = Data::new(DocumentText::default());
    let application = move || {
        build(
            pharos.clone(),
            gate.clone(),
            metrics.clone(),
            paths.clone(),
            document.clone(),
        )
    };
    server::serve(application, listener, options)
}

/// The OpenAPI document of everything that is mounted.
pub fn openapi_document() -> utoipa::openapi::OpenApi {
    let app = App::new().into_utoipa_app().openapi(Document::openapi());
    let app = operations::outside(app).service(operations::within(scope(PREFIX)));
    let mut document = app.split_for_parts().1;
    openapi::complete(&mut document);
    document
}

fn build(
    pharos: Data<Pharos>,
    gate: Data<Gate>,
    metrics: Data<Metrics>,
    paths: Data<Paths>,
    document: Data<DocumentText>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let app = App::new()
        .wrap(from_fn(around))
        .app_data(pharos)
        .app_data(gate)
        .app_data(metrics)
        .app_data(paths)
        .app_data(document);
    operations::outside(app)
        .service(operations::within(web::scope(PREFIX)))
        .service(pages::show_home)
        .service(pages::redirect_docs)
        .service(pages::show_document)
        .service(SwaggerUi::new("/docs/{_:.*}").config(SwaggerConfig::from("/openapi.json")))
        .default_service(web::to(answer_unknown))
}

/// Around every request: an id, also for the statements' log and for problem documents; the caller's trace; figures.
async fn around(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let metrics = request.app_data::<Data<Metrics>>().cloned();
    let metrics = metrics
        .ok_or_else(|| ErrorInternalServerError("the server has no metrics"))?
        .into_inner();
    let counted = metrics.begin(request.method(), request.path());
    let request_id: Arc<str> = uuid_text().into();
    let trace = trace::continued(request.request());
    #[cfg(feature = "otel")]
    let trace = match &metrics.exporter {
        Some(_) => trace.or_else(|| trace::begun(&request_id)),
        None => trace,
    };
    let origin = Origin {
        route: counted.route(),
        request_id: Arc::clone(&request_id),
        trace_id: trace.as_ref().map(|trace| Arc::clone(&trace.id)),
    };
    let under_way = Progress::begin(request.request());
    // Errors of handlers and extractors are responses already; the request must not be held here meanwhile.
    let result = attributed(origin, pass(request, next)).await;
    let status = match &result {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    let elapsed = counted.answered(status);
    tracing::debug!(
        target: "pharos::request",
        route = %counted.route(),
        status = status.as_u16(),
        milliseconds = elapsed.as_secs_f64() * 1_000.0,
        request_id = &*request_id,
        trace_id = trace.as_ref().map(|trace| &*trace.id),
        "answered"
    );
    #[cfg(feature = "otel")]
    export(&metrics, trace.as_ref(), counted.route(), status, elapsed);
    let mut response = result?;
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    if let Some(trace) = trace {
        response
            .headers_mut()
            .insert(trace::TRACEPARENT, trace.header);
    }
    Ok(response.map_body(|_, body| Accompanied::new(body, under_way)))
}

/// Through the gate, to the handler, and out again.
async fn pass<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let Some(gate) = request.app_data::<Data<Gate>>().cloned() else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let mut response = match gate.enter(&mut request) {
        Err(refusal) => request.into_response(refusal).map_into_right_body(),
        Ok(()) if idempotency::concerns(&request) => idempotency::once(request, next)
            .await?
            .map_into_right_body(),
        Ok(()) => next.call(request).await?.map_into_left_body(),
    };
    gate.leave(&mut response);
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

pub fn uuid_text() -> String {
    let mut bytes = [0; 16];
    service::random::Random::fill(&service::random::SystemRandom, &mut bytes);
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .simple()
        .to_string()
}

/// Which methods each path has, for telling 405 from 404.
pub struct Paths {
    known: Vec<(Vec<String>, Vec<Method>)>,
}

impl Paths {
    fn of(operations: Vec<(Method, String)>) -> Self {
        let mut known = BTreeMap::<String, Vec<Method>>::new();
        for (method, path) in operations {
            known.entry(path).or_default().push(method);
        }
        let segments = |path: &str| path.split('/').map(str::to_owned).collect();
        Self {
            known: known
                .into_iter()
                .map(|(path, methods)| (segments(&path), methods))
                .collect(),
        }
    }

    /// Of exactly this path, without ids in it.
    fn methods_of(&self, path: &str) -> Vec<Method> {
        let same = |segments: &[String]| path.split('/').eq(segments.iter().map(String::as_str));
        self.known
            .iter()
            .filter(|(segments, _)| same(segments))
            .flat_map(|(_, methods)| methods.clone())
            .collect()
    }

    /// Those of the paths that it fits: of several with most of it fixed, as it is for the one that would serve it.
    fn methods(&self, path: &str) -> Vec<Method> {
        let asked: Vec<&str> = path.split('/').collect();
        let same = |segments: &[String]| {
            segments.len() == asked.len()
                && segments.iter().zip(&asked).all(|(known, asked)| {
                    known == asked || (known.starts_with('{') && !asked.is_empty())
                })
        };
        let fixed = |part: &&String| !part.starts_with('{');
        // Each path is here once, with all its methods.
        let fitting = self.known.iter().filter(|(segments, _)| same(segments));
        fitting
            .max_by_key(|(segments, _)| segments.iter().filter(fixed).count())
            .map_or_else(Vec::new, |(_, methods)| methods.clone())
    }
}

/// What is mounted nowhere: 405 where another method would do, else 404.
pub async fn answer_unknown(
    request: HttpRequest,
    paths: Data<Paths>,
) -> Result<HttpResponse, Problem> {
    let methods = paths.methods(request.path());
    if methods.is_empty() {
        let detail = format!(
            "there is nothing at {}: see /docs for what there is",
            request.path()
        );
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail));
    }
    Err(method_not_allowed(&request, &methods))
}

/// 405 where a path without ids has other methods than the one that was asked for.
pub fn refuse_method(request: &HttpRequest) -> Option<Problem> {
    let methods = request
        .app_data::<Data<Paths>>()?
        .methods_of(request.path());
    (!methods.is_empty()).then(|| method_not_allowed(request, &methods))
}

fn method_not_allowed(request: &HttpRequest, methods: &[Method]) -> Problem {
    let head = methods.contains(&Method::GET).then_some(&Method::HEAD);
    let allowed = methods
        .iter()
        .chain(head)
        .map(Method::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let detail = format!("{} is not possible here: use {allowed}", request.method());
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
    match HeaderValue::from_str(&allowed) {
        Ok(allowed) => problem.with_header(header::ALLOW, allowed),
        Err(_) => problem,
    }
}
