//! Latencies in buckets that are never wider than a 64th of their value: exact enough for a p99, and cheap to fill.

use std::time::Duration;

const BUCKETS_PER_OCTAVE: u64 = 64;
const OCTAVE_BITS: u32 = BUCKETS_PER_OCTAVE.trailing_zeros();

pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Histogram {
    pub fn new() -> Self {
        let octaves = u64::from(u64::BITS - OCTAVE_BITS) + 1;
        Self {
            buckets: vec![0; (octaves * BUCKETS_PER_OCTAVE) as usize],
            count: 0,
        }
    }

    pub fn record(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket_of(nanoseconds)] += 1;
        self.count += 1;
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// The latency that a share of `quantile` (0 to 1) of the answers did not exceed; 0 when there are none.
    pub fn quantile(&self, quantile: f64) -> Duration {
        let wanted = (self.count as f64 * quantile).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted && *count > 0 {
                return Duration::from_nanos(lower_bound_of(bucket));
            }
        }
        Duration::ZERO
    }
}

fn bucket_of(value: u64) -> usize {
    let value = value.max(BUCKETS_PER_OCTAVE);
    let octave = u64::BITS - 1 - value.leading_zeros() - OCTAVE_BITS;
    (u64::from(octave) * BUCKETS_PER_OCTAVE + (value >> octave) - BUCKETS_PER_OCTAVE) as usize
}

fn lower_bound_of(bucket: usize) -> u64 {
    let (octave, step) = (
        bucket as u64 / BUCKETS_PER_OCTAVE,
        bucket as u64 % BUCKETS_PER_OCTAVE,
    );
    (BUCKETS_PER_OCTAVE + step) << octave
}
