//! Places for units of PostgreSQL, so that reads beside them get their share of the processors.
//!
//! While there are reads, one unit runs for every two processors of this machine, and its place stays empty for as
//! long again. A unit that has no place after a while goes on all the same, since those before it may be waiting for locks
//! or for the disk. Without reads nobody waits.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

/// How long a unit waits for a place.
const PATIENCE: Duration = Duration::from_millis(20);

/// How long a place stays empty at most.
const LONGEST_BREAK: Duration = Duration::from_millis(5);

pub(super) struct Places {
    free: Arc<Semaphore>,
    /// Reads under way.
    reads: AtomicUsize,
}

/// A place that a unit has, and since when.
pub(super) struct Place {
    permit: OwnedSemaphorePermit,
    taken: Instant,
}

impl Places {
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            free: Arc::new(Semaphore::new((processors / 2).max(1))),
            reads: AtomicUsize::new(0),
        }
    }

    fn are_reads(&self) -> bool {
        self.reads.load(Ordering::Relaxed) > 0
    }

    /// A place for a unit, if it gets one.
    pub(super) async fn take(&self) -> Option<Place> {
        let free = Arc::clone(&self.free);
        let permit = if self.are_reads() {
            timeout(PATIENCE, free.acquire_owned()).await.ok()?.ok()?
        } else {
            free.try_acquire_owned().ok()?
        };
        Some(Place {
            permit,
            taken: Instant::now(),
        })
    }

    /// Gives a place back; the unit does not wait for that.
    pub(super) fn give_back(&self, place: Option<Place>) {
        if let Some(Place { permit, taken }) = place.filter(|_| self.are_reads()) {
            let pause = taken.elapsed().min(LONGEST_BREAK);
            tokio::spawn(async move {
                sleep(pause).await;
                drop(permit);
            });
        }
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
        let free = Arc::clone(&places.free);
        let others = free.acquire_many_owned(all).await.expect("all of them");
        assert!(places.take().await.is_none());
        let read = places.read();
        let began = std::time::Instant::now();
        assert!(places.take().await.is_none());
        assert!(began.elapsed() >= PATIENCE);
        let (place, ()) = tokio::join!(places.take(), async { drop(others) });
        assert!(place.is_some());
        places.give_back(place);
        let given_back = || places.free.available_permits() == usize::try_from(all).expect("a few");
        assert!(!given_back());
        while !given_back() {
            sleep(Duration::from_millis(1)).await;
        }
        drop(read);
        assert_eq!(places.reads.load(Ordering::Relaxed), 0);
    }
}
