//! Ids are UUIDv7 (RFC 9562): the time in milliseconds, then 74 random bits.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::random::Random;

/// A new id for something made at `now`.
pub fn new_id(now: DateTime<Utc>, random: &dyn Random) -> Uuid {
    let mut bytes = [0; 10];
    random.fill(&mut bytes);
    let milliseconds = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &bytes).into_uuid()
}
