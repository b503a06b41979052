// Filters over metadata, subject and relation need an index on SQLite as they have one on PostgreSQL, and administrators
// declare the paths that PostgreSQL compares by. Rows that are there already are put on the list of those to index.

use sea_orm_migration::prelude::*;

use crate::{
    dialect::{Dialect, create_json_lookup, drop_declared_indexes, drop_json_lookup},
    table_parts::{created_at, drop_tables},
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_json_lookup(manager).await?;
        let dialect = Dialect::of(manager)?;
        let declared = Table::create()
            .table("json_paths")
            .col(dialect.text("path").primary_key())
            .col(created_at())
            .take();
        manager.create_table(declared).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_declared_indexes(manager).await?;
        drop_tables(manager, ["json_paths"]).await?;
        drop_json_lookup(manager).await
    }
}
