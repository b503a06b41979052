//! Citations: what a resource cites, be it in the library already or not.
//!
//! A citation that names its target by an identifier is not resolved when it is written but whenever it is read, from
//! the keys that are kept of every resource in the same transaction as the resource itself. So it does not matter which of
//! the two comes first, nor which of them changes or goes.

mod changes;
mod identifier;
mod importance;
mod keys;
mod pagerank;
mod reading;

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::body::BodyReader;
use crate::database::{DatabaseError, FromRow, Row};
use crate::error::Error;
use crate::json::Change;
use crate::lists::{Field, Holds, Listed, Table};
use crate::time::rfc3339;

pub use self::importance::{ComputedImportance, Importance};
pub use self::reading::Direction;

pub(crate) use self::changes::forget_targets;
pub(crate) use self::importance::RANKS;
pub(crate) use self::keys::{insert_keys, replace_keys};

/// Characters of an identifier at most.
const LONGEST_IDENTIFIER: usize = 4_000;
/// Characters of a reference as it is printed, at most.
const LONGEST_RAW_TEXT: usize = 10_000;

/// Why something is cited: terms of CiTO, the Citation Typing Ontology (<https://purl.org/spar/cito>), in snake_case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CitationType {
    /// For whatever reason.
    #[default]
    Cites,
    CitesAsAuthority,
    CitesAsEvidence,
    CitesForInformation,
    Confirms,
    Corrects,
    Critiques,
    DisagreesWith,
    Discusses,
    Extends,
    Refutes,
    Reviews,
    Supports,
    UsesDataFrom,
    UsesMethodIn,
}

impl CitationType {
    const ALL: [Self; 15] = [
        Self::Cites,
        Self::CitesAsAuthority,
        Self::CitesAsEvidence,
        Self::CitesForInformation,
        Self::Confirms,
        Self::Corrects,
        Self::Critiques,
        Self::DisagreesWith,
        Self::Discusses,
        Self::Extends,
        Self::Refutes,
        Self::Reviews,
        Self::Supports,
        Self::UsesDataFrom,
        Self::UsesMethodIn,
    ];
    const WORDS: [&'static str; 15] = [
        "cites",
        "cites_as_authority",
        "cites_as_evidence",
        "cites_for_information",
        "confirms",
        "corrects",
        "critiques",
        "disagrees_with",
        "discusses",
        "extends",
        "refutes",
        "reviews",
        "supports",
        "uses_data_from",
        "uses_method_in",
    ];

    fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

impl FromStr for CitationType {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or(())
    }
}

/// What people write of a citation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CitationFields {
    #[serde(rename = "type")]
    pub citation_type: CitationType,
    pub cited_id: Option<Uuid>,
    pub identifier: Option<String>,
    pub raw_text: Option<String>,
}

impl CitationFields {
    const NAMES: [&'static str; 4] = ["type", "cited_id", "identifier", "raw_text"];
    const READ_ONLY: [&'static str; 6] = [
        "id",
        "citing_id",
        "resolved_by",
        "version",
        "created_at",
        "updated_at",
    ];

    /// Reads a body; all faults are reported at once.
    pub fn from_json(body: Json) -> Result<Self, Error> {
        let mut reader = BodyReader::new(body, "a citation")?;
        let fields = Self {
            citation_type: reader
                .one_of("type", &CitationType::WORDS)
                .unwrap_or_default(),
            cited_id: reader.id("cited_id"),
            identifier: reader.text("identifier", LONGEST_IDENTIFIER),
            raw_text: reader.text("raw_text", LONGEST_RAW_TEXT),
        };
        reader
            .finish(&Self::NAMES, &Self::READ_ONLY)
            .map(|()| fields)
    }

    fn changed(&self, change: &Change) -> Result<Self, Error> {
        let fields =
            serde_json::to_value(self).map_err(|error| Error::Internal(error.to_string()))?;
        Self::from_json(change.apply(fields)?)
    }

    fn key(&self) -> Option<String> {
        self.identifier.as_deref().and_then(identifier::key)
    }
}

/// How a citation came to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResolvedBy {
    /// Somebody named the resource.
    Hand,
    /// The resource has the identifier.
    Identifier,
}

/// A reference from a resource to another, or to a work that the library does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Citation {
    pub id: Uuid,
    pub citing_id: Uuid,
    /// The resource that is cited; null while the library does not hold it.
    #[schema(required)]
    pub cited_id: Option<Uuid>,
    /// How `cited_id` was found; null while it is null.
    #[schema(required)]
    pub resolved_by: Option<ResolvedBy>,
    #[serde(rename = "type")]
    pub citation_type: CitationType,
    /// DOI, ISBN, arXiv, PubMed, ISSN, URL or any other, as it was written.
    #[schema(required)]
    pub identifier: Option<String>,
    /// The reference as it is printed.
    #[schema(required)]
    pub raw_text: Option<String>,
    /// Counts the changes, from 1. The `ETag` is made of it and of `cited_id`.
    #[schema(minimum = 1)]
    pub version: i64,
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
    #[serde(with = "rfc3339")]
    pub updated_at: DateTime<Utc>,
}

impl Listed for Citation {}

impl Citation {
    /// Changes whenever the citation looks otherwise: with its version, or with what it is resolved to.
    pub fn tag(&self) -> String {
        match self.cited_id {
            Some(id) => format!("{}-{}", self.version, id.simple()),
            None => self.version.to_string(),
        }
    }
}

impl FromRow for Citation {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        let cited_id: Option<Uuid> = row.get(2)?;
        let by_hand: Option<Uuid> = row.get(9)?;
        let citation_type: String = row.get(3)?;
        let resolved_by = if by_hand.is_some() {
            ResolvedBy::Hand
        } else {
            ResolvedBy::Identifier
        };
        Ok(Self {
            id: row.get(0)?,
            citing_id: row.get(1)?,
            cited_id,
            resolved_by: cited_id.map(|_| resolved_by),
            citation_type: citation_type.parse().map_err(|()| {
                DatabaseError::Other(format!("no citation has the type `{citation_type}`"))
            })?,
            identifier: row.get(4)?,
            raw_text: row.get(5)?,
            version: row.get(6)?,
            created_at: row.get(7)?,
            updated_at: row.get(8)?,
        })
    }
}

const VIEW: &str = "resolved_citations";

pub(crate) const CITATIONS: Table = Table {
    fields: &[&FIELDS],
    key: "id",
    default_sort: "-created_at",
};

const fn field(name: &'static str, holds: Holds) -> Field {
    Field::new(VIEW, name, holds)
}

/// In the order in which [`Citation::from_row`] reads them, before the target that was named.
const FIELDS: [Field; 9] = [
    field("id", Holds::Id).sortable(),
    field("citing_id", Holds::Id).sortable(),
    field("cited_id", Holds::Id).column("target_id").nullable(),
    field("type", Holds::Text)
        .column("citation_type")
        .sortable(),
    field("identifier", Holds::Text).nullable().sortable(),
    field("raw_text", Holds::Text).nullable(),
    field("version", Holds::Integer).sortable(),
    field("created_at", Holds::Time).sortable(),
    field("updated_at", Holds::Time).sortable(),
];

fn not_found(id: Uuid) -> Error {
    Error::NotFound {
        kind: "citation",
        id: id.to_string(),
    }
}
