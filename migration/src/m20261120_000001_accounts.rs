// Nothing is reached without a key, so users and their keys come first; the instance's own secrets
// (the key that signs cursors, say) live beside them, so that every process of an instance shares them.

use sea_orm_migration::{
    prelude::*,
    schema::{timestamp_with_time_zone_null, uuid},
};

use crate::{
    dialect::{
        Dialect, Versioned, create_touch_functions, create_updated_at_trigger, drop_touch_functions,
    },
    table_parts::{cascade, create_index, created_at, drop_tables, table_with_id, updated_at},
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_touch_functions(manager).await?;
        create_users(manager).await?;
        create_api_keys(manager).await?;
        create_settings(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, ["settings", "api_keys", "users"]).await?;
        drop_touch_functions(manager).await
    }
}

async fn create_users(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let users = table_with_id("users")
        .col(dialect.text("email").unique_key())
        .col(dialect.text_null("display_name"))
        .col(dialect.text("role"))
        .col(timestamp_with_time_zone_null("disabled_at"))
        .col(created_at())
        .col(updated_at())
        .take();
    manager.create_table(users).await?;
    create_updated_at_trigger(manager, "users", Versioned::No).await
}

async fn create_api_keys(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let api_keys = table_with_id("api_keys")
        .col(uuid("user_id"))
        .col(dialect.text("name"))
        .col(dialect.text("prefix"))
        .col(ColumnDef::new("key_hash").blob().not_null().unique_key())
        .col(dialect.text_null("role"))
        .col(dialect.json_null("scopes"))
        .col(timestamp_with_time_zone_null("expires_at"))
        .col(timestamp_with_time_zone_null("revoked_at"))
        .col(timestamp_with_time_zone_null("last_used_at"))
        .col(created_at())
        .col(updated_at())
        .foreign_key(&mut cascade("api_keys", "user_id", "users"))
        .take();
    manager.create_table(api_keys).await?;
    // Serves the list of one user's keys, and the cascade when the user goes.
    create_index(manager, "api_keys", ["user_id"]).await?;
    create_updated_at_trigger(manager, "api_keys", Versioned::No).await
}

async fn create_settings(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let settings = Table::create()
        .table("settings")
        .col(dialect.text("name").primary_key())
        .col(dialect.text("value"))
        .col(updated_at())
        .take();
    manager.create_table(settings).await?;
    create_updated_at_trigger(manager, "settings", Versioned::No).await
}
