//! The snippets that show why something was found.

use serde_json::json;

use crate::harness::{World, resource};
use crate::search::search;

matrix![
    text_without_spaces_is_cut_around_the_match,
    a_snippet_shows_the_most_different_words_of_the_query,
    a_word_that_never_ends_is_not_shown_whole,
];

/// The description's snippet of the one match.
async fn snippet(world: &World, query: &str) -> String {
    let reply = search(world, &[("q", query)]).await;
    assert_eq!(reply["total"], 1, "{query}: {reply}");
    reply["items"][0]["highlights"]["description"]
        .as_str()
        .unwrap_or_else(|| panic!("no description in {reply}"))
        .to_owned()
}

async fn text_without_spaces_is_cut_around_the_match(world: World) {
    let some = "これは長い文章です。".repeat(100);
    resource(
        &world,
        json!({"title": "日本語", "description": format!("{some}図書館{some}")}),
    )
    .await;
    let shown = snippet(&world, "図書館").await;
    let (before, after) = shown.split_once("<mark>図書館</mark>").unwrap();
    assert!(
        before.starts_with("… ") && before.len() > 30 && before.len() < 70,
        "{shown}"
    );
    assert!(
        after.ends_with(" …") && after.len() > 120 && after.len() < 260,
        "{shown}"
    );
    let filler = "字".repeat(100_000);
    resource(
        &world,
        json!({"title": "長", "description": format!("{filler}博物館{filler}")}),
    )
    .await;
    // Its words behind the 50,000th are not indexed; what is found stands at the beginning.
    let shown = snippet(&world, "\"字字字\"").await;
    assert!(shown.len() < 400, "{} bytes", shown.len());
    assert_eq!(
        shown.matches("<mark>").count(),
        shown.matches("</mark>").count()
    );
}

async fn a_snippet_shows_the_most_different_words_of_the_query(world: World) {
    let (far, other) = ("word ".repeat(100), "else ".repeat(100));
    let description = format!(
        "{far} apple apple apples apple {far} an apple, a banana and cherries {other} banana banana banana"
    );
    resource(
        &world,
        json!({"title": "Fruit", "description": description}),
    )
    .await;
    let shown = snippet(&world, "apple banana cherry").await;
    assert!(
        shown.contains("an <mark>apple</mark>, a <mark>banana</mark> and <mark>cherries</mark>"),
        "{shown}"
    );
    // With as many different words, the place with the most matches.
    let shown = snippet(&world, "apple").await;
    assert_eq!(shown.matches("<mark>").count(), 4, "{shown}");
}

async fn a_word_that_never_ends_is_not_shown_whole(world: World) {
    let long = "a&".repeat(20) + &"x".repeat(900_000);
    resource(
        &world,
        json!({"title": "Long", "description": format!("{} {long}", "word ".repeat(100))}),
    )
    .await;
    let shown = snippet(&world, "x*").await;
    assert!(shown.len() < 500, "{} bytes", shown.len());
    assert_eq!(
        (
            shown.matches("<mark>").count(),
            shown.matches("</mark>").count()
        ),
        (1, 1),
        "{shown}"
    );
}
