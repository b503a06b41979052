//! Classification codes: a tree in the manner of Dewey's, where the prefix of a code, or somebody, says what is above it.
//!
//! Changes take turns (`crate::database::Turn::Codes`). Each reads all codes, decides in memory (`tree`) and writes
//! what has become different, in one transaction: one code decides for both databases, in whatever order codes come.

mod change;
mod code;
mod import;
mod list;
mod tree;

pub use self::code::{ClassificationCode, CodeChanges, NewCode};
pub use self::import::{CodeImportReport, CodeReject};
pub use self::list::CodeList;

pub(crate) use self::list::CODES;
