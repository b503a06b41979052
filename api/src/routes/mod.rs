//! The operations, a file a subject.

pub mod bulk;
pub mod health;
pub mod keys;
pub mod pages;
pub mod resources;
pub mod search;
pub mod users;
