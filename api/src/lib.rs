//! HTTP: routes, extractors, problem documents, OpenAPI, pages. No SQL.

mod app;
mod batch;
mod body;
mod caller;
mod client;
mod connections;
mod cors;
mod csv;
mod gate;
mod idempotency;
mod input;
mod limits;
mod lists;
mod openapi;
mod output;
mod paths;
mod patience;
mod problem;
mod refusal;
mod routes;
mod server;

pub use app::{ServerOptions, openapi_document, serve};
pub use client::Network;
pub use cors::Origins;
pub use gate::Manners;
pub use limits::{Limits, Quota};
