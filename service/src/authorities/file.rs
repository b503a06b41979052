//! Which authority files there are.

use std::str::FromStr;

use crate::error::Error;

/// An authority file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorityFile {
    Subjects,
    Creators,
    Publishers,
}

impl AuthorityFile {
    pub const ALL: [Self; 3] = [Self::Subjects, Self::Creators, Self::Publishers];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subjects => "subjects",
            Self::Creators => "creators",
            Self::Publishers => "publishers",
        }
    }

    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Subjects => "authority_subjects",
            Self::Creators => "authority_creators",
            Self::Publishers => "authority_publishers",
        }
    }

    /// The column of `resources` that has its names.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Subjects => "subject",
            Self::Creators => "creator",
            Self::Publishers => "publisher",
        }
    }

    /// What one entry is called in errors.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Subjects => "authority of subjects",
            Self::Creators => "authority of creators",
            Self::Publishers => "authority of publishers",
        }
    }
}

impl FromStr for AuthorityFile {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|file| file.as_str() == text)
            .ok_or_else(|| Error::NotFound {
                kind: "authority file (there are subjects, creators and publishers)",
                id: text.chars().take(40).collect(),
            })
    }
}
