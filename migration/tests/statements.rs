//! What the steps say to each database, read from a recording connection.

use std::{mem::take, sync::Arc};

use migration::{Migrator, MigratorTrait};
use sea_orm::{
    Database, DbBackend, DbErr, ProxyDatabaseTrait, ProxyExecResult, ProxyRow, Statement,
};
use sea_orm_migration::SchemaManager;
use tokio::sync::Mutex;

#[derive(Clone, Debug, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

#[async_trait::async_trait]
impl ProxyDatabaseTrait for Recorder {
    async fn query(&self, statement: Statement) -> Result<Vec<ProxyRow>, DbErr> {
        Err(DbErr::Custom(format!(
            "a step asks the database: {statement}"
        )))
    }

    async fn execute(&self, statement: Statement) -> Result<ProxyExecResult, DbErr> {
        self.0.lock().await.push(statement.to_string());
        Ok(ProxyExecResult::default())
    }
}

async fn statements(backend: DbBackend) -> Result<(Vec<String>, Vec<String>), DbErr> {
    let recorder = Recorder::default();
    let database = Database::connect_proxy(backend, Arc::new(Box::new(recorder.clone()))).await?;
    let manager = SchemaManager::new(&database);
    for step in Migrator::migrations() {
        step.up(&manager).await?;
    }
    let up = take(&mut *recorder.0.lock().await);
    for step in Migrator::migrations().iter().rev() {
        step.down(&manager).await?;
    }
    let down = take(&mut *recorder.0.lock().await);
    Ok((up, down))
}

fn columns(statements: &[String]) -> impl Iterator<Item = &str> {
    statements
        .iter()
        .filter(|statement| statement.starts_with("CREATE TABLE"))
        .flat_map(|statement| statement.split(", "))
}

#[tokio::test]
async fn text_on_postgresql_is_compared_by_byte() -> Result<(), DbErr> {
    let (up, _) = statements(DbBackend::Postgres).await?;
    let text: Vec<&str> = columns(&up).filter(|c| c.contains(" text")).collect();
    assert!(text.len() > 40, "{text:?}");
    for column in text {
        assert!(column.contains(r#" text COLLATE "C" "#), "{column}");
    }
    Ok(())
}

#[tokio::test]
async fn columns_on_sqlite_are_declared_as_the_driver_reads_them() -> Result<(), DbErr> {
    let known = [
        "uuid_text",
        "text",
        "json_text",
        "timestamp_with_timezone_text",
        "blob",
        "integer",
        "double",
        "boolean",
    ];
    let (up, _) = statements(DbBackend::Sqlite).await?;
    for column in columns(&up).filter_map(|c| c.rsplit("( ").next()) {
        let mut words = column.split_whitespace();
        if words.next().is_some_and(|name| name.ends_with('"')) {
            let declared = words.next().unwrap_or_default();
            let key_part = declared.is_empty() || declared == ")";
            assert!(key_part || known.contains(&declared), "{column}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn going_down_drops_every_table_and_function() -> Result<(), DbErr> {
    for backend in [DbBackend::Sqlite, DbBackend::Postgres] {
        let (up, down) = statements(backend).await?;
        for kind in ["TABLE", "VIRTUAL TABLE", "FUNCTION"] {
            let create = format!("CREATE {kind} ");
            for made in up
                .iter()
                .filter_map(|statement| statement.strip_prefix(&create))
            {
                let name = made.split(' ').next().unwrap_or_default();
                let drop = format!("DROP {} {name}", kind.trim_start_matches("VIRTUAL "));
                assert!(down.contains(&drop), "{drop} is missing in {down:?}");
            }
        }
    }
    Ok(())
}
