// Replies to POSTs with an Idempotency-Key are kept for a day, written in the transaction of their effect, so that a
// repeated request is answered as the first one was and has no second effect.

use sea_orm_migration::{prelude::*, schema::blob};

use crate::table_parts::{create_index, created_at, drop_tables};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let kept = Table::create()
            .table("idempotency_keys")
            .col(blob("id").primary_key())
            .col(blob("fingerprint"))
            .col(blob("reply"))
            .col(created_at())
            .col(
                ColumnDef::new("expires_at")
                    .timestamp_with_time_zone()
                    .not_null(),
            )
            .take();
        manager.create_table(kept).await?;
        // Serves the removal of what has expired, oldest first.
        create_index(manager, "idempotency_keys", ["expires_at"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, ["idempotency_keys"]).await
    }
}
