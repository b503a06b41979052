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
/// not there, the only place near by counts, and when there is none near by, the only place at all. `None` when the passage
/// is gone, or when there are several such places.
pub(super) fn find_again(old: &str, new: &str, quote: &str, start: usize) -> Option<usize> {
    let expected = expected_start(old, new, start);
    let length = quote.chars().count();
    if passage(new, expected, expected + length) == Some(quote) {
        return Some(expected);
    }
    let near_from = expected.saturating_sub(NEAR);
    let begin = byte_of(new, near_from).unwrap_or(new.len());
    let window = &new[begin..];
    let end = byte_of(window, expected - near_from + NEAR + length).unwrap_or(window.len());
    let at = match places(&window[..end], quote) {
        Places::Only(at) => begin + at,
        Places::Several => return None,
        Places::None => match places(new, quote) {
            Places::Only(at) => at,
            Places::None | Places::Several => return None,
        },
    };
    Some(new[..at].chars().count())
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

/// What both texts end with has moved with the end; everything else is expected where it was.
fn expected_start(old: &str, new: &str, start: usize) -> usize {
    let common_end = old
        .chars()
        .rev()
        .zip(new.chars().rev())
        .take_while(|(one, other)| one == other)
        .count();
    let common_beginning = old
        .chars()
        .zip(new.chars())
        .take_while(|(one, other)| one == other)
        .count();
    let (old_length, new_length) = (old.chars().count(), new.chars().count());
    if start < common_beginning || start < old_length - common_end {
        return start;
    }
    (start + new_length).saturating_sub(old_length)
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
    fn a_passage_far_away_is_found_where_it_stands_once() {
        let far = format!("{}needle", "x".repeat(5_000));
        assert_eq!(found("needle in hay", &far, "needle"), Some(5_000));
        let twice = format!("{far}{far}");
        assert_eq!(found("needle in hay", &twice, "needle"), None);
    }
}
