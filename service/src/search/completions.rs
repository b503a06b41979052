//! The titles, subjects and creators of the library by the beginnings of their words.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::ops::Bound;

use serde::Serialize;
use uuid::Uuid;

use super::analysis::segments;
use super::folding::fold;
use super::follow::Derived;
use crate::library::ResourceFields;

/// What a completion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CompletionKind {
    Title,
    Subject,
    Creator,
}

/// A text of the library that completes what was typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Completion {
    pub text: String,
    pub kind: CompletionKind,
    /// Resources that have it.
    pub count: usize,
    /// For a title: the resource, of several the one with the lowest id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<Uuid>,
}

/// Every title, subject and creator once, with an index of their words.
#[derive(Default)]
pub(super) struct Completions {
    numbers: HashMap<(CompletionKind, Box<str>), u32>,
    texts: Vec<Text>,
    /// For each text what mostly decides its place, close together: a letter begins very many texts.
    keys: Vec<Key>,
    /// Numbers of texts that are gone.
    free_texts: Vec<u32>,
    /// Folded words in order of code points, with their numbers.
    words: BTreeMap<Box<str>, u32>,
    /// For each word the texts that have it.
    having: Vec<Having>,
    free_words: Vec<u32>,
}

/// The texts that have a word, in no order but that those which begin with it come first.
#[derive(Default)]
struct Having {
    texts: Vec<u32>,
    beginning: usize,
}

impl Having {
    fn insert(&mut self, text: u32, begins: bool) {
        self.texts.push(text);
        if begins {
            let last = self.texts.len() - 1;
            self.texts.swap(self.beginning, last);
            self.beginning += 1;
        }
    }

    fn remove(&mut self, text: u32) {
        let Some(mut place) = self.texts.iter().position(|other| *other == text) else {
            return;
        };
        if place < self.beginning {
            self.beginning -= 1;
            self.texts.swap(place, self.beginning);
            place = self.beginning;
        }
        self.texts.swap_remove(place);
    }
}

/// What texts are put in order by before the whole text is. Those of more resources come first, then by kind, then by the
/// first bytes of the text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    count: Reverse<u32>,
    kind: CompletionKind,
    first_bytes: u64,
}

impl Key {
    /// Of a text that no resource has yet.
    fn new(kind: CompletionKind, text: &str) -> Self {
        let mut first = [0; 8];
        let length = text.len().min(first.len());
        first[..length].copy_from_slice(&text.as_bytes()[..length]);
        Self {
            count: Reverse(0),
            kind,
            first_bytes: u64::from_be_bytes(first),
        }
    }
}

struct Text {
    text: Box<str>,
    /// Numbers of its words, in their order.
    words: Box<[u32]>,
    /// The resources with this title, ascending.
    ids: Vec<Uuid>,
}

impl Derived for Completions {
    type Entry = Box<[u32]>;

    const ALL_TEXTS: bool = false;

    fn add(&mut self, id: Uuid, fields: &ResourceFields) -> Box<[u32]> {
        let title = [(CompletionKind::Title, fields.title.as_str())];
        let subjects = fields
            .subject
            .iter()
            .map(|subject| (CompletionKind::Subject, subject.as_str()));
        let creator = fields
            .creator
            .iter()
            .map(|creator| (CompletionKind::Creator, creator.as_str()));
        let mut own: Vec<u32> = Vec::new();
        for (kind, text) in title.into_iter().chain(subjects).chain(creator) {
            let Some(number) = self.number(kind, text) else {
                continue;
            };
            // A subject may stand there twice.
            if own.contains(&number) {
                continue;
            }
            own.push(number);
            self.keys[number as usize].count.0 += 1;
            if kind == CompletionKind::Title {
                let text = &mut self.texts[number as usize];
                let place = text.ids.partition_point(|other| *other < id);
                text.ids.insert(place, id);
            }
        }
        own.into_boxed_slice()
    }

    fn take_out(&mut self, id: Uuid, numbers: Box<[u32]>) {
        for number in numbers {
            self.texts[number as usize].ids.retain(|other| *other != id);
            let count = &mut self.keys[number as usize].count.0;
            *count -= 1;
            if *count == 0 {
                self.forget(number);
            }
        }
    }

    fn shrink(&mut self) {
        self.numbers.shrink_to_fit();
        self.texts.shrink_to_fit();
        self.keys.shrink_to_fit();
        self.having.shrink_to_fit();
        self.having
            .iter_mut()
            .for_each(|having| having.texts.shrink_to_fit());
    }
}

impl Completions {
    /// The number of a text, which is entered when it is new; `None` when no word is in it.
    fn number(&mut self, kind: CompletionKind, text: &str) -> Option<u32> {
        let key = (kind, Box::from(text));
        if let Some(number) = self.numbers.get(&key) {
            return Some(*number);
        }
        let mut words = Vec::new();
        segments(text, |_, word| words.push(fold(word)));
        words.retain(|word| !word.is_empty());
        if words.is_empty() {
            return None;
        }
        let words: Box<[u32]> = words
            .into_iter()
            .map(|word| self.word_number(word))
            .collect();
        let entry = Text {
            text: key.1.clone(),
            words,
            ids: Vec::new(),
        };
        let place = Key::new(kind, text);
        let number = match self.free_texts.pop() {
            Some(number) => {
                self.texts[number as usize] = entry;
                self.keys[number as usize] = place;
                number
            }
            None => {
                self.texts.push(entry);
                self.keys.push(place);
                u32::try_from(self.texts.len() - 1).ok()?
            }
        };
        for word in distinct(&self.texts[number as usize].words) {
            let begins = self.texts[number as usize].words.first() == Some(&word);
            self.having[word as usize].insert(number, begins);
        }
        self.numbers.insert(key, number);
        Some(number)
    }

    fn word_number(&mut self, word: String) -> u32 {
        if let Some(number) = self.words.get(word.as_str()) {
            return *number;
        }
        let number = self.free_words.pop().unwrap_or_else(|| {
            self.having.push(Having::default());
            u32::try_from(self.having.len() - 1).unwrap_or(u32::MAX)
        });
        self.words.insert(word.into_boxed_str(), number);
        number
    }

    fn forget(&mut self, number: u32) {
        let gone = &mut self.texts[number as usize];
        let (words, text) = (
            std::mem::take(&mut gone.words),
            std::mem::take(&mut gone.text),
        );
        for word in distinct(&words) {
            let having = &mut self.having[word as usize];
            having.remove(number);
            if having.texts.is_empty() {
                *having = Having::default();
                self.free_words.push(word);
            }
        }
        let mut spelled = Vec::new();
        segments(&text, |_, word| spelled.push(fold(word)));
        for word in spelled {
            let unused = self
                .words
                .get(word.as_str())
                .is_some_and(|word| self.having[*word as usize].texts.is_empty());
            if unused {
                self.words.remove(word.as_str());
            }
        }
        self.numbers
            .remove(&(self.keys[number as usize].kind, text));
        self.free_texts.push(number);
    }

    /// The best completions of what was typed: every word must be in the text, the last one as the beginning of one.
    /// Texts that begin with what was typed come first, then those of more resources, then titles, subjects and
    /// creators, each by code points.
    pub(super) fn complete(&self, typed: &str, limit: usize) -> Vec<Completion> {
        let mut words = Vec::new();
        segments(typed, |_, word| words.push(fold(word)));
        words.retain(|word| !word.is_empty());
        let Some(beginning) = words.pop() else {
            return Vec::new();
        };
        let Some(whole) = words
            .iter()
            .map(|word| self.words.get(word.as_str()).copied())
            .collect::<Option<Vec<u32>>>()
        else {
            return Vec::new();
        };
        let mut begun = vec![false; self.having.len()];
        let mut begun_words = Vec::new();
        let from = (Bound::Included(beginning.as_str()), Bound::Unbounded);
        for (_, number) in self
            .words
            .range::<str, _>(from)
            .take_while(|(word, _)| word.starts_with(&beginning))
        {
            begun[*number as usize] = true;
            begun_words.push(*number);
        }
        let mut best = Best::new(self, &whole, &begun, limit);
        let rarest = whole
            .iter()
            .min_by_key(|word| self.having[**word as usize].texts.len());
        match rarest {
            Some(rarest) => self.having[*rarest as usize]
                .texts
                .iter()
                .for_each(|text| best.consider(*text)),
            None => {
                let having = || begun_words.iter().map(|word| &self.having[*word as usize]);
                for text in having().flat_map(|having| &having.texts[..having.beginning]) {
                    best.consider_beginning(*text);
                }
                // None of the others comes before those.
                if !best.is_full() {
                    let mut seen = vec![false; self.texts.len()];
                    for text in having().flat_map(|having| &having.texts[having.beginning..]) {
                        let first_time = !std::mem::replace(&mut seen[*text as usize], true);
                        let begins = self.texts[*text as usize].words.first();
                        if first_time && !begins.is_some_and(|word| begun[*word as usize]) {
                            best.consider(*text);
                        }
                    }
                }
            }
        }
        best.into_completions()
    }
}

fn distinct(words: &[u32]) -> Vec<u32> {
    let mut distinct = words.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    distinct
}

/// The first few texts that match, in the order of completions.
struct Best<'c> {
    completions: &'c Completions,
    whole: &'c [u32],
    begun: &'c [bool],
    limit: usize,
    /// The last one on top.
    found: BinaryHeap<(Rank<'c>, u32)>,
}

/// Not at the beginning, the key, the whole text.
type Rank<'c> = (bool, Key, &'c str);

impl<'c> Best<'c> {
    fn new(
        completions: &'c Completions,
        whole: &'c [u32],
        begun: &'c [bool],
        limit: usize,
    ) -> Self {
        Self {
            completions,
            whole,
            begun,
            limit,
            found: BinaryHeap::with_capacity(limit + 1),
        }
    }

    fn consider(&mut self, number: u32) {
        let text = &self.completions.texts[number as usize];
        let is_begun = |word: &u32| self.begun[*word as usize];
        let matches = self.whole.iter().all(|word| text.words.contains(word))
            && text.words.iter().any(is_begun);
        if !matches {
            return;
        }
        let at_the_beginning = text.words.starts_with(self.whole)
            && text.words.get(self.whole.len()).is_some_and(is_begun);
        self.enter(number, at_the_beginning);
    }

    /// Considers a text that begins with what was typed, which is one word: a single letter begins many
    /// texts, so their words are not looked at.
    fn consider_beginning(&mut self, number: u32) {
        self.enter(number, true);
    }

    fn enter(&mut self, number: u32, at_the_beginning: bool) {
        let key = self.completions.keys[number as usize];
        let place = (!at_the_beginning, key);
        let last = self.found.peek().map(|(last, _)| *last);
        let last = last.filter(|_| self.is_full());
        if last.is_some_and(|(begins, key, _)| place > (begins, key)) {
            return;
        }
        let text = &*self.completions.texts[number as usize].text;
        let rank = (place.0, place.1, text);
        if last.is_some_and(|last| rank >= last) {
            return;
        }
        self.found.push((rank, number));
        if self.found.len() > self.limit {
            self.found.pop();
        }
    }

    fn is_full(&self) -> bool {
        self.found.len() == self.limit
    }

    fn into_completions(self) -> Vec<Completion> {
        let completions = self.completions;
        let found = self.found.into_sorted_vec();
        found
            .into_iter()
            .map(|((_, key, _), number)| {
                let text = &completions.texts[number as usize];
                Completion {
                    text: text.text.to_string(),
                    kind: key.kind,
                    count: key.count.0 as usize,
                    resource_id: text.ids.first().copied(),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
