// Counts of the taxonomy are kept by triggers, so that no cascade and no other tool is missed, and predictions wait for
// review beside the assignments. Authority files get the folded forms by which every write finds the canonical name, and
// a number that every change of them counts up; how often a name is used is counted when it is asked.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, boolean, double, uuid, uuid_null},
};

use crate::{
    dialect::{
        Dialect, Versioned,
        classification::{
            create_authority_check, create_counting, drop_authority_check, drop_counting,
            replace_touch_trigger,
        },
    },
    table_parts::{
        cascade, create_index, create_unique_index, created_at, drop_tables, table_with_id,
        updated_at, version,
    },
};

#[derive(DeriveMigrationName)]
pub struct Migration;

const AUTHORITY_FILES: [&str; 3] = [
    "authority_subjects",
    "authority_creators",
    "authority_publishers",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_predictions(manager).await?;
        replace_touch_trigger(
            manager,
            "taxonomy_nodes",
            Versioned::ExceptForItsCount("resource_count"),
        )
        .await?;
        create_counting(manager).await?;
        version_codes(manager).await?;
        count_usage_when_asked(manager).await?;
        create_authority_forms(manager).await?;
        create_authority_check(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_authority_check(manager).await?;
        drop_tables(
            manager,
            ["authority_rewrites", "authority_forms", "authority_epoch"],
        )
        .await?;
        for table in AUTHORITY_FILES {
            let usage = big_integer("usage_count").default(0).take();
            add_column(manager, table, usage).await?;
        }
        replace_touch_trigger(manager, "classification_codes", Versioned::No).await?;
        drop_column(manager, "classification_codes", "parent_given").await?;
        drop_column(manager, "classification_codes", "version").await?;
        drop_counting(manager).await?;
        replace_touch_trigger(manager, "taxonomy_nodes", Versioned::Yes).await?;
        drop_tables(manager, ["taxonomy_predictions"]).await
    }
}

async fn create_predictions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let predictions = table_with_id("taxonomy_predictions")
        .col(uuid("resource_id"))
        .col(uuid("node_id"))
        .col(double("confidence"))
        // 'pending' or 'rejected'; one that is accepted is an assignment
        .col(dialect.text("status"))
        .col(created_at())
        .col(updated_at())
        .foreign_key(&mut cascade(
            "taxonomy_predictions",
            "resource_id",
            "resources",
        ))
        .foreign_key(&mut cascade(
            "taxonomy_predictions",
            "node_id",
            "taxonomy_nodes",
        ))
        .take();
    manager.create_table(predictions).await?;
    // Serves the look for what was predicted before, and the cascade of a resource.
    create_unique_index(manager, "taxonomy_predictions", ["resource_id", "node_id"]).await?;
    // Serves the cascade of a node, and its part of the queue.
    create_index(manager, "taxonomy_predictions", ["node_id"]).await?;
    // Serves the queue, surest first.
    create_index(
        manager,
        "taxonomy_predictions",
        ["status", "confidence", "id"],
    )
    .await
}

async fn version_codes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    add_column(manager, "classification_codes", version()).await?;
    // Whether somebody said which code is above, or the prefix did.
    let given = boolean("parent_given").default(false).take();
    add_column(manager, "classification_codes", given).await?;
    replace_touch_trigger(manager, "classification_codes", Versioned::Yes).await
}

async fn count_usage_when_asked(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for table in AUTHORITY_FILES {
        drop_column(manager, table, "usage_count").await?;
    }
    Ok(())
}

async fn create_authority_forms(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    // One row: the number of the last change of any authority file.
    let epoch = Table::create()
        .table("authority_epoch")
        .col(big_integer("id").primary_key())
        .col(big_integer("epoch"))
        .take();
    manager.create_table(epoch).await?;
    let first = Query::insert()
        .into_table("authority_epoch")
        .columns(["id", "epoch"])
        .values_panic([1.into(), 0.into()])
        .take();
    manager.execute(first).await?;
    let forms = Table::create()
        .table("authority_forms")
        // 'subjects', 'creators' or 'publishers'
        .col(dialect.text("file"))
        // The beginning of the SHA-256 of the folded form.
        .col(uuid("key"))
        .col(dialect.text("folded"))
        // NULL: the form belongs to nobody any more.
        .col(uuid_null("authority_id"))
        .col(dialect.text("name"))
        // The epoch of the last change.
        .col(big_integer("changed"))
        .primary_key(Index::create().col("file").col("key"))
        .take();
    manager.create_table(forms).await?;
    // Serves taking over what changed since the last look.
    create_index(manager, "authority_forms", ["changed"]).await?;
    // Serves completion.
    create_index(manager, "authority_forms", ["file", "folded"]).await?;
    // Serves the forms of one authority.
    create_index(manager, "authority_forms", ["authority_id"]).await?;
    // Files of which resources may still have other forms than the canonical one.
    let rewrites = Table::create()
        .table("authority_rewrites")
        .col(dialect.text("file").primary_key())
        .col(big_integer("epoch"))
        .take();
    manager.create_table(rewrites).await
}

async fn add_column(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: ColumnDef,
) -> Result<(), DbErr> {
    let add = Table::alter().table(table).add_column(column).take();
    manager.alter_table(add).await
}

async fn drop_column(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: &'static str,
) -> Result<(), DbErr> {
    let drop = Table::alter().table(table).drop_column(column).take();
    manager.alter_table(drop).await
}
