//! HTTP: routes, extractors, problem documents, OpenAPI, pages. No SQL.

mod app;
mod caller;
#[cfg(feature = "otel")]
mod export;
mod input;
mod metrics;
mod openapi;
mod output;
mod problem;
mod prometheus;
mod routes;
mod trace;

pub use app::{ServerOptions, openapi_document, serve};
