//! A node with everything beneath it, as statements see it: a range of paths.

use chrono::{DateTime, TimeDelta, Utc};
use entity::taxonomy_nodes::{Column, Entity, Model};
use sea_orm::sea_query::{BinOper, Expr, ExprTrait, Func, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::node::{DEEPEST, LONGEST_PATH};
use crate::database::{DatabaseError, Transaction};
use crate::error::Error;

/// Between two changes of a row in one transaction: the trigger for other tools leaves rows alone whose time changes.
pub(super) const STEP: TimeDelta = TimeDelta::microseconds(1);

/// The nodes beneath a path, as a range: `0` comes after `/`.
pub(super) fn beneath(path: &str) -> Expr {
    let column = Expr::col((Entity, Column::Path));
    column
        .clone()
        .gte(format!("{path}/"))
        .and(column.lt(format!("{path}0")))
}

/// Whether one path is another one or beneath it.
pub(super) fn is_within(path: &str, other: &str) -> bool {
    path.strip_prefix(other)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The path of a node with this slug.
pub(super) fn path_beneath(parent: Option<&Model>, slug: &str) -> String {
    match parent {
        Some(parent) => format!("{}/{slug}", parent.path),
        None => slug.to_owned(),
    }
}

/// Reads a node that must be there.
pub(super) async fn find(connection: &impl ConnectionTrait, id: Uuid) -> Result<Model, Error> {
    let found = Entity::find_by_id(id)
        .one(connection)
        .await
        .map_err(DatabaseError::from)?;
    found.ok_or_else(|| not_found(id))
}

pub(super) fn not_found(id: Uuid) -> Error {
    Error::NotFound {
        kind: "taxonomy node",
        id: id.to_string(),
    }
}

/// Refuses a path that another node has.
pub(super) async fn refuse_taken(transaction: &Transaction, path: &str) -> Result<(), Error> {
    let taken = Entity::find()
        .filter(Column::Path.eq(path))
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?;
    match taken {
        None => Ok(()),
        Some(node) => Err(Error::Conflict(format!(
            "the path `{path}` belongs to the node {} already: choose another slug, or merge the two",
            node.id
        ))),
    }
}

/// Refuses what lies too deep or has too long a path.
pub(super) fn refuse_too_deep(level: i64, path_bytes: i64) -> Result<(), Error> {
    if level > DEEPEST {
        return Err(Error::Conflict(format!(
            "the tree has at most {DEEPEST} levels, and this would make {level}"
        )));
    }
    if path_bytes > LONGEST_PATH {
        return Err(Error::Conflict(format!(
            "a path has at most {LONGEST_PATH} bytes, and this would make one of {path_bytes}: choose shorter slugs"
        )));
    }
    Ok(())
}

/// The deepest level and the longest path beneath a path, in bytes; nothing when there is no node.
async fn extent(transaction: &Transaction, path: &str) -> Result<Option<(i64, i64)>, Error> {
    let bytes = Func::cust("octet_length").arg(Expr::col(Column::Path));
    let select = Query::select()
        .expr_as(Func::max(Expr::col(Column::Level)), "level")
        .expr_as(Expr::from(Func::max(bytes)).cast_as("bigint"), "bytes")
        .from(Entity)
        .and_where(beneath(path))
        .take();
    let row = transaction
        .query_one(&select)
        .await
        .map_err(DatabaseError::from)?;
    let Some(row) = row else {
        return Ok(None);
    };
    let read = |name| {
        row.try_get::<Option<i64>>("", name)
            .map_err(DatabaseError::from)
    };
    Ok(read("level")?.zip(read("bytes")?))
}

/// Refuses a place where something beneath a node would lie too deep.
pub(super) async fn refuse_too_deep_beneath(
    transaction: &Transaction,
    from: &str,
    to: &str,
    levels: i64,
) -> Result<(), Error> {
    if let Some((level, bytes)) = extent(transaction, from).await? {
        let longer = i64::try_from(to.len()).unwrap_or(i64::MAX)
            - i64::try_from(from.len()).unwrap_or(i64::MAX);
        refuse_too_deep(level + levels, bytes + longer)?;
    }
    Ok(())
}

/// Gives everything beneath `from` a place beneath `to`, where there is nothing yet.
pub(super) async fn shift(
    transaction: &Transaction,
    from: &str,
    to: &str,
    levels: i64,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    // Paths are unique at every moment of the statement: where old and new ones overlap, all pass by a place of their own.
    let overlap = is_within(from, to) || is_within(to, from);
    if overlap {
        let aside = format!("\u{1}{to}");
        rewrite(transaction, from, &aside, levels, 1, now).await?;
        return rewrite(transaction, &aside, to, 0, 0, now + STEP).await;
    }
    rewrite(transaction, from, to, levels, 1, now).await
}

async fn rewrite(
    transaction: &Transaction,
    from: &str,
    to: &str,
    levels: i64,
    versions: i64,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let rest = i64::try_from(from.chars().count()).unwrap_or(i64::MAX) + 1;
    let tail = Func::cust("substr")
        .arg(Expr::col(Column::Path))
        .arg(Expr::val(rest).cast_as("integer"));
    let path = Expr::val(to).binary(BinOper::Custom("||"), Expr::from(tail));
    let update = Query::update()
        .table(Entity)
        .value(Column::Path, path)
        .value(Column::Level, Expr::col(Column::Level).add(levels))
        .value(Column::Version, Expr::col(Column::Version).add(versions))
        .value(Column::UpdatedAt, now)
        .and_where(beneath(from))
        .take();
    transaction
        .execute(&update)
        .await
        .map_err(DatabaseError::from)?;
    Ok(())
}
