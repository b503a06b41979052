//! The operations, a file a subject.

pub mod assignments;
pub mod authorities;
pub mod codes;
pub mod health;
pub mod keys;
pub mod pages;
pub mod resources;
pub mod search;
pub mod taxonomy;
pub mod users;
