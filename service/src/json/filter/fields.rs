//! The fields that a filter may name, and what they hold.

use entity::resources::Column;

use super::super::JsonColumn;
use super::parser::Path;
use super::{FilterFault, fault};

/// What a field holds, which decides how it may be compared.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text(Column),
    Integer(Column),
    Number(Column),
    Time(Column),
    Id(Column),
    /// A list of texts.
    List(JsonColumn),
    Json(JsonColumn),
    /// A collection that the resource is in, or in one beneath it.
    Collection,
    /// A node of the taxonomy that the resource is under.
    Taxonomy,
}

const FIELDS: [(&str, Kind); 27] = [
    ("id", Kind::Id(Column::Id)),
    ("title", Kind::Text(Column::Title)),
    ("description", Kind::Text(Column::Description)),
    ("creator", Kind::Text(Column::Creator)),
    ("publisher", Kind::Text(Column::Publisher)),
    ("contributor", Kind::Text(Column::Contributor)),
    ("date", Kind::Text(Column::Date)),
    ("year", Kind::Integer(Column::Year)),
    ("type", Kind::Text(Column::ResourceType)),
    ("format", Kind::Text(Column::Format)),
    ("identifier", Kind::Text(Column::Identifier)),
    ("source", Kind::Text(Column::Source)),
    ("language", Kind::Text(Column::Language)),
    ("relation", Kind::List(JsonColumn::Relation)),
    ("coverage", Kind::Text(Column::Coverage)),
    ("rights", Kind::Text(Column::Rights)),
    ("subject", Kind::List(JsonColumn::Subject)),
    (
        "classification_code",
        Kind::Text(Column::ClassificationCode),
    ),
    ("read_status", Kind::Text(Column::ReadStatus)),
    ("quality_score", Kind::Number(Column::QualityScore)),
    ("metadata", Kind::Json(JsonColumn::Metadata)),
    ("version", Kind::Integer(Column::Version)),
    ("created_by", Kind::Id(Column::CreatedBy)),
    ("created_at", Kind::Time(Column::CreatedAt)),
    ("updated_at", Kind::Time(Column::UpdatedAt)),
    ("collection", Kind::Collection),
    ("taxonomy", Kind::Taxonomy),
];

/// What the field holds that a path begins with.
pub(super) fn kind_of(path: &Path) -> Result<Kind, FilterFault> {
    let name = &path.names[0];
    let Some((_, kind)) = FIELDS.iter().find(|(known, _)| known == name) else {
        let known = FIELDS.map(|(name, _)| name).join(", ");
        return fault(
            path.position,
            "unknown_field",
            format!("there is no field `{name}`: known are {known}"),
        );
    };
    if path.names.len() > 1 && !matches!(kind, Kind::Json(_)) {
        return fault(
            path.position,
            "unknown_field",
            format!("`{name}` has no parts: only metadata has"),
        );
    }
    Ok(*kind)
}
