//! `pharos evaluate`, on a small collection with figures worked out by hand.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::harness::{Backend, Scratch, pharos_binary};

backend_matrix![
    the_figures_are_those_worked_out_by_hand,
    judgements_in_the_form_of_trec_are_read,
    files_that_are_wrong_are_named_with_the_line,
];

const CORPUS: &str = r#"{"_id": "w1", "title": "The whale", "text": "A whale of the northern sea."}
{"_id": "w2", "title": "Harbours", "text": "Somebody once saw a whale from the harbour wall."}
{"_id": "k1", "title": "The kraken", "text": "Nobody has ever seen a kraken."}
{"_id": "k2", "title": "", "text": "Krakens are drawn on old maps of the ocean."}
{"_id": "e1", "title": "", "text": ""}
{"_id": "x1", "title": "Gardening", "text": "Beans and peas."}
"#;
const QUERIES: &str = r#"{"_id": "q1", "text": "whale"}
{"_id": "q2", "text": "kraken"}
{"_id": "q3", "text": "beans"}
"#;
/// q1: the first of two is relevant, and one that no search can find: 1 / (1 + 1/log2(3)) = 0.613147, recall 1/2.
/// q2: the second of two is relevant: (1/log2(3)) / 1 = 0.630930, recall 1. q3 has no relevant document.
const QRELS: &str = "query-id\tcorpus-id\tscore\nq1\tw1\t1\nq1\te1\t1\nq2\tk2\t1\nq2\tk1\t0\n";

fn collection(folder: &Path, corpus: &str, queries: &str, qrels: &str) {
    std::fs::write(folder.join("corpus.jsonl"), corpus).unwrap();
    std::fs::write(folder.join("queries.jsonl"), queries).unwrap();
    std::fs::write(folder.join("qrels.tsv"), qrels).unwrap();
}

/// What it said, and which process it was.
fn evaluate(scratch: &Scratch, folder: &Path, run_file: &Path) -> (Output, u32) {
    let child = Command::new(pharos_binary())
        .arg("evaluate")
        .arg(folder)
        .arg("--run")
        .arg(run_file)
        .current_dir(std::env::temp_dir())
        .env("DATABASE_URL", &scratch.url)
        .env("DATABASE_MIN_CONNECTIONS", "0")
        .env("RUST_LOG", "warn")
        .env_remove("DATABASE_PASSWORD")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let process = child.id();
    (child.wait_with_output().unwrap(), process)
}

/// Whether a process left its scratch database behind.
async fn is_left(backend: Backend, scratch: &Scratch, process: u32) -> bool {
    let name = format!("pharos_scratch_{process}_");
    match backend {
        Backend::Sqlite => std::fs::read_dir(std::env::temp_dir())
            .unwrap()
            .any(|entry| {
                entry
                    .unwrap()
                    .file_name()
                    .to_string_lossy()
                    .starts_with(&name)
            }),
        Backend::Postgres => {
            let count = "SELECT COUNT(*) FROM pg_database WHERE starts_with(datname::text, ";
            scratch.number(&format!("{count}'{name}')")).await > 0
        }
    }
}

async fn the_figures_are_those_worked_out_by_hand(backend: Backend) {
    let (scratch, folder) = (
        Scratch::empty(backend).await,
        Scratch::empty(Backend::Sqlite).await,
    );
    let folder = folder.folder_of_files();
    collection(folder, CORPUS, QUERIES, QRELS);
    let (output, process) = evaluate(&scratch, folder, &folder.join("run"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "nDCG@10 0.6220 recall@100 0.7500\n"
    );
    let run = std::fs::read_to_string(folder.join("run")).unwrap();
    let ranks: Vec<String> = run
        .lines()
        .map(|line| {
            let columns: Vec<&str> = line.split(' ').collect();
            assert_eq!(
                (columns.len(), columns[1], columns[5]),
                (6, "Q0", "pharos"),
                "{line}"
            );
            assert!(columns[4].parse::<f64>().unwrap() > 0.0, "{line}");
            format!("{} {} {}", columns[0], columns[2], columns[3])
        })
        .collect();
    assert!(!is_left(backend, &scratch, process).await);
    assert_eq!(
        ranks,
        ["q1 w1 1", "q1 w2 2", "q2 k1 1", "q2 k2 2", "q3 x1 1"]
    );
}

async fn judgements_in_the_form_of_trec_are_read(backend: Backend) {
    let (scratch, folder) = (
        Scratch::empty(backend).await,
        Scratch::empty(Backend::Sqlite).await,
    );
    let folder = folder.folder_of_files();
    let qrels = "q1 0 w1 1\nq1\t0\te1\t1\nq2  0  k2  1\nq2 0 k1 0\n";
    collection(folder, CORPUS, QUERIES, qrels);
    let (output, _) = evaluate(&scratch, folder, &folder.join("run"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "nDCG@10 0.6220 recall@100 0.7500\n"
    );
}

async fn files_that_are_wrong_are_named_with_the_line(backend: Backend) {
    let (scratch, folder) = (
        Scratch::empty(backend).await,
        Scratch::empty(Backend::Sqlite).await,
    );
    let folder = folder.folder_of_files();
    let run_file = folder.join("run");
    let (missing, _) = evaluate(&scratch, &folder.join("nowhere"), &run_file);
    let said = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert_eq!(missing.status.code(), Some(1), "{said}");
    assert!(said.contains("nowhere/corpus.jsonl"), "{said}");
    for (corpus, queries, qrels, expected) in [
        (
            "{\"title\": 1}\n",
            QUERIES,
            QRELS,
            "corpus.jsonl:1: `_id` is missing",
        ),
        ("\n[]\n", QUERIES, QRELS, "corpus.jsonl:2: no JSON object"),
        (
            CORPUS,
            "{\"_id\": \"q1\"}\n{\"_id\": \"q1\"}\n",
            QRELS,
            "queries.jsonl:2: the query q1",
        ),
        (CORPUS, "", QRELS, "queries.jsonl has no query"),
        (CORPUS, QUERIES, "q1\tw1\t1\nq1 w2\n", "qrels.tsv:2: "),
        (
            "{\"_id\": \"w 1\"}\n",
            QUERIES,
            QRELS,
            "corpus.jsonl:1: `_id` is \"w 1\": an id with white space",
        ),
        (
            CORPUS,
            QUERIES,
            "q1\tw1\t1\nq1\tw2\tx\n",
            "qrels.tsv:2: the score `x`",
        ),
        (
            CORPUS,
            QUERIES,
            "q9\tw1\t1\n",
            "qrels.tsv has no relevant document",
        ),
    ] {
        collection(folder, corpus, queries, qrels);
        let (output, process) = evaluate(&scratch, folder, &run_file);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{expected}: {said}");
        assert!(said.contains(expected), "{expected}: {said}");
        assert!(output.stdout.is_empty());
        assert!(!is_left(backend, &scratch, process).await, "{expected}");
    }
}
