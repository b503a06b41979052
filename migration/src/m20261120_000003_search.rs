// Search ranks the same on both databases because they only find the candidates: what ranking and
// faceting need is packed beside each document, and the collection's totals are kept in shards.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, blob, timestamp_with_time_zone, uuid},
};

use crate::{
    dialect::{Dialect, create_token_index, drop_token_index},
    table_parts::{cascade, create_index, drop_tables},
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_search_documents(manager).await?;
        create_token_index(manager).await?;
        create_search_removals(manager).await?;
        create_search_statistics(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, ["search_statistics", "search_removals"]).await?;
        drop_token_index(manager).await?;
        drop_tables(manager, ["search_documents"]).await
    }
}

async fn create_search_documents(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let search_documents = Table::create()
        .table("search_documents")
        .col(dialect.numbered_key("doc"))
        .col(dialect.text("kind"))
        // Unique also serves the foreign key, and finding a resource's document to replace it.
        .col(uuid("resource_id").unique_key())
        .col(blob("terms"))
        .col(blob("places"))
        .col(blob("facets"))
        .col(big_integer("length"))
        .col(big_integer("version"))
        .col(big_integer("changed"))
        .foreign_key(&mut cascade("search_documents", "resource_id", "resources"))
        .take();
    manager.create_table(search_documents).await?;
    // Serves following the changes: what came since the last look.
    create_index(manager, "search_documents", ["changed"]).await
}

// What was taken out of the index, for whoever follows the changes.
async fn create_search_removals(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let search_removals = Table::create()
        .table("search_removals")
        .col(uuid("resource_id").primary_key())
        .col(big_integer("changed"))
        .col(timestamp_with_time_zone("removed_at"))
        .take();
    manager.create_table(search_removals).await?;
    // Serves following the changes.
    create_index(manager, "search_removals", ["changed"]).await?;
    // Serves forgetting old removals.
    create_index(manager, "search_removals", ["removed_at"]).await
}

// Sixteen rows, so that writers that add documents at once seldom wait for the same one.
pub(crate) async fn create_search_statistics(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let search_statistics = Table::create()
        .table("search_statistics")
        .col(big_integer("shard").primary_key())
        .col(big_integer("documents").default(0))
        .col(big_integer("tokens").default(0))
        .take();
    manager.create_table(search_statistics).await?;
    let mut shards = Query::insert();
    shards.into_table("search_statistics").columns(["shard"]);
    for shard in 0_i64..16 {
        shards
            .values([shard.into()])
            .map_err(|error| DbErr::Migration(error.to_string()))?;
    }
    manager.execute(shards).await
}
