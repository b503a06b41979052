//! Mistyped queries: what they may have meant, and what is found instead.

use serde_json::{Value as Json, json};

use crate::harness::{World, catalogue, resource};
use crate::search::search;

matrix![
    a_word_that_no_document_has_is_replaced_by_the_nearest_one,
    a_corrected_query_answers_in_place_of_one_that_finds_nothing,
    words_are_chosen_by_the_likeliest_mistake_and_by_what_stands_beside_them,
    stop_words_alone_are_no_answer_to_a_mistyped_word,
    another_correction_is_tried_where_one_finds_nothing,
    a_correction_is_preferred_when_it_brings_more_words_together,
    corrections_follow_the_library_at_once,
    corrections_are_the_same_after_a_restart,
];

/// Query and what it may have meant, in the sample catalogue.
const CORRECTIONS: &[(&str, Option<&str>)] = &[
    ("databse", Some("database")),
    ("DATABSE", Some("database")),
    ("dtaabase", Some("database")),
    ("datbase systms", Some("database systems")),
    ("databse systems", Some("database systems")),
    ("  databse   -harbour ", Some("  database   -harbour ")),
    ("\"databse systems\"", Some("\"database systems\"")),
    ("\"databse systems", Some("\"database systems")),
    ("title:databse", Some("title:database")),
    ("databse OR runing", Some("database OR running")),
    ("hoper type:paper", Some("hopper type:paper")),
    // Two errors from 8 letters.
    ("dattabsae", Some("database")),
    ("indxeingg", Some("indexing")),
    ("queation", Some("question")),
    // As people write it.
    ("élémennts", Some("éléments")),
    ("elemnts", Some("éléments")),
    ("gröse", Some("größe")),
    ("fournierr", Some("fournier")),
    // Known, too short, too far, a number, a prefix, excluded, a whole value.
    ("database", None),
    ("databases", None),
    ("atr", None),
    ("datbsaees", None),
    ("2006", None),
    ("isbn:3", None),
    ("databse*", None),
    ("-databse", None),
    ("-title:databse", None),
    ("type:papr", None),
    ("language:enn", None),
    ("xyzzyxyzzy", None),
    ("", None),
    ("\u{0}", None),
];

async fn a_word_that_no_document_has_is_replaced_by_the_nearest_one(world: World) {
    catalogue(&world).await;
    for (query, expected) in CORRECTIONS {
        let reply = search(&world, &[("q", query)]).await;
        assert_eq!(
            reply.get("did_you_mean").map(|text| text.as_str().unwrap()),
            *expected,
            "{query}: {reply}"
        );
        if expected.is_none() {
            assert_eq!(reply["corrected"], false, "{query}");
        }
    }
    // Not more than eight words are looked up.
    let nine = ["runing"; 9].join(" ");
    let meant = search(&world, &[("q", &nine)]).await["did_you_mean"].clone();
    assert_eq!(meant, format!("{} runing", ["running"; 8].join(" ")));
}

async fn a_corrected_query_answers_in_place_of_one_that_finds_nothing(world: World) {
    catalogue(&world).await;
    let parameters = |query: &'static str| [("q", query), ("facets", "language"), ("limit", "1")];
    let instead = search(&world, &parameters("databse")).await;
    let direct = search(&world, &parameters("database")).await;
    assert_eq!(instead["corrected"], true);
    assert_eq!(direct["corrected"], false);
    for same in ["items", "total", "facets"] {
        assert_eq!(instead[same], direct[same], "{same}");
    }
    assert_eq!(instead["total"], 2);
    // What was typed is told as it was understood.
    assert_eq!(
        instead["query"]["clauses"][0]["any_of"][0]["text"],
        "databse"
    );
    let all = world.reader.all("search", &parameters("databse")).await;
    let titles: Vec<&Json> = all.iter().map(|item| &item["resource"]["title"]).collect();
    assert_eq!(titles, ["Database Systems", "The Art of Indexing"]);
    // With something found, and nothing with both words, the query stands and the correction is offered.
    let offered = search(&world, &[("q", "databse fournier")]).await;
    assert_eq!(
        (
            &offered["total"],
            &offered["corrected"],
            &offered["did_you_mean"]
        ),
        (&json!(1), &json!(false), &json!("database fournier"))
    );
    // Whole values alone are no answer to a mistyped word.
    let books = search(&world, &[("q", "databse type:book")]).await;
    assert_eq!(books["corrected"], true);
    assert!(books["items"][0]["score"].as_f64() > Some(0.0), "{books}");
    // A correction that finds nothing either is none.
    for parameters in [
        &[("q", "databse nowhere"), ("match", "all")][..],
        &[("q", "databse"), ("filter", "year < 0")],
        &[("q", "databse language:fr"), ("match", "all")],
    ] {
        let reply = search(&world, parameters).await;
        assert_eq!(reply["total"], 0, "{reply}");
        assert!(reply.get("did_you_mean").is_none(), "{reply}");
    }
}

async fn titled(world: &World, titles: &[&str]) {
    for title in titles {
        resource(world, json!({"title": title})).await;
    }
}

/// What was meant, whether its matches are shown, and the title of the first match.
async fn found(world: &World, parameters: &[(&str, &str)]) -> (Option<String>, bool, String) {
    let reply = search(world, parameters).await;
    let text = |value: &Json| value.as_str().map(str::to_owned);
    (
        text(&reply["did_you_mean"]),
        reply["corrected"].as_bool().unwrap(),
        text(&reply["items"][0]["resource"]["title"]).unwrap_or_default(),
    )
}

fn shown(text: &str, title: &str) -> (Option<String>, bool, String) {
    (Some(text.to_owned()), true, title.to_owned())
}

fn offered(text: &str, title: &str) -> (Option<String>, bool, String) {
    (Some(text.to_owned()), false, title.to_owned())
}

async fn words_are_chosen_by_the_likeliest_mistake_and_by_what_stands_beside_them(world: World) {
    let titles = [
        "Harry Potter and the Goblet",
        "Hard Times",
        "Hard Cash",
        "Peter Pan",
        "Peter Rabbit",
        "Habit",
        "Force of Habit",
        "Hobbit",
        "Civil Rights",
        "Human Rights",
        "Heights",
        "Mount Everest",
        "Mount Fuji",
        "Burial Mound",
        "Lantern",
        "Witty Banter",
        "White Tiger",
        "While Sleeping",
        "While Waking",
        "COVID-19 in Cities",
        "Cove of 19 Ships",
    ];
    titled(&world, &titles).await;
    for (query, meant, first) in [
        ("hary poter", "harry potter", titles[0]),
        ("harry poter", "harry potter", titles[0]),
        // A doubled letter rather than another one, and a missing one rather than another one.
        ("hobit", "hobbit", "Hobbit"),
        ("hights", "heights", "Heights"),
        // What stands beside the word is more than a likelier mistake or a commoner word.
        ("lanter", "lantern", "Lantern"),
        ("witty lanter", "witty banter", "Witty Banter"),
        ("lanter wity", "banter witty", "Witty Banter"),
        ("burial moun", "burial mound", "Burial Mound"),
        ("whie tiger", "white tiger", "White Tiger"),
        ("tiger whie", "tiger white", "White Tiger"),
        // The letters of a compound with digits.
        ("covd-19", "covid-19", "COVID-19 in Cities"),
    ] {
        for mode in ["best", "all"] {
            let found = found(&world, &[("q", query), ("match", mode)]).await;
            assert_eq!(found, shown(meant, first), "{query} {mode}");
        }
    }
}

async fn stop_words_alone_are_no_answer_to_a_mistyped_word(world: World) {
    titled(
        &world,
        &[
            "The End of the Road",
            "The Alchemist",
            "The Hunger Games",
            "Before Sunrise",
            "Sunrise",
        ],
    )
    .await;
    for (query, meant, first) in [
        ("the alchmist", "the alchemist", "The Alchemist"),
        (
            "the hungr gams of the",
            "the hunger games of the",
            "The Hunger Games",
        ),
    ] {
        let found = found(&world, &[("q", query)]).await;
        assert_eq!(found, shown(meant, first));
    }
    // A stop word may have been meant, but it is known as it was typed, and it is no reason to show something else.
    assert_eq!(search(&world, &[("q", "the")]).await["corrected"], false);
    assert_eq!(
        found(&world, &[("q", "befroe sunrise")]).await,
        offered("before sunrise", "Sunrise")
    );
}

async fn another_correction_is_tried_where_one_finds_nothing(world: World) {
    titled(
        &world,
        &[
            "Lantern of a Witty Lady",
            "Witty Banter",
            "Peter and Harry",
            "Harry Potter",
        ],
    )
    .await;
    let ask = async |query: &str, filter: &str| {
        let parameters = [("q", query), ("filter", filter), ("match", "all")];
        found(&world, &parameters).await
    };
    // The words stand together, but not side by side.
    assert_eq!(
        ask("\"witty lanter\"", "").await,
        shown("\"witty banter\"", "Witty Banter")
    );
    assert_eq!(
        ask("\"harry poter\"", "").await,
        shown("\"harry potter\"", "Harry Potter")
    );
    assert_eq!(
        ask("witty lanter", "").await,
        shown("witty lantern", "Lantern of a Witty Lady")
    );
    assert_eq!(
        ask("witty lanter", "title = \"Witty Banter\"").await,
        shown("witty banter", "Witty Banter")
    );
    assert_eq!(
        ask("witty lanter", "title = \"Harry Potter\"").await,
        (None, false, String::new())
    );
}

async fn a_correction_is_preferred_when_it_brings_more_words_together(world: World) {
    titled(
        &world,
        &[
            "Dragon Flight",
            "Dragon Dragon",
            "The Girl and the Dragon Tattoo",
            "Taboo",
            "Taboo Words",
            "One two three four five six seven eight beacon",
        ],
    )
    .await;
    for (query, expected) in [
        (
            "girl dragon tatoo",
            shown("girl dragon tattoo", "The Girl and the Dragon Tattoo"),
        ),
        (
            "dragon tatoo",
            shown("dragon tattoo", "The Girl and the Dragon Tattoo"),
        ),
        // Nothing has both.
        ("flight tatoo", offered("flight tattoo", "Dragon Flight")),
        // Not more than eight words, those that hardly count left out.
        (
            "one two the three four five six seven beakon",
            shown(
                "one two the three four five six seven beacon",
                "One two three four five six seven eight beacon",
            ),
        ),
        (
            "one two the three four five six seven eight beakon",
            offered(
                "one two the three four five six seven eight beacon",
                "One two three four five six seven eight beacon",
            ),
        ),
    ] {
        assert_eq!(found(&world, &[("q", query)]).await, expected, "{query}");
    }
    // All matches of the query itself are among those of the correction, which every page shows.
    let all = world
        .reader
        .all("search", &[("q", "dragon tatoo"), ("limit", "1")])
        .await;
    assert_eq!(all.len(), 3);
}

async fn corrections_follow_the_library_at_once(world: World) {
    let meant = async |query: &str| {
        let reply = search(&world, &[("q", query)]).await;
        reply
            .get("did_you_mean")
            .map(|text| text.as_str().unwrap().to_owned())
    };
    assert_eq!(meant("lanterm").await, None);
    let one = resource(&world, json!({"title": "Lantern"})).await;
    assert_eq!(meant("lanterm").await.as_deref(), Some("lantern"));
    let other = resource(
        &world,
        json!({"description": "Lanters. Lanters!", "title": "Other"}),
    )
    .await;
    // As near and in as many: the order of code points.
    assert_eq!(meant("lanterm").await.as_deref(), Some("lantern"));
    let path = |item: &Json| format!("resources/{}", item["id"].as_str().unwrap());
    let third = resource(&world, json!({"creator": "Lanters", "title": "Third"})).await;
    assert_eq!(meant("lanterm").await.as_deref(), Some("lanters"));
    world
        .editor
        .patch(&path(&third), "*", &json!({"creator": "Lantern"}))
        .await
        .is(200);
    assert_eq!(meant("lanterm").await.as_deref(), Some("lantern"));
    world.editor.delete(&path(&one), "*").await.is(204);
    world.editor.delete(&path(&third), "*").await.is(204);
    assert_eq!(meant("lanterm").await.as_deref(), Some("lanters"));
    world
        .editor
        .patch(&path(&other), "*", &json!({"description": null}))
        .await
        .is(200);
    assert_eq!(meant("lanterm").await, None);
}

async fn corrections_are_the_same_after_a_restart(world: World) {
    catalogue(&world).await;
    let ask = async |world: &World| {
        let mut replies = Vec::new();
        for (query, _) in CORRECTIONS {
            replies.push(search(world, &[("q", query)]).await);
        }
        replies
    };
    let before = ask(&world).await;
    let world = world.restart().await;
    assert_eq!(ask(&world).await, before);
}
