//! What the migrations of this program say, by which a template is known.

use std::sync::{Arc, Mutex};

use migration::{Migrator, MigratorTrait};
use sea_orm::{
    Database, DbBackend, DbErr, ProxyDatabaseTrait, ProxyExecResult, ProxyRow, Statement,
};
use sea_orm_migration::SchemaManager;
use sha2::{Digest, Sha256};

use super::Backend;

#[derive(Debug, Clone, Default)]
struct Recorder(Arc<Mutex<Sha256>>);

#[async_trait::async_trait]
impl ProxyDatabaseTrait for Recorder {
    async fn query(&self, statement: Statement) -> Result<Vec<ProxyRow>, DbErr> {
        Err(DbErr::Custom(format!(
            "a step asks the database: {statement}"
        )))
    }

    async fn execute(&self, statement: Statement) -> Result<ProxyExecResult, DbErr> {
        let mut hash = self.0.lock().unwrap();
        hash.update(statement.to_string());
        hash.update([0]);
        Ok(ProxyExecResult::default())
    }
}

/// Changes whenever a step does something else.
pub async fn schema_hash(backend: Backend) -> String {
    let recorder = Recorder::default();
    let kind = match backend {
        Backend::Sqlite => DbBackend::Sqlite,
        Backend::Postgres => DbBackend::Postgres,
    };
    let database = Database::connect_proxy(kind, Arc::new(Box::new(recorder.clone())))
        .await
        .expect("a recording connection");
    let manager = SchemaManager::new(&database);
    for step in Migrator::migrations() {
        step.up(&manager).await.expect("a step that only tells");
        recorder.0.lock().unwrap().update(step.name());
    }
    let hash = recorder.0.lock().unwrap().clone().finalize();
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
