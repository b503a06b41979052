//! Schema statements that must not run in a transaction, and what they need to know.

use sea_orm::sqlx::Executor;

use super::{Database, DatabaseError, Engine};

impl Database {
    /// The schema that PostgreSQL's extension `pg_trgm` is installed in, if it is; nothing on SQLite.
    pub(crate) async fn schema_of_trigrams(&self) -> Result<Option<String>, DatabaseError> {
        let Engine::Postgres(_) = &self.inner.engine else {
            return Ok(None);
        };
        let installed = "SELECT nspname::text FROM pg_extension \
                         JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'pg_trgm'";
        self.fetch_one(self.statement(installed, [])).await
    }

    /// The names of the indexes of resources that are whole: CONCURRENTLY leaves others behind when it is interrupted.
    /// Nothing on SQLite.
    pub(crate) async fn indexes_of_resources(&self) -> Result<Vec<String>, DatabaseError> {
        let Engine::Postgres(_) = &self.inner.engine else {
            return Ok(Vec::new());
        };
        let names = "SELECT relname::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid \
                     WHERE indrelid = 'resources'::regclass AND indisvalid";
        self.fetch_all(self.statement(names, [])).await
    }

    /// Runs statements one after the other without a time limit, each for itself, while others read and write: for
    /// PostgreSQL's CONCURRENTLY. On SQLite there is nothing that has to run so.
    pub(crate) async fn run_online(&self, statements: &[String]) -> Result<(), DatabaseError> {
        let Engine::Postgres(pool) = &self.inner.engine else {
            return Ok(());
        };
        // On a connection of its own: its settings must not come back to the pool.
        let failed = |error: sea_orm::sqlx::Error| DatabaseError::Other(error.to_string());
        let connector = &pool.pool.connector;
        let mut connection = connector
            .connect()
            .await
            .map_err(|error| connector.explain(&error))?;
        // Behind a pooler no limit was set, and one that is set would stay.
        let unlimited = (!connector.is_pooled()).then_some("SET statement_timeout = 0");
        for statement in unlimited
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
