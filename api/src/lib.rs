//! HTTP: routes, extractors, problem documents, OpenAPI, pages. No SQL.

mod app;
mod caller;
mod idempotency;
mod input;
mod openapi;
mod output;
mod problem;
mod routes;

pub use app::{ServerOptions, openapi_document, serve};
