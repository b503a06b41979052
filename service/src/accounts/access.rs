//! Who may do what.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::error::Error;

/// What a user or key may do at most. Each role includes the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads the library and the reports.
    Reader,
    /// Writes too.
    Editor,
    /// Manages users, keys and the server too.
    Admin,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Reader, Self::Editor, Self::Admin];
    pub(crate) const WORDS: [&'static str; 3] = ["reader", "editor", "admin"];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no role: use reader, editor or admin"))
    }
}

/// A part of the API that a key can be narrowed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub enum Scope {
    #[serde(rename = "library:read")]
    LibraryRead,
    /// Includes `library:read`.
    #[serde(rename = "library:write")]
    LibraryWrite,
    #[serde(rename = "documents:*")]
    Documents,
    #[serde(rename = "ledger:*")]
    Ledger,
    #[serde(rename = "intake:*")]
    Intake,
    #[serde(rename = "reports:read")]
    ReportsRead,
    /// Includes every other.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    pub const ALL: [Self; 7] = [
        Self::LibraryRead,
        Self::LibraryWrite,
        Self::Documents,
        Self::Ledger,
        Self::Intake,
        Self::ReportsRead,
        Self::Admin,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::LibraryRead => "library:read",
            Self::LibraryWrite => "library:write",
            Self::Documents => "documents:*",
            Self::Ledger => "ledger:*",
            Self::Intake => "intake:*",
            Self::ReportsRead => "reports:read",
            Self::Admin => "admin",
        }
    }

    /// The least role that has this scope.
    pub fn least_role(self) -> Role {
        match self {
            Self::LibraryRead | Self::ReportsRead => Role::Reader,
            Self::LibraryWrite | Self::Documents | Self::Ledger | Self::Intake => Role::Editor,
            Self::Admin => Role::Admin,
        }
    }

    fn includes(self, other: Self) -> bool {
        self == other
            || self == Self::Admin
            || (self == Self::LibraryWrite && other == Self::LibraryRead)
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| {
                let known = Self::ALL.map(Self::as_str).join(", ");
                format!("`{text}` is no scope: use {known}")
            })
    }
}

/// For whom something is shown or done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewer {
    pub user_id: Uuid,
    /// With a key that has the scope `admin`.
    pub is_admin: bool,
}

/// Who makes a request, and how far it reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub user_id: Uuid,
    pub key_id: Uuid,
    pub email: String,
    /// The lower of the user's and the key's.
    pub role: Role,
    /// What the key is narrowed to; `None` for all that the role has.
    pub scopes: Option<Vec<Scope>>,
    /// When the key expires.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Actor {
    /// Passes when the actor may manage keys, be they only the own ones: a narrowed key may not, unless it has `admin`.
    pub fn require_key_management(&self) -> Result<(), Error> {
        if self.scopes.is_none() || self.may(Scope::Admin) {
            return Ok(());
        }
        Err(Error::Forbidden(
            "a key that is narrowed to scopes cannot manage keys".to_owned(),
        ))
    }

    pub fn viewer(&self) -> Viewer {
        Viewer {
            user_id: self.user_id,
            is_admin: self.may(Scope::Admin),
        }
    }

    pub fn may(&self, scope: Scope) -> bool {
        self.role >= scope.least_role()
            && self
                .scopes
                .as_ref()
                .is_none_or(|own| own.iter().any(|own| own.includes(scope)))
    }

    /// Passes when the actor has the scope; else says what is missing.
    pub fn require(&self, scope: Scope) -> Result<(), Error> {
        if self.may(scope) {
            return Ok(());
        }
        let name = scope.as_str();
        Err(Error::Forbidden(if self.role < scope.least_role() {
            format!(
                "this needs the role {}, and the key has {}",
                scope.least_role().as_str(),
                self.role.as_str()
            )
        } else {
            format!("this needs the scope {name}, which the key is not given")
        }))
    }
}
