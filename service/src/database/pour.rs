//! Reading more rows than memory takes, from one statement and so from one moment.

use std::sync::Arc;
use std::time::Instant;

use sea_orm::{QueryResult, Statement};
use tokio::sync::mpsc::Sender;

use super::error::DatabaseError;
use super::observe;
use super::options::DatabaseOptions;
use super::postgres_driver::PostgresPool;
use super::postgres_transaction::{to_exec_err, to_query_err};
use super::row::{FromRow, Row};
use super::{Database, Engine};
use crate::error::Error;

/// How many statements are read so at the same time: each holds a connection, and on SQLite the log.
pub(super) fn at_once(options: &DatabaseOptions) -> usize {
    let connections = usize::try_from(options.max_connections).unwrap_or(usize::MAX);
    (connections / 2).clamp(1, MOST_AT_ONCE)
}

const MOST_AT_ONCE: usize = 4;

impl Database {
    /// Reads the rows of a statement beside the request and sends them in batches, as fast as they are taken and
    /// without a time limit. A last batch may be an error. When nobody takes them any more, the reading ends.
    pub(crate) fn pour<T: FromRow + Send + 'static>(
        &self,
        statement: Statement,
        batch: usize,
        sender: Sender<Result<Vec<T>, Error>>,
    ) -> Result<(), DatabaseError> {
        let permit = Arc::clone(&self.inner.pours)
            .try_acquire_owned()
            .map_err(|_| DatabaseError::Busy("there are enough exports under way".to_owned()))?;
        let database = self.clone();
        let origin = observe::current();
        self.inner.runtime.spawn(async move {
            let work = async {
                let result = match &database.inner.engine {
                    Engine::Postgres(pool) => {
                        from_postgres(pool, statement, batch, sender.clone()).await
                    }
                    Engine::Sqlite { readers, .. } => {
                        let (readers, sender) = (Arc::clone(readers), sender.clone());
                        let origin = observe::current();
                        tokio::task::spawn_blocking(move || {
                            observe::sync_attributed(origin, || {
                                from_sqlite(&readers, &statement, batch, &sender)
                            })
                        })
                        .await
                        .unwrap_or_else(|error| {
                            Err(DatabaseError::Other(format!("an export ended: {error}")))
                        })
                    }
                };
                if let Err(error) = result {
                    let _ = sender.send(Err(error.into())).await;
                }
                drop(permit);
            };
            match origin {
                Some(origin) => observe::attributed(origin, work).await,
                None => work.await,
            }
        });
        Ok(())
    }
}

async fn from_postgres<T: FromRow>(
    pool: &PostgresPool,
    statement: Statement,
    length: usize,
    sender: Sender<Result<Vec<T>, Error>>,
) -> Result<(), DatabaseError> {
    let started = Instant::now();
    let sql = statement.sql.clone();
    let mut lent = pool.pool.acquire().await?;
    lent.begin(true).await.map_err(to_exec_err)?;
    // Between two batches is the time of whoever takes them.
    lent.simple("SET LOCAL idle_in_transaction_session_timeout = 0", true)
        .await
        .map_err(to_exec_err)?;
    let mut declare = statement;
    declare
        .sql
        .insert_str(0, "DECLARE pharos_pour NO SCROLL CURSOR FOR ");
    lent.execute(&declare, true).await.map_err(to_exec_err)?;
    let fetch = format!("FETCH {length} FROM pharos_pour");
    let mut count = 0;
    loop {
        let rows = lent.rows_once(&fetch).await.map_err(to_query_err)?;
        let batch = rows
            .into_iter()
            .map(|row| T::from_row(&Row::Postgres(&QueryResult::from(row))))
            .collect::<Result<Vec<T>, _>>()?;
        count += batch.len() as u64;
        let last = batch.len() < length;
        let taken = batch.is_empty() || sender.send(Ok(batch)).await.is_ok();
        if last || !taken {
            break;
        }
    }
    lent.rollback().await;
    pool.observer.record(&sql, started, count);
    Ok(())
}

fn from_sqlite<T: FromRow>(
    readers: &super::readers::Readers,
    statement: &Statement,
    length: usize,
    sender: &Sender<Result<Vec<T>, Error>>,
) -> Result<(), DatabaseError> {
    // One of its own: the others are for short reads.
    let connection = readers.open_another()?;
    let mut batch = Vec::with_capacity(length);
    let mut is_taken = true;
    let read = connection.query(statement, None, |row| {
        batch.push(T::from_row(&Row::Sqlite(row))?);
        if batch.len() == length {
            let full = std::mem::replace(&mut batch, Vec::with_capacity(length));
            is_taken = sender.blocking_send(Ok(full)).is_ok();
            if !is_taken {
                return Err(DatabaseError::Other("nobody takes the rows".to_owned()));
            }
        }
        Ok(())
    });
    if !is_taken {
        return Ok(());
    }
    read?;
    if !batch.is_empty() {
        let _ = sender.blocking_send(Ok(batch));
    }
    Ok(())
}
