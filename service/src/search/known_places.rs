//! The places of a field's words, kept from one search to the next: cutting text into words again is a tenth of a search
//! whose pages show what earlier pages have shown.

use std::cell::RefCell;
use std::rc::Rc;

use hashlink::LruCache;
use uuid::Uuid;

use super::document::{Field, Place, text_places};

/// Bytes that are kept for each thread that answers searches.
const MOST_BYTES: usize = 4 << 20;

/// Bytes of a text with its places that are kept at most.
const LONGEST: usize = MOST_BYTES / 16;

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::new(Known {
        by_field: LruCache::new_unbounded(),
        bytes: 0,
    });
}

struct Known {
    by_field: LruCache<(Uuid, Field), Entry>,
    bytes: usize,
}

struct Entry {
    texts: Box<[Box<str>]>,
    places: Rc<[Place]>,
}

impl Entry {
    fn bytes(&self) -> usize {
        /// The map's own share, about.
        const ENTRY: usize = 128;
        let texts: usize = self
            .texts
            .iter()
            .map(|text| size_of_val(text) + text.len())
            .sum();
        ENTRY + texts + size_of_val::<[Place]>(&self.places)
    }
}

/// The places of the words of a resource's field, positions from 0. What is known of other texts is never used.
pub fn places(id: Uuid, field: Field, texts: &[&str]) -> Rc<[Place]> {
    KNOWN.with_borrow_mut(|known| {
        let found = known.by_field.get(&(id, field));
        let is_same = |entry: &&Entry| {
            entry
                .texts
                .iter()
                .map(|text| &**text)
                .eq(texts.iter().copied())
        };
        if let Some(entry) = found.filter(is_same) {
            return Rc::clone(&entry.places);
        }
        let places: Rc<[Place]> = text_places(texts, 0).into();
        known.keep((id, field), texts, &places);
        places
    })
}

impl Known {
    fn keep(&mut self, key: (Uuid, Field), texts: &[&str], places: &Rc<[Place]>) {
        let entry = Entry {
            texts: texts.iter().map(|text| Box::from(*text)).collect(),
            places: Rc::clone(places),
        };
        if entry.bytes() > LONGEST {
            return;
        }
        self.bytes += entry.bytes();
        if let Some(replaced) = self.by_field.insert(key, entry) {
            self.bytes -= replaced.bytes();
        }
        while self.bytes > MOST_BYTES
            && let Some((_, oldest)) = self.by_field.remove_lru()
        {
            self.bytes -= oldest.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::LIST_SEPARATOR;
    use super::*;

    fn title_places(id: u128, title: &str) -> Vec<(u32, usize, usize)> {
        let found = places(Uuid::from_u128(id), Field::Title, &[title]);
        let place = |place: &Place| (place.position, place.start, place.end);
        found.iter().map(place).collect()
    }

    #[test]
    fn another_text_has_its_own_places() {
        assert_eq!(title_places(1, "One two"), [(0, 0, 3), (1, 4, 7)]);
        assert_eq!(title_places(1, "Three"), [(0, 0, 5)]);
        assert_eq!(title_places(2, "One two"), [(0, 0, 3), (1, 4, 7)]);
        assert_eq!(title_places(1, "One two"), [(0, 0, 3), (1, 4, 7)]);
        let subjects = |texts: &[&str]| places(Uuid::from_u128(1), Field::Subject, texts);
        let one = subjects(&[&["a", "b"].join(LIST_SEPARATOR)]);
        assert_ne!(one, subjects(&["a", "b"]));
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let title = "many words ".repeat(400);
        for id in 0..1_000 {
            title_places(id, &title);
        }
        let (bytes, kept) = KNOWN.with_borrow(|known| (known.bytes, known.by_field.len()));
        assert!(
            bytes <= MOST_BYTES && (10..1_000).contains(&kept),
            "{bytes} {kept}"
        );
        title_places(1_000, &title.repeat(100));
        assert_eq!(KNOWN.with_borrow(|known| known.by_field.len()), kept);
    }
}
