//! How many writes a group of SQLite's writer may expect.
//!
//! Clients that write one request after the other send the next one a moment after they were answered. A group that commits
//! as soon as nobody waits carries half of them, and the other half waits for two commits. So while those who wrote a moment
//! ago are not all back, the writer waits a little for the next one. Somebody who writes alone never waits.

use std::cell::Cell;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// How long the next write is waited for: several times what a request takes to become one.
const PAUSE: Duration = Duration::from_micros(300);

/// Fewer writers are not worth waiting for.
const FEW: usize = 4;

#[derive(Default)]
pub(super) struct Company {
    expected: Cell<usize>,
}

impl Company {
    /// Tells how many writers there are at the end of a group: its own and those that wait. They are forgotten step by
    /// step.
    pub(super) fn seen(&self, writers: usize) {
        let fading = self.expected.get() * 7 / 8;
        self.expected.set(match writers.max(fading) {
            expected if expected < FEW => 0,
            expected => expected,
        });
    }

    /// The next write of a group that has so many already.
    pub(super) fn next<T>(&self, queue: &Receiver<T>, writes: usize) -> Option<T> {
        match queue.try_recv() {
            Ok(next) => Some(next),
            Err(_) if writes < self.expected.get() => queue.recv_timeout(PAUSE).ok(),
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn those_who_wrote_are_expected_and_then_forgotten() {
        let company = Company::default();
        let expected = |groups: &[usize]| {
            groups.iter().for_each(|writers| company.seen(*writers));
            company.expected.get()
        };
        assert_eq!(expected(&[1, 1, 2, 3]), 0);
        assert_eq!(expected(&[32]), 32);
        assert_eq!(expected(&[30, 32]), 32);
        assert_eq!(expected(&[1]), 28);
        assert_eq!(expected(&[1; 20]), 0);
    }

    #[test]
    fn what_waits_is_taken_whoever_is_expected() {
        let (sender, queue) = channel();
        let company = Company::default();
        sender.send(1).expect("a queue");
        assert_eq!(company.next(&queue, 0), Some(1));
        assert_eq!(company.next(&queue, 0), None);
        company.seen(4);
        std::thread::scope(|scope| {
            scope.spawn(|| sender.send(2).expect("a queue"));
            while company.next(&queue, 3) != Some(2) {}
        });
    }
}
