//! Links: from the reply that names an item to what can be done with it.

use std::collections::BTreeMap;

use utoipa::openapi::link::{Link, LinkBuilder};
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::{OpenApi, RefOr};

use super::{operations, operations_mut};

/// An operation, the member of its reply that names an item, and the paths that take it, each with the name of the
/// parameter.
type Naming = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const NAMINGS: [Naming; 10] = [
    (
        "create_resource",
        "id",
        &[
            ("/resources/{id}", "id"),
            ("/collections/{id}/resources/{resource_id}", "resource_id"),
        ],
    ),
    ("create_annotation", "id", &[("/annotations/{id}", "id")]),
    ("create_citation", "id", &[("/citations/{id}", "id")]),
    ("create_collection", "id", &[("/collections/{id}", "id")]),
    (
        "create_taxonomy_node",
        "id",
        &[
            ("/taxonomy/{id}", "id"),
            ("/resources/{id}/taxonomy/{node_id}", "node_id"),
        ],
    ),
    (
        "create_classification_code",
        "code",
        &[("/classification-codes/{code}", "code")],
    ),
    (
        "create_authority",
        "id",
        &[("/authorities/{file}/{id}", "id")],
    ),
    (
        "create_user",
        "id",
        &[
            ("/users/{id}", "id"),
            ("/collections/{id}/members/{user_id}", "user_id"),
        ],
    ),
    ("create_key", "id", &[("/keys/{id}", "id")]),
    (
        "list_taxonomy_review",
        "items/0/id",
        &[("/taxonomy/review/{id}", "id")],
    ),
];

/// Adds the links to the replies.
pub fn add(document: &mut OpenApi) {
    let all: Vec<(String, Operation)> = document
        .paths
        .paths
        .iter()
        .flat_map(|(path, item)| {
            operations(item).map(move |operation| (path.clone(), operation.clone()))
        })
        .collect();
    for item in document.paths.paths.values_mut() {
        for operation in operations_mut(item) {
            let name = operation.operation_id.as_deref();
            let naming = NAMINGS.iter().find(|(made, ..)| name == Some(made));
            let Some((_, member, uses)) = naming else {
                continue;
            };
            for status in ["200", "201"] {
                if let Some(RefOr::T(reply)) = operation.responses.responses.get_mut(status) {
                    reply.links = links(&all, member, uses);
                }
            }
        }
    }
}

fn links(
    all: &[(String, Operation)],
    member: &str,
    uses: &[(&str, &str)],
) -> BTreeMap<String, RefOr<Link>> {
    let mut links = BTreeMap::new();
    for (path, operation) in all {
        let path = path.trim_start_matches("/api/v1");
        let used = uses.iter().find(|(prefix, _)| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        let (Some((prefix, parameter)), Some(name)) = (used, &operation.operation_id) else {
            continue;
        };
        let mut link = LinkBuilder::new()
            .operation_id(name.as_str())
            .parameter(*parameter, format!("$response.body#/{member}"));
        if prefix.contains("{file}") {
            link = link.parameter("file", "$request.path.file");
        }
        if parameters(operation).any(|parameter| parameter.name == "If-Match") {
            link = link.parameter("If-Match", "$response.header.ETag");
        }
        links.insert(name.clone(), RefOr::T(link.build()));
    }
    links
}

fn parameters(operation: &Operation) -> impl Iterator<Item = &Parameter> {
    let parameters = operation.parameters.iter().flatten();
    parameters.filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    })
}
