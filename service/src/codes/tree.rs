//! The tree of codes, decided in memory.

use std::collections::{BTreeMap, HashSet};

use entity::classification_codes::Model;

/// All codes.
pub(super) type Codes = BTreeMap<String, Model>;

/// The codes that a code may lie beneath, closest first: its prefixes, and for three digits also those with zeros at the
/// end (512: 510, 51, 500, 5).
fn prefixes(code: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let ends = code.char_indices().map(|(end, _)| end).skip(1);
    for end in ends.collect::<Vec<_>>().into_iter().rev() {
        let head = &code[..end];
        let stem = head.trim_end_matches(|c: char| !c.is_alphanumeric());
        if is_class(code) {
            found.push(format!("{stem:0<3}"));
        }
        found.push(stem.to_owned());
        if is_class(stem) && stem == head {
            found.extend(prefixes(stem));
            break;
        }
    }
    let mut seen = HashSet::new();
    found.retain(|prefix| !prefix.is_empty() && prefix != code && seen.insert(prefix.clone()));
    found
}

fn is_class(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit())
}

/// Gives every code its parent, where nobody has said which one it is, and its level.
pub(super) fn arrange(codes: &mut Codes) {
    let derived: Vec<(String, Option<String>)> = codes
        .values()
        .filter(|code| !code.parent_given)
        .map(|code| {
            let above = prefixes(&code.code)
                .into_iter()
                .find(|prefix| codes.contains_key(prefix));
            (code.code.clone(), above)
        })
        .collect();
    for (code, above) in derived {
        if let Some(code) = codes.get_mut(&code) {
            code.parent_code = above;
        }
    }
    let levels: Vec<i64> = codes.keys().map(|code| level(codes, code)).collect();
    for (code, level) in codes.values_mut().zip(levels) {
        code.level = level;
    }
}

fn level(codes: &Codes, code: &str) -> i64 {
    let mut level = 1;
    let mut at = codes.get(code);
    while let Some(above) = at.and_then(|code| code.parent_code.as_ref()) {
        level += 1;
        at = codes.get(above);
        if level as usize > codes.len() {
            break;
        }
    }
    level
}

/// The codes beneath a given one that is not there.
pub(super) fn without_parent(codes: &Codes) -> Vec<String> {
    let lost = |code: &&Model| {
        code.parent_given
            && code
                .parent_code
                .as_ref()
                .is_none_or(|above| !codes.contains_key(above))
    };
    codes
        .values()
        .filter(lost)
        .map(|code| code.code.clone())
        .collect()
}

/// The codes that lie beneath themselves, after [`arrange`].
pub(super) fn in_circles(codes: &Codes) -> Vec<String> {
    let mut safe: HashSet<&str> = HashSet::new();
    let mut circles = Vec::new();
    for code in codes.keys() {
        let mut way: Vec<&str> = Vec::new();
        let mut on_way: HashSet<&str> = HashSet::new();
        let mut at = Some(code.as_str());
        while let Some(here) = at {
            if safe.contains(here) {
                break;
            }
            if !on_way.insert(here) {
                // From here on the way is the circle.
                let begin = way.iter().position(|other| *other == here).unwrap_or(0);
                circles.extend(way[begin..].iter().map(|code| (*code).to_owned()));
                break;
            }
            way.push(here);
            at = codes.get(here).and_then(|code| code.parent_code.as_deref());
        }
        safe.extend(way);
    }
    circles
}

#[cfg(test)]
mod tests {
    use super::prefixes;

    #[test]
    fn the_closest_prefix_comes_first() {
        for (code, expected) in [
            ("512.55", "512.5 512 510 51 500 5"),
            ("512", "510 51 500 5"),
            ("510", "51 500 5"),
            ("500", "50 5"),
            ("005.7", "005 000 00 0"),
            ("QA76.9", "QA76 QA7 QA Q"),
            ("Ж1-2", "Ж1 Ж"),
            ("5", ""),
        ] {
            assert_eq!(prefixes(code).join(" "), expected, "{code}");
        }
    }
}
