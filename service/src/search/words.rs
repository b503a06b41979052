//! The library's words in memory: for corrections and for completions. Each is filled by its first use.

use std::sync::Arc;

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
    follow_completions: Batcher<(), ()>,
}

impl Words {
    pub(crate) fn new(database: &Database, search: &Arc<dyn FullTextSearch>) -> Self {
        let (vocabulary, completions) = (Arc::default(), Arc::default());
        Self {
            follow_vocabulary: follower(database, search, &vocabulary),
            vocabulary,
            follow_completions: follower(database, search, &completions),
            completions,
        }
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
