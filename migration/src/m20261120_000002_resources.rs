// The library's records, described in the fifteen elements of Dublin Core plus what readers and the
// classifier add. Every create pays for each index, so there is one only where a list is sorted or filtered.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer_null, double_null, uuid_null},
};

use crate::{
    dialect::{Dialect, Versioned, create_json_index, create_updated_at_trigger},
    table_parts::{
        create_index, created_at, drop_tables, set_null, table_with_id, updated_at, version,
    },
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_resources(manager).await?;
        create_list_indexes(manager).await?;
        create_lookup_indexes(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, ["resources"]).await
    }
}

async fn create_resources(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let resources = table_with_id("resources")
        .col(dialect.text("title"))
        .col(dialect.text_null("description"))
        .col(dialect.text_null("creator"))
        .col(dialect.text_null("publisher"))
        .col(dialect.text_null("contributor"))
        .col(dialect.text_null("date"))
        .col(dialect.text_null("type"))
        .col(dialect.text_null("format"))
        .col(dialect.text_null("identifier"))
        .col(dialect.text_null("source"))
        .col(dialect.text_null("language"))
        .col(dialect.json("relation"))
        .col(dialect.text_null("coverage"))
        .col(dialect.text_null("rights"))
        .col(dialect.json("subject"))
        .col(dialect.text_null("classification_code"))
        .col(dialect.text("read_status").default("unread"))
        .col(double_null("quality_score"))
        .col(dialect.json("metadata"))
        .col(big_integer_null("year"))
        .col(version())
        .col(uuid_null("created_by"))
        .col(created_at())
        .col(updated_at())
        .foreign_key(&mut set_null("resources", "created_by", "users"))
        .take();
    manager.create_table(resources).await?;
    create_updated_at_trigger(manager, "resources", Versioned::ExceptForItsMaker).await
}

// The id at the end of each breaks ties, so that a page goes on exactly where the last one ended.
async fn create_list_indexes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // Serves sort=created_at, the default list, newest first.
    create_index(manager, "resources", ["created_at", "id"]).await?;
    // Serves sort=updated_at, and copying what changed since the last sync.
    create_index(manager, "resources", ["updated_at", "id"]).await?;
    // Serves sort=title.
    create_index(manager, "resources", ["title", "id"]).await?;
    // Serves sort=creator and creator = "…".
    create_index(manager, "resources", ["creator", "id"]).await?;
    // Serves sort=date and comparisons of date.
    create_index(manager, "resources", ["date", "id"]).await?;
    // Serves sort=year and ranges of years.
    create_index(manager, "resources", ["year", "id"]).await?;
    // Serves language = "…" and sort=language.
    create_index(manager, "resources", ["language", "created_at", "id"]).await?;
    // Serves type = "…" and sort=type.
    create_index(manager, "resources", ["type", "created_at", "id"]).await?;
    // Serves read_status = "…" and sort=read_status.
    create_index(manager, "resources", ["read_status", "created_at", "id"]).await?;
    // Serves quality_score > … and sort=quality_score.
    create_index(manager, "resources", ["quality_score", "id"]).await?;
    // Serves classification_code = "…" and sort=classification_code.
    create_index(manager, "resources", ["classification_code", "id"]).await
}

async fn create_lookup_indexes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // Serves the import's first natural key, and citations that wait for the resource they name.
    create_index(manager, "resources", ["identifier"]).await?;
    // Serves the import's second natural key, for records without an identifier.
    create_index(manager, "resources", ["source", "title"]).await?;
    // Serves the foreign key when a user goes.
    create_index(manager, "resources", ["created_by"]).await?;
    // Serves metadata.key = value.
    create_json_index(manager, "idx_resources_metadata", "resources", "metadata").await?;
    // Serves subject:"…".
    create_json_index(manager, "idx_resources_subject", "resources", "subject").await
}
