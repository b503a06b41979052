//! What time it is; a parameter, so that tests can repeat a run.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, SubsecRound, Utc};

/// A source of the current time.
pub trait Clock: Send + Sync {
    /// The time in UTC, truncated to microseconds, as both databases store it.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}

/// A clock for tests that moves on by one millisecond each time it is read.
#[derive(Debug)]
pub struct SteppingClock {
    microseconds: AtomicI64,
}

impl SteppingClock {
    /// Starts at `start`.
    pub fn new(start: DateTime<Utc>) -> Self {
        Self {
            microseconds: AtomicI64::new(start.timestamp_micros()),
        }
    }
}

impl Clock for SteppingClock {
    fn now(&self) -> DateTime<Utc> {
        let microseconds = self.microseconds.fetch_add(1_000, Ordering::Relaxed);
        DateTime::from_timestamp_micros(microseconds).unwrap_or_default()
    }
}
