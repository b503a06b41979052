//! Completing what is being typed, from the library's own titles, subjects and creators.

use serde::Serialize;

use super::completions::Completion;
use crate::Pharos;
use crate::error::Error;
use crate::lists::checked_limit;

/// Completions without a `limit`.
pub const DEFAULT_COMPLETIONS: u64 = 10;

/// The completions of what was typed, best first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suggestions {
    pub items: Vec<Completion>,
}

impl Pharos {
    /// Somebody has the search page before them: what they type will be completed at once.
    pub fn expect_typing(&self) {
        self.words.expect_typing(&self.database);
    }

    /// Completes a text: see the API's documentation for what matches and in which order. A text without a word has
    /// no completions. `limit` is 1 to 200, 10 when absent.
    pub async fn suggest(&self, typed: &str, limit: Option<u64>) -> Result<Suggestions, Error> {
        let limit = checked_limit(Some(limit.unwrap_or(DEFAULT_COMPLETIONS)))?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let items = self
            .words
            .completions(|completions| completions.complete(typed, limit))
            .await?;
        Ok(Suggestions { items })
    }
}
