// SQLite's token indexes no longer merge by themselves, which they do in bursts that other writes wait for: the writer has
// them merge a little with each group.

use sea_orm_migration::prelude::*;

use crate::dialect::set_token_merges;

/// FTS5's settings, for whoever makes an index anew.
pub const TOKEN_MERGES: [(&str, u8); 3] = [("automerge", 0), ("crisismerge", 64), ("usermerge", 8)];

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        set_token_merges(manager, TOKEN_MERGES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // FTS5's defaults.
        set_token_merges(
            manager,
            [("automerge", 4), ("crisismerge", 16), ("usermerge", 4)],
        )
        .await
    }
}
