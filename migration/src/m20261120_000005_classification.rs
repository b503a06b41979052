// Where a resource belongs and how names are written: a taxonomy that people and models assign, a
// fixed scheme of codes, and authority files that gather the variants of one name.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, double_null, timestamp_with_time_zone_null, uuid, uuid_null},
};

use crate::{
    dialect::{Dialect, Versioned, create_updated_at_trigger},
    table_parts::{
        cascade, create_index, created_at, drop_tables, table_with_id, updated_at, version,
    },
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_taxonomy_nodes(manager).await?;
        create_resource_taxonomy(manager).await?;
        create_classification_codes(manager).await?;
        create_authority_file(manager, "authority_subjects").await?;
        create_authority_file(manager, "authority_creators").await?;
        create_authority_file(manager, "authority_publishers").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(
            manager,
            [
                "authority_publishers",
                "authority_creators",
                "authority_subjects",
                "classification_codes",
                "resource_taxonomy",
                "taxonomy_nodes",
            ],
        )
        .await
    }
}

async fn create_taxonomy_nodes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let taxonomy_nodes = table_with_id("taxonomy_nodes")
        .col(uuid_null("parent_id"))
        .col(dialect.text("slug"))
        .col(dialect.text("label"))
        // Unique also serves the subtree below a path, which is a range of paths.
        .col(dialect.text("path").unique_key())
        .col(big_integer("level"))
        .col(big_integer("resource_count").default(0))
        .col(version())
        .col(created_at())
        .col(updated_at())
        .foreign_key(&mut cascade(
            "taxonomy_nodes",
            "parent_id",
            "taxonomy_nodes",
        ))
        .take();
    manager.create_table(taxonomy_nodes).await?;
    // Serves the children of a node, and its cascade.
    create_index(manager, "taxonomy_nodes", ["parent_id"]).await?;
    create_updated_at_trigger(manager, "taxonomy_nodes", Versioned::Yes).await
}

async fn create_resource_taxonomy(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let resource_taxonomy = Table::create()
        .table("resource_taxonomy")
        .col(uuid("resource_id"))
        .col(uuid("node_id"))
        // 'manual' or 'predicted'
        .col(dialect.text("source"))
        .col(double_null("confidence"))
        .col(timestamp_with_time_zone_null("reviewed_at"))
        .col(created_at())
        .primary_key(Index::create().col("resource_id").col("node_id"))
        .foreign_key(&mut cascade(
            "resource_taxonomy",
            "resource_id",
            "resources",
        ))
        .foreign_key(&mut cascade(
            "resource_taxonomy",
            "node_id",
            "taxonomy_nodes",
        ))
        .take();
    manager.create_table(resource_taxonomy).await?;
    // Serves the resources of a node, and its cascade; the key serves the other direction.
    create_index(manager, "resource_taxonomy", ["node_id"]).await
}

async fn create_classification_codes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let classification_codes = Table::create()
        .table("classification_codes")
        .col(dialect.text("code").primary_key())
        .col(dialect.text_null("parent_code"))
        .col(dialect.text("label"))
        .col(big_integer("level"))
        .col(created_at())
        .col(updated_at())
        .foreign_key(
            ForeignKey::create()
                .name("fk_classification_codes_parent_code")
                .from("classification_codes", "parent_code")
                .to("classification_codes", "code")
                .on_delete(ForeignKeyAction::SetNull),
        )
        .take();
    manager.create_table(classification_codes).await?;
    // Serves the codes below a code, and forgetting it when it goes.
    create_index(manager, "classification_codes", ["parent_code"]).await?;
    create_updated_at_trigger(manager, "classification_codes", Versioned::No).await
}

async fn create_authority_file(
    manager: &SchemaManager<'_>,
    table: &'static str,
) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let authority_file = table_with_id(table)
        .col(dialect.text("name").unique_key())
        .col(dialect.json("variants"))
        .col(big_integer("usage_count").default(0))
        .col(version())
        .col(created_at())
        .col(updated_at())
        .take();
    manager.create_table(authority_file).await?;
    create_updated_at_trigger(manager, table, Versioned::Yes).await
}
