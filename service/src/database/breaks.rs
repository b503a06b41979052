//! Breaks of SQLite's writer, so that reads beside it get their share of the processors.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// With fewer reads for each write, the reads are those of the writers themselves.
const MANY_READS: u64 = 3;

/// A break lasts so long at most.
const LONGEST: Duration = Duration::from_millis(5);

/// After a group beside which much was read, the writer rests for as long as the group has taken. What comes meanwhile
/// is one group.
pub(super) struct Breaks {
    /// Statements that were read so far, by whomever.
    reads: Arc<AtomicU64>,
    /// How many of them there were, and how many writes, at the end of the last group.
    before: Cell<(u64, u64)>,
}

impl Breaks {
    pub(super) fn new(reads: Arc<AtomicU64>) -> Self {
        Self {
            reads,
            before: Cell::default(),
        }
    }

    /// The break after a group; `writes` have been made so far.
    pub(super) fn after(&self, writes: u64, took: Duration) -> Duration {
        let reads = self.reads.load(Ordering::Relaxed);
        let (reads_before, writes_before) = self.before.replace((reads, writes));
        let most = (writes - writes_before) * MANY_READS;
        if reads - reads_before <= most {
            return Duration::ZERO;
        }
        took.min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_rests_only_beside_many_reads() {
        let reads = Arc::new(AtomicU64::new(0));
        let breaks = Breaks::new(Arc::clone(&reads));
        let took = Duration::from_millis(2);
        assert_eq!(breaks.after(4, took), Duration::ZERO);
        reads.fetch_add(13, Ordering::Relaxed);
        assert_eq!(breaks.after(8, took), took);
        assert_eq!(breaks.after(9, took), Duration::ZERO);
        reads.fetch_add(12, Ordering::Relaxed);
        assert_eq!(breaks.after(13, took), Duration::ZERO);
        reads.fetch_add(13, Ordering::Relaxed);
        assert_eq!(breaks.after(17, Duration::from_secs(1)), LONGEST);
    }
}
