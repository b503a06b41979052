//! Comparing sets of tokens without keeping them.

use std::hash::{DefaultHasher, Hasher};

/// How many tokens there are, and the sum of their hashes: equal for the same tokens in whatever order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenSum {
    pub count: u64,
    sum: u64,
}

impl TokenSum {
    /// Adds a token by its hash.
    pub(super) fn add(&mut self, hash: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(hash);
    }

    /// The tokens of a text with spaces between.
    pub(super) fn of_text(tokens: &str) -> Self {
        let mut sum = Self::default();
        for token in tokens.split(' ').filter(|token| !token.is_empty()) {
            sum.add(token_hash(token.as_bytes()));
        }
        sum
    }
}

/// The same in every process for the same bytes.
pub(super) fn token_hash(token: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(token);
    hasher.finish()
}
