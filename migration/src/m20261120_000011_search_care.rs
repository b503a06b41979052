// Whoever deletes a search document (another tool, a cascade) tells those who follow the changes. Each
// document says which analysis made it, so that older ones can be found. Totals are no longer kept: who
// follows the changes knows them; nor are the places of words, which are found in the text again.

use sea_orm_migration::prelude::*;

use crate::{
    dialect::{create_removal_trigger, drop_removal_trigger, restore_places},
    m20261120_000003_search::create_search_statistics,
    table_parts::drop_tables,
};

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
        let drop = Table::alter()
            .table("search_documents")
            .drop_column("places")
            .take();
        manager.alter_table(drop).await?;
        drop_tables(manager, ["search_statistics"]).await?;
        create_removal_trigger(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_removal_trigger(manager).await?;
        let drop = Table::alter()
            .table("search_documents")
            .drop_column("analysis")
            .take();
        manager.alter_table(drop).await?;
        restore_places(manager).await?;
        create_search_statistics(manager).await
    }
}
