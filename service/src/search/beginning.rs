//! Counting errors against many words in a sorted walk: what two words begin with is compared once.

/// The beginning of a word compared with the letters looked for: one row of distances for each of its letters.
pub(super) struct Beginning<'l> {
    wanted: &'l [char],
    letters: Vec<char>,
    /// `wanted.len() + 1` distances a row, one row more than letters.
    rows: Vec<usize>,
}

impl<'l> Beginning<'l> {
    pub(super) fn new(wanted: &'l [char]) -> Self {
        Self {
            wanted,
            letters: Vec::new(),
            rows: (0..=wanted.len()).collect(),
        }
    }

    /// Keeps what a word has in common with the one before; returns how many letters that is.
    pub(super) fn share(&mut self, word: &str) -> usize {
        let shared = self
            .letters
            .iter()
            .zip(word.chars())
            .take_while(|(one, other)| **one == *other)
            .count();
        self.letters.truncate(shared);
        self.rows.truncate((shared + 1) * (self.wanted.len() + 1));
        shared
    }

    /// Adds a letter and its row of distances.
    pub(super) fn push(&mut self, letter: char) {
        let width = self.wanted.len() + 1;
        let above = self.rows.len() - width;
        let last = self.letters.last().copied();
        self.rows.push(self.rows[above] + 1);
        for column in 1..width {
            let wanted = self.wanted[column - 1];
            let mut errors = (self.rows[above + column - 1] + usize::from(wanted != letter))
                .min(self.rows[above + column] + 1)
                .min(self.rows[self.rows.len() - 1] + 1);
            if column > 1 && last == Some(wanted) && self.wanted[column - 2] == letter {
                errors = errors.min(self.rows[above - width + column - 2] + 1);
            }
            self.rows.push(errors);
        }
        self.letters.push(letter);
    }

    fn last_row(&self) -> &[usize] {
        &self.rows[self.rows.len() - self.wanted.len() - 1..]
    }

    /// No word with this beginning has fewer errors.
    pub(super) fn fewest(&self) -> usize {
        self.last_row().iter().copied().min().unwrap_or(0)
    }

    pub(super) fn errors(&self) -> usize {
        self.last_row().last().copied().unwrap_or(0)
    }

    /// The first string behind all that begin so.
    pub(super) fn successor(&self) -> Option<String> {
        let mut letters = self.letters.clone();
        while let Some(last) = letters.pop() {
            let next = match last {
                '\u{d7ff}' => Some('\u{e000}'),
                other => char::from_u32(u32::from(other) + 1),
            };
            if let Some(next) = next {
                letters.push(next);
                return Some(letters.into_iter().collect());
            }
        }
        None
    }
}
