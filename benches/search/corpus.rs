//! A library and queries made of the words of the shared collections, as often as they stand there.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::Result;
use crate::constants::{Random, SEED, repository};

pub const QUERIES: usize = 1_000;
/// Words of a document's title and text.
const TITLE_WORDS: usize = 8;
const TEXT_WORDS: usize = 142;
const LONGEST_QUERY: usize = 6;
/// Function words: left out of the queries, for they would slow the baselines down most.
const STOP_WORDS: &[&str] = &[
    "a", "about", "an", "and", "are", "as", "at", "be", "by", "can", "for", "from", "has", "have",
    "how", "in", "into", "is", "it", "its", "of", "on", "or", "that", "the", "their", "this", "to",
    "using", "was", "we", "were", "what", "which", "with",
];

pub struct Corpus {
    /// One resource a line: title and description.
    pub file: PathBuf,
    /// Title and text of each.
    pub documents: Vec<(String, String)>,
    /// The words of each query.
    pub queries: Vec<Vec<String>>,
}

impl Corpus {
    /// `None` when the shared collections are not there.
    pub fn make(folder: &Path, documents: usize) -> Result<Option<Self>> {
        let data = std::env::var_os("PHAROS_EVAL_DATA")
            .map_or_else(|| "../shared/data".into(), PathBuf::from);
        let search = repository().join(data).join("search");
        let collections = ["cranfield", "cisi"].map(|name| search.join(name));
        if !collections.iter().all(|collection| collection.is_dir()) {
            println!(
                "SKIPPED search: no collections in {}: name their folder with PHAROS_EVAL_DATA",
                search.display()
            );
            return Ok(None);
        }
        let (mut counts, mut titles) = (HashMap::<String, u64>::new(), Vec::new());
        for collection in &collections {
            for line in fs::read_to_string(collection.join("corpus.jsonl"))?.lines() {
                let row: Value = serde_json::from_str(line)?;
                for member in ["title", "text"] {
                    for word in words(row[member].as_str().unwrap_or_default()) {
                        *counts.entry(word).or_default() += 1;
                    }
                }
                titles.push(content_words(row["title"].as_str().unwrap_or_default()));
            }
        }
        titles.retain(|title| !title.is_empty());
        let mut random = Random::new(SEED);
        let queries = (0..QUERIES)
            .map(|_| {
                let title = &titles[random.below(titles.len())];
                let length = 1 + random.below(LONGEST_QUERY.min(title.len()));
                let from = random.below(title.len() - length + 1);
                title[from..from + length].to_vec()
            })
            .collect();
        let vocabulary = Vocabulary::of(counts);
        let documents: Vec<(String, String)> = (0..documents)
            .map(|_| {
                (
                    vocabulary.text(TITLE_WORDS, &mut random),
                    vocabulary.text(TEXT_WORDS, &mut random),
                )
            })
            .collect();
        let path = folder.join("resources.ndjson");
        let mut file = BufWriter::new(File::create(&path)?);
        for (title, text) in &documents {
            writeln!(file, "{}", json!({"title": title, "description": text}))?;
        }
        file.flush()?;
        Ok(Some(Self {
            file: path,
            documents,
            queries,
        }))
    }
}

/// Words with the sum of the counts up to each.
struct Vocabulary {
    words: Vec<String>,
    sums: Vec<u64>,
}

impl Vocabulary {
    fn of(counts: HashMap<String, u64>) -> Self {
        let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
        counts.sort();
        let mut sum = 0;
        let sums = counts
            .iter()
            .map(|(_, count)| {
                sum += count;
                sum
            })
            .collect();
        Self {
            words: counts.into_iter().map(|(word, _)| word).collect(),
            sums,
        }
    }

    fn text(&self, length: usize, random: &mut Random) -> String {
        let all = self.sums.last().copied().unwrap_or(1);
        let mut text = String::with_capacity(length * 7);
        for _ in 0..length {
            let drawn = random.next() % all;
            let index = self.sums.partition_point(|sum| *sum <= drawn);
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&self.words[index]);
        }
        text
    }
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
}

fn content_words(text: &str) -> Vec<String> {
    words(text)
        .filter(|word| word.len() > 1 && !STOP_WORDS.contains(&word.as_str()))
        .collect()
}
