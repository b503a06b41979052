//! The operations, a file a subject.

pub mod annotations;
pub mod assignments;
pub mod authorities;
pub mod bulk;
pub mod citations;
pub mod codes;
pub mod collection_contents;
pub mod collections;
pub mod health;
pub mod keys;
pub mod monitoring;
pub mod pages;
pub mod resources;
pub mod search;
pub mod taxonomy;
pub mod users;
