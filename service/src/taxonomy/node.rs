//! A node of the taxonomy, and the rules of its label, slug and path.

use chrono::{DateTime, Utc};
use entity::taxonomy_nodes::Model;
use sea_orm::sea_query::Expr;
use serde::Serialize;
use serde_json::Value as Json;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use uuid::Uuid;

use crate::body::BodyReader;
use crate::database::{DatabaseError, FromRow, Row};
use crate::error::Error;
use crate::lists::Listed;
use crate::time::rfc3339;

/// Characters of a label at most.
const LONGEST_LABEL: usize = 500;
/// Characters of a slug at most.
const LONGEST_SLUG: usize = 100;
/// Levels of the tree at most.
pub(super) const DEEPEST: i64 = 32;
/// Bytes of a path at most: an index entry of PostgreSQL takes 2,704.
pub(super) const LONGEST_PATH: i64 = 2_000;

/// A node of the taxonomy.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct TaxonomyNode {
    /// UUIDv7.
    pub id: Uuid,
    /// The node above; null at the top.
    #[schema(required)]
    pub parent_id: Option<Uuid>,
    /// Names the node among its siblings.
    #[schema(min_length = 1)]
    pub slug: String,
    #[schema(min_length = 1, max_length = 500)]
    pub label: String,
    /// The slugs from the top, with `/` between.
    #[schema(min_length = 1)]
    pub path: String,
    /// 1 at the top.
    #[schema(minimum = 1, maximum = 32)]
    pub level: i64,
    /// Resources that are assigned to this very node.
    #[schema(minimum = 0)]
    pub resource_count: i64,
    /// Different resources that are assigned to this node or one beneath it: with `subtree_counts=true` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0)]
    pub subtree_count: Option<i64>,
    /// Counts the changes of the other fields, not of the counts; the `ETag` is made of it.
    #[schema(minimum = 1)]
    pub version: i64,
    /// RFC 3339 in UTC with six fraction digits.
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
    /// RFC 3339 in UTC with six fraction digits.
    #[serde(with = "rfc3339")]
    pub updated_at: DateTime<Utc>,
}

/// The resources at a node or beneath it, each once. Paths beneath `a` are those from `a/` to before `a0`.
const SUBTREE_COUNT: &str = "(SELECT count(DISTINCT a.resource_id) FROM resource_taxonomy AS a \
     INNER JOIN taxonomy_nodes AS d ON d.id = a.node_id \
     WHERE d.path >= taxonomy_nodes.path AND d.path < taxonomy_nodes.path || '0' \
     AND (d.path = taxonomy_nodes.path OR d.path >= taxonomy_nodes.path || '/'))";

impl TaxonomyNode {
    /// The columns that are read, in their order.
    pub(super) fn columns(subtree_counts: bool) -> Vec<Expr> {
        let column = |name| Expr::col(("taxonomy_nodes", name));
        vec![
            column("id"),
            column("parent_id"),
            column("slug"),
            column("label"),
            column("path"),
            column("level"),
            column("resource_count"),
            Expr::cust(if subtree_counts {
                SUBTREE_COUNT
            } else {
                "CAST(NULL AS bigint)"
            }),
            column("version"),
            column("created_at"),
            column("updated_at"),
        ]
    }
}

impl Listed for TaxonomyNode {}

impl FromRow for TaxonomyNode {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.get(0)?,
            parent_id: row.get(1)?,
            slug: row.get(2)?,
            label: row.get(3)?,
            path: row.get(4)?,
            level: row.get(5)?,
            resource_count: row.get(6)?,
            subtree_count: row.get(7)?,
            version: row.get(8)?,
            created_at: row.get(9)?,
            updated_at: row.get(10)?,
        })
    }
}

impl From<Model> for TaxonomyNode {
    fn from(model: Model) -> Self {
        Self {
            id: model.id,
            parent_id: model.parent_id,
            slug: model.slug,
            label: model.label,
            path: model.path,
            level: model.level,
            resource_count: model.resource_count,
            subtree_count: None,
            version: model.version,
            created_at: model.created_at,
            updated_at: model.updated_at,
        }
    }
}

/// A node to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNode {
    pub label: String,
    pub slug: String,
    pub parent_id: Option<Uuid>,
}

/// What changes about a node; absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeChanges {
    pub label: Option<String>,
    pub slug: Option<String>,
}

const READ_ONLY: [&str; 8] = [
    "id",
    "path",
    "level",
    "resource_count",
    "subtree_count",
    "version",
    "created_at",
    "updated_at",
];

impl NewNode {
    /// Reads a body: `label`, and perhaps `slug` and `parent_id`. Without a slug the label gives one.
    pub fn from_json(body: Json) -> Result<Self, Error> {
        let mut reader = BodyReader::new(body, "a taxonomy node")?;
        let label = reader.required_text("label", LONGEST_LABEL);
        let slug = match read_slug(&mut reader) {
            Some(slug) => slug,
            None => slug_of(&label),
        };
        let parent_id = reader.id("parent_id");
        reader.finish(&["label", "slug", "parent_id"], &READ_ONLY)?;
        Ok(Self {
            label,
            slug,
            parent_id,
        })
    }
}

impl NodeChanges {
    /// Reads a merge patch of `label` and `slug`; neither can be taken away.
    pub fn from_json(body: Json) -> Result<Self, Error> {
        let mut reader = BodyReader::new(body, "a taxonomy node")?;
        let label = reader
            .has("label")
            .then(|| reader.required_text("label", LONGEST_LABEL));
        let slug = if reader.has("slug") {
            let slug = read_slug(&mut reader);
            if slug.is_none() {
                reader.fault(
                    "slug",
                    "required",
                    "a node has a slug: leave the field out to keep it",
                );
            }
            slug
        } else {
            None
        };
        if reader.take("parent_id").is_some() {
            reader.fault(
                "parent_id",
                "read_only",
                "a node is moved by POST /taxonomy/{id}/move",
            );
        }
        reader.finish(&["label", "slug"], &READ_ONLY)?;
        Ok(Self { label, slug })
    }
}

fn read_slug(reader: &mut BodyReader) -> Option<String> {
    let slug = reader.text("slug", LONGEST_SLUG)?;
    let stranger = |c: char| c <= ' ' || c == '/' || c == '\u{7f}';
    if slug.is_empty() || slug.contains(stranger) {
        reader.fault(
            "slug",
            "format",
            "a slug has at least one character, and no space, slash or control character",
        );
    }
    Some(folded_path(&slug))
}

/// How slugs and paths are kept and compared: in lower case, in one spelling (NFC).
pub(crate) fn folded_path(text: &str) -> String {
    text.to_lowercase().nfc().collect()
}

/// The slug that a label gives: its letters and digits, hyphens between its words.
fn slug_of(label: &str) -> String {
    let mut slug = String::new();
    let mut length = 0;
    for character in folded_path(label).chars() {
        if length >= LONGEST_SLUG {
            break;
        }
        let belongs = character.is_alphanumeric() || is_combining_mark(character);
        if belongs || !(slug.is_empty() || slug.ends_with('-')) {
            slug.push(if belongs { character } else { '-' });
            length += 1;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        "node".to_owned()
    } else {
        slug.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::slug_of;

    #[test]
    fn a_label_gives_a_slug_in_any_script() {
        for (label, slug) in [
            (
                "Computer Science & Engineering",
                "computer-science-engineering",
            ),
            ("  C++ ", "c"),
            ("Économie politique", "économie-politique"),
            ("物理 学", "物理-学"),
            ("हिन्दी", "हिन्दी"),
            ("???", "node"),
        ] {
            assert_eq!(slug_of(label), slug);
        }
        assert_eq!(slug_of(&"é".repeat(300)).chars().count(), 100);
    }
}
