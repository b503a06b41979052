//! Schema statements that must not run in a transaction.

use sea_orm::sqlx::Executor;

use super::{Database, DatabaseError, Engine};

impl Database {
    /// Runs statements one after the other without a time limit, each for itself, while others read and write: for
    /// PostgreSQL's CONCURRENTLY. On SQLite there is nothing that has to run so.
    pub(crate) async fn run_online(&self, statements: &[String]) -> Result<(), DatabaseError> {
        let Engine::Postgres(pool) = &self.inner.engine else {
            return Ok(());
        };
        let failed = |error: sea_orm::sqlx::Error| DatabaseError::Other(error.to_string());
        let pool = pool.connection.get_postgres_connection_pool();
        // Its settings must not come back to the pool.
        let mut connection = pool.acquire().await.map_err(failed)?.detach();
        for statement in ["SET statement_timeout = 0"]
            .into_iter()
            .chain(statements.iter().map(String::as_str))
        {
            connection
                .execute(sea_orm::sqlx::AssertSqlSafe(statement))
                .await
                .map_err(failed)?;
        }
        sea_orm::sqlx::Connection::close(connection)
            .await
            .map_err(failed)
    }
}
