//! The filter language: Google's AIP-160 (<https://google.aip.dev/160>).
//!
//! Comparisons `= != < <= > >=`, `:` (has) and `:*` (exists), `AND`, `OR`, `NOT`, `-`, parentheses, functions; as in
//! AIP-160, OR binds more tightly than AND, and restrictions side by side are joined by AND. `"abc*"` with `=` matches a
//! beginning, `"*abc"` an end. What a field lacks matches no comparison, so `NOT language = "en"` and
//! `language != "en"` find rows without one.

mod column;
mod compiler;
mod functions;
mod lexer;
mod parser;
mod time;
mod value;

use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, UnionType};

use self::compiler::Compiler;
use super::{JsonColumn, JsonPath, JsonTest, Lookup, Lookups};
use crate::Pharos;
use crate::accounts::Viewer;
use crate::error::{Error, Fault};
use crate::library::RESOURCES;
use crate::lists::{Holds, Table};

/// Characters of a filter at most.
const LONGEST_FILTER: usize = 8_000;
/// Restrictions in a filter at most.
const MOST_RESTRICTIONS: usize = 100;
/// Parentheses inside parentheses at most.
const DEEPEST: usize = 32;
/// Questions to the index over JSON at most; a filter that would need more is decided row by row.
const MOST_LOOKUPS: usize = 20;

/// How many rows of a filter's matches will be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The first few in some order: following that order is cheaper when there are many matches.
    FirstFew,
    /// All of them.
    All,
}

impl Reach {
    /// Documents that the index over JSON may find before looking at every row is thought to be cheaper.
    fn most_found(self) -> u64 {
        match self {
            Self::FirstFew => 2_000,
            Self::All => 50_000,
        }
    }
}

/// Reads a path into JSON as a filter spells it: `metadata.pages`, `metadata."a b".c`.
pub(super) fn json_path(text: &str) -> Option<(JsonColumn, JsonPath)> {
    let filter = parser::parse(&format!("{text}:*")).ok()?;
    match filter {
        parser::Filter::Restriction { path, .. } => {
            match compiler::field_of(&RESOURCES, &path).ok()?.holds {
                Holds::Json(column) => Some((column, path.names[1..].to_vec())),
                _ => None,
            }
        }
        _ => None,
    }
}

#[derive(Debug)]
struct FilterFault {
    position: usize,
    code: &'static str,
    detail: String,
}

fn fault<T>(
    position: usize,
    code: &'static str,
    detail: impl Into<String>,
) -> Result<T, FilterFault> {
    Err(FilterFault {
        position,
        code,
        detail: detail.into(),
    })
}

impl From<FilterFault> for Error {
    fn from(fault: FilterFault) -> Self {
        Self::BadParameter(vec![Fault::parameter_at(
            "filter",
            fault.position,
            fault.code,
            fault.detail,
        )])
    }
}

impl Pharos {
    /// Compiles a filter over a table into one condition. What the row belongs to counts as far as the viewer sees it;
    /// nobody in particular sees all.
    pub(crate) async fn filter(
        &self,
        table: &Table,
        text: &str,
        viewer: Option<Viewer>,
        reach: Reach,
    ) -> Result<Expr, Error> {
        let parsed = parser::parse(text)?;
        let compiler = Compiler {
            json: &*self.json,
            clock: &*self.clock,
            table,
            viewer,
        };
        let compiled = compiler.compile(&parsed, false)?;
        self.read_declared_paths_beside();
        match compiled.lookups {
            Some(lookups) => self.narrow(compiled.condition, &lookups, reach).await,
            None => Ok(compiled.condition),
        }
    }

    /// The condition for resources with this subject.
    pub(crate) async fn has_subject(&self, subject: &str, reach: Reach) -> Result<Expr, Error> {
        let test = JsonTest::Has(JsonPath::new(), subject.into());
        let condition = self.json.passes(JsonColumn::Subject, &test);
        match self.json.lookups(JsonColumn::Subject, &test) {
            Some(lookups) => self.narrow(condition, &lookups, reach).await,
            None => Ok(condition),
        }
    }

    /// Lets the index over JSON find the rows to look at, where it finds few.
    async fn narrow(
        &self,
        condition: Expr,
        lookups: &Lookups,
        reach: Reach,
    ) -> Result<Expr, Error> {
        let leaves = lookups.leaves();
        if leaves.len() > MOST_LOOKUPS {
            return Ok(condition);
        }
        let mut counts = Vec::with_capacity(leaves.len());
        for lookup in leaves {
            counts.push(self.count_found(lookup, reach.most_found()).await?);
        }
        let Some((_, chosen)) = lookups
            .cheapest(&mut counts.into_iter())
            .filter(|(count, _)| *count <= reach.most_found())
        else {
            return Ok(condition);
        };
        let id = Expr::col((entity::resources::Entity, entity::resources::Column::Id));
        Ok(id.in_subquery(self.found(&chosen)).and(condition))
    }

    /// `None` when there are more than `most`.
    async fn count_found(&self, lookup: &Lookup, most: u64) -> Result<Option<u64>, Error> {
        let found = self.json.documents(lookup).limit(most + 1).take();
        let count = Query::select()
            .expr(Expr::cust("count(*)"))
            .from_subquery(found, "found")
            .take();
        let count: i64 = self
            .database
            .fetch_one(self.database.build(&count))
            .await?
            .unwrap_or(0);
        Ok(u64::try_from(count).ok().filter(|count| *count <= most))
    }

    /// The ids of the documents found, and of those that wait to be indexed.
    fn found(&self, lookups: &[&Lookup]) -> SelectStatement {
        use entity::search_documents::{Column, Entity};

        let mut found = Query::select();
        let mut documents: Option<Expr> = None;
        for lookup in lookups {
            let found = Expr::col((Entity, Column::Doc)).in_subquery(self.json.documents(lookup));
            documents = Some(match documents {
                Some(documents) => documents.or(found),
                None => found,
            });
        }
        found
            .column((Entity, Column::ResourceId))
            .from(Entity)
            .and_where_option(documents);
        if let Some(waiting) = self.json.waiting() {
            found.union(UnionType::All, waiting);
        }
        found
    }
}
