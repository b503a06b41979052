//! What the architecture promises and a program can check.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::harness::{Backend, World, block_on, repository};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn only_the_strategies_and_the_database_layer_know_which_database_it_is() {
    let mut files = Vec::new();
    for folder in ["src", "api/src", "service/src", "entity/src"] {
        sources(&repository().join(folder), &mut files);
    }
    let mut strangers = Vec::new();
    for path in files {
        let name = path
            .strip_prefix(repository())
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let at_home = name.ends_with("/sqlite.rs")
            || name.ends_with("/postgres.rs")
            || name.starts_with("service/src/database/");
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let knows = ["DatabaseBackend::", "DbBackend::", "get_database_backend"]
                .iter()
                .any(|word| line.contains(word));
            if knows && !at_home {
                strangers.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(strangers.is_empty(), "{}", strangers.join("\n"));
}

#[test]
fn the_strategies_have_mirror_trees() {
    let mut files = Vec::new();
    sources(&repository().join("service/src"), &mut files);
    for path in files {
        for (one, other) in [("sqlite.rs", "postgres.rs"), ("postgres.rs", "sqlite.rs")] {
            if path.file_name().is_some_and(|name| name == one) {
                assert!(
                    path.with_file_name(other).exists(),
                    "{} has no {other} beside it",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn the_folders_and_files_that_the_architecture_page_names_are_there() {
    let page = repository().join("ARCHITECTURE.md");
    let Ok(text) = std::fs::read_to_string(&page) else {
        println!("skipped: there is no ARCHITECTURE.md");
        return;
    };
    let mut named = 0;
    // Each row of the tables begins with a path.
    for line in text.lines() {
        let Some(name) = line
            .strip_prefix("| `")
            .and_then(|rest| rest.split('`').next())
        else {
            continue;
        };
        if !name.contains('/') {
            continue;
        }
        named += 1;
        let path = repository().join(name);
        let there = if name.ends_with('/') {
            path.is_dir()
        } else {
            path.is_file()
        };
        assert!(there, "ARCHITECTURE.md names {name}, which is not there");
    }
    assert!(
        named > 20,
        "only {named} folders and files are named in ARCHITECTURE.md"
    );
}

/// `PHAROS_UPDATE_SNAPSHOTS=1` writes the snapshot anew.
#[test]
fn the_served_openapi_document_is_the_reviewed_one() {
    let served = block_on(async {
        let world = World::start(Backend::Sqlite).await;
        world.anonymous.get("/openapi.json").await.is(200).json()
    });
    let path = repository().join("docs/openapi.json");
    if std::env::var_os("PHAROS_UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(
            &path,
            format!("{}\n", api::openapi_document().to_pretty_json().unwrap()),
        )
        .unwrap();
    }
    let reviewed: Json =
        serde_json::from_slice(&std::fs::read(&path).expect("docs/openapi.json")).unwrap();
    if served == reviewed {
        return;
    }
    let (served, reviewed) = (
        serde_json::to_string_pretty(&served).unwrap(),
        serde_json::to_string_pretty(&reviewed).unwrap(),
    );
    let difference = served
        .lines()
        .zip(reviewed.lines())
        .find(|(one, other)| one != other);
    panic!(
        "docs/openapi.json is not what is served: {difference:?}; PHAROS_UPDATE_SNAPSHOTS=1 cargo test -p tests openapi writes it anew"
    );
}

#[test]
fn the_pages_need_no_network() {
    block_on(async {
        let world = World::start(Backend::Sqlite).await;
        let home = world.anonymous.get("/").await.is(200);
        assert!(
            home.header("content-type")
                .is_some_and(|kind| kind.starts_with("text/html"))
        );
        world.anonymous.get("/docs").await.is(308);
        let docs = world.anonymous.get("/docs/").await.is(200).text();
        for page in [home.text(), docs] {
            for attribute in [
                "src=\"http",
                "href=\"http",
                "src='http",
                "src=\"//",
                "href=\"//",
                "@import",
                "url(http",
            ] {
                assert!(!page.contains(attribute), "{attribute} in {page}");
            }
        }
    });
}
