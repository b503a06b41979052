//! What can go wrong in the service, in terms of the domain. HTTP status codes are the `api` crate's matter.

use std::borrow::Cow;

use crate::database::DatabaseError;

/// One field, parameter or position that was wrong, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub place: Place,
    /// Stable, snake_case.
    pub code: &'static str,
    pub detail: String,
}

/// Where a fault is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A JSON pointer into the body (RFC 6901).
    Pointer(String),
    /// A query or path parameter; with the character position (from 0) inside its value where that helps.
    Parameter {
        name: Cow<'static, str>,
        position: Option<usize>,
    },
}

impl Fault {
    pub fn at(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            place: Place::Pointer(pointer.into()),
            code,
            detail: detail.into(),
        }
    }

    pub fn parameter(
        name: impl Into<Cow<'static, str>>,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            place: Place::Parameter {
                name: name.into(),
                position: None,
            },
            code,
            detail: detail.into(),
        }
    }

    pub fn parameter_at(
        name: &'static str,
        position: usize,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        let place = Place::Parameter {
            name: name.into(),
            position: Some(position),
        };
        Self {
            place,
            code,
            detail: detail.into(),
        }
    }
}

/// Why a service call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The input breaks a rule; each fault names its place.
    #[error("invalid input: {}", describe(.0))]
    Invalid(Vec<Fault>),
    /// A query parameter breaks a rule; each fault names its place.
    #[error("invalid parameter: {}", describe(.0))]
    BadParameter(Vec<Fault>),
    #[error("no {kind} has the id {id}")]
    NotFound { kind: &'static str, id: String },
    /// The stored version is another one than the caller expected.
    #[error("the {kind} has changed: its current version is {current}")]
    Stale { kind: &'static str, current: i64 },
    /// As many as the caller expected there are not.
    #[error("{found} match, and {expected} were expected: nothing was changed")]
    AnotherCount { found: u64, expected: u64 },
    /// Something with this unique value exists.
    #[error("{0}")]
    Conflict(String),
    /// What is stored does not allow the change; each fault names its place.
    #[error("the change does not fit what is stored: {}", describe(.0))]
    Unfitting(Vec<Fault>),
    /// The credentials are missing, unknown, expired or revoked.
    #[error("{0}")]
    Unauthenticated(String),
    /// The credentials do not reach this far.
    #[error("{0}")]
    Forbidden(String),
    /// A fault of the program.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// What a body refers to and is not there is a conflict: "not found" is about what the path names.
    pub(crate) fn of_reference(self) -> Self {
        match self {
            Self::NotFound { .. } => Self::Conflict(self.to_string()),
            other => other,
        }
    }
}

fn describe(faults: &[Fault]) -> String {
    let texts: Vec<String> = faults
        .iter()
        .map(|fault| match &fault.place {
            Place::Pointer(pointer) if pointer.is_empty() => fault.detail.clone(),
            Place::Pointer(pointer) => format!("{pointer}: {}", fault.detail),
            Place::Parameter {
                name,
                position: None,
            } => format!("{name}: {}", fault.detail),
            Place::Parameter {
                name,
                position: Some(position),
            } => {
                format!("{name} at {position}: {}", fault.detail)
            }
        })
        .collect();
    texts.join("; ")
}
