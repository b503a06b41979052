//! The OpenAPI document: made from the mounted handlers, so that what is served is what is described.

mod links;
mod parameters;
mod patches;

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

/// What the handlers cannot say of themselves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Pharos",
        description = "A self-hosted document library and reporting backend. Times are RFC 3339 in UTC with six fraction digits, ids are UUIDv7, errors are problem documents (RFC 9457).",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(
        crate::problem::Problem,
        crate::problem::ProblemFault,
        crate::routes::bulk::LineResult
    )),
    modifiers(&BearerKey),
    tags(
        (name = "resources", description = "What the library holds, in Dublin Core"),
        (name = "annotations", description = "Passages that readers mark"),
        (name = "citations", description = "What resources cite, and how important that makes them"),
        (name = "collections", description = "Trees of named gatherings of resources"),
        (name = "taxonomy", description = "A tree of subjects, and what is assigned to its nodes"),
        (name = "classification", description = "Codes such as Dewey's"),
        (name = "authorities", description = "Canonical names of subjects, creators and publishers"),
        (name = "search", description = "Full-text search"),
        (name = "accounts", description = "Users, API keys, roles and scopes"),
        (name = "operations", description = "For whoever runs the server"),
    ),
)]
pub struct Document;

struct BearerKey;

impl Modify for BearerKey {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API key: `Authorization: Bearer ph_…`"))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

/// Adds what holds for every operation of a kind, so that no handler has to say it.
pub fn complete(document: &mut utoipa::openapi::OpenApi) {
    let components = document.components.get_or_insert_default();
    for item in document.paths.paths.values_mut() {
        if let Some(operation) = &mut item.post {
            parameters::add_idempotency_key(operation);
        }
        if let Some(operation) = &mut item.patch {
            patches::describe(operation, components);
        }
        for operation in operations_mut(item) {
            parameters::add_if_none_match(operation);
            parameters::describe(operation);
        }
    }
    links::add(document);
}

fn operations(item: &PathItem) -> impl Iterator<Item = &Operation> {
    [&item.get, &item.post, &item.put, &item.patch, &item.delete]
        .into_iter()
        .flatten()
}

fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.patch,
        &mut item.delete,
    ]
    .into_iter()
    .flatten()
}
