//! What each strategy promises: one suite against its trait, run on each database by one line.

use std::sync::Arc;

use sea_orm::sea_query::{Alias, Expr, ExprTrait, Order, Query};
use serde_json::{Value as Json, json};
use service::json::{Comparison, JsonMatch, json_match};
use service::search::{Document, TokenQuery, full_text_search};
use uuid::Uuid;

use crate::harness::{World, resource};

matrix![
    json_match_means_what_jsonb_means,
    full_text_search_finds_exactly_the_documents_with_the_tokens
];

/// What a strategy is asked.
enum Question {
    Contains(Json),
    Exists(&'static [&'static str]),
    Equals(&'static [&'static str], Json),
    Compares(&'static [&'static str], Comparison, Json),
    Has(&'static [&'static str], Json),
}

fn documents() -> Vec<Json> {
    vec![
        json!({}),
        json!({"a": null}),
        json!({"a": 1}),
        json!({"a": 1.5}),
        json!({"a": "1"}),
        json!({"a": true}),
        json!({"a": [1, "x", null, [2], {"b": 1}]}),
        json!({"a": {"b": 1, "c": {"d": "e"}}, "x": 0}),
        json!({"a": "é"}),
        json!({"a": 9_007_199_254_740_993_i64}),
        json!({"a": []}),
        json!({"a": [[1, 2], [3]], "0": "zero"}),
        json!({"a.b": 5, "": 6, "\"\\{},": 7, "null": 8}),
    ]
}

fn questions() -> Vec<(Question, &'static [usize])> {
    use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
    use Question::{Compares, Contains, Equals, Exists, Has};
    vec![
        (
            Contains(json!({})),
            &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
        ),
        (Contains(json!({"a": 1})), &[2]),
        (Contains(json!({"a": 1.0})), &[2]),
        (Contains(json!({"a": null})), &[1]),
        (Contains(json!({"a": []})), &[6, 10, 11]),
        (Contains(json!({"a": [1]})), &[6]),
        (Contains(json!({"a": ["x", 1, 1]})), &[6]),
        (Contains(json!({"a": [null]})), &[6]),
        (Contains(json!({"a": [{"b": 1}]})), &[6]),
        (Contains(json!({"a": [{}]})), &[6]),
        (Contains(json!({"a": [[2]]})), &[6, 11]),
        (Contains(json!({"a": [2]})), &[]),
        (Contains(json!({"a": {"c": {}}})), &[7]),
        (Contains(json!({"a": {"c": {"d": "e"}}, "x": 0})), &[7]),
        (Contains(json!({"a": {}})), &[7]),
        (Contains(json!([])), &[]),
        (Contains(json!(1)), &[]),
        (Exists(&["a"]), &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        (Exists(&["a", "b"]), &[7]),
        (Exists(&["a", "0"]), &[6, 11]),
        (Exists(&["a", "+1"]), &[6, 11]),
        (Exists(&["a", " 01"]), &[6, 11]),
        (Exists(&["a", "1 "]), &[]),
        (Exists(&["a", "2"]), &[]),
        (Exists(&["a", "-1"]), &[6, 11]),
        (Exists(&["a", "-1", "b"]), &[6]),
        (Exists(&["a", "5"]), &[]),
        (Exists(&["0"]), &[11]),
        (Exists(&["a.b"]), &[12]),
        (Exists(&[""]), &[12]),
        (Exists(&["null"]), &[12]),
        (Exists(&["\"\\{},"]), &[12]),
        (Equals(&["a"], json!(1)), &[2]),
        (Equals(&["a"], json!(1.0)), &[2]),
        (Equals(&["a"], json!("1")), &[4]),
        (Equals(&["a"], json!(null)), &[1]),
        (Equals(&["a"], json!(true)), &[5]),
        (Equals(&["a"], json!(9_007_199_254_740_992_i64)), &[]),
        (Equals(&["a"], json!(9_007_199_254_740_993_i64)), &[9]),
        (Equals(&["a", "1"], json!("x")), &[6]),
        (Equals(&["a", "0", "1"], json!(2)), &[11]),
        (Equals(&["a", "c", "d"], json!("e")), &[7]),
        (Equals(&["0"], json!("zero")), &[11]),
        (Equals(&[], json!({})), &[0]),
        (Compares(&["a"], Greater, json!(1)), &[3, 9]),
        (Compares(&["a"], GreaterOrEqual, json!(1)), &[2, 3, 9]),
        (Compares(&["a"], Less, json!(1.5)), &[2]),
        (Compares(&["a"], LessOrEqual, json!(1.5)), &[2, 3]),
        (
            Compares(&["a"], Greater, json!(9_007_199_254_740_992_i64)),
            &[9],
        ),
        (Compares(&["a"], Greater, json!("0")), &[4, 8]),
        (Compares(&["a"], Less, json!("z")), &[4]),
        (Compares(&["a"], LessOrEqual, json!("é")), &[4, 8]),
        (Compares(&["a", "0"], Less, json!(2)), &[6]),
        (Compares(&["a"], Less, json!(true)), &[]),
        (Has(&["a"], json!(1)), &[2, 6]),
        (Has(&["a"], json!("x")), &[6]),
        (Has(&["a"], json!("b")), &[7]),
        (Has(&["a"], json!("1")), &[4]),
        (Has(&["a"], json!(2)), &[]),
        (Has(&["a"], json!(null)), &[1, 6]),
        (Has(&[], json!("a")), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        (Has(&[], json!("x")), &[7]),
    ]
}

fn condition(strategy: &dyn JsonMatch, question: &Question) -> (String, Expr) {
    let column = Expr::col((Alias::new("resources"), Alias::new("metadata")));
    let keys = |path: &[&str]| path.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    match question {
        Question::Contains(value) => (
            format!("contains {value}"),
            strategy.contains(column, value),
        ),
        Question::Exists(path) => (
            format!("exists {path:?}"),
            strategy.exists(column, &keys(path)),
        ),
        Question::Equals(path, value) => (
            format!("{path:?} = {value}"),
            strategy.equals(column, &keys(path), value),
        ),
        Question::Compares(path, comparison, value) => (
            format!("{path:?} {comparison:?} {value}"),
            strategy.compares(column, &keys(path), *comparison, value),
        ),
        Question::Has(path, value) => (
            format!("{path:?} has {value}"),
            strategy.has(column, &keys(path), value),
        ),
    }
}

async fn json_match_means_what_jsonb_means(world: World) {
    let mut ids = Vec::new();
    for document in documents() {
        ids.push(
            resource(&world, json!({"title": "t", "metadata": document})).await["id"]
                .as_str()
                .unwrap()
                .parse::<Uuid>()
                .unwrap(),
        );
    }
    let database = world.pharos.database();
    let strategy = json_match(database.backend());
    for (question, expected) in questions() {
        for negated in [false, true] {
            let (name, condition) = condition(&*strategy, &question);
            let id = (entity::resources::Entity, entity::resources::Column::Id);
            let select = Query::select()
                .column(id)
                .from(entity::resources::Entity)
                .and_where(if negated { condition.not() } else { condition })
                .order_by(id, Order::Asc)
                .take();
            let found: Vec<Uuid> = database
                .fetch_all(database.build(&select))
                .await
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let found: Vec<usize> = found
                .iter()
                .map(|id| ids.iter().position(|known| known == id).unwrap())
                .collect();
            // No condition is ever NULL, so each document is on exactly one side.
            let expected: Vec<usize> = (0..ids.len())
                .filter(|index| expected.contains(index) != negated)
                .collect();
            assert_eq!(
                found,
                expected,
                "{}{name}",
                if negated { "NOT " } else { "" }
            );
        }
    }
}

/// Tokens as the analysis makes them: folded, without white space.
const DOCUMENTS: [&[&str]; 7] = [
    &["alpha", "beta"],
    &["alpha", "alphabet", "gamma"],
    &["=l:en", "=t:book", "beta"],
    &[
        "o'neil",
        "back\\slash",
        "quo\"te",
        "semi;colon",
        "co:lon",
        "st*ar",
        "a&b",
        "a|b",
        "!a",
        "(a)",
        "<->",
        "''",
        "\\'",
    ],
    &["東", "京", "🎉", "é", "e\u{301}", "ß"],
    &[],
    &[
        "or", "and", "not", "near", "null", "0", "1.5", "-x", "--", "%", "_",
    ],
];

fn token_questions() -> Vec<(TokenQuery, Vec<usize>)> {
    use TokenQuery::{And, Or, Prefix, Token};
    let token = |text: &str| Token(text.to_owned());
    let prefix = |text: &str| Prefix(text.to_owned());
    let mut questions = vec![
        (token("alpha"), vec![0, 1]),
        (token("alph"), vec![]),
        (prefix("alph"), vec![0, 1]),
        (prefix("alphab"), vec![1]),
        (prefix("=l:"), vec![2]),
        (prefix("東"), vec![4]),
        (prefix("o'"), vec![3]),
        (prefix("back\\"), vec![3]),
        (prefix("%"), vec![6]),
        (And(vec![token("alpha"), token("beta")]), vec![0]),
        (Or(vec![token("gamma"), token("🎉")]), vec![1, 4]),
        (
            And(vec![
                token("beta"),
                Or(vec![token("=l:en"), token("gamma")]),
            ]),
            vec![2],
        ),
        (
            Or(vec![
                And(vec![token("alpha"), token("gamma")]),
                prefix("=t"),
            ]),
            vec![1, 2],
        ),
        (And(vec![token("alpha"), token("nowhere")]), vec![]),
        (
            Or((0..500)
                .map(|number| token(&format!("none{number}")))
                .chain([token("beta")])
                .collect()),
            vec![0, 2],
        ),
    ];
    for (index, tokens) in DOCUMENTS.iter().enumerate() {
        for text in tokens
            .iter()
            .filter(|text| !["alpha", "beta"].contains(text))
        {
            questions.push((token(text), vec![index]));
        }
    }
    questions
}

async fn full_text_search_finds_exactly_the_documents_with_the_tokens(world: World) {
    let mut ids = Vec::new();
    for _ in DOCUMENTS {
        ids.push(
            resource(&world, json!({"title": "t"})).await["id"]
                .as_str()
                .unwrap()
                .parse::<Uuid>()
                .unwrap(),
        );
    }
    world
        .scratch
        .execute("DELETE FROM search_documents")
        .await
        .unwrap();
    let database = world.pharos.database();
    let strategy: Arc<dyn service::search::FullTextSearch> =
        full_text_search(database.backend()).into();
    let documents: Vec<(Uuid, Document)> = ids
        .iter()
        .zip(DOCUMENTS)
        .map(|(id, tokens)| {
            (
                *id,
                Document {
                    tokens: tokens.iter().map(|token| (*token).to_owned()).collect(),
                    ..service::search::analyse(&Default::default(), 1)
                },
            )
        })
        .collect();
    let (inserting, all) = (Arc::clone(&strategy), Arc::new(documents));
    let inserted = database.write(move |transaction| {
        let (strategy, all) = (Arc::clone(&inserting), Arc::clone(&all));
        async move {
            let borrowed: Vec<(Uuid, &Document)> =
                all.iter().map(|(id, document)| (*id, document)).collect();
            strategy
                .insert(&transaction, &borrowed)
                .await
                .map_err(service::database::DatabaseError::from)?;
            Ok(())
        }
    });
    inserted.await.unwrap();
    for (question, expected) in token_questions() {
        let documents = Alias::new("search_documents");
        let mut select = Query::select()
            .column((documents.clone(), Alias::new("resource_id")))
            .from(documents.clone())
            .order_by((documents, Alias::new("resource_id")), Order::Asc)
            .take();
        strategy.narrow(&mut select, &question);
        let shown: String = format!("{question:?}").chars().take(80).collect();
        let found: Vec<Uuid> = database
            .fetch_all(database.build(&select))
            .await
            .unwrap_or_else(|error| panic!("{shown}: {error}"));
        let found: Vec<usize> = found
            .iter()
            .map(|id| ids.iter().position(|known| known == id).unwrap())
            .collect();
        assert_eq!(found, expected, "{shown}");
    }
    // A document that is deleted is found no more, and its number may be used again.
    world
        .scratch
        .execute("DELETE FROM search_documents")
        .await
        .unwrap();
    assert_eq!(
        world.reader.get("search?q=alpha").await.is(200).json()["total"],
        0
    );
}
