// PostgreSQL keeps new entries of a GIN index in a list, and one unlucky write sorts them all in. With
// the default of 4 MB that write takes some 50 ms; with less it takes some 5 ms, and searches have less to scan.

use sea_orm_migration::prelude::*;

use crate::dialect::{limit_pending_list, reset_pending_list};

/// Those that every create writes to.
const INDEXES: [&str; 3] = [
    "idx_resources_metadata",
    "idx_resources_subject",
    "idx_search_documents_tokens",
];

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for index in INDEXES {
            limit_pending_list(manager, index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for index in INDEXES {
            reset_pending_list(manager, index).await?;
        }
        Ok(())
    }
}
