//! How likely it is that a word was meant, told by the mistakes alone.

/// More than the rest of any [`Mistakes`], so that one number holds both.
const ERROR: u32 = 1_024;
/// Two neighbours in each other's place, or a letter doubled that is not, or the other way round: what hands do.
const SLIP: u32 = ERROR;
/// A letter too many or too few.
const LETTER: u32 = ERROR + 1;
/// Another letter.
const WRONG: u32 = ERROR + 2;
/// The first letter is the one that people seldom mistype.
const OTHER_BEGINNING: u32 = 1;

/// What lies between a word as it was typed and another one. The least is the likeliest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mistakes(u32);

impl Mistakes {
    /// The fewest errors (Damerau-Levenshtein, neighbours that changed places are one), and of the ways to make so few
    /// the likeliest.
    pub(super) fn between(typed: &[char], word: &[char]) -> Self {
        let width = word.len() + 1;
        let mut table = vec![0; (typed.len() + 1) * width];
        for row in 0..=typed.len() {
            for column in 0..width {
                let at = row * width + column;
                let mut least = if at == 0 { 0 } else { u32::MAX };
                if row > 0 {
                    least = least.min(table[at - width] + single(typed, row - 1));
                }
                if column > 0 {
                    least = least.min(table[at - 1] + single(word, column - 1));
                }
                if row > 0 && column > 0 {
                    let same = typed[row - 1] == word[column - 1];
                    least = least.min(table[at - width - 1] + if same { 0 } else { WRONG });
                }
                if row > 1
                    && column > 1
                    && typed[row - 1] == word[column - 2]
                    && typed[row - 2] == word[column - 1]
                {
                    least = least.min(table[at - 2 * width - 2] + SLIP);
                }
                table[at] = least;
            }
        }
        let beginning = if typed.first() == word.first() {
            0
        } else {
            OTHER_BEGINNING
        };
        Self(table.last().map_or(0, |all| all + beginning))
    }

    /// Of several words together.
    pub(super) fn sum(all: impl Iterator<Item = Self>) -> Self {
        Self(all.map(|one| one.0).sum())
    }
}

/// A letter that one of the words has and the other has not.
fn single(word: &[char], place: usize) -> u32 {
    let is_doubled = place
        .checked_sub(1)
        .is_some_and(|before| word[before] == word[place])
        || word.get(place + 1) == Some(&word[place]);
    if is_doubled { SLIP } else { LETTER }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(typed: &str, word: &str) -> Mistakes {
        let letters = |word: &str| word.chars().collect::<Vec<_>>();
        Mistakes::between(&letters(typed), &letters(word))
    }

    #[test]
    fn slips_come_before_letters_and_those_before_other_letters() {
        let ordered = [
            ("lantern", "lantern"),
            ("lantren", "lantern"),
            ("lanern", "lantern"),
            ("lanturn", "lantern"),
            ("pantern", "lantern"),
            ("lantrne", "lantern"),
            ("lamtemn", "lantern"),
            ("", "lantern"),
        ];
        let mistakes = ordered.map(|(typed, word)| between(typed, word));
        assert!(mistakes.is_sorted(), "{mistakes:?}");
        assert!(mistakes[0] < mistakes[1] && mistakes[4] < mistakes[5]);
        assert_eq!(between("hobit", "hobbit"), between("hobbbit", "hobbit"));
        assert_eq!(between("hobit", "hobbit"), between("lantren", "lantern"));
        assert!(between("hobit", "hobbit") < between("hobit", "habit"));
        assert!(between("hights", "heights") < between("hights", "rights"));
        assert!(between("harber", "harbor") < between("harber", "barber"));
    }
}
