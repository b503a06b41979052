//! Places for units of PostgreSQL, so that reads beside them get their share of the processors.
//!
//! While there are reads, one unit runs for every two processors of this machine. A unit that has no place after a while
//! goes on all the same, since those before it may be waiting for locks or for the disk. Without reads nobody waits.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// How long a unit waits for a place.
const PATIENCE: Duration = Duration::from_millis(20);

pub(super) struct Places {
    free: Semaphore,
    /// Reads under way.
    reads: AtomicUsize,
}

impl Places {
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            free: Semaphore::new((processors / 2).max(1)),
            reads: AtomicUsize::new(0),
        }
    }

    /// A place for a unit, if it gets one.
    pub(super) async fn take(&self) -> Option<SemaphorePermit<'_>> {
        if self.reads.load(Ordering::Relaxed) == 0 {
            return self.free.try_acquire().ok();
        }
        timeout(PATIENCE, self.free.acquire()).await.ok()?.ok()
    }

    /// Tells of a read; it is over when what this returns is dropped.
    pub(super) fn read(&self) -> Read<'_> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Read(&self.reads)
    }
}

pub(super) struct Read<'p>(&'p AtomicUsize);

impl Drop for Read<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn beside_reads_a_unit_waits_but_not_for_long() {
        let places = Places::new();
        let all = u32::try_from(places.free.available_permits()).expect("a few");
        let others = places.free.acquire_many(all).await.expect("all of them");
        assert!(places.take().await.is_none());
        let read = places.read();
        let began = std::time::Instant::now();
        assert!(places.take().await.is_none());
        assert!(began.elapsed() >= PATIENCE);
        let (place, ()) = tokio::join!(places.take(), async { drop(others) });
        assert!(place.is_some());
        drop(read);
        assert_eq!(places.reads.load(Ordering::Relaxed), 0);
    }
}
