//! Where a passage stands in a text. Offsets count Unicode scalar values.

/// How far from where it is expected a passage is looked for first, in scalar values.
const NEAR: usize = 500;

/// The passage from one offset to another; `None` when the text is too short.
pub(super) fn passage(text: &str, start: usize, end: usize) -> Option<&str> {
    let from = byte_of(text, start)?;
    let length = byte_of(&text[from..], end.checked_sub(start)?)?;
    Some(&text[from..from + length])
}

/// The byte at which the scalar value of this number begins; the text's length for the one behind the last.
fn byte_of(text: &str, number: usize) -> Option<usize> {
    if text.is_ascii() {
        return (number <= text.len()).then_some(number);
    }
    let ends = text.char_indices().map(|(at, _)| at);
    ends.chain([text.len()]).nth(number)
}

/// Where a passage of the old text begins in the new one. Expected is where the changes around it moved it to; when it is
/// not there, the only place near by counts, and when there is none near by, the only place at all. A place that stood there
/// before, in what both texts begin or end with, is another passage and does not count. `None` when the passage is gone,
/// or when there are several places.
pub(super) fn find_again(old: &str, new: &str, quote: &str, start: usize) -> Option<usize> {
    let length = quote.chars().count();
    let kept = Kept::of(old, new);
    let expected = kept.expected_start(start);
    if passage(new, expected, expected + length) == Some(quote) {
        return Some(expected);
    }
    // Only places that reach into what has changed are new.
    let first = (kept.beginning + 1).saturating_sub(length);
    let behind = (kept.new_length - kept.end + length).saturating_sub(1);
    let near_first = first.max(expected.saturating_sub(NEAR));
    let near_behind = behind.min(expected + NEAR + length);
    let (at, from) = match places(between(new, near_first, near_behind), quote) {
        Places::Only(at) => (at, near_first),
        Places::Several => return None,
        Places::None => match places(between(new, first, behind), quote) {
            Places::Only(at) => (at, first),
            Places::None | Places::Several => return None,
        },
    };
    Some(from + between(new, from, usize::MAX)[..at].chars().count())
}

/// The characters from one offset to another, as many as there are.
fn between(text: &str, from: usize, behind: usize) -> &str {
    let rest = &text[byte_of(text, from).unwrap_or(text.len())..];
    let end = byte_of(rest, behind.saturating_sub(from)).unwrap_or(rest.len());
    &rest[..end]
}

enum Places {
    None,
    /// The byte at which it begins.
    Only(usize),
    Several,
}

/// Places may overlap. Two of them are enough to know.
fn places(text: &str, quote: &str) -> Places {
    let Some(first) = text.find(quote) else {
        return Places::None;
    };
    let next = first + text[first..].chars().next().map_or(1, char::len_utf8);
    match text[next..].find(quote) {
        Some(_) => Places::Several,
        None => Places::Only(first),
    }
}

/// How many characters two texts have in common at the beginning and at the end. In a text that repeats itself the two
/// may overlap.
struct Kept {
    beginning: usize,
    end: usize,
    old_length: usize,
    new_length: usize,
}

impl Kept {
    fn of(old: &str, new: &str) -> Self {
        let same = |(one, other): &(char, char)| one == other;
        Self {
            beginning: old.chars().zip(new.chars()).take_while(same).count(),
            end: old
                .chars()
                .rev()
                .zip(new.chars().rev())
                .take_while(same)
                .count(),
            old_length: old.chars().count(),
            new_length: new.chars().count(),
        }
    }

    /// What both texts end with has moved with the end; everything else is expected where it was.
    fn expected_start(&self, start: usize) -> usize {
        if start < self.beginning || start < self.old_length - self.end {
            return start;
        }
        (start + self.new_length).saturating_sub(self.old_length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(old: &str, new: &str, quote: &str) -> Option<usize> {
        let start = old.find(quote).map(|at| old[..at].chars().count());
        find_again(old, new, quote, start.expect("the quote in the old text"))
    }

    #[test]
    fn a_passage_counts_scalar_values() {
        assert_eq!(passage("Größe 🎉!", 2, 7), Some("öße 🎉"));
        assert_eq!(passage("abc", 0, 3), Some("abc"));
        assert_eq!(passage("abc", 1, 4), None);
        assert_eq!(passage("äbc", 4, 5), None);
    }

    #[test]
    fn a_passage_moves_with_the_text_around_it() {
        let old = "one two three two one";
        assert_eq!(found(old, "one two three two one!", "three"), Some(8));
        assert_eq!(found(old, "Zero, one two three two one", "three"), Some(14));
        assert_eq!(found(old, "three two one", "three"), Some(0));
        // The second `two` moves with the end, though the first one is as near.
        assert_eq!(
            find_again(old, "one two 🎉 three two one", "two", 14),
            Some(16)
        );
        assert_eq!(find_again(old, "one two two one", "two", 14), Some(8));
    }

    #[test]
    fn a_passage_that_is_gone_or_in_several_places_is_not_found() {
        assert_eq!(found("one two three", "one three", "two"), None);
        assert_eq!(found("one two three", "", "two"), None);
        assert_eq!(found("a two b", "two x two y", "two"), None);
        assert_eq!(found("aa b", "b caaa", "aa"), None);
    }

    #[test]
    fn a_passage_that_is_gone_does_not_become_another_one_that_stood_there_before() {
        let tables = "A. See table 1. B. See table 1. C.";
        let (first, second) = ("See table 1.", tables.rfind("See"));
        let second = second.expect("the second");
        let without = "A. See table 1. B. C.";
        assert_eq!(find_again(tables, without, first, second), None);
        assert_eq!(find_again("the cat the dog", "the cat dog", "the", 8), None);
        // The other one stands behind it.
        assert_eq!(find_again("the cat the dog", "cat the dog", "the", 0), None);
        // One that moved is found beside one that stood there before.
        assert_eq!(
            find_again("the cat, the dog, end", "the cat, dog: the, end", "the", 9),
            Some(14)
        );
    }

    #[test]
    fn a_passage_far_away_is_found_where_it_stands_once() {
        let far = format!("{}needle", "x".repeat(5_000));
        assert_eq!(found("needle in hay", &far, "needle"), Some(5_000));
        let twice = format!("{far}{far}");
        assert_eq!(found("needle in hay", &twice, "needle"), None);
    }
}
