//! The operations, a file a subject.

pub mod health;
pub mod keys;
pub mod monitoring;
pub mod pages;
pub mod resources;
pub mod search;
pub mod users;
