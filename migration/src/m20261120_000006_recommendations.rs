// What a reader did and said, kept so that recommendations can be computed afresh at any time: the
// profile is only their sum, and feedback tells which recommender deserves to be heard.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, double_null, timestamp_with_time_zone, uuid},
};

use crate::{
    dialect::{Dialect, Versioned, create_updated_at_trigger},
    table_parts::{cascade, create_index, created_at, drop_tables, table_with_id, updated_at},
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_user_profiles(manager).await?;
        create_user_interactions(manager).await?;
        create_recommendation_feedback(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(
            manager,
            [
                "recommendation_feedback",
                "user_interactions",
                "user_profiles",
            ],
        )
        .await
    }
}

async fn create_user_profiles(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let user_profiles = Table::create()
        .table("user_profiles")
        // The key also serves the foreign key.
        .col(uuid("user_id").primary_key())
        .col(dialect.json("preferences"))
        .col(dialect.json_null("vector"))
        .col(big_integer("interactions_count"))
        .col(created_at())
        .col(updated_at())
        .foreign_key(&mut cascade("user_profiles", "user_id", "users"))
        .take();
    manager.create_table(user_profiles).await?;
    create_updated_at_trigger(manager, "user_profiles", Versioned::No).await
}

async fn create_user_interactions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let user_interactions = table_with_id("user_interactions")
        .col(uuid("user_id"))
        .col(uuid("resource_id"))
        .col(dialect.text("kind"))
        .col(double_null("rating"))
        .col(timestamp_with_time_zone("occurred_at"))
        .col(created_at())
        .foreign_key(&mut cascade("user_interactions", "user_id", "users"))
        .foreign_key(&mut cascade(
            "user_interactions",
            "resource_id",
            "resources",
        ))
        .take();
    manager.create_table(user_interactions).await?;
    // Serves a user's latest interactions, and the user's cascade.
    create_index(manager, "user_interactions", ["user_id", "occurred_at"]).await?;
    // Serves who else used a resource, and its cascade.
    create_index(manager, "user_interactions", ["resource_id"]).await
}

async fn create_recommendation_feedback(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let recommendation_feedback = table_with_id("recommendation_feedback")
        .col(uuid("user_id"))
        .col(uuid("resource_id"))
        .col(dialect.text("recommender"))
        .col(double_null("score"))
        .col(dialect.text("verdict"))
        .col(created_at())
        .col(updated_at())
        .foreign_key(&mut cascade("recommendation_feedback", "user_id", "users"))
        .foreign_key(&mut cascade(
            "recommendation_feedback",
            "resource_id",
            "resources",
        ))
        .take();
    manager.create_table(recommendation_feedback).await?;
    // Serves what a user has judged already, and the user's cascade.
    create_index(manager, "recommendation_feedback", ["user_id"]).await?;
    // Serves how a resource was judged, and its cascade.
    create_index(manager, "recommendation_feedback", ["resource_id"]).await?;
    create_updated_at_trigger(manager, "recommendation_feedback", Versioned::No).await
}
