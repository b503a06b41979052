//! Opening a SQLite file: its readers, its writer and what copies its log.

use std::path::Path;
use std::sync::Arc;

use super::breaks::Breaks;
use super::checkpointer::Checkpointer;
use super::error::DatabaseError;
use super::observe::Observer;
use super::options::DatabaseOptions;
use super::readers::Readers;
use super::sqlite_driver::{Access, SqliteConnection};
use super::turn::Turn;
use super::url::SqliteTarget;
use super::writer::Writer;

pub(super) fn open_sqlite(
    target: &SqliteTarget,
    options: &DatabaseOptions,
    observer: &Arc<Observer>,
) -> Result<(Arc<Readers>, Writer), DatabaseError> {
    let path = Path::new(&target.path);
    if target.create
        && let Some(folder) = path.parent()
        && !folder.as_os_str().is_empty()
    {
        std::fs::create_dir_all(folder).map_err(|error| {
            DatabaseError::Unavailable(format!("cannot create {}: {error}", folder.display()))
        })?;
    }
    let access = Access::Write {
        create: target.create,
    };
    let open =
        || SqliteConnection::open(path, access, options.acquire_timeout, Arc::clone(observer));
    let connection = open()?;
    let checkpointer = Checkpointer::start(open()?)?;
    let readers = Readers::open(
        path,
        options.sqlite_readers,
        options.acquire_timeout,
        options.statement_timeout,
        observer,
    )?;
    let turn = Turn::beside(path);
    let breaks = Breaks::new(readers.reads());
    let writer = Writer::start(
        connection,
        checkpointer,
        turn,
        breaks,
        options.acquire_timeout,
    )?;
    Ok((Arc::new(readers), writer))
}
