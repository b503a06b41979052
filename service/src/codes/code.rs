//! A classification code, and the rules of its parts.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use serde::Serialize;
use serde_json::Value as Json;

use crate::body::BodyReader;
use crate::database::{DatabaseError, FromRow, Row};
use crate::error::Error;
use crate::lists::Listed;
use crate::time::rfc3339;

/// Characters of a code at most.
const LONGEST_CODE: usize = 100;
/// Characters of a label at most.
const LONGEST_LABEL: usize = 500;

/// A code of the classification.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct ClassificationCode {
    #[schema(min_length = 1, max_length = 100)]
    pub code: String,
    /// The code above; null at the top.
    #[schema(required)]
    pub parent_code: Option<String>,
    #[schema(min_length = 1, max_length = 500)]
    pub label: String,
    /// 1 at the top.
    #[schema(minimum = 1)]
    pub level: i64,
    /// Whether somebody said which code is above. Else it is the longest prefix that is listed.
    pub parent_given: bool,
    /// Resources with this very code.
    #[schema(minimum = 0)]
    pub resource_count: i64,
    /// Resources with this code or one beneath it: with `subtree_counts=true` only.
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

const SUBTREE_COUNT: &str = "(WITH RECURSIVE beneath(code) AS (SELECT classification_codes.code UNION \
     SELECT c.code FROM classification_codes AS c INNER JOIN beneath ON c.parent_code = beneath.code) \
     SELECT count(*) FROM resources AS r WHERE r.classification_code IN (SELECT beneath.code FROM beneath))";

impl ClassificationCode {
    /// The columns that are read, in their order.
    pub(super) fn columns(subtree_counts: bool) -> [Expr; 10] {
        let column = |name| Expr::col(("classification_codes", name));
        [
            column("code"),
            column("parent_code"),
            column("label"),
            column("level"),
            column("parent_given"),
            Expr::cust(
                "(SELECT count(*) FROM resources AS r WHERE r.classification_code = classification_codes.code)",
            ),
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

impl Listed for ClassificationCode {}

impl FromRow for ClassificationCode {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            code: row.get(0)?,
            parent_code: row.get(1)?,
            label: row.get(2)?,
            level: row.get(3)?,
            parent_given: row.get(4)?,
            resource_count: row.get(5)?,
            subtree_count: row.get(6)?,
            version: row.get(7)?,
            created_at: row.get(8)?,
            updated_at: row.get(9)?,
        })
    }
}

/// A code to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCode {
    pub code: String,
    pub label: String,
    /// The code above; `None` for the longest prefix that is listed.
    pub parent_code: Option<String>,
}

/// What changes about a code; absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeChanges {
    pub label: Option<String>,
    /// `Some(None)`: what the prefix says.
    pub parent_code: Option<Option<String>>,
}

const READ_ONLY: [&str; 7] = [
    "level",
    "parent_given",
    "resource_count",
    "subtree_count",
    "version",
    "created_at",
    "updated_at",
];

impl NewCode {
    /// Reads a body: `code`, `label`, and perhaps `parent_code`.
    pub fn from_json(body: Json) -> Result<Self, Error> {
        let mut reader = BodyReader::new(body, "a classification code")?;
        let code = match read_code(&mut reader, "code") {
            Some(code) => code,
            None => {
                reader.fault("code", "required", "a code is needed");
                String::new()
            }
        };
        let label = reader.required_text("label", LONGEST_LABEL);
        let parent_code = read_code(&mut reader, "parent_code");
        reader.finish(&["code", "label", "parent_code"], &READ_ONLY)?;
        Ok(Self {
            code,
            label,
            parent_code,
        })
    }
}

impl CodeChanges {
    /// Reads a merge patch of `label` and `parent_code`; a null parent is what the prefix says.
    pub fn from_json(body: Json) -> Result<Self, Error> {
        let mut reader = BodyReader::new(body, "a classification code")?;
        let label = reader
            .has("label")
            .then(|| reader.required_text("label", LONGEST_LABEL));
        let parent_code = reader
            .has("parent_code")
            .then(|| read_code(&mut reader, "parent_code"));
        if reader.take("code").is_some() {
            reader.fault(
                "code",
                "read_only",
                "a code stays what it is: create another one and delete this one",
            );
        }
        reader.finish(&["label", "parent_code"], &READ_ONLY)?;
        Ok(Self { label, parent_code })
    }
}

fn read_code(reader: &mut BodyReader, name: &str) -> Option<String> {
    let code = reader.text(name, LONGEST_CODE)?;
    let stranger = |c: char| c <= ' ' || c == '/' || c == '\u{7f}';
    // `import` is an operation where a code would stand in the path.
    if code.is_empty() || code == "import" || code.starts_with('.') || code.contains(stranger) {
        reader.fault(
            name,
            "format",
            "a code has at least one character, does not begin with a point, has no space, slash or control character, and is not `import`",
        );
    }
    Some(code)
}
