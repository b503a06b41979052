//! The requests of each operation, the same for every server.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::json;

use crate::Result;
use crate::catalogue::{Row, words};
use crate::constants::{Random, SEED};
use crate::http::{get_bytes, get_json, percent_encode, post_bytes};

const READS: usize = 1000;
const SEARCHES: usize = 200;
const CREATES: usize = 1000;
/// Of each of the lists, this many pages are followed.
const FOLLOWED_PAGES: usize = 8;
const LISTS: [&str; 3] = [
    "/api/v1/resources?limit=25",
    "/api/v1/resources?limit=25&filter=language%20%3D%20%22en%22",
    "/api/v1/resources?limit=25&sort=title",
];
/// Words that nobody searches a library for.
const STOP_WORDS: &str = "\
    and are but for from her his how into its not our she that the their this using was what \
    when who why with you your";
const LANGUAGES: &[&str] = &["en", "en", "de", "fr"];

/// Reads of random records; `ids` maps their identifiers to the server's own ids.
pub fn reads(rows: &[Row], ids: &BTreeMap<&str, &str>, key: &str) -> Result<Vec<Vec<u8>>> {
    let mut random = Random::new(SEED);
    let mut requests = Vec::with_capacity(READS);
    for _ in 0..READS {
        let identifier = rows[random.below(rows.len())].identifier.as_str();
        let id = ids
            .get(identifier)
            .ok_or_else(|| format!("a server lacks the record {identifier:?}"))?;
        requests.push(get_bytes(&format!("/api/v1/resources/{id}"), key));
    }
    Ok(requests)
}

/// First pages plain, filtered and sorted, and as a fourth quarter the pages that follow them.
pub fn lists(address: SocketAddr, key: &str) -> Result<Vec<Vec<u8>>> {
    let mut requests = Vec::new();
    for list in LISTS {
        let mut target = list.to_owned();
        for _ in 0..FOLLOWED_PAGES {
            let page = get_json(address, &target, key)?;
            let cursor = page["next_cursor"]
                .as_str()
                .ok_or_else(|| format!("{target} has no next page"))?;
            target = format!("{list}&cursor={}", percent_encode(cursor));
            requests.extend(LISTS.map(|first| get_bytes(first, key)));
            requests.push(get_bytes(&target, key));
        }
    }
    Ok(requests)
}

/// Queries of one to three words that stand together in a title or are a subject, as people type them.
pub fn searches(rows: &[Row], key: &str) -> Vec<Vec<u8>> {
    let mut random = Random::new(SEED);
    let mut requests = Vec::with_capacity(SEARCHES);
    while requests.len() < SEARCHES {
        let row = &rows[random.below(rows.len())];
        let text = match row.subjects.len() {
            count if count > 0 && random.below(4) == 0 => {
                row.subjects[random.below(count)].as_str()
            }
            _ => row.title.as_str(),
        };
        let candidates = search_words(text);
        if candidates.is_empty() {
            continue;
        }
        let first = random.below(candidates.len());
        let count = (1 + random.below(3)).min(candidates.len() - first);
        let query = percent_encode(&candidates[first..first + count].join(" "));
        requests.push(get_bytes(
            &format!("/api/v1/search?q={query}&limit=25"),
            key,
        ));
    }
    requests
}

/// New records in the words of the catalogue. None has an identifier: no two of them are the same record.
pub fn creates(rows: &[Row], key: &str) -> Vec<Vec<u8>> {
    let mut random = Random::new(SEED);
    let vocabulary: Vec<String> = rows
        .iter()
        .flat_map(|row| search_words(&row.title))
        .collect();
    (0..CREATES)
        .map(|number| {
            let body = json!({
                "title": words(&vocabulary, 6, &mut random),
                "description": words(&vocabulary, 40, &mut random),
                "creator": words(&vocabulary, 2, &mut random),
                "subject": [words(&vocabulary, 1, &mut random), words(&vocabulary, 1, &mut random)],
                "language": random.pick(LANGUAGES),
                "metadata": {
                    "pages": 40 + random.below(900),
                    "shelf": words(&vocabulary, 1, &mut random),
                    "batch": format!("bench-{number}"),
                },
            });
            post_bytes("/api/v1/resources", key, &body.to_string())
        })
        .collect()
}

fn search_words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() > 2 && !word.chars().all(char::is_numeric))
        .map(str::to_lowercase)
        .filter(|word| !STOP_WORDS.split_whitespace().any(|stop| stop == word))
        .collect()
}
