//! What was read before, used again when the database says that it has not changed since.
//!
//! Reading a page of whole rows costs several times what it costs to ask which rows are on it and whether they are
//! still as they were. So a page is read as ids with stamps; only rows with a stamp that is not known are read whole. A
//! stamp is [`crate::database::Database::row_stamp`] and what else the value depends on: it comes from the statement
//! that answers the request, so nothing that any process has committed before is missed.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashlink::LruCache;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::error::Error;

/// Values by id, each good for as long as its stamp is the row's.
pub(crate) struct Known<S, T> {
    entries: Mutex<Entries<S, T>>,
    most_bytes: usize,
    /// Of the rows that were asked for lately, how many in a hundred were known.
    share: AtomicUsize,
}

struct Entries<S, T> {
    by_id: LruCache<Uuid, Entry<S, T>>,
    bytes: usize,
}

struct Entry<S, T> {
    stamp: S,
    value: Arc<T>,
    bytes: usize,
}

/// How much memory a value takes, about.
pub(crate) trait Bytes {
    fn bytes(&self) -> usize;
}

impl<S: PartialEq, T: Bytes> Known<S, T> {
    /// Those used longest ago go when all together take more than `most_bytes`.
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self {
            entries: Mutex::new(Entries {
                by_id: LruCache::new_unbounded(),
                bytes: 0,
            }),
            most_bytes,
            share: AtomicUsize::new(100),
        }
    }

    /// Whether it is worth asking for stamps first: else most rows have to be read all the same.
    pub(crate) fn is_worth_asking(&self) -> bool {
        self.share.load(Ordering::Relaxed) >= 50
    }

    fn note_share(&self, known: usize, rows: usize) {
        let share = known * 100 / rows.max(1);
        let before = self.share.load(Ordering::Relaxed);
        // The latest eight pages or so.
        self.share
            .store((before * 7 + share).div_ceil(8), Ordering::Relaxed);
    }

    /// The values of these rows in their order, after `read` has read those that are not known. `None` when one of them
    /// changed or went between the statement that gave its stamp and `read`.
    pub(crate) async fn values<F, Fut>(
        &self,
        rows: &[(Uuid, S)],
        read: F,
    ) -> Result<Option<Vec<Arc<T>>>, Error>
    where
        F: FnOnce(Vec<Uuid>) -> Fut,
        Fut: Future<Output = Result<Vec<(Uuid, S, T)>, Error>>,
    {
        let mut found = self.find(rows);
        let missing = rows.iter().zip(&found).filter(|(_, value)| value.is_none());
        let missing: Vec<Uuid> = missing.map(|((id, _), _)| *id).collect();
        if !missing.is_empty() {
            for (id, stamp, value) in read(missing).await? {
                let value = Arc::new(value);
                for ((wanted, expected), place) in rows.iter().zip(&mut found) {
                    if *wanted == id && *expected == stamp {
                        *place = Some(Arc::clone(&value));
                    }
                }
                self.keep(id, stamp, value);
            }
        }
        Ok(found.into_iter().collect())
    }

    /// The values of these rows, after `read` has read those that are not known. What it reads may be newer than its stamp
    /// here; what it does not find is left out.
    pub(crate) async fn latest<F, Fut>(
        &self,
        rows: &[(Uuid, S)],
        read: F,
    ) -> Result<Vec<(Uuid, Arc<T>)>, Error>
    where
        F: FnOnce(Vec<Uuid>) -> Fut,
        Fut: Future<Output = Result<Vec<(Uuid, S, T)>, Error>>,
    {
        let (mut values, mut missing) = (Vec::with_capacity(rows.len()), Vec::new());
        for ((id, _), value) in rows.iter().zip(self.find(rows)) {
            match value {
                Some(value) => values.push((*id, value)),
                None => missing.push(*id),
            }
        }
        self.note_share(values.len(), rows.len());
        if !missing.is_empty() {
            let read = read(missing).await?.into_iter();
            values.extend(read.map(|(id, stamp, value)| self.keep_shared(id, stamp, value)));
        }
        Ok(values)
    }

    /// Keeps what was read without a look at the stamps before.
    pub(crate) fn keep_all(&self, read: Vec<(Uuid, S, T)>) -> Vec<(Uuid, Arc<T>)> {
        let known = {
            let entries = self.entries.lock();
            let is_known = |(id, stamp, _): &&(Uuid, S, T)| {
                let entry = entries.by_id.peek(id);
                entry.is_some_and(|entry| entry.stamp == *stamp)
            };
            read.iter().filter(is_known).count()
        };
        self.note_share(known, read.len());
        read.into_iter()
            .map(|(id, stamp, value)| self.keep_shared(id, stamp, value))
            .collect()
    }

    fn keep_shared(&self, id: Uuid, stamp: S, value: T) -> (Uuid, Arc<T>) {
        let value = Arc::new(value);
        self.keep(id, stamp, Arc::clone(&value));
        (id, value)
    }

    fn find(&self, rows: &[(Uuid, S)]) -> Vec<Option<Arc<T>>> {
        let mut entries = self.entries.lock();
        let find = |(id, stamp): &(Uuid, S)| {
            let entry = entries.by_id.get(id)?;
            (entry.stamp == *stamp).then(|| Arc::clone(&entry.value))
        };
        rows.iter().map(find).collect()
    }

    fn keep(&self, id: Uuid, stamp: S, value: Arc<T>) {
        /// The map's own share, about.
        const ENTRY: usize = 128;
        let bytes = value.bytes() + ENTRY;
        let entry = Entry {
            stamp,
            value,
            bytes,
        };
        let mut entries = self.entries.lock();
        entries.bytes += bytes;
        let mut gone = entries.by_id.insert(id, entry);
        loop {
            entries.bytes -= gone.map_or(0, |entry| entry.bytes);
            if entries.bytes <= self.most_bytes {
                return;
            }
            gone = entries.by_id.remove_lru().map(|(_, entry)| entry);
            if gone.is_none() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Bytes for &'static str {
        fn bytes(&self) -> usize {
            self.len()
        }
    }

    type Texts = Known<i64, &'static str>;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    async fn ask(
        known: &Texts,
        rows: &[(Uuid, i64)],
        stored: &[(Uuid, i64, &'static str)],
    ) -> (usize, Option<String>) {
        let mut read = 0;
        let values = known
            .values(rows, |ids| {
                read = ids.len();
                let found = stored.iter().filter(|(id, ..)| ids.contains(id)).copied();
                std::future::ready(Ok(found.collect()))
            })
            .await
            .expect("reading");
        let joined = values.map(|values| values.iter().map(|value| **value).collect());
        (read, joined)
    }

    #[tokio::test]
    async fn only_what_is_new_or_changed_is_read() {
        let known = Texts::new(10_000);
        let before = [(id(1), 10, "a"), (id(2), 10, "b")];
        let rows = [(id(2), 10), (id(1), 10)];
        assert_eq!(
            ask(&known, &rows, &before).await,
            (2, Some("ba".to_owned()))
        );
        assert_eq!(
            ask(&known, &rows, &before).await,
            (0, Some("ba".to_owned()))
        );

        let after = [(id(1), 11, "A"), (id(2), 10, "b")];
        let rows = [(id(2), 10), (id(1), 11)];
        assert_eq!(ask(&known, &rows, &after).await, (1, Some("bA".to_owned())));
    }

    #[tokio::test]
    async fn a_row_that_moves_on_in_between_gives_nothing() {
        let known = Texts::new(10_000);
        let rows = [(id(1), 10)];
        assert_eq!(ask(&known, &rows, &[(id(1), 11, "A")]).await, (1, None));
        assert_eq!(ask(&known, &[(id(2), 1)], &[]).await, (1, None));
    }

    #[tokio::test]
    async fn the_latest_of_each_row_is_enough_for_some() {
        let known = Texts::new(10_000);
        let rows = [(id(1), 10), (id(2), 10), (id(3), 10)];
        let stored = vec![(id(1), 10, "a"), (id(2), 11, "B")];
        let read = |_| std::future::ready(Ok(stored.clone()));
        let latest = known.latest(&rows, read).await.expect("reading");
        let texts: Vec<&str> = latest.iter().map(|(_, value)| **value).collect();
        assert_eq!(texts, ["a", "B"]);
        assert_eq!(ask(&known, &[(id(1), 10), (id(2), 11)], &[]).await.0, 0);
    }

    #[test]
    fn what_always_changes_is_not_asked_for_first() {
        let known = Texts::new(10_000);
        let mut stamp = 0;
        let keep = |stamp: i64| known.keep_all(vec![(id(1), stamp, "a")]);
        while known.is_worth_asking() {
            stamp += 1;
            assert!(stamp < 20);
            keep(stamp);
        }
        let mut pages = 0;
        while !known.is_worth_asking() {
            pages += 1;
            assert!(pages < 20);
            keep(stamp);
        }
    }

    #[tokio::test]
    async fn what_was_used_longest_ago_makes_room() {
        let known = Texts::new(3 * 128 + 3);
        let stored = [
            (id(1), 1, "a"),
            (id(2), 1, "b"),
            (id(3), 1, "c"),
            (id(4), 1, "d"),
        ];
        let row = |number| (id(number), 1);
        ask(&known, &[row(1), row(2), row(3)], &stored).await;
        ask(&known, &[row(1)], &stored).await;
        ask(&known, &[row(4)], &stored).await;
        assert_eq!(ask(&known, &[row(1), row(3), row(4)], &stored).await.0, 0);
        assert_eq!(ask(&known, &[row(2)], &stored).await.0, 1);
    }
}
