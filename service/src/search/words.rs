//! The library's words in memory: for corrections and for completions. Each is filled by its first use.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::FullTextSearch;
use super::completions::Completions;
use super::follow::{Following, follower};
use super::vocabulary::Vocabulary;
use crate::database::{Batcher, Database};
use crate::error::Error;

/// The vocabulary and the completions, each with what keeps it up to date.
pub(crate) struct Words {
    vocabulary: Arc<Following<Vocabulary>>,
    follow_vocabulary: Batcher<(), ()>,
    completions: Arc<Following<Completions>>,
    follow_completions: Arc<Batcher<(), ()>>,
    /// Whether somebody was seen who will type.
    expected: AtomicBool,
}

impl Words {
    pub(crate) fn new(database: &Database, search: &Arc<dyn FullTextSearch>) -> Self {
        let (vocabulary, completions) = (Arc::default(), Arc::default());
        Self {
            follow_vocabulary: follower(database, search, &vocabulary),
            vocabulary,
            follow_completions: Arc::new(follower(database, search, &completions)),
            completions,
            expected: AtomicBool::new(false),
        }
    }

    /// Fills the completions beside the requests, once.
    pub(crate) fn expect_typing(&self, database: &Database) {
        if self.expected.swap(true, Ordering::Relaxed) {
            return;
        }
        let follow = Arc::clone(&self.follow_completions);
        database.spawn(async move {
            if let Err(error) = follow.call(()).await {
                tracing::debug!(%error, "the completions were not filled");
            }
        });
    }

    /// Reads the vocabulary, with everything that was committed before the call.
    pub(super) async fn vocabulary<R>(
        &self,
        read: impl FnOnce(&Vocabulary) -> R,
    ) -> Result<R, Error> {
        self.follow_vocabulary.call(()).await?;
        Ok(self.vocabulary.read(read))
    }

    /// Reads the completions, with everything that was committed before the call.
    pub(super) async fn completions<R>(
        &self,
        read: impl FnOnce(&Completions) -> R,
    ) -> Result<R, Error> {
        self.follow_completions.call(()).await?;
        Ok(self.completions.read(read))
    }
}
