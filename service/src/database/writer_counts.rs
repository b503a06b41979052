//! What SQLite's writer counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// Group lengths up to these are counted together; the last bucket has the rest.
pub const GROUP_LENGTHS: [u64; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// What the writer has done since the start.
#[derive(Debug, Default)]
pub(super) struct WriterCounts {
    pub(super) waiting: AtomicU64,
    pub(super) groups: AtomicU64,
    pub(super) writes: AtomicU64,
    pub(super) by_length: [AtomicU64; GROUP_LENGTHS.len()],
    /// Groups that had to wait for another process's lock, and for how long.
    pub(super) lock_waits: AtomicU64,
    pub(super) lock_wait_microseconds: AtomicU64,
    /// Shared transactions that were lost, after which each write ran alone.
    pub(super) lost_groups: AtomicU64,
    pub(super) refused: AtomicU64,
}

/// The writer's queue now, and what it has done since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterState {
    pub waiting: u64,
    pub writes: u64,
    pub groups: u64,
    pub lock_waits: u64,
    pub refused: u64,
}

impl WriterCounts {
    pub(super) fn state(&self) -> WriterState {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        WriterState {
            waiting: read(&self.waiting),
            writes: read(&self.writes),
            groups: read(&self.groups),
            lock_waits: read(&self.lock_waits),
            refused: read(&self.refused),
        }
    }

    pub(super) fn group(&self, length: usize) {
        let length = length as u64;
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.writes.fetch_add(length, Ordering::Relaxed);
        let bucket = GROUP_LENGTHS.iter().position(|most| length <= *most);
        let bucket = bucket.unwrap_or(GROUP_LENGTHS.len() - 1);
        self.by_length[bucket].fetch_add(1, Ordering::Relaxed);
    }
}
