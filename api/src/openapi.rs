//! The OpenAPI document: made from the mounted handlers, so that what is served is what is described.

use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
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
    for item in document.paths.paths.values_mut() {
        if let Some(operation) = &mut item.post {
            describe_idempotency_key(operation);
        }
    }
}

fn describe_idempotency_key(operation: &mut Operation) {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(257))
        .pattern(Some("^(\"[!#-~]{1,255}\"|[!#-~]{1,255})$"));
    let parameter = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some("Makes the request safe to repeat: it has one effect, and the same reply for 24 hours. 409 while the first one is under way, 422 when the key was used for another request."))
        .schema(Some(schema))
        .example(Some(serde_json::json!("\"8e03978e-40d5-43dd-bc93-6894a57f9324\"")))
        .build();
    operation
        .parameters
        .get_or_insert_default()
        .push(RefOr::T(parameter));
}
