//! The library that both sides hold: the real catalogue where there is one, a made-up one otherwise.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::Result;
use crate::constants::{Random, SEED, repository};
use crate::http::{get_json, percent_encode};

const GENERATED: usize = 13_000;
const FIRST_NAMES: &str = "Ada Bruno Chiara David Elif Femi Grace Hana Ivan Jun";
const LAST_NAMES: &str = "Abara Brandt Costa Dubois Eriksen Fukuda Garcia Hoffmann Ito";
const LANGUAGES: &str = "en en en de fr es";
const SUBJECTS: &str = "databases digital-libraries fiction history networks poetry science";
const WORDS: &str = "\
    analysis ancient archive atlas authors bridge catalogue city cloud collection coast compiler \
    crossing data design distant dream early engine evidence field forest garden glass graph \
    harbour hidden history house index island journey knowledge language learning letters \
    library light lost machine map measure memory method mountain museum music network night \
    northern ocean open paper pattern people query quiet reader record retrieval review river \
    road science search secret semantic shadow silver social spirit spring stone storm story \
    structure study summer system theory time topic tower trace travel tree user valley voice \
    water web wind winter world writing young";

/// A record as a server gives it.
pub struct Row {
    pub identifier: String,
    pub id: String,
    pub title: String,
    pub subjects: Vec<String>,
}

/// The files to import, made in `folder` where there is no evaluation data.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let data =
        std::env::var_os("PHAROS_EVAL_DATA").map_or_else(|| "../shared/data".into(), PathBuf::from);
    let catalogue = repository().join(data).join("catalogue");
    let files = vec![catalogue.join("books.csv"), catalogue.join("papers.ndjson")];
    if files.iter().all(|file| file.is_file()) {
        return Ok(files);
    }
    println!(
        "INFO no catalogue in {}: measuring with {GENERATED} generated records",
        catalogue.display()
    );
    let path = folder.join("generated.ndjson");
    let mut file = BufWriter::new(File::create(&path)?);
    let mut random = Random::new(SEED);
    for number in 1..=GENERATED {
        writeln!(file, "{}", generated_record(number, &mut random))?;
    }
    file.flush()?;
    Ok(vec![path])
}

fn generated_record(number: usize, random: &mut Random) -> Value {
    let title = generated_text(3 + random.below(5), random);
    let subjects: Vec<_> = (0..1 + random.below(3))
        .map(|_| random.pick(&split(SUBJECTS)))
        .collect();
    json!({
        "identifier": format!("generated:{number}"),
        "title": format!("The {title}"),
        "description": generated_text(20 + random.below(120), random),
        "creator": format!("{} {}", random.pick(&split(FIRST_NAMES)), random.pick(&split(LAST_NAMES))),
        "date": (1950 + random.below(75)).to_string(),
        "type": "book",
        "language": random.pick(&split(LANGUAGES)),
        "subject": subjects,
        "source": "generated",
        "metadata": {"pages": 40 + random.below(900)},
    })
}

/// Most words are rare, joined of two common ones: otherwise each query would match half of the library.
fn generated_text(count: usize, random: &mut Random) -> String {
    let common = split(WORDS);
    let mut text = Vec::with_capacity(count);
    for position in 0..count {
        let second = if position % 4 == 1 {
            ""
        } else {
            random.pick(&common)
        };
        text.push(format!("{}{second}", random.pick(&common)));
    }
    text.join(" ")
}

fn split(words: &'static str) -> Vec<&'static str> {
    words.split_whitespace().collect()
}

/// `count` random words of `vocabulary`, with spaces between.
pub fn words<T: AsRef<str>>(vocabulary: &[T], count: usize, random: &mut Random) -> String {
    let words: Vec<&str> = (0..count)
        .map(|_| vocabulary[random.below(vocabulary.len())].as_ref())
        .collect();
    words.join(" ")
}

/// Every record of a server, ordered by identifier, so that two servers with the same records give the same order.
///
/// # Errors
/// When the list endpoint does not keep to the contract.
pub fn fetch(address: SocketAddr, key: &str) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut target = "/api/v1/resources?limit=200".to_owned();
    loop {
        let page = get_json(address, &target, key)?;
        for item in page["items"].as_array().ok_or("a list without items")? {
            rows.push(Row {
                identifier: text(item, "identifier")?,
                id: text(item, "id")?,
                title: text(item, "title")?,
                subjects: subjects(item),
            });
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => {
                target = format!(
                    "/api/v1/resources?limit=200&cursor={}",
                    percent_encode(cursor)
                )
            }
            None => break,
        }
    }
    if rows.is_empty() {
        return Err("the server has no records".into());
    }
    rows.sort_by(|a, b| a.identifier.cmp(&b.identifier));
    Ok(rows)
}

fn text(item: &Value, field: &str) -> Result<String> {
    Ok(item[field]
        .as_str()
        .ok_or_else(|| format!("a record without {field}: {item}"))?
        .to_owned())
}

fn subjects(item: &Value) -> Vec<String> {
    item["subject"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|s| s.as_str().map(str::to_owned))
        .collect()
}
