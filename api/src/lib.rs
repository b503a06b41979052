//! HTTP: routes, extractors, problem documents, OpenAPI, pages. No SQL.

mod app;
mod caller;
mod input;
mod lists;
mod openapi;
mod output;
mod paths;
mod problem;
mod routes;

pub use app::{ServerOptions, openapi_document, serve};
