//! Authority files: the canonical names of subjects, creators and publishers, each with the variants that stand for it.
//!
//! Every write of a resource brings its names into their canonical form. It looks them up in memory (`KnownNames`) and
//! checks in its own transaction that the files are still as they were (`check`): one row is inserted into a table that
//! keeps none, along with the resource. A change of a file counts its epoch up, alone (`crate::database::Turn`), so each
//! write comes wholly before or wholly after it. What was written before is rewritten after it (`rewrite::Rewriter`).

mod authority;
mod change;
mod file;
mod forms;
mod known;
mod list;
mod merge;
mod rewrite;

pub use self::authority::{Authority, AuthorityChanges, LONGEST_NAME, NewAuthority};
pub use self::file::AuthorityFile;
pub use self::list::AuthorityList;

pub(crate) use self::known::{
    Authorities, KnownNames, by_authorities, check, check_all, names_something,
};
pub(crate) use self::list::SUBJECTS;
