//! An authority as it is shown and stored, and the rules of its names.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use super::file::AuthorityFile;
use super::forms::key_of;
use crate::body::{BodyReader, is_visible};
use crate::database::{DatabaseError, FromRow, Row, Transaction};
use crate::error::Error;
use crate::lists::Listed;
use crate::time::rfc3339;

/// Characters of a name or variant at most.
pub const LONGEST_NAME: usize = 500;
/// Variants of a name at most.
pub(super) const MOST_VARIANTS: usize = 1_000;

/// The canonical form of a name, with the variants that stand for it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Authority {
    /// UUIDv7.
    pub id: Uuid,
    /// The canonical form.
    #[schema(min_length = 1, max_length = 500)]
    pub name: String,
    /// What is written instead of it.
    #[schema(max_items = 1_000)]
    pub variants: Vec<String>,
    /// Resources that have the canonical form now.
    #[schema(minimum = 0)]
    pub usage_count: i64,
    /// Counts the changes of name and variants; the `ETag` is made of it.
    #[schema(minimum = 1)]
    pub version: i64,
    /// RFC 3339 in UTC with six fraction digits.
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
    /// RFC 3339 in UTC with six fraction digits.
    #[serde(with = "rfc3339")]
    pub updated_at: DateTime<Utc>,
}

/// An authority to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAuthority {
    pub name: String,
    pub variants: Vec<String>,
}

/// What changes about an authority; absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthorityChanges {
    pub name: Option<String>,
    pub variants: Option<Vec<String>>,
}

const READ_ONLY: [&str; 5] = ["id", "usage_count", "version", "created_at", "updated_at"];
const KNOWN: [&str; 2] = ["name", "variants"];

impl NewAuthority {
    /// Reads a body: `name`, and perhaps `variants`.
    pub fn from_json(body: Json) -> Result<Self, Error> {
        let mut reader = BodyReader::new(body, "an authority")?;
        let name = read_name(&mut reader);
        let variants = read_variants(&mut reader);
        reader.finish(&KNOWN, &READ_ONLY)?;
        Ok(Self { name, variants })
    }
}

impl AuthorityChanges {
    /// Reads a merge patch of `name` and `variants`; null variants are none.
    pub fn from_json(body: Json) -> Result<Self, Error> {
        let mut reader = BodyReader::new(body, "an authority")?;
        let name = reader.has("name").then(|| read_name(&mut reader));
        let variants = reader.has("variants").then(|| read_variants(&mut reader));
        reader.finish(&KNOWN, &READ_ONLY)?;
        Ok(Self { name, variants })
    }
}

fn read_name(reader: &mut BodyReader) -> String {
    reader.required_text("name", LONGEST_NAME).trim().to_owned()
}

fn read_variants(reader: &mut BodyReader) -> Vec<String> {
    let variants = reader.numbered_list("variants", MOST_VARIANTS, LONGEST_NAME);
    for (index, variant) in &variants {
        if !variant.chars().any(is_visible) {
            reader.fault(
                &format!("variants/{index}"),
                "required",
                "a variant has at least one visible character",
            );
        }
    }
    variants
        .into_iter()
        .map(|(_, variant)| variant.trim().to_owned())
        .collect()
}

/// An authority as it is stored: how often it is used is counted when it is asked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    pub id: Uuid,
    pub name: String,
    pub variants: Vec<String>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Stored {
    /// Takes in variants, without those that are found anyway: each form once, and none that is the name's.
    pub(super) fn set_variants(&mut self, variants: Vec<String>) {
        let mut keys = vec![key_of(&self.name)];
        self.variants = variants
            .into_iter()
            .filter(|variant| {
                let key = key_of(variant);
                let is_new = !keys.contains(&key);
                if is_new {
                    keys.push(key);
                }
                is_new
            })
            .collect();
    }

    pub(super) fn shown(self, usage_count: i64) -> Authority {
        Authority {
            id: self.id,
            name: self.name,
            variants: self.variants,
            usage_count,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// The columns that are read, in their order, with the expression that counts the usage.
pub(super) fn columns(file: AuthorityFile) -> [Expr; 7] {
    let column = |name| Expr::col((file.table(), name));
    let usage = match file {
        AuthorityFile::Creators => Expr::cust(
            "(SELECT count(*) FROM resources AS r WHERE r.creator = authority_creators.name)",
        ),
        // No index answers this for a column of names: they are counted afterwards.
        AuthorityFile::Subjects | AuthorityFile::Publishers => Expr::cust("CAST(0 AS bigint)"),
    };
    [
        column("id"),
        column("name"),
        column("variants"),
        usage,
        column("version"),
        column("created_at"),
        column("updated_at"),
    ]
}

impl Listed for Authority {}

impl FromRow for Authority {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            variants: row.get(2)?,
            usage_count: row.get(3)?,
            version: row.get(4)?,
            created_at: row.get(5)?,
            updated_at: row.get(6)?,
        })
    }
}

/// Reads an authority inside of a transaction.
pub(super) async fn find(
    transaction: &Transaction,
    file: AuthorityFile,
    id: Uuid,
) -> Result<Stored, Error> {
    let select = Query::select()
        .columns([
            "id",
            "name",
            "variants",
            "version",
            "created_at",
            "updated_at",
        ])
        .from(file.table())
        .and_where(Expr::col("id").eq(id))
        .take();
    let row = transaction
        .query_one(&select)
        .await
        .map_err(DatabaseError::from)?
        .ok_or_else(|| not_found(file, id))?;
    let variants: Json = row.try_get("", "variants").map_err(DatabaseError::from)?;
    Ok(Stored {
        id,
        name: row.try_get("", "name").map_err(DatabaseError::from)?,
        variants: serde_json::from_value(variants)
            .map_err(|error| Error::Internal(format!("variants are not a list: {error}")))?,
        version: row.try_get("", "version").map_err(DatabaseError::from)?,
        created_at: row.try_get("", "created_at").map_err(DatabaseError::from)?,
        updated_at: row.try_get("", "updated_at").map_err(DatabaseError::from)?,
    })
}

pub(super) fn not_found(file: AuthorityFile, id: Uuid) -> Error {
    Error::NotFound {
        kind: file.kind(),
        id: id.to_string(),
    }
}
