// How resources hang together beyond what they say of each other: weighted edges, embeddings to
// compare them by, and hypotheses of links that someone should look at.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, blob, double, uuid},
};

use crate::{
    dialect::{Dialect, Versioned, create_updated_at_trigger},
    table_parts::{
        cascade, create_index, create_unique_index, created_at, drop_tables, table_with_id,
        updated_at,
    },
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_graph_edges(manager).await?;
        create_graph_embeddings(manager).await?;
        create_discovery_hypotheses(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(
            manager,
            ["discovery_hypotheses", "graph_embeddings", "graph_edges"],
        )
        .await
    }
}

async fn create_graph_edges(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let graph_edges = table_with_id("graph_edges")
        .col(uuid("source_id"))
        .col(uuid("target_id"))
        .col(dialect.text("kind"))
        .col(double("weight"))
        .col(created_at())
        .col(updated_at())
        .foreign_key(&mut cascade("graph_edges", "source_id", "resources"))
        .foreign_key(&mut cascade("graph_edges", "target_id", "resources"))
        .take();
    manager.create_table(graph_edges).await?;
    // Serves the edges out of a resource, writing an edge again, and the source's cascade.
    create_unique_index(manager, "graph_edges", ["source_id", "target_id", "kind"]).await?;
    // Serves the edges into a resource, and the target's cascade.
    create_index(manager, "graph_edges", ["target_id"]).await?;
    create_updated_at_trigger(manager, "graph_edges", Versioned::No).await
}

async fn create_graph_embeddings(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let graph_embeddings = table_with_id("graph_embeddings")
        .col(uuid("resource_id"))
        .col(dialect.text("model"))
        .col(big_integer("dimensions"))
        .col(blob("vector"))
        .col(created_at())
        .col(updated_at())
        .foreign_key(&mut cascade("graph_embeddings", "resource_id", "resources"))
        .take();
    manager.create_table(graph_embeddings).await?;
    // Serves a resource's vector under a model, writing it again, and the cascade.
    create_unique_index(manager, "graph_embeddings", ["resource_id", "model"]).await?;
    create_updated_at_trigger(manager, "graph_embeddings", Versioned::No).await
}

async fn create_discovery_hypotheses(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager)?;
    let discovery_hypotheses = table_with_id("discovery_hypotheses")
        .col(uuid("source_id"))
        .col(uuid("target_id"))
        .col(dialect.text("kind"))
        .col(dialect.text("statement"))
        .col(double("confidence"))
        .col(dialect.json("evidence"))
        .col(dialect.text("status").default("open"))
        .col(created_at())
        .col(updated_at())
        .foreign_key(&mut cascade(
            "discovery_hypotheses",
            "source_id",
            "resources",
        ))
        .foreign_key(&mut cascade(
            "discovery_hypotheses",
            "target_id",
            "resources",
        ))
        .take();
    manager.create_table(discovery_hypotheses).await?;
    // Serves the hypotheses that start at a resource, and the source's cascade.
    create_index(manager, "discovery_hypotheses", ["source_id"]).await?;
    // Serves the hypotheses that lead to a resource, and the target's cascade.
    create_index(manager, "discovery_hypotheses", ["target_id"]).await?;
    create_updated_at_trigger(manager, "discovery_hypotheses", Versioned::No).await
}
