// Whoever deletes a search document (another tool, a cascade) tells those who follow the changes, and
// the totals stay right. Each document says which analysis made it, so that older ones can be found.

use sea_orm_migration::prelude::*;

use crate::dialect::{create_removal_trigger, drop_removal_trigger};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut analysis = ColumnDef::new("analysis");
        analysis.big_integer().not_null().default(0);
        let add = Table::alter()
            .table("search_documents")
            .add_column(analysis)
            .take();
        manager.alter_table(add).await?;
        create_removal_trigger(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_removal_trigger(manager).await?;
        let drop = Table::alter()
            .table("search_documents")
            .drop_column("analysis")
            .take();
        manager.alter_table(drop).await
    }
}
