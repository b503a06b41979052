//! How those who keep something in memory ask what any process has committed since they looked last.

use uuid::Uuid;

use super::FullTextSearch;
use crate::database::{Database, DatabaseError, Row};

/// How far a look has come.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Reach {
    /// Never smaller in a later look.
    number: i64,
    /// What the next look has to be told.
    mark: String,
}

impl Reach {
    /// Whether a look that came so far is older than one that came as far as `other`.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        self.number < other.number
    }
}

/// The version of a document and the number of the change that wrote it.
pub(super) type State = (i64, i64);

/// A row of a look.
pub(super) enum Change {
    Reached(Reach),
    /// A document that is gone and was not written again.
    Removed(Uuid),
    /// What was asked for of the document begins at [`FIRST`].
    Written(Uuid, State),
}

/// The first column of what was asked for.
pub(super) const FIRST: usize = 4;

const REMOVED: i64 = -1;
const REACHED: i64 = -2;

/// The statements of one kind of look.
#[derive(Clone)]
pub(super) struct Look {
    all: String,
    since: String,
}

impl Look {
    /// Asks for `columns` of the documents, which are `d` in the expressions, together with whatever `join` adds.
    pub(super) fn new(
        database: &Database,
        search: &dyn FullTextSearch,
        columns: &[String],
        join: &str,
    ) -> Self {
        let mark = database.placeholder(1);
        let nothing = vec!["NULL"; columns.len()].join(", ");
        let written = format!(
            "SELECT d.resource_id, d.version, d.changed, CAST(NULL AS text), {} FROM search_documents d {join}",
            columns.join(", ")
        );
        let removed = format!(
            "SELECT g.resource_id, {REMOVED}, g.changed, NULL, {nothing} FROM search_removals g WHERE {} \
             AND NOT EXISTS (SELECT 1 FROM search_documents d WHERE d.resource_id = g.resource_id)",
            search.not_seen("g.changed", &mark)
        );
        let (number, next_mark) = search.reach();
        let reached = format!("SELECT NULL, {REACHED}, {number}, {next_mark}, {nothing}");
        Self {
            all: format!("{written} UNION ALL {reached}"),
            since: format!(
                "{written} WHERE {} UNION ALL {removed} UNION ALL {reached}",
                search.not_seen("d.changed", &mark)
            ),
        }
    }

    /// Reads every document.
    pub(super) async fn all<S: Default + Send + 'static>(
        &self,
        database: &Database,
        step: impl Fn(&mut S, &Row<'_>) -> Result<(), DatabaseError> + Send + 'static,
    ) -> Result<S, DatabaseError> {
        database.fold(database.statement(&self.all, []), step).await
    }

    /// Reads what a look that came so far has not seen.
    pub(super) async fn since<S: Default + Send + 'static>(
        &self,
        reach: &Reach,
        database: &Database,
        step: impl Fn(&mut S, &Row<'_>) -> Result<(), DatabaseError> + Send + 'static,
    ) -> Result<S, DatabaseError> {
        let statement = database.statement(&self.since, [reach.mark.as_str().into()]);
        database.fold(statement, step).await
    }
}

/// Reads what a row tells, but not the columns that were asked for.
pub(super) fn change(row: &Row<'_>) -> Result<Change, DatabaseError> {
    let version: i64 = row.get(1)?;
    Ok(match version {
        REACHED => Change::Reached(Reach {
            number: row.get(2)?,
            mark: row.get(3)?,
        }),
        REMOVED => Change::Removed(row.get(0)?),
        _ => Change::Written(row.get(0)?, (version, row.get(2)?)),
    })
}
