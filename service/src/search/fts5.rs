//! SQLite's full-text tables when they are broken, by a fault of the disk or by a tool: how that is seen, and how they
//! are made anew.

use migration::TOKEN_MERGES;
use sea_orm::ConnectionTrait;

use crate::database::{Database, DatabaseError, Row};
use crate::error::Error;

/// The index of the search, and the one over JSON.
pub(super) const INDEXES: [&str; 2] = ["search_index", "json_index"];

/// What is wrong with an index; `None` when it is in order.
pub(super) async fn damage_of(
    database: &Database,
    index: &'static str,
) -> Result<Option<String>, DatabaseError> {
    // Reads the whole index; what it cannot read it says in a row, or fails. Only a search before it, on the same
    // connection, has FTS5 look whether the list of segments that it remembers is still the one in the file: without
    // that, the check takes segments for lost that were merged away.
    let check = database.statement(
        &format!(
            "SELECT checked.integrity_check \
             FROM (SELECT count(*) AS found FROM {index} WHERE {index} MATCH 'any') AS searched \
             CROSS JOIN pragma_integrity_check('{index}') AS checked"
        ),
        [],
    );
    let found = match database.fetch_all::<String>(check).await {
        Err(error) if error.is_passing() => return Err(error),
        Err(error) => Some(error.to_string()),
        Ok(said) => said.into_iter().find(|line| line != "ok"),
    };
    let found = match found {
        None => unreachable_pages(database, index).await?,
        found => found,
    };
    Ok(found.map(|fault| format!("{index}: {fault}")))
}

/// What FTS5's own check passes over: pages of terms that the list of pages does not name, so that no search comes to
/// them.
async fn unreachable_pages(
    database: &Database,
    index: &'static str,
) -> Result<Option<String>, DatabaseError> {
    // A page's key: the number of its segment, six bits that are 0 for a page of terms, the number of the page.
    let pages = database.statement(
        &format!(
            "SELECT substr(d.block, 3, 2), length(d.block), \
             EXISTS (SELECT 1 FROM {index}_idx i WHERE i.segid = d.id >> 37 AND i.pgno >> 1 = d.id & 2147483647) \
             FROM {index}_data d WHERE d.id >> 37 BETWEEN 1 AND 65535 AND (d.id >> 31) & 63 = 0"
        ),
        [],
    );
    let unreachable = database
        .fold(pages, |unreachable: &mut u64, row| {
            let named: bool = row.get(2)?;
            *unreachable += u64::from(begins_terms(row)? && !named);
            Ok(())
        })
        .await?;
    Ok((unreachable > 0).then(|| format!("no search comes to {unreachable} of its pages")))
}

/// Whether terms begin on a page: then the list of where they do stands behind its content, whose length is in its head.
fn begins_terms(row: &Row<'_>) -> Result<bool, DatabaseError> {
    let length: i64 = row.get(1)?;
    let content = row.bytes(0, |head| head.try_into().map(u16::from_be_bytes))?;
    Ok(content.is_ok_and(|content| i64::from(content) < length))
}

/// Drops an index and makes it anew with its settings, without entries.
pub(super) async fn make_anew(database: &Database, index: &'static str) -> Result<(), Error> {
    let read = format!("SELECT sql FROM sqlite_schema WHERE name = '{index}'");
    let create: Option<String> = database.fetch_one(database.statement(&read, [])).await?;
    let Some(create) = create else {
        return Err(Error::Internal(format!("the table {index} is not there")));
    };
    // What is not indexed is always looked at, so that filters stay right.
    let list = match index {
        "json_index" => {
            "INSERT OR IGNORE INTO json_unindexed (resource_id) SELECT id FROM resources"
        }
        _ => "",
    };
    database
        .write(move |transaction| {
            let create = create.clone();
            async move {
                // FTS5 refuses to drop a table that does not say its version.
                let mut statements = vec![
                    format!("INSERT OR REPLACE INTO {index}_config (k, v) VALUES ('version', 4)"),
                    format!("DROP TABLE {index}"),
                    create,
                ];
                statements.extend(TOKEN_MERGES.iter().map(|(name, value)| {
                    format!("INSERT INTO {index} ({index}, rank) VALUES ('{name}', {value})")
                }));
                statements.push(list.to_owned());
                for statement in statements.iter().filter(|text| !text.is_empty()) {
                    transaction
                        .execute_unprepared(statement)
                        .await
                        .map_err(DatabaseError::from)?;
                }
                Ok(())
            }
        })
        .await
}
