// Collections are shared with members, annotations are searched by their words, and citations find the resources that
// they name by normalised identifiers, whichever of the two comes first. The importance of resources is kept.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, double, timestamp_with_time_zone, uuid},
};

use crate::{
    dialect::{
        Dialect, Versioned, create_resolved_citations, create_updated_at_trigger,
        drop_resolved_citations, drop_updated_at_trigger,
    },
    table_parts::{cascade, create_index, drop_tables},
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_members(manager).await?;
        create_annotation_words(manager).await?;
        create_resource_identifiers(manager).await?;
        create_resource_ranks(manager).await?;
        extend_citations(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_resolved_citations(manager).await?;
        drop_updated_at_trigger(manager, "citations").await?;
        manager
            .drop_index(
                Index::drop()
                    .name("idx_citations_identifier_key")
                    .to_owned(),
            )
            .await?;
        for column in ["identifier_key", "version"] {
            let drop = Table::alter().table("citations").drop_column(column).take();
            manager.alter_table(drop).await?;
        }
        create_updated_at_trigger(manager, "citations", Versioned::No).await?;
        drop_tables(
            manager,
            [
                "resource_ranks",
                "resource_identifiers",
                "annotation_words",
                "collection_members",
            ],
        )
        .await
    }
}

async fn create_members(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let members = Table::create()
        .table("collection_members")
        .col(uuid("collection_id"))
        .col(uuid("user_id"))
        .col(dialect.text("role"))
        .col(timestamp_with_time_zone("added_at"))
        .primary_key(Index::create().col("collection_id").col("user_id"))
        .foreign_key(&mut cascade(
            "collection_members",
            "collection_id",
            "collections",
        ))
        .foreign_key(&mut cascade("collection_members", "user_id", "users"))
        .take();
    manager.create_table(members).await?;
    // Serves the collections that are shared with a user, and the user's cascade.
    create_index(manager, "collection_members", ["user_id"]).await
}

async fn create_annotation_words(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let words = Table::create()
        .table("annotation_words")
        .col(uuid("annotation_id"))
        .col(dialect.text("word"))
        .primary_key(Index::create().col("annotation_id").col("word"))
        .foreign_key(&mut cascade(
            "annotation_words",
            "annotation_id",
            "annotations",
        ))
        .take();
    manager.create_table(words).await?;
    // Serves the annotations that have a word.
    create_index(manager, "annotation_words", ["word"]).await
}

async fn create_resource_identifiers(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let identifiers = Table::create()
        .table("resource_identifiers")
        .col(dialect.text("identifier_key"))
        .col(uuid("resource_id"))
        .primary_key(Index::create().col("identifier_key").col("resource_id"))
        .foreign_key(&mut cascade(
            "resource_identifiers",
            "resource_id",
            "resources",
        ))
        .take();
    manager.create_table(identifiers).await?;
    // Serves the citations of a resource, and its cascade; the key serves the other direction.
    create_index(manager, "resource_identifiers", ["resource_id"]).await
}

async fn create_resource_ranks(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let ranks = Table::create()
        .table("resource_ranks")
        .col(
            ColumnDef::new("resource_id")
                .uuid()
                .not_null()
                .primary_key(),
        )
        .col(double("importance"))
        .col(big_integer("cited_by"))
        .col(timestamp_with_time_zone("computed_at"))
        .foreign_key(&mut cascade("resource_ranks", "resource_id", "resources"))
        .take();
    manager.create_table(ranks).await?;
    // Serves the most important resources.
    create_index(manager, "resource_ranks", ["importance", "resource_id"]).await
}

async fn extend_citations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    drop_updated_at_trigger(manager, "citations").await?;
    let mut version = ColumnDef::new("version");
    version.big_integer().not_null().default(1);
    for column in [version, dialect.text_null("identifier_key")] {
        let add = Table::alter().table("citations").add_column(column).take();
        manager.alter_table(add).await?;
    }
    create_updated_at_trigger(manager, "citations", Versioned::Yes).await?;
    // Serves what cites a resource by its identifiers.
    create_index(manager, "citations", ["identifier_key"]).await?;
    create_resolved_citations(manager).await
}
