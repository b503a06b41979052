//! HTTP: routes, extractors, problem documents, OpenAPI, pages. No SQL.

mod app;
mod batch;
mod body;
mod caller;
mod client;
mod connections;
mod cors;
mod csv;
#[cfg(feature = "otel")]
mod export;
mod gate;
mod idempotency;
mod input;
mod limits;
mod lists;
mod metrics;
mod openapi;
mod operations;
mod output;
mod paths;
mod patience;
mod problem;
mod prometheus;
mod refusal;
mod routes;
mod server;
mod trace;

pub use app::{ServerOptions, openapi_document, serve};
pub use client::Network;
pub use cors::Origins;
pub use gate::Manners;
pub use limits::{Limits, Quota};
