//! The fields of resources that lists can be filtered and sorted by.

use super::related;
use crate::json::JsonColumn;
use crate::lists::{Field, Holds, Related, Table};

pub(crate) const RESOURCES: Table = Table {
    fields: &[&FIELDS],
    key: "id",
    default_sort: "-created_at",
};

const fn field(name: &'static str, holds: Holds) -> Field {
    Field::new("resources", name, holds)
}

const fn text(name: &'static str) -> Field {
    field(name, Holds::Text).nullable()
}

pub(crate) const FIELDS: [Field; 28] = [
    field("id", Holds::Id).sortable(),
    field("title", Holds::Text).sortable(),
    text("description"),
    text("creator").sortable(),
    text("publisher").sortable(),
    text("contributor").sortable(),
    text("date").sortable(),
    field("year", Holds::Integer).nullable().sortable(),
    text("type").sortable(),
    text("format").sortable(),
    text("identifier").sortable(),
    text("source").sortable(),
    text("language").sortable(),
    field("relation", Holds::List(JsonColumn::Relation)),
    text("coverage"),
    text("rights"),
    field("subject", Holds::List(JsonColumn::Subject)),
    text("classification_code").sortable(),
    field("read_status", Holds::Text).sortable(),
    field("quality_score", Holds::Number).nullable().sortable(),
    field("metadata", Holds::Json(JsonColumn::Metadata)),
    field("version", Holds::Integer).sortable(),
    field("created_by", Holds::Id).nullable(),
    field("created_at", Holds::Time).sortable(),
    field("updated_at", Holds::Time).sortable(),
    field("collection", Holds::Related(COLLECTION)),
    field("taxonomy", Holds::Related(TAXONOMY)),
    field("classification", Holds::Related(CLASSIFICATION)),
];

/// A collection that the resource is in.
const COLLECTION: Related = Related {
    within: related::in_collection_or_beneath,
    named: related::in_collection,
    any: related::in_any_collection,
};

/// A node of the taxonomy that the resource is under.
const TAXONOMY: Related = Related {
    within: |name, _| related::in_taxonomy(name),
    named: |name, _| related::in_taxonomy(name),
    any: |_| related::in_any_taxonomy(),
};

/// A listed code of the classification, or one beneath it.
const CLASSIFICATION: Related = Related {
    within: |name, _| related::in_classification(name),
    named: |name, _| related::in_classification(name),
    any: |_| related::in_any_classification(),
};
