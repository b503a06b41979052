// What readers make of the library: they gather resources in collections, mark passages in them,
// and follow what one cites, also to works that the library does not hold yet.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, boolean, timestamp_with_time_zone, uuid, uuid_null},
};

use crate::{
    dialect::{Dialect, Versioned, create_updated_at_trigger},
    table_parts::{
        cascade, create_index, created_at, drop_tables, index, set_null, table_with_id, updated_at,
        version,
    },
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_collections(manager).await?;
        create_collection_resources(manager).await?;
        create_annotations(manager).await?;
        create_citations(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(
            manager,
            [
                "citations",
                "annotations",
                "collection_resources",
                "collections",
            ],
        )
        .await
    }
}

async fn create_collections(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let collections = table_with_id("collections")
        .col(uuid_null("parent_id"))
        .col(uuid("owner_id"))
        .col(dialect.text("name"))
        .col(dialect.text_null("description"))
        .col(dialect.text("visibility").default("private"))
        .col(version())
        .col(created_at())
        .col(updated_at())
        .foreign_key(&mut cascade("collections", "parent_id", "collections"))
        .foreign_key(&mut cascade("collections", "owner_id", "users"))
        .take();
    manager.create_table(collections).await?;
    // Serves the children of a collection, and its cascade.
    create_index(manager, "collections", ["parent_id"]).await?;
    // Serves a user's own collections, and the user's cascade.
    create_index(manager, "collections", ["owner_id"]).await?;
    create_updated_at_trigger(manager, "collections", Versioned::Yes).await
}

async fn create_collection_resources(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let collection_resources = Table::create()
        .table("collection_resources")
        .col(uuid("collection_id"))
        .col(uuid("resource_id"))
        .col(big_integer("position"))
        .col(timestamp_with_time_zone("added_at"))
        .primary_key(Index::create().col("collection_id").col("resource_id"))
        .foreign_key(&mut cascade(
            "collection_resources",
            "collection_id",
            "collections",
        ))
        .foreign_key(&mut cascade(
            "collection_resources",
            "resource_id",
            "resources",
        ))
        .take();
    manager.create_table(collection_resources).await?;
    // Serves the collections that hold a resource, and its cascade; the key serves the other direction.
    create_index(manager, "collection_resources", ["resource_id"]).await
}

async fn create_annotations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let annotations = table_with_id("annotations")
        .col(uuid("resource_id"))
        .col(uuid("user_id"))
        .col(dialect.text("field"))
        .col(big_integer("start_offset"))
        .col(big_integer("end_offset"))
        .col(dialect.text("quote"))
        .col(dialect.text_null("note"))
        .col(dialect.json("tags"))
        .col(dialect.text_null("colour"))
        .col(dialect.text("visibility").default("private"))
        .col(boolean("stale").default(false))
        .col(version())
        .col(created_at())
        .col(updated_at())
        .foreign_key(&mut cascade("annotations", "resource_id", "resources"))
        .foreign_key(&mut cascade("annotations", "user_id", "users"))
        .take();
    manager.create_table(annotations).await?;
    // Serves the annotations of a resource, marking them stale, and the resource's cascade.
    create_index(manager, "annotations", ["resource_id"]).await?;
    // Serves a user's own annotations, and the user's cascade.
    create_index(manager, "annotations", ["user_id"]).await?;
    create_updated_at_trigger(manager, "annotations", Versioned::Yes).await
}

async fn create_citations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let citations = table_with_id("citations")
        .col(uuid("citing_id"))
        .col(uuid_null("cited_id"))
        .col(dialect.text("citation_type"))
        .col(dialect.text_null("raw_text"))
        .col(dialect.text_null("identifier"))
        .col(created_at())
        .col(updated_at())
        .foreign_key(&mut cascade("citations", "citing_id", "resources"))
        .foreign_key(&mut set_null("citations", "cited_id", "resources"))
        .take();
    manager.create_table(citations).await?;
    // Serves what a resource cites, and its cascade.
    create_index(manager, "citations", ["citing_id"]).await?;
    // Serves what cites a resource, and forgetting it when it goes.
    create_index(manager, "citations", ["cited_id"]).await?;
    // Serves resolving citations that wait for a resource with this identifier.
    let unresolved = index("citations", &["identifier"])
        .and_where(Expr::col("cited_id").is_null())
        .take();
    manager.create_index(unresolved).await?;
    create_updated_at_trigger(manager, "citations", Versioned::No).await
}
