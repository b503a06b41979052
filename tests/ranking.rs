//! The order of matches.

use serde_json::{Value as Json, json};
use service::library::ImportFormat;

use crate::harness::{Chance, World, import};
use crate::search::search;

matrix![
    an_order_is_the_same_by_every_way_and_on_pages_of_any_size,
    feedback_moves_matches_and_finds_no_others,
    stop_words_are_found_and_hardly_count,
    a_pasted_text_has_no_operators,
];

const TOPICS: [&[&str]; 4] = [
    &[
        "whale",
        "ocean",
        "krill",
        "song",
        "fluke",
        "harpoon",
        "migration",
    ],
    &[
        "library",
        "catalogue",
        "index",
        "shelf",
        "reader",
        "archive",
        "loan",
    ],
    &[
        "livre",
        "bibliothèque",
        "lecteur",
        "catalogue",
        "prêt",
        "rayon",
        "index",
    ],
    &[
        "rocket",
        "orbit",
        "engine",
        "nozzle",
        "thrust",
        "index",
        "catalogue",
    ],
];
const SMALL: [&str; 8] = ["the", "of", "and", "in", "was", "a", "with", "on"];

fn text(topic: &[&str], words: usize, chance: &mut Chance) -> String {
    let words: Vec<&str> = (0..words)
        .map(|_| match chance.percent(40) {
            true => *chance.pick(&SMALL),
            false => *chance.pick(topic),
        })
        .collect();
    words.join(" ")
}

async fn load(world: &World, rows: &[Json]) {
    let lines: Vec<String> = rows.iter().map(Json::to_string).collect();
    let (report, rejects) = import(&world.pharos, ImportFormat::NdJson, lines.join("\n")).await;
    assert_eq!((report.inserted, rejects), (rows.len() as u64, Vec::new()));
}

fn ranking(items: &[Json]) -> Vec<(String, String)> {
    let text = |value: &Json| value.to_string();
    items
        .iter()
        .map(|item| (text(&item["id"]), text(&item["score"])))
        .collect()
}

fn titles(reply: &Json) -> Vec<&str> {
    let items = reply["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["resource"]["title"].as_str().unwrap())
        .collect()
}

async fn an_order_is_the_same_by_every_way_and_on_pages_of_any_size(world: World) {
    let mut chance = Chance::new(7);
    let rows: Vec<Json> = (0..400)
        .map(|number| {
            let topic = *chance.pick(&TOPICS);
            let language = if topic[0] == "livre" { "fr" } else { "en" };
            let (short, long) = (1 + chance.below(6), chance.below(90));
            let mut row = json!({
                "title": format!("{} {number}", text(topic, short, &mut chance)),
                "subject": [text(topic, 1, &mut chance), text(topic, 2, &mut chance)],
                "language": language,
            });
            if long > 20 {
                row["description"] = text(topic, long, &mut chance).into();
            }
            row
        })
        .collect();
    load(&world, &rows).await;
    for words in [1, 2, 3, 5, 9] {
        let topic = *chance.pick(&TOPICS);
        let query = text(topic, words, &mut chance);
        let by = async |parameters: &[(&str, &str)]| {
            let all = [&[("q", &*query), ("match", "best")], parameters].concat();
            ranking(&world.reader.all("search", &all).await)
        };
        let plain = by(&[("limit", "200")]).await;
        assert!(plain.len() > 1, "{query}: {plain:?}");
        // With facets, and with a filter that everything passes, the database's token index finds the matches.
        assert_eq!(
            plain,
            by(&[("limit", "200"), ("facets", "language")]).await,
            "{query}"
        );
        assert_eq!(
            plain,
            by(&[("limit", "200"), ("filter", "title:*")]).await,
            "{query}"
        );
        assert_eq!(plain, by(&[("limit", "37")]).await, "{query}");
        assert_eq!(
            plain,
            by(&[("limit", "61"), ("facets", "language")]).await,
            "{query}"
        );
    }
}

async fn feedback_moves_matches_and_finds_no_others(world: World) {
    let about = [
        ("Song of the whale", "krill and ocean migration"),
        ("The whale and its song", "krill in the ocean, a migration"),
        ("Near", "a whale, krill, ocean, migration"),
        ("Far", "a whale, rocket, nozzle, engine"),
        ("Elsewhere", "krill, ocean, migration"),
        ("Rockets", "rocket, nozzle, engine"),
    ];
    let about = about.map(|(title, text)| json!({"title": title, "description": text}));
    // A word in more than a fifth of the library would tell nothing.
    let others = (0..20).map(|number| json!({"title": format!("Page {number}")}));
    load(&world, &about.into_iter().chain(others).collect::<Vec<_>>()).await;
    let question = "whale song lighthouse compass anchor harbour";
    let reply = search(&world, &[("q", question)]).await;
    assert_eq!(reply["total"], 4);
    assert_eq!(titles(&reply)[2..], ["Near", "Far"]);
    // A few words say too little.
    for few in ["whale", "whale song", "whale song lighthouse compass"] {
        let reply = search(&world, &[("q", few)]).await;
        let scores: Vec<f64> = reply["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["score"].as_f64().unwrap())
            .collect();
        assert_eq!((scores.len(), scores[2]), (4, scores[3]), "{few}");
    }
    let required = search(&world, &[("q", "whale song"), ("match", "all")]).await;
    assert_eq!(required["total"], 2);
}

async fn stop_words_are_found_and_hardly_count(world: World) {
    let rows = [
        "Whale",
        "On the sea of the north",
        "To be or not to be",
        "Seas",
    ];
    load(&world, &rows.map(|title| json!({"title": title}))).await;
    let reply = search(&world, &[("q", "of the whale")]).await;
    assert_eq!(titles(&reply), ["Whale", "On the sea of the north"]);
    let reply = search(&world, &[("q", "to be or not to be")]).await;
    assert_eq!(titles(&reply), ["To be or not to be"]);
    let reply = search(&world, &[("q", "\"of the\"")]).await;
    assert_eq!(titles(&reply), ["On the sea of the north"]);
}

async fn a_pasted_text_has_no_operators(world: World) {
    load(
        &world,
        &["Whale song", "Harbour"].map(|title| json!({"title": title})),
    )
    .await;
    let short = "whale -song \"harbour wall\"";
    assert_eq!(search(&world, &[("q", short)]).await["total"], 0);
    let long = format!("{short}{}", " filler".repeat(40));
    let reply = search(&world, &[("q", &long)]).await;
    assert_eq!(titles(&reply), ["Whale song", "Harbour"]);
    // The words of a compound may match alone, the parts of an identifier may not.
    let reply = search(&world, &[("q", "whale-watching")]).await;
    assert_eq!(titles(&reply), ["Whale song"]);
    let reply = search(&world, &[("q", "whale-7")]).await;
    assert_eq!(reply["total"], 0);
}
