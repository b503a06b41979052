//! Questions about JSON columns with one meaning on both databases: PostgreSQL's JSONB meaning.

pub mod canonical;
mod declared;
mod document;
pub mod filter;
pub mod index;
mod lookup;
pub mod number;
mod patch;
mod postgres;
mod sqlite;
mod tokens;

use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait, Func, SelectStatement};
use serde_json::Value as Json;

use crate::database::Database;

pub use self::declared::{DeclaredPath, DeclaredPaths};
pub use self::lookup::{Lookup, Lookups};
pub use self::patch::Change;
pub(crate) use self::patch::merge_fields;
pub(crate) use self::sqlite::register_sqlite_functions;
pub(crate) use self::tokens::tokens_of;

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(crate) fn operator(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// Where in a text another one has to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Beginning,
    End,
    Anywhere,
}

/// A list of object keys; where an array stands, a key that is an integer counts its elements from 0, a negative one
/// from the end. An empty path is the whole column.
pub type JsonPath = Vec<String>;

/// A question about one JSON column. What is absent passes no test.
#[derive(Debug, Clone, PartialEq)]
pub enum JsonTest {
    /// The value at the path contains this one as JSONB's `@>` has it: objects by their keys, arrays as sets, scalars
    /// by value (1 equals 1.0).
    Contains(JsonPath, Json),
    /// The value at the path is contained in this one: `<@`.
    Contained(JsonPath, Json),
    /// There is a value other than null.
    Exists(JsonPath),
    /// The value equals this one.
    Equals(JsonPath, Json),
    /// The value is of this one's type (number or string) and compares so: numbers by size, strings by code point.
    Compares(JsonPath, Comparison, Json),
    /// The value is a string with this text in this place.
    Matches(JsonPath, Part, String),
    /// The value equals this one, is an array with such an element, or is an object with such a key.
    Has(JsonPath, Json),
    /// An object with one of these keys, an array with one of these strings, or one of these strings: `?|`.
    HasAny(JsonPath, Vec<String>),
    /// The same for all of them: `?&`.
    HasAll(JsonPath, Vec<String>),
}

impl JsonTest {
    fn path(&self) -> &JsonPath {
        match self {
            Self::Contains(path, _)
            | Self::Contained(path, _)
            | Self::Exists(path)
            | Self::Equals(path, _)
            | Self::Compares(path, ..)
            | Self::Matches(path, ..)
            | Self::Has(path, _)
            | Self::HasAny(path, _)
            | Self::HasAll(path, _) => path,
        }
    }
}

/// A JSON column that can be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JsonColumn {
    Metadata,
    Subject,
    Relation,
    /// `annotations.tags`, of which no index is kept.
    AnnotationTags,
}

impl JsonColumn {
    pub fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Subject => "subject",
            Self::Relation => "relation",
            Self::AnnotationTags => "tags",
        }
    }

    fn table(self) -> &'static str {
        match self {
            Self::Metadata | Self::Subject | Self::Relation => "resources",
            Self::AnnotationTags => "annotations",
        }
    }

    /// Whether the index over JSON knows the column.
    fn is_indexed(self) -> bool {
        self.table() == "resources"
    }

    fn column(self) -> Expr {
        Expr::col((self.table(), self.name()))
    }
}

/// How a database decides about JSON, and how its index over JSON is asked.
pub trait JsonMatch: Send + Sync {
    /// A condition that is true where the test is passed, and false or NULL where it is not; see [`fails`].
    fn passes(&self, column: JsonColumn, test: &JsonTest) -> Expr;

    /// What the index over JSON has to be asked for the resources that may pass. `None` where the database finds its
    /// indexes by itself, or where the index knows nothing.
    fn lookups(&self, column: JsonColumn, test: &JsonTest) -> Option<Lookups>;

    /// A SELECT of the document numbers behind a lookup.
    fn documents(&self, lookup: &Lookup) -> SelectStatement;

    /// A SELECT of the ids of resources that wait to be indexed, where the index is Pharos's own.
    fn waiting(&self) -> Option<SelectStatement>;

    /// Whether a column of plain text has this text in this place; NULL where the column is.
    fn matches_text(&self, column: Expr, part: Part, text: &str) -> Expr;

    /// The indexes of a declared path; what makes them and what drops them is to be run outside of a transaction. `trigrams` names
    /// the schema of PostgreSQL's `pg_trgm`, where it is installed.
    fn declared_indexes(&self, path: &DeclaredPath, trigrams: Option<&str>) -> Vec<DeclaredIndex>;

    /// What is to be known of the declared paths, where conditions on them are spelled in another way.
    fn declared(&self) -> Option<&Arc<DeclaredPaths>>;
}

/// An index of a declared path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredIndex {
    pub name: String,
    /// `None` where what it needs is not installed.
    pub create: Option<String>,
}

impl DeclaredIndex {
    fn drop(&self) -> String {
        format!("DROP INDEX CONCURRENTLY IF EXISTS {}", self.name)
    }
}

/// The opposite of a condition that may be NULL.
pub fn fails(condition: Expr) -> Expr {
    Expr::from(Func::coalesce([condition, Expr::val(false)])).not()
}

/// The element that a key of a path means where an array stands, by PostgreSQL's rules for `#>`.
fn array_index(key: &str) -> Option<i64> {
    key.trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r'])
        .parse()
        .ok()
}

/// The strategy for a database.
pub fn json_match(database: &Database) -> Box<dyn JsonMatch> {
    database.choose::<Box<dyn JsonMatch>>(
        || {
            Box::new(sqlite::SqliteJson {
                has_index: database.indexes_json(),
            })
        },
        || Box::new(postgres::PostgresJson::default()),
    )
}
