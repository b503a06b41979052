//! What a walk over the pages of a search has shown. Any edit moves every score a little, since it changes how common
//! words are; without this a match could slip past the cursor's place and be missed, or be shown twice.
//!
//! A set of shown matches is kept under a number made from them, which the cursor carries; so the same pages have the
//! same cursors in every process. Where it is not kept (another process, a restart, long ago) the score in the cursor
//! says where to go on.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashlink::LruCache;
use parking_lot::Mutex;
use uuid::Uuid;

use super::rank::Hit;

/// Matches of all walks together that are kept, those of the pages that were used last: 16 bytes each.
const MOST_KEPT: usize = 262_144;
/// Pages of one walk that are kept.
const MOST_PAGES: u32 = 1_000;

/// Where a page begins.
pub(super) struct Position {
    pub score: f64,
    pub id: Uuid,
    /// Under which number the pages before it are kept; 0 without one.
    pub walk: u64,
}

/// The pages that were shown.
pub(super) struct Walks {
    /// By number. Walks that begin alike share their pages, so a page is as young as the last walk that came by: one of
    /// them may be going on when the others are long over.
    kept: Mutex<LruCache<u64, Arc<Pages>>>,
    matches: Arc<AtomicUsize>,
}

impl Default for Walks {
    fn default() -> Self {
        Self {
            kept: Mutex::new(LruCache::new_unbounded()),
            matches: Arc::default(),
        }
    }
}

/// A page and those before it.
struct Pages {
    ids: Box<[Uuid]>,
    before: Option<Arc<Pages>>,
    count: u32,
    matches: Arc<AtomicUsize>,
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.matches.fetch_sub(self.ids.len(), Ordering::Relaxed);
    }
}

impl Walks {
    /// The matches on the pages before a position; `None` when that is not known any more.
    pub(super) fn shown(&self, position: &Position) -> Option<HashSet<Uuid>> {
        let mut pages = Some(self.kept.lock().get(&position.walk).cloned()?);
        let mut shown = HashSet::new();
        while let Some(page) = pages {
            shown.extend(page.ids.iter().copied());
            pages = page.before.clone();
        }
        Some(shown)
    }

    /// Keeps a page that comes after a position; tells under which number.
    pub(super) fn keep(&self, after: Option<&Position>, page: &[Hit]) -> u64 {
        let before_number = after.map_or(0, |position| position.walk);
        let number = page
            .iter()
            .fold(before_number, |number, hit| mixed(number, hit.id));
        let mut kept = self.kept.lock();
        let before = match after {
            None => None,
            Some(position) => match kept.get(&position.walk) {
                Some(before) if before.count < MOST_PAGES => Some(Arc::clone(before)),
                _ => return number,
            },
        };
        if kept.get(&number).is_some() {
            return number;
        }
        self.matches.fetch_add(page.len(), Ordering::Relaxed);
        let pages = Pages {
            ids: page.iter().map(|hit| hit.id).collect(),
            count: before.as_ref().map_or(1, |before| before.count + 1),
            before,
            matches: Arc::clone(&self.matches),
        };
        kept.insert(number, Arc::new(pages));
        while self.matches.load(Ordering::Relaxed) > MOST_KEPT && kept.remove_lru().is_some() {}
        number
    }
}

/// Two rounds of a multiplication and a shift; never 0.
fn mixed(number: u64, id: Uuid) -> u64 {
    let (high, low) = id.as_u64_pair();
    [high, low].into_iter().fold(number, |number, half| {
        let mixed = (number ^ half).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 29) | 1 << 40
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(numbers: std::ops::Range<u128>) -> Vec<Hit> {
        let hit = |number| Hit {
            id: Uuid::from_u128(number),
            score: 1.0,
        };
        numbers.map(hit).collect()
    }

    fn at(walk: u64) -> Position {
        Position {
            score: 1.0,
            id: Uuid::nil(),
            walk,
        }
    }

    #[test]
    fn a_walk_knows_its_pages_and_no_other_ones() {
        let walks = Walks::default();
        let first = walks.keep(None, &page(0..3));
        let second = walks.keep(Some(&at(first)), &page(3..6));
        let other = walks.keep(Some(&at(first)), &page(6..7));
        let count = |walk| walks.shown(&at(walk)).map(|shown| shown.len());
        assert_eq!(
            (count(first), count(second), count(other)),
            (Some(3), Some(6), Some(4))
        );
        assert_eq!((count(0), count(second + 2)), (None, None));
        assert_eq!(walks.keep(Some(&at(first)), &page(3..6)), second);
        assert_eq!(walks.matches.load(Ordering::Relaxed), 7);
    }

    #[test]
    fn a_page_that_another_walk_shows_too_is_young_again() {
        let walks = Walks::default();
        let each = 1_000;
        let keep = |walk: u128| walks.keep(None, &page(walk * each..(walk + 1) * each));
        let (same, asked) = (keep(0), keep(1));
        let most = u128::try_from(MOST_KEPT).expect("a number") / each;
        for walk in 2..most {
            keep(walk);
        }
        assert_eq!(keep(0), same);
        assert!(walks.shown(&at(asked)).is_some());
        for walk in most..most + 100 {
            keep(walk);
        }
        assert!(walks.shown(&at(same)).is_some());
        assert!(walks.shown(&at(asked)).is_some());
        let after = walks.keep(Some(&at(same)), &page(9_000_000..9_000_001));
        let count = walks.shown(&at(after)).map(|shown| shown.len());
        assert_eq!(count, Some(1_001));
    }

    #[test]
    fn the_oldest_pages_are_forgotten() {
        let walks = Walks::default();
        let each = 1_000;
        let numbers: Vec<u64> = (0..400)
            .map(|walk| walks.keep(None, &page(walk * each..(walk + 1) * each)))
            .collect();
        assert!(walks.matches.load(Ordering::Relaxed) <= MOST_KEPT);
        assert!(walks.shown(&at(numbers[0])).is_none());
        assert!(walks.shown(&at(numbers[399])).is_some());
        // What comes after a page that is forgotten has the number that it would have had.
        let walks_of_another = Walks::default();
        let first = walks_of_another.keep(None, &page(0..each));
        assert_eq!(first, numbers[0]);
        let next = page(9_000_000..9_000_001);
        assert_eq!(
            walks.keep(Some(&at(first)), &next),
            walks_of_another.keep(Some(&at(first)), &next)
        );
    }
}
