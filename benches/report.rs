//! What a benchmark prints: a table for people, and last the `BENCH` lines for programs.

use std::time::Duration;

use crate::load::Outcome;

/// The medians of one side's turns.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub bytes_per_answer: f64,
}

impl Measured {
    /// `turns` must not be empty.
    pub fn of(turns: &[Outcome]) -> Self {
        Self {
            per_second: median(turns.iter().map(|t| t.per_second)),
            p50_ms: median(turns.iter().map(|t| t.p50.as_secs_f64() * 1e3)),
            p99_ms: median(turns.iter().map(|t| t.p99.as_secs_f64() * 1e3)),
            bytes_per_answer: median(
                turns
                    .iter()
                    .map(|t| t.body_bytes as f64 / t.completed as f64),
            ),
        }
    }
}

/// `values` must not be empty.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}

pub fn print_table_head() {
    println!(
        "\n{:<10}{:<8}{:<10}{:>12}{:>10}{:>10}{:>14}",
        "database", "op", "side", "requests/s", "p50 ms", "p99 ms", "bytes/answer"
    );
}

pub fn print_table_row(database: &str, operation: &str, side: &str, measured: &Measured) {
    println!(
        "{database:<10}{operation:<8}{side:<10}{:>12.0}{:>10.3}{:>10.3}{:>14.0}",
        measured.per_second, measured.p50_ms, measured.p99_ms, measured.bytes_per_answer
    );
}

/// A line where more is better.
pub fn rate_line(name: &str, ours: f64, baseline: f64) -> String {
    format!(
        "BENCH {name} ratio={:.2} ours={ours:.0} baseline={baseline:.0} unit=req/s",
        ours / baseline
    )
}

/// A line where less is better; its ratio still says how many times better ours is.
pub fn time_line(name: &str, ours_ms: f64, baseline_ms: f64) -> String {
    format!(
        "BENCH {name} ratio={:.2} ours={ours_ms:.3} baseline={baseline_ms:.3} unit=ms",
        baseline_ms / ours_ms
    )
}

/// The time in ms that 95 of 100 stay below. `times` must not be empty.
pub fn percentile_95(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    let rank = (times.len() * 95).div_ceil(100).max(1);
    times[rank - 1].as_secs_f64() * 1e3
}

/// A line for times and sizes, where less is better; its ratio still says how many times better ours is.
pub fn ratio_line(name: &str, ours: f64, baseline: f64, unit: &str) -> String {
    format!(
        "BENCH {name} ratio={:.2} ours={ours:.2} baseline={baseline:.2} unit={unit}",
        baseline / ours
    )
}
