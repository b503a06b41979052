//! Generated queries, of every shape that people and machines send, give the same bytes on both databases.
//!
//! `PHAROS_SEARCH_CASES` asks for more of them, `PHAROS_SEARCH_SEED` for others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value as Json;
use service::library::ImportFormat;

use super::search_cases::{Case, Generator};
use super::{comparable, export, show};
use crate::harness::{Backend, World, block_on, import, with_query};

/// Requests under way at once on each server.
const AT_ONCE: usize = 12;

/// A small library in many languages, written for this test.
const LIBRARY: &str = include_str!("library.ndjson");

async fn filled(backend: Backend) -> Arc<World> {
    let world = World::start(backend).await;
    let (report, rejects) = import(&world.pharos, ImportFormat::NdJson, LIBRARY).await;
    assert!(report.inserted > 20 && rejects.is_empty(), "{rejects:?}");
    Arc::new(world)
}

/// What the cases were worth.
#[derive(Default)]
struct Worth {
    found: AtomicUsize,
    nothing: AtomicUsize,
    corrected: AtomicUsize,
    offered: AtomicUsize,
}

impl Worth {
    fn count(&self, body: &Json) {
        let add = |counter: &AtomicUsize, holds: bool| {
            counter.fetch_add(usize::from(holds), Ordering::Relaxed);
        };
        let something = body["items"]
            .as_array()
            .is_some_and(|items| !items.is_empty());
        add(&self.found, something);
        add(&self.nothing, !something);
        add(&self.corrected, body["corrected"] == true);
        add(&self.offered, body["did_you_mean"].is_string());
    }
}

async fn ask(case: &Case, sqlite: &World, postgres: &World, worth: &Worth) {
    let parameters: Vec<(&str, &str)> = case
        .parameters
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let path = with_query(case.path, &parameters);
    let (one, other) = tokio::join!(sqlite.reader.get(&path), postgres.reader.get(&path));
    let (one, other) = (comparable(one), comparable(other));
    assert!(
        one == other && one.status == 200,
        "{}\n\nSQLite: {}\n\nPostgreSQL: {}",
        format!("{case:?}").chars().take(3_000).collect::<String>(),
        show(&one),
        show(&other)
    );
    worth.count(&one.json());
}

fn number_from(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("a number in {variable}"))
    })
}

#[test]
fn twenty_thousand_queries_give_the_same_bytes() {
    block_on(async {
        let cases = usize::try_from(number_from("PHAROS_SEARCH_CASES", 20_000)).unwrap();
        let seed = number_from("PHAROS_SEARCH_SEED", 4);
        println!("{cases} cases, seed {seed}");
        let (sqlite, postgres) = (
            tokio::spawn(filled(Backend::Sqlite)),
            tokio::spawn(filled(Backend::Postgres)),
        );
        let (sqlite, postgres) = (sqlite.await.unwrap(), postgres.await.unwrap());
        let rows = export(&sqlite).await;
        let worth = Arc::new(Worth::default());
        let generator = Arc::new(std::sync::Mutex::new((Generator::new(seed, &rows), cases)));
        let askers: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (sqlite, postgres) = (Arc::clone(&sqlite), Arc::clone(&postgres));
                let (worth, generator) = (Arc::clone(&worth), Arc::clone(&generator));
                tokio::spawn(async move {
                    loop {
                        let case = {
                            let mut next = generator.lock().unwrap();
                            if next.1 == 0 {
                                return;
                            }
                            next.1 -= 1;
                            next.0.case()
                        };
                        ask(&case, &sqlite, &postgres, &worth).await;
                    }
                })
            })
            .collect();
        for asker in askers {
            asker.await.unwrap();
        }
        let of = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        println!(
            "{} found something, {} nothing; {} were corrected, {} more got an offer",
            of(&worth.found),
            of(&worth.nothing),
            of(&worth.corrected),
            of(&worth.offered) - of(&worth.corrected)
        );
        assert!(of(&worth.found) > cases / 2, "too few cases find something");
        assert!(
            of(&worth.nothing) > cases / 50,
            "too few cases find nothing"
        );
        assert!(
            of(&worth.offered) > cases / 20,
            "too few cases are mistyped"
        );
        assert!(
            of(&worth.corrected) > cases / 200,
            "too few cases are corrected"
        );
    });
}
