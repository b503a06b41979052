//! Identifiers in one spelling, so that a citation and the resource that it means agree on it.
//!
//! DOI (any resolver or prefix, case does not count), ISBN (10 becomes 13, hyphens do not count), arXiv (without the
//! version), PubMed, ISSN, and URLs (http and https are the same, as are a slash at the end and a fragment). What is none
//! of these is compared as it stands.

use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use super::super::fields::ResourceFields;

/// Bytes of a key at most; a longer one is replaced by its digest, since an index holds no longer ones.
const LONGEST_KEY: usize = 500;
/// Keys of one resource at most.
const MOST_KEYS: usize = 20;

/// Members of `metadata` that hold identifiers, and what each of their values is.
const METADATA: [(&str, &str); 8] = [
    ("doi", "doi:"),
    ("isbn", "isbn:"),
    ("isbn10", "isbn:"),
    ("isbn13", "isbn:"),
    ("arxiv", "arxiv:"),
    ("arxiv_id", "arxiv:"),
    ("pmid", "pmid:"),
    ("url", ""),
];

/// The keys by which citations find a resource: of its `identifier`, and of some members of its `metadata`.
pub(crate) fn keys_of(fields: &ResourceFields) -> Vec<String> {
    let mut keys: Vec<String> = fields
        .identifier
        .as_deref()
        .and_then(key)
        .into_iter()
        .collect();
    for (member, prefix) in METADATA {
        let value = fields.metadata.get(member);
        let several = value.and_then(|value| value.as_array());
        let values =
            several.map_or_else(|| value.into_iter().collect(), |all| all.iter().collect());
        let values: Vec<&serde_json::Value> = values;
        for value in values {
            let text = match value {
                serde_json::Value::String(text) => text.trim().to_owned(),
                serde_json::Value::Number(number) => number.to_string(),
                _ => continue,
            };
            // Already with a prefix, or without one.
            let found = recognised(&text).or_else(|| recognised(&format!("{prefix}{text}")));
            keys.extend(found.map(bounded));
        }
    }
    keys.sort();
    keys.dedup();
    keys.truncate(MOST_KEYS);
    keys
}

/// The key of an identifier as somebody wrote it; `None` for a blank one.
pub(crate) fn key(text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    Some(bounded(
        recognised(text).unwrap_or_else(|| format!("id:{text}")),
    ))
}

fn bounded(key: String) -> String {
    if key.len() <= LONGEST_KEY {
        return key;
    }
    let digest: String = Sha256::digest(key.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{digest}")
}

fn recognised(text: &str) -> Option<String> {
    let url = after(text, &["https://", "http://"]);
    doi(text, url)
        .or_else(|| arxiv(text, url))
        .or_else(|| isbn(text))
        .or_else(|| pubmed(text, url))
        .or_else(|| issn(text))
        .or_else(|| url.map(normal_url))
}

/// What follows the first of these prefixes that a text has; case does not count, nor does space behind it.
fn after<'t>(text: &'t str, prefixes: &[&str]) -> Option<&'t str> {
    prefixes.iter().find_map(|prefix| {
        let begin = text.get(..prefix.len())?;
        begin
            .eq_ignore_ascii_case(prefix)
            .then(|| text[prefix.len()..].trim_start())
    })
}

fn doi(text: &str, url: Option<&str>) -> Option<String> {
    let decoded;
    let name = match url.and_then(|url| after(url, &["doi.org/", "dx.doi.org/", "www.doi.org/"])) {
        Some(path) => {
            decoded = percent_decode_str(path).decode_utf8().ok()?;
            decoded.as_ref()
        }
        None => after(text, &["doi:", "info:doi/", "urn:doi:", "doi "]).unwrap_or(text),
    };
    let (registrant, suffix) = name.split_once('/')?;
    let numbers = registrant.strip_prefix("10.")?;
    let well_formed = !suffix.is_empty()
        && !name.contains(char::is_whitespace)
        && numbers
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    if !well_formed {
        return None;
    }
    let name = name.to_ascii_lowercase();
    // arXiv registers a DOI for each of its papers.
    if let Some(paper) = name.strip_prefix("10.48550/arxiv.") {
        return Some(format!("arxiv:{}", without_version(paper)));
    }
    Some(format!("doi:{name}"))
}

fn arxiv(text: &str, url: Option<&str>) -> Option<String> {
    let paths = [
        "arxiv.org/abs/",
        "arxiv.org/pdf/",
        "www.arxiv.org/abs/",
        "www.arxiv.org/pdf/",
    ];
    let paper = url
        .and_then(|url| after(url, &paths))
        .or_else(|| after(text, &["arxiv:"]))?;
    let paper = paper.split(['?', '#', ' ']).next()?.trim_end_matches('/');
    let paper = paper.to_ascii_lowercase();
    let paper = without_version(paper.strip_suffix(".pdf").unwrap_or(&paper));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_new = paper
        .split_once('.')
        .is_some_and(|(month, number)| month.len() == 4 && digits(month) && digits(number));
    let is_old = paper.split_once('/').is_some_and(|(archive, number)| {
        !archive.is_empty() && number.len() == 7 && digits(number)
    });
    (is_new || is_old).then(|| format!("arxiv:{paper}"))
}

fn without_version(paper: &str) -> &str {
    match paper.rsplit_once('v') {
        Some((before, number))
            if before.ends_with(|c: char| c.is_ascii_digit())
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            before
        }
        _ => paper,
    }
}

fn isbn(text: &str) -> Option<String> {
    let prefixes = [
        "urn:isbn:",
        "isbn-10:",
        "isbn-13:",
        "isbn10:",
        "isbn13:",
        "isbn:",
        "isbn-10",
        "isbn-13",
        "isbn",
    ];
    let number = after(text, &prefixes).unwrap_or(text);
    let digits = without_hyphens(number)?;
    match digits.len() {
        10 => {
            let sum: u32 = (1..)
                .zip(&digits)
                .map(|(weight, digit)| weight * digit)
                .sum();
            sum.is_multiple_of(11).then(|| {
                let mut digits = [&[9, 7, 8], &digits[..9]].concat();
                digits.push(check_digit(&digits));
                format!("isbn:{}", written(&digits))
            })
        }
        13 => {
            let begins = digits[..2] == [9, 7] && matches!(digits[2], 8 | 9);
            let holds = check_digit(&digits[..12]) == digits[12];
            (begins && holds).then(|| format!("isbn:{}", written(&digits)))
        }
        _ => None,
    }
}

/// The digits of an ISBN or ISSN, X for 10 at its end; `None` when there is anything else but hyphens and spaces.
fn without_hyphens(number: &str) -> Option<Vec<u32>> {
    let mut digits = Vec::with_capacity(13);
    for character in number.chars() {
        match character {
            '0'..='9' => digits.push(u32::from(character) - u32::from('0')),
            'x' | 'X' if matches!(digits.len(), 7 | 9) => digits.push(10),
            '-' | ' ' | '\u{2010}'..='\u{2015}' => {}
            _ => return None,
        }
        if digits.len() > 13 || digits.iter().rev().skip(1).any(|digit| *digit == 10) {
            return None;
        }
    }
    let is_whole = digits.last() != Some(&10) || matches!(digits.len(), 8 | 10);
    is_whole.then_some(digits)
}

/// Of an ISBN of 13 digits.
fn check_digit(digits: &[u32]) -> u32 {
    let sum: u32 = digits
        .iter()
        .zip([1, 3].into_iter().cycle())
        .map(|(digit, weight)| digit * weight)
        .sum();
    (10 - sum % 10) % 10
}

fn written(digits: &[u32]) -> String {
    digits
        .iter()
        .map(|digit| match digit {
            10 => "x".to_owned(),
            digit => digit.to_string(),
        })
        .collect()
}

fn issn(text: &str) -> Option<String> {
    let number = after(text, &["urn:issn:", "issn:", "issn"])?;
    let digits = without_hyphens(number).filter(|digits| digits.len() == 8)?;
    let sum: u32 = (1..=8)
        .rev()
        .zip(&digits)
        .map(|(weight, digit)| weight * digit)
        .sum();
    sum.is_multiple_of(11)
        .then(|| format!("issn:{}", written(&digits)))
}

fn pubmed(text: &str, url: Option<&str>) -> Option<String> {
    let paths = ["pubmed.ncbi.nlm.nih.gov/", "www.ncbi.nlm.nih.gov/pubmed/"];
    let number = url
        .and_then(|url| after(url, &paths))
        .or_else(|| after(text, &["pmid:", "pmid"]))?;
    let number = number.split(['/', '?', '#']).next()?.trim();
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| format!("pmid:{}", number.trim_start_matches('0')))
}

/// What follows the scheme: the host in lower case without its usual port, the path without a slash at its end.
fn normal_url(rest: &str) -> String {
    let rest = rest.split('#').next().unwrap_or(rest);
    let split = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(split);
    let host = host.to_lowercase();
    let host = host
        .strip_suffix(":80")
        .or_else(|| host.strip_suffix(":443"))
        .unwrap_or(&host);
    format!("url:{host}{}", path.strip_suffix('/').unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_identifier_has_one_key_however_it_is_written() {
        for (expected, spellings) in [
            (
                "doi:10.1000/abc(1)",
                &[
                    "10.1000/ABC(1)",
                    "doi:10.1000/abc(1)",
                    "DOI: 10.1000/Abc(1)",
                    "https://doi.org/10.1000/abc%281%29",
                    "http://dx.doi.org/10.1000/abc(1)",
                    " info:doi/10.1000/abc(1) ",
                ][..],
            ),
            (
                "isbn:9780306406157",
                &[
                    "0-306-40615-2",
                    "0306406152",
                    "ISBN 0 306 40615 2",
                    "isbn:978-0-306-40615-7",
                    "urn:isbn:9780306406157",
                    "978\u{2011}0306406157",
                    "ISBN-13: 9780306406157",
                    "ISBN-10: 0306406152",
                ][..],
            ),
            ("isbn:9780804429573", &["0-8044-2957-X", "080442957x"][..]),
            (
                "arxiv:2101.00001",
                &[
                    "arXiv:2101.00001v3",
                    "https://arxiv.org/abs/2101.00001",
                    "http://arxiv.org/pdf/2101.00001v1.pdf",
                    "10.48550/arXiv.2101.00001",
                ][..],
            ),
            (
                "arxiv:cs/9809011",
                &["arxiv:cs/9809011v1", "https://arxiv.org/abs/cs/9809011"][..],
            ),
            (
                "pmid:12345",
                &["PMID: 12345", "https://pubmed.ncbi.nlm.nih.gov/12345/"][..],
            ),
            (
                "issn:03785955",
                &["ISSN 0378-5955", "urn:issn:03785955"][..],
            ),
            ("issn:2434561x", &["issn:2434-561X"][..]),
            (
                "url:example.org/A/b?c=D",
                &[
                    "https://Example.org/A/b?c=D",
                    "http://example.org:80/A/b?c=D#part",
                    "HTTPS://EXAMPLE.ORG:443/A/b?c=D",
                ][..],
            ),
            (
                "url:example.org",
                &["http://example.org/", "https://example.org"][..],
            ),
            ("id:isbn:1", &["isbn:1"][..]),
            ("id:0306406153", &["0306406153"][..]),
            ("id:Shelf 3", &[" Shelf 3"][..]),
        ] {
            for spelling in spellings {
                assert_eq!(key(spelling).as_deref(), Some(expected), "{spelling}");
            }
        }
        assert_eq!(key(" \t"), None);
        assert_eq!(key(&"x".repeat(4_000)).map(|key| key.len()), Some(71));
    }

    #[test]
    fn any_text_has_a_key_and_a_key_stays_itself() {
        for text in [
            "10./",
            "10.1/",
            "doi:",
            "é",
            "\u{2011}",
            "isbn",
            "isbnX",
            "xxxxxxxxxx",
            "arxiv:",
            "https://",
            "https://doi.org/%ff/x",
            "v1",
            "pmid:0",
            "12345678901234567890",
            "🎉🎉🎉🎉",
        ] {
            let first = key(text);
            assert!(first.is_some(), "{text}");
        }
        for known in [
            "doi:10.1/a",
            "isbn:9780306406157",
            "arxiv:2101.00001",
            "pmid:1",
            "issn:03785955",
        ] {
            assert_eq!(key(known).as_deref(), Some(known));
        }
    }
}
