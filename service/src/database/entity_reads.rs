//! Reads through SeaORM's entities.

use sea_orm::{
    ConnectionTrait, DatabaseBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
};

use super::{Database, Engine, joined, sqlite_driver};

/// Writing this way is refused: it would bypass the transaction.
#[async_trait::async_trait]
impl ConnectionTrait for Database {
    fn get_database_backend(&self) -> DatabaseBackend {
        self.backend()
    }

    async fn execute_raw(&self, _: Statement) -> Result<ExecResult, DbErr> {
        Err(write_refused())
    }

    async fn execute_unprepared(&self, _: &str) -> Result<ExecResult, DbErr> {
        Err(write_refused())
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match &self.inner.engine {
            Engine::Postgres(pool) => match joined::current().filter(|joined| joined.is_open()) {
                Some(joined) => joined.query_all(statement).await,
                None => pool.query_all(statement).await,
            },
            Engine::Sqlite { .. } => self
                .fold(statement, |rows: &mut Vec<QueryResult>, row| {
                    rows.push(sqlite_driver::to_query_result(row)?);
                    Ok(())
                })
                .await
                .map_err(|error| DbErr::Query(RuntimeErr::Internal(error.to_string()))),
        }
    }
}

fn write_refused() -> DbErr {
    DbErr::Custom("writes go through Database::write".to_owned())
}
