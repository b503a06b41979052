// A prediction is only worth what its model was: which version said what, how two versions compare on
// live traffic, and when one was trained again.

use sea_orm_migration::{
    prelude::*,
    schema::{
        double, double_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
        uuid_null,
    },
};

use crate::{
    dialect::{Dialect, Versioned, create_updated_at_trigger},
    table_parts::{
        cascade, create_index, create_unique_index, created_at, drop_tables, restrict, set_null,
        table_with_id, updated_at,
    },
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_model_versions(manager).await?;
        create_ab_test_experiments(manager).await?;
        create_prediction_logs(manager).await?;
        create_retraining_runs(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(
            manager,
            [
                "retraining_runs",
                "prediction_logs",
                "ab_test_experiments",
                "model_versions",
            ],
        )
        .await
    }
}

async fn create_model_versions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let model_versions = table_with_id("model_versions")
        .col(dialect.text("name"))
        .col(dialect.text("version"))
        .col(dialect.text("status"))
        .col(dialect.json("metrics"))
        .col(dialect.json("parameters"))
        .col(timestamp_with_time_zone_null("trained_at"))
        .col(created_at())
        .col(updated_at())
        .take();
    manager.create_table(model_versions).await?;
    // Serves finding a model by name and version, and the versions of a name.
    create_unique_index(manager, "model_versions", ["name", "version"]).await?;
    create_updated_at_trigger(manager, "model_versions", Versioned::No).await
}

async fn create_ab_test_experiments(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let ab_test_experiments = table_with_id("ab_test_experiments")
        .col(dialect.text("name").unique_key())
        .col(uuid("control_id"))
        .col(uuid("treatment_id"))
        .col(double("traffic_share"))
        .col(dialect.text("status"))
        .col(timestamp_with_time_zone_null("started_at"))
        .col(timestamp_with_time_zone_null("ended_at"))
        .col(created_at())
        .col(updated_at())
        .foreign_key(&mut restrict(
            "ab_test_experiments",
            "control_id",
            "model_versions",
        ))
        .foreign_key(&mut restrict(
            "ab_test_experiments",
            "treatment_id",
            "model_versions",
        ))
        .take();
    manager.create_table(ab_test_experiments).await?;
    // Serves the experiments in which a model is the control, and refusing to delete it.
    create_index(manager, "ab_test_experiments", ["control_id"]).await?;
    // Serves the experiments in which a model is the treatment, and refusing to delete it.
    create_index(manager, "ab_test_experiments", ["treatment_id"]).await?;
    create_updated_at_trigger(manager, "ab_test_experiments", Versioned::No).await
}

async fn create_prediction_logs(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let prediction_logs = table_with_id("prediction_logs")
        .col(uuid("model_id"))
        .col(uuid_null("resource_id"))
        .col(dialect.json("input"))
        .col(dialect.json("output"))
        .col(double_null("latency_ms"))
        .col(created_at())
        .foreign_key(&mut cascade(
            "prediction_logs",
            "model_id",
            "model_versions",
        ))
        .foreign_key(&mut set_null("prediction_logs", "resource_id", "resources"))
        .take();
    manager.create_table(prediction_logs).await?;
    // Serves a model's latest predictions, and the model's cascade.
    create_index(manager, "prediction_logs", ["model_id", "created_at"]).await?;
    // Serves what was predicted of a resource, and forgetting it when it goes.
    create_index(manager, "prediction_logs", ["resource_id"]).await
}

async fn create_retraining_runs(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let retraining_runs = table_with_id("retraining_runs")
        .col(uuid_null("model_id"))
        .col(dialect.text("status"))
        .col(timestamp_with_time_zone("started_at"))
        .col(timestamp_with_time_zone_null("finished_at"))
        .col(dialect.json("metrics"))
        .col(dialect.text_null("error"))
        .col(created_at())
        .col(updated_at())
        .foreign_key(&mut cascade(
            "retraining_runs",
            "model_id",
            "model_versions",
        ))
        .take();
    manager.create_table(retraining_runs).await?;
    // Serves the training history of a model, and its cascade.
    create_index(manager, "retraining_runs", ["model_id"]).await?;
    create_updated_at_trigger(manager, "retraining_runs", Versioned::No).await
}
