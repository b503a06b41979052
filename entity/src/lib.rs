//! The tables as SeaORM entities, one file a table, named as the table is. No behaviour lives here.

pub mod ab_test_experiments;
pub mod annotations;
pub mod api_keys;
pub mod authority_creators;
pub mod authority_publishers;
pub mod authority_subjects;
pub mod citations;
pub mod classification_codes;
pub mod collection_resources;
pub mod collections;
pub mod discovery_hypotheses;
pub mod graph_edges;
pub mod graph_embeddings;
pub mod model_versions;
pub mod prediction_logs;
pub mod recommendation_feedback;
pub mod resource_taxonomy;
pub mod resources;
pub mod retraining_runs;
pub mod search_documents;
pub mod search_statistics;
pub mod settings;
pub mod taxonomy_nodes;
pub mod user_interactions;
pub mod user_profiles;
pub mod users;
