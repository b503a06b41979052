//! Versions of what is stored, and which of them a change expects.

use crate::error::Error;

/// What a change expects to find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Whatever is there (`If-Match: *`).
    Any,
    /// One of these versions.
    Versions(Vec<i64>),
}

impl Expected {
    /// Passes when the stored version is an expected one. `kind` names the thing in the error.
    pub(crate) fn check(&self, kind: &'static str, current: i64) -> Result<(), Error> {
        match self {
            Self::Any => Ok(()),
            Self::Versions(versions) if versions.contains(&current) => Ok(()),
            Self::Versions(_) => Err(Error::Stale { kind, current }),
        }
    }
}
