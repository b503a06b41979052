//! Mistyped queries: what they may have meant, and what is found instead.

use serde_json::{Value as Json, json};

use crate::harness::{World, catalogue, resource};
use crate::search::search;

matrix![
    a_word_that_no_document_has_is_replaced_by_the_nearest_one,
    a_corrected_query_answers_in_place_of_one_that_finds_nothing,
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
    // With something found, the query stands and the correction is offered.
    let offered = search(&world, &[("q", "databse harbour")]).await;
    assert_eq!(
        (
            &offered["total"],
            &offered["corrected"],
            &offered["did_you_mean"]
        ),
        (&json!(1), &json!(false), &json!("database harbour"))
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
