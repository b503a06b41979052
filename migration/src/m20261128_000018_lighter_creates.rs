// Indexes that cost every create something are kept only where they serve: those for natural keys have no rows without
// one, and PostgreSQL has one index over the JSON of resources in the place of two.

use sea_orm_migration::prelude::*;

use crate::dialect::{join_json_indexes, part_json_indexes};
use crate::table_parts::{create_index, index};

#[derive(DeriveMigrationName)]
pub struct Migration;

const IDENTIFIER: &[&str] = &["identifier"];
const SOURCE_AND_TITLE: &[&str] = &["source", "title"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_key_indexes(manager).await?;
        // Serves the import's first natural key, and citations that wait for the resource they name.
        create_key_index(manager, IDENTIFIER).await?;
        // Serves the import's second natural key, for records without an identifier.
        create_key_index(manager, SOURCE_AND_TITLE).await?;
        join_json_indexes(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        part_json_indexes(manager).await?;
        drop_key_indexes(manager).await?;
        create_index(manager, "resources", ["identifier"]).await?;
        create_index(manager, "resources", ["source", "title"]).await
    }
}

/// Of the rows that have the first column.
async fn create_key_index(
    manager: &SchemaManager<'_>,
    columns: &'static [&'static str],
) -> Result<(), DbErr> {
    let there = columns.first().map(|first| Expr::col(*first).is_not_null());
    let mut index = index("resources", columns);
    if let Some(there) = there {
        index.and_where(there);
    }
    manager.create_index(index).await
}

async fn drop_key_indexes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for name in ["idx_resources_identifier", "idx_resources_source_title"] {
        let mut drop = Index::drop();
        drop.name(name).table("resources");
        manager.drop_index(drop).await?;
    }
    Ok(())
}
