//! Every case runs on SQLite and on PostgreSQL, each in a database of its own.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

#[macro_use]
mod harness;

mod access;
mod analysis;
mod annotations;
mod authorities;
mod bulk;
mod citations;
mod codes;
mod collections;
mod comparison;
mod completions;
mod concurrency;
mod conformance;
mod corrections;
mod costs;
mod durability;
mod encryption;
mod equality;
mod evaluation;
mod export;
mod filters;
mod freshness;
mod full_disk;
mod house_rules;
mod idempotency;
mod import;
mod index_care;
mod index_damage;
mod json_index;
mod keys;
mod lists;
mod manners;
mod migrations;
mod monitoring;
mod outages;
mod overload;
mod parameters;
mod pooler;
mod pressure;
mod program;
mod queries;
mod ranking;
mod refusals;
mod repeated;
mod resources;
mod search;
mod search_edits;
mod secrets;
mod slow_clients;
mod snippets;
mod taxonomy;
mod tenants;
mod users;
