// SQLite's token indexes merge what was written more seldom: each merge of few segments writes tokens again, and looking
// a token up in twice as many takes little more.

use sea_orm_migration::prelude::*;

use crate::dialect::set_token_merges;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        set_token_merges(manager, 8).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // FTS5's default.
        set_token_merges(manager, 4).await
    }
}
