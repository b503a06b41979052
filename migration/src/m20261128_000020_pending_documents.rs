// On PostgreSQL, what is new in the token index is sorted in once at a time, however much is written meanwhile.

use sea_orm_migration::prelude::*;

use crate::dialect::{sort_in_pending_documents_once, sort_in_pending_documents_wholly};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sort_in_pending_documents_once(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sort_in_pending_documents_wholly(manager).await
    }
}
