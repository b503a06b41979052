//! The steps that bring a database's schema up and down, in the order in which they run.
//!
//! A step takes no lock and begins no transaction of its own: whoever runs the [`Migrator`] does both.

pub use sea_orm_migration::{MigrationTrait, MigratorTrait};

pub use m20261120_000017_token_merges::TOKEN_MERGES;

mod dialect;
mod m20261120_000001_accounts;
mod m20261120_000002_resources;
mod m20261120_000003_search;
mod m20261120_000004_collections;
mod m20261120_000005_classification;
mod m20261120_000006_recommendations;
mod m20261120_000007_knowledge_graph;
mod m20261120_000008_models;
mod m20261120_000011_search_care;
mod m20261120_000012_json;
mod m20261120_000013_reading;
mod m20261120_000014_classification_care;
mod m20261120_000015_idempotency;
mod m20261120_000017_token_merges;
mod m20261128_000018_lighter_creates;
mod m20261128_000019_makers_at_commit;
mod m20261128_000020_pending_documents;
mod m20261128_000021_search_terms;
mod table_parts;

pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261120_000001_accounts::Migration),
            Box::new(m20261120_000002_resources::Migration),
            Box::new(m20261120_000003_search::Migration),
            Box::new(m20261120_000004_collections::Migration),
            Box::new(m20261120_000005_classification::Migration),
            Box::new(m20261120_000006_recommendations::Migration),
            Box::new(m20261120_000007_knowledge_graph::Migration),
            Box::new(m20261120_000008_models::Migration),
            Box::new(m20261120_000011_search_care::Migration),
            Box::new(m20261120_000012_json::Migration),
            Box::new(m20261120_000013_reading::Migration),
            Box::new(m20261120_000014_classification_care::Migration),
            Box::new(m20261120_000015_idempotency::Migration),
            Box::new(m20261120_000017_token_merges::Migration),
            Box::new(m20261128_000018_lighter_creates::Migration),
            Box::new(m20261128_000019_makers_at_commit::Migration),
            Box::new(m20261128_000020_pending_documents::Migration),
            Box::new(m20261128_000021_search_terms::Migration),
        ]
    }
}
