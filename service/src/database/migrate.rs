//! Schema steps: one process at a time, all or nothing.

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DatabaseBackend};

use super::{Database, DatabaseError, Transaction};
use crate::error::Error;

/// A schema step and whether this database has it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MigrationStep {
    pub name: String,
    pub applied: bool,
}

impl Database {
    /// Applies every step that is missing. Two processes may call this at once: the second waits, then finds
    /// nothing to do.
    pub async fn migrate_up(&self) -> Result<(), Error> {
        if self.pending_migrations().await? == 0 {
            return Ok(());
        }
        self.write(|transaction| async move {
            lock_schema(&transaction).await?;
            Migrator::up(&transaction.connection(), None)
                .await
                .map_err(DatabaseError::from)?;
            Ok(())
        })
        .await
    }

    /// Reverts the last `steps` steps; returns how many there were to revert.
    pub async fn migrate_down(&self, steps: u32) -> Result<usize, Error> {
        let before = self.applied_migrations().await?.len();
        self.write(move |transaction| async move {
            lock_schema(&transaction).await?;
            Migrator::down(&transaction.connection(), Some(steps))
                .await
                .map_err(DatabaseError::from)?;
            Ok(())
        })
        .await?;
        Ok(before - self.applied_migrations().await?.len())
    }

    /// Every step in order.
    pub async fn migration_status(&self) -> Result<Vec<MigrationStep>, Error> {
        let applied = self.applied_migrations().await?;
        Ok(Migrator::migrations()
            .iter()
            .map(|step| MigrationStep {
                name: step.name().to_owned(),
                applied: applied.iter().any(|name| name == step.name()),
            })
            .collect())
    }

    /// How many steps this database lacks.
    pub async fn pending_migrations(&self) -> Result<usize, Error> {
        let steps = self.migration_status().await?;
        Ok(steps.iter().filter(|step| !step.applied).count())
    }

    async fn applied_migrations(&self) -> Result<Vec<String>, Error> {
        let (exists, names) = match self.backend() {
            DatabaseBackend::Postgres => (
                "SELECT count(*) FROM pg_tables WHERE tablename = 'seaql_migrations' AND schemaname = ANY (current_schemas(false))",
                "SELECT version FROM seaql_migrations ORDER BY version",
            ),
            _ => (
                "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'seaql_migrations'",
                "SELECT version FROM seaql_migrations ORDER BY version",
            ),
        };
        let tables: Option<i64> = self.fetch_one(self.statement(exists, [])).await?;
        if tables == Some(0) {
            return Ok(Vec::new());
        }
        Ok(self.fetch_all(self.statement(names, [])).await?)
    }
}

/// Waits until no other process changes the schema. SQLite's writer has that lock already.
async fn lock_schema(transaction: &Transaction) -> Result<(), DatabaseError> {
    if transaction.get_database_backend() == DatabaseBackend::Postgres {
        transaction.lift_time_limit().await?;
        transaction
            .execute_unprepared("SELECT pg_advisory_xact_lock(7237120348)")
            .await?;
    }
    Ok(())
}
