//! What each list can be filtered and sorted by, for the description of the API.

use super::table::{Holds, Table};
use crate::{accounts, authorities, codes, library, taxonomy};

/// A list: the operation that answers it, and its fields.
#[derive(Debug, Clone, Copy)]
pub struct DescribedList {
    pub operation: &'static str,
    table: &'static Table,
}

impl DescribedList {
    /// Fields that `sort=` takes.
    pub fn sortable(&self) -> Vec<&'static str> {
        let fields = self.table.fields().filter(|field| field.sortable);
        fields.map(|field| field.name).collect()
    }

    /// Fields that `filter=` takes, with what they hold.
    pub fn filterable(&self) -> Vec<(&'static str, &'static str)> {
        let fields = self.table.fields().filter(|field| field.filterable);
        fields
            .map(|field| (field.name, field.holds.word()))
            .collect()
    }
}

impl Holds {
    /// As the API's description names it.
    fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Time => "time",
            Self::Id => "id",
            Self::List(_) => "list",
            Self::Json(_) => "json",
            Self::Related(_) => "related",
        }
    }
}

const fn list(operation: &'static str, table: &'static Table) -> DescribedList {
    DescribedList { operation, table }
}

/// Every list and whatever else takes a filter.
pub const DESCRIBED_LISTS: [DescribedList; 20] = [
    list("list_resources", &library::RESOURCES),
    list("export_resources", &library::RESOURCES),
    list("search_library", &library::RESOURCES),
    list("list_annotations", &library::ANNOTATIONS),
    list("list_resource_annotations", &library::ANNOTATIONS),
    list("export_annotations", &library::ANNOTATIONS),
    list("list_citations", &library::CITATIONS),
    list("list_resource_citations", &library::CITATIONS),
    list("list_importance", &library::RANKS),
    list("list_collections", &library::COLLECTIONS),
    list("list_collection_resources", &library::CONTENTS),
    list("list_members", &library::MEMBERS),
    list("list_taxonomy", &taxonomy::NODES),
    list("list_taxonomy_resources", &library::RESOURCES),
    list("list_resource_taxonomy", &taxonomy::ASSIGNMENTS),
    list("list_taxonomy_review", &taxonomy::QUEUE),
    list("list_classification_codes", &codes::CODES),
    // The three files have the same fields.
    list("list_authorities", &authorities::SUBJECTS),
    list("list_users", &accounts::USERS),
    list("list_keys", &accounts::KEYS),
];
