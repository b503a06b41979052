//! Searches beside edits: what they show, that nothing is missed or doubled, and what they leave behind.
//!
//! `PHAROS_SEARCH_EDITS=10000` asks for so many edits, and for a server in a process of its own: the program that
//! `PHAROS_TEST_BINARY` names. The times of searches alone and beside the edits are printed, not asserted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use service::library::ImportFormat;
use service::search::{SearchDrift, search_drift};

use crate::harness::{Chance, Client, Process, World, import};

matrix![searches_beside_edits_show_what_is_there_once];

const EDITORS: usize = 4;
const SEARCHERS: usize = 4;
/// Rows that stay as they are, so that every word is always known and every walk has pages.
const STEADY: usize = 300;
/// Rows that each editor begins with.
const OWN: usize = 30;
const PAGE: &str = "20";

/// Words that are their own stems, in any language.
const WORDS: [&str; 24] = [
    "kraken", "falcon", "lantern", "harbour", "marmot", "gravel", "tundra", "velvet", "walnut",
    "copper", "basalt", "cobalt", "dolphin", "glacier", "hamlet", "jasmin", "magnet", "nectar",
    "orchid", "quartz", "salmon", "thorn", "urchin", "zenith",
];

/// What is known of a row from a moment on: what was acknowledged, and whether somebody is at it.
#[derive(Clone)]
struct Known {
    since: u64,
    version: u64,
    text: Arc<str>,
    busy: bool,
    gone: bool,
}

/// What was known when, by id. Kept so that looking back costs a search nothing before it begins and little after it: the
/// times are to be those of the server.
#[derive(Default)]
struct Ledger {
    moment: u64,
    rows: HashMap<Arc<str>, Vec<Known>>,
}

impl Ledger {
    fn made(&mut self, resource: &Json) {
        self.moment += 1;
        let known = Known {
            since: self.moment,
            version: resource["version"].as_u64().unwrap(),
            text: text_of(resource).into(),
            busy: false,
            gone: false,
        };
        let id = resource["id"].as_str().unwrap();
        self.rows.insert(id.into(), vec![known]);
    }

    fn note(&mut self, id: &str, change: impl FnOnce(&mut Known)) {
        self.moment += 1;
        let history = self.rows.get_mut(id).unwrap();
        let mut known = history.last().unwrap().clone();
        known.since = self.moment;
        change(&mut known);
        history.push(known);
    }

    /// What was known of a row at a moment.
    fn at(&self, id: &str, moment: u64) -> Option<&Known> {
        let history = self.rows.get(id)?;
        history.iter().rev().find(|known| known.since <= moment)
    }

    /// Texts of rows that are there and that nobody has been at since a moment.
    fn untouched(&self, moment: u64) -> impl Iterator<Item = (&str, &str)> {
        self.rows.iter().filter_map(move |(id, history)| {
            let known = history.last()?;
            let untouched = known.since <= moment && !known.busy && !known.gone;
            untouched.then_some((&**id, &*known.text))
        })
    }
}

fn sentence(chance: &mut Chance) -> String {
    let words: Vec<&str> = (0..4).map(|_| *chance.pick(&WORDS)).collect();
    words.join(" ")
}

fn text_of(resource: &Json) -> String {
    let part = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
    format!("{} | {}", part("title"), part("description"))
}

fn edits() -> Option<usize> {
    let asked = std::env::var("PHAROS_SEARCH_EDITS").ok()?;
    Some(asked.parse().expect("a number in PHAROS_SEARCH_EDITS"))
}

/// Creates, changes and deletes rows of its own until so many edits were made by all.
async fn edit(editor: Client, ledger: Arc<Mutex<Ledger>>, left: Arc<AtomicUsize>, seed: u64) {
    let mut chance = Chance::new(seed);
    let mut own: Vec<String> = Vec::new();
    let take = |left: usize| left.checked_sub(1);
    while left
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
        .is_ok()
    {
        if own.len() < OWN || chance.percent(20) {
            let fields = json!({
                "title": sentence(&mut chance), "description": sentence(&mut chance),
                "language": chance.pick(&[None, Some("en"), Some("de")]),
            });
            let created = editor.post("resources", &fields).await.is(201).json();
            ledger.lock().unwrap().made(&created);
            own.push(created["id"].as_str().unwrap().to_owned());
            continue;
        }
        let place = chance.below(own.len());
        let path = format!("resources/{}", own[place]);
        ledger
            .lock()
            .unwrap()
            .note(&own[place], |known| known.busy = true);
        if own.len() > OWN && chance.percent(30) {
            editor.delete(&path, "*").await.is(204);
            ledger
                .lock()
                .unwrap()
                .note(&own.swap_remove(place), |known| {
                    (known.busy, known.gone) = (false, true);
                });
            continue;
        }
        let patch = match chance.below(4) {
            0 => json!({"title": sentence(&mut chance)}),
            1 => json!({"description": sentence(&mut chance)}),
            2 => json!({"language": chance.pick(&[None, Some("fr"), Some("en")])}),
            _ => json!({"title": sentence(&mut chance), "description": null, "language": "de"}),
        };
        let changed = editor.patch(&path, "*", &patch).await.is(200).json();
        ledger.lock().unwrap().note(&own[place], |known| {
            known.version = changed["version"].as_u64().unwrap();
            known.text = text_of(&changed).into();
            known.busy = false;
        });
    }
}

/// A query, the parameters beside it, and what a text must have to match.
struct Question {
    q: String,
    parameters: Vec<(&'static str, &'static str)>,
    words: Vec<&'static str>,
    adjacent: bool,
}

impl Question {
    /// In memory, by the token index, and both with facets.
    fn any(chance: &mut Chance) -> Self {
        let (one, other) = (*chance.pick(&WORDS), *chance.pick(&WORDS));
        let (q, parameters, words, adjacent) = match chance.below(6) {
            0..3 => (one.to_owned(), vec![], vec![one], false),
            3 => (
                format!("{one} {other}"),
                vec![("match", "all")],
                vec![one, other],
                false,
            ),
            4 => (format!("\"{one} {other}\""), vec![], vec![one, other], true),
            _ => (
                format!("{}*", &one[..4]),
                vec![("facets", "language")],
                vec![one],
                false,
            ),
        };
        Self {
            q,
            parameters,
            words,
            adjacent,
        }
    }

    fn is_answered_by(&self, text: &str) -> bool {
        let words: Vec<&str> = text.split(' ').collect();
        if self.adjacent {
            words.windows(2).any(|pair| *pair == self.words[..])
        } else {
            self.words.iter().all(|word| words.contains(word))
        }
    }
}

/// Every match, page by page, with the time that each page took.
async fn walk(reader: &Client, question: &Question, times: &mut Vec<Duration>) -> Vec<Json> {
    let mut items = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut parameters = vec![("q", question.q.as_str()), ("limit", PAGE)];
        parameters.extend(&question.parameters);
        if let Some(cursor) = &cursor {
            parameters.push(("cursor", cursor));
        }
        let began = Instant::now();
        let reply = reader.query("search", &parameters).await.is(200);
        times.push(began.elapsed());
        let page = reply.json();
        assert_eq!(page["corrected"], false, "{}", question.q);
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return items,
        }
    }
}

/// Searches until it is told to stop; what it sees is compared with what was acknowledged before and after.
async fn search(
    reader: Client,
    ledger: Arc<Mutex<Ledger>>,
    stop: Arc<AtomicBool>,
    mut most: usize,
    seed: u64,
) -> Vec<Duration> {
    let mut chance = Chance::new(seed);
    let mut times = Vec::new();
    while !stop.load(Ordering::Relaxed) && most > 0 {
        most -= 1;
        let question = Question::any(&mut chance);
        let before = ledger.lock().unwrap().moment;
        let items = walk(&reader, &question, &mut times).await;
        let ledger = ledger.lock().unwrap();
        let mut shown = BTreeSet::new();
        for item in &items {
            let id = item["id"].as_str().unwrap();
            assert!(shown.insert(id), "{}: {id} is there twice", question.q);
            let text = text_of(&item["resource"]);
            assert!(
                question.is_answered_by(&text),
                "{} found {item}",
                question.q
            );
            assert_ne!(item["highlights"], json!({}), "{} found {item}", question.q);
            let Some(known) = ledger.at(id, before) else {
                continue;
            };
            let version = item["resource"]["version"].as_u64().unwrap();
            assert!(!known.gone, "{} found what was deleted: {item}", question.q);
            assert!(
                version >= known.version,
                "{} found an old version: {item}",
                question.q
            );
            assert!(version > known.version || *text == *known.text, "{item}");
        }
        for (id, text) in ledger.untouched(before) {
            if question.is_answered_by(text) {
                assert!(shown.contains(id), "{} missed {text}", question.q);
            }
        }
    }
    times
}

async fn search_all(
    reader: &Client,
    ledger: &Arc<Mutex<Ledger>>,
    stop: &Arc<AtomicBool>,
    most: usize,
    seed: u64,
) -> Vec<Duration> {
    let searchers: Vec<_> = (0..SEARCHERS as u64)
        .map(|number| {
            let (ledger, stop) = (Arc::clone(ledger), Arc::clone(stop));
            tokio::spawn(search(reader.clone(), ledger, stop, most, seed + number))
        })
        .collect();
    let mut times = Vec::new();
    for searcher in searchers {
        times.extend(searcher.await.unwrap());
    }
    times.sort_unstable();
    times
}

fn percentiles(times: &[Duration]) -> String {
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    format!("{} pages, p50 {:?}, p99 {:?}", times.len(), at(50), at(99))
}

async fn searches_beside_edits_show_what_is_there_once(world: World) {
    let asked = edits();
    let mut chance = Chance::new(4);
    let rows: String = (0..STEADY)
        .map(|number| {
            let (title, description) = (sentence(&mut chance), sentence(&mut chance));
            json!({"title": title, "description": description, "identifier": number.to_string()})
                .to_string()
                + "\n"
        })
        .collect();
    import(&world.pharos, ImportFormat::NdJson, rows).await;
    let process = match asked {
        Some(_) => Some(Process::start(&world.scratch.url).await),
        None => None,
    };
    let at = |client: &Client| match &process {
        Some(process) => client.at(process.address),
        None => client.clone(),
    };
    let (editor, reader) = (at(&world.editor), at(&world.reader));
    let ledger: Arc<Mutex<Ledger>> = Arc::default();
    for row in world.reader.all("resources", &[("limit", "200")]).await {
        ledger.lock().unwrap().made(&row);
    }
    let edits = asked.unwrap_or(240);
    let (go_on, stop) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    search_all(&reader, &ledger, &go_on, 2, 10).await;
    let alone = search_all(&reader, &ledger, &go_on, 5 + edits / 20, 20).await;
    let left = Arc::new(AtomicUsize::new(edits));
    let began = Instant::now();
    let editing = async {
        let editors: Vec<_> = (0..EDITORS as u64)
            .map(|seed| {
                let (ledger, left) = (Arc::clone(&ledger), Arc::clone(&left));
                tokio::spawn(edit(editor.clone(), ledger, left, seed))
            })
            .collect();
        for editor in editors {
            editor.await.unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        began.elapsed()
    };
    let (took, beside) = tokio::join!(editing, search_all(&reader, &ledger, &stop, usize::MAX, 30));
    println!("{:?}: {edits} edits in {took:?}", world.backend);
    println!(
        "{:?}: alone {}; beside {}",
        world.backend,
        percentiles(&alone),
        percentiles(&beside)
    );
    assert_eq!(
        search_drift(world.pharos.database()).await.unwrap(),
        SearchDrift::default()
    );
    let rows = world.reader.all("resources", &[("limit", "200")]).await;
    for word in WORDS {
        let question = Question {
            q: word.to_owned(),
            parameters: vec![],
            words: vec![word],
            adjacent: false,
        };
        let found: BTreeMap<String, u64> = walk(&reader, &question, &mut Vec::new())
            .await
            .iter()
            .map(|item| {
                (
                    item["id"].as_str().unwrap().to_owned(),
                    item["resource"]["version"].as_u64().unwrap(),
                )
            })
            .collect();
        let counted: BTreeMap<String, u64> = rows
            .iter()
            .filter(|row| question.is_answered_by(&text_of(row)))
            .map(|row| {
                (
                    row["id"].as_str().unwrap().to_owned(),
                    row["version"].as_u64().unwrap(),
                )
            })
            .collect();
        assert_eq!(found, counted, "{word}");
    }
    if let Some(process) = process {
        process.kill().await;
    }
}
