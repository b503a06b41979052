//! Breaks of SQLite's writer, so that reads beside it get their share of the processors.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// With fewer reads for each write, the reads are those of the writers themselves.
const MANY_READS: f64 = 3.0;

/// What a group counts for when the next one is over: the reads of a few groups decide, since those of one group's
/// requests fall into another group's time.
const FADING: f64 = 0.875;

/// A break lasts so long at most.
const LONGEST: Duration = Duration::from_millis(5);

/// After a group beside which much was read, the writer rests for as long as the group has taken. What comes meanwhile
/// is one group.
pub(super) struct Breaks {
    /// Statements that were read so far, by whomever.
    reads: Arc<AtomicU64>,
    /// How many of them there were, and how many writes, at the end of the last group.
    before: Cell<(u64, u64)>,
    /// Reads and writes of the groups so far, fading.
    of_late: Cell<(f64, f64)>,
}

impl Breaks {
    pub(super) fn new(reads: Arc<AtomicU64>) -> Self {
        Self {
            reads,
            before: Cell::default(),
            of_late: Cell::default(),
        }
    }

    /// The break after a group; `writes` have been made so far.
    pub(super) fn after(&self, writes: u64, took: Duration) -> Duration {
        let reads = self.reads.load(Ordering::Relaxed);
        let (reads_before, writes_before) = self.before.replace((reads, writes));
        let (faded_reads, faded_writes) = self.of_late.get();
        let reads = faded_reads * FADING + (reads - reads_before) as f64;
        let writes = faded_writes * FADING + (writes - writes_before) as f64;
        self.of_late.set((reads, writes));
        if reads <= writes * MANY_READS {
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
        let mut writes = 0;
        let mut group = |beside: u64, length: u64| {
            reads.fetch_add(beside, Ordering::Relaxed);
            writes += length;
            breaks.after(writes, took)
        };
        // Two reads for each write, some of them beside another group.
        for (beside, length) in [(8, 4), (14, 4), (2, 4), (8, 1), (2, 4)] {
            assert_eq!(group(beside, length), Duration::ZERO);
        }
        let rested = (0..20).filter(|_| group(28, 4) == took).count();
        assert!(rested >= 10, "{rested}");
        let rested = (0..20).filter(|_| group(0, 4) == took).count();
        assert!((1..10).contains(&rested), "{rested}");
    }

    #[test]
    fn no_break_is_long() {
        let breaks = Breaks::new(Arc::new(AtomicU64::new(100)));
        assert_eq!(breaks.after(1, Duration::from_secs(1)), LONGEST);
    }
}
