// On SQLite, what the token index holds can be read back, so that it can be compared with the documents.

use sea_orm_migration::prelude::*;

use crate::dialect::{create_search_terms, drop_search_terms};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_search_terms(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_search_terms(manager).await
    }
}
