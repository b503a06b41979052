//! What each strategy promises: one suite against its trait, run on each database by one line.

use std::sync::Arc;

use sea_orm::sea_query::{Alias, Expr, ExprTrait, Order, Query};
use serde_json::{Value as Json, json};
use service::json::{Comparison, JsonColumn, JsonPath, JsonTest, Part, fails, json_match};
use service::search::{Document, TokenQuery, full_text_search};
use uuid::Uuid;

use crate::harness::{World, resource};

matrix![
    json_match_means_what_jsonb_means,
    full_text_search_finds_exactly_the_documents_with_the_tokens
];

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

fn path(keys: &[&str]) -> JsonPath {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

/// Questions, and which of the documents pass.
fn questions() -> Vec<(JsonTest, &'static [usize])> {
    use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
    use JsonTest::{Compares, Contained, Contains, Equals, Exists, Has, HasAll, HasAny, Matches};
    vec![
        (
            Contains(path(&[]), json!({})),
            &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
        ),
        (Contains(path(&[]), json!({"a": 1})), &[2]),
        (Contains(path(&[]), json!({"a": 1.0})), &[2]),
        (Contains(path(&[]), json!({"a": null})), &[1]),
        (Contains(path(&[]), json!({"a": []})), &[6, 10, 11]),
        (Contains(path(&[]), json!({"a": [1]})), &[6]),
        (Contains(path(&[]), json!({"a": ["x", 1, 1]})), &[6]),
        (Contains(path(&[]), json!({"a": [null]})), &[6]),
        (Contains(path(&[]), json!({"a": [{"b": 1}]})), &[6]),
        (Contains(path(&[]), json!({"a": [{}]})), &[6]),
        (Contains(path(&[]), json!({"a": [[2]]})), &[6, 11]),
        (Contains(path(&[]), json!({"a": [2]})), &[]),
        (Contains(path(&[]), json!({"a": {"c": {}}})), &[7]),
        (
            Contains(path(&[]), json!({"a": {"c": {"d": "e"}}, "x": 0})),
            &[7],
        ),
        (Contains(path(&[]), json!({"a": {}})), &[7]),
        (Contains(path(&[]), json!([])), &[]),
        (Contains(path(&[]), json!(1)), &[]),
        (Exists(path(&["a"])), &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        (Exists(path(&["a", "b"])), &[7]),
        (Exists(path(&["a", "0"])), &[6, 11]),
        (Exists(path(&["a", "+1"])), &[6, 11]),
        (Exists(path(&["a", " 01"])), &[6, 11]),
        (Exists(path(&["a", "1 "])), &[]),
        (Exists(path(&["a", "2"])), &[]),
        (Exists(path(&["a", "-1"])), &[6, 11]),
        (Exists(path(&["a", "-1", "b"])), &[6]),
        (Exists(path(&["a", "5"])), &[]),
        (Exists(path(&["0"])), &[11]),
        (Exists(path(&["a.b"])), &[12]),
        (Exists(path(&[""])), &[12]),
        (Exists(path(&["null"])), &[12]),
        (Exists(path(&["\"\\{},"])), &[12]),
        (Equals(path(&["a"]), json!(1)), &[2]),
        (Equals(path(&["a"]), json!(1.0)), &[2]),
        (Equals(path(&["a"]), json!("1")), &[4]),
        (Equals(path(&["a"]), json!(null)), &[1]),
        (Equals(path(&["a"]), json!(true)), &[5]),
        (Equals(path(&["a"]), json!(9_007_199_254_740_992_i64)), &[]),
        (Equals(path(&["a"]), json!(9_007_199_254_740_993_i64)), &[9]),
        (Equals(path(&["a", "1"]), json!("x")), &[6]),
        (Equals(path(&["a", "0", "1"]), json!(2)), &[11]),
        (Equals(path(&["a", "c", "d"]), json!("e")), &[7]),
        (Equals(path(&["0"]), json!("zero")), &[11]),
        (Equals(path(&[]), json!({})), &[0]),
        (Compares(path(&["a"]), Greater, json!(1)), &[3, 9]),
        (Compares(path(&["a"]), GreaterOrEqual, json!(1)), &[2, 3, 9]),
        (Compares(path(&["a"]), Less, json!(1.5)), &[2]),
        (Compares(path(&["a"]), LessOrEqual, json!(1.5)), &[2, 3]),
        (
            Compares(path(&["a"]), Greater, json!(9_007_199_254_740_992_i64)),
            &[9],
        ),
        (Compares(path(&["a"]), Greater, json!("0")), &[4, 8]),
        (Compares(path(&["a"]), Less, json!("z")), &[4]),
        (Compares(path(&["a"]), LessOrEqual, json!("é")), &[4, 8]),
        (Compares(path(&["a", "0"]), Less, json!(2)), &[6]),
        (Compares(path(&["a"]), Less, json!(true)), &[]),
        (Has(path(&["a"]), json!(1)), &[2, 6]),
        (Has(path(&["a"]), json!("x")), &[6]),
        (Has(path(&["a"]), json!("b")), &[7]),
        (Has(path(&["a"]), json!("1")), &[4]),
        (Has(path(&["a"]), json!(2)), &[]),
        (Has(path(&["a"]), json!(null)), &[1, 6]),
        (
            Has(path(&[]), json!("a")),
            &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
        ),
        (Has(path(&[]), json!("x")), &[7]),
        (Contains(path(&["a"]), json!({"b": 1})), &[7]),
        (Contains(path(&["a"]), json!(1)), &[2, 6]),
        (Contains(path(&["a"]), json!([1])), &[6]),
        (Contains(path(&["a", "0"]), json!([2])), &[11]),
        (Contained(path(&["a"]), json!([1, "x", 1.5])), &[2, 3, 10]),
        (
            Contained(path(&["a"]), json!({"b": 1, "c": {"d": "e"}, "f": 2})),
            &[7],
        ),
        (Contained(path(&[]), json!({"a": 1, "b": 2})), &[0, 2]),
        (Matches(path(&["a"]), Part::Beginning, "é".to_owned()), &[8]),
        (
            Matches(path(&["a"]), Part::Beginning, String::new()),
            &[4, 8],
        ),
        (Matches(path(&["a"]), Part::End, "1".to_owned()), &[4]),
        (Matches(path(&["a"]), Part::Anywhere, "é".to_owned()), &[8]),
        (
            Matches(path(&["a", "1"]), Part::End, "longer".to_owned()),
            &[],
        ),
        (
            HasAny(path(&["a"]), vec!["b".to_owned(), "x".to_owned()]),
            &[6, 7],
        ),
        (
            HasAll(path(&["a"]), vec!["b".to_owned(), "c".to_owned()]),
            &[7],
        ),
        (HasAny(path(&["a"]), vec!["é".to_owned()]), &[8]),
        (
            HasAll(path(&[]), vec!["a".to_owned(), "x".to_owned()]),
            &[7],
        ),
    ]
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
    let strategy = json_match(database);
    for (question, expected) in questions() {
        for negated in [false, true] {
            let name = format!("{question:?}");
            let condition = strategy.passes(JsonColumn::Metadata, &question);
            let id = (entity::resources::Entity, entity::resources::Column::Id);
            let select = Query::select()
                .column(id)
                .from(entity::resources::Entity)
                .and_where(if negated { fails(condition) } else { condition })
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
            // Each document is on exactly one side.
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
        let Some(lookups) = strategy.lookups(JsonColumn::Metadata, &question) else {
            continue;
        };
        // Whatever the index is asked finds every document that passes.
        for expensive in 0..=lookups.leaves().len() {
            let mut counts = (0..).map(|leaf| Some(u64::from(leaf == expensive)));
            let (_, chosen) = lookups.cheapest(&mut counts).unwrap();
            let mut narrowed = Vec::new();
            for lookup in chosen {
                let documents = strategy.documents(lookup);
                let select = Query::select()
                    .column(entity::search_documents::Column::ResourceId)
                    .from(entity::search_documents::Entity)
                    .and_where(
                        Expr::col(entity::search_documents::Column::Doc).in_subquery(documents),
                    )
                    .take();
                let found: Vec<Uuid> = database.fetch_all(database.build(&select)).await.unwrap();
                narrowed.extend(found);
            }
            for index in expected {
                assert!(narrowed.contains(&ids[*index]), "{question:?}: {index}");
            }
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
    let strategy: Arc<dyn service::search::FullTextSearch> = full_text_search(database);
    let documents: Vec<(Uuid, Document)> = ids
        .iter()
        .zip(DOCUMENTS)
        .map(|(id, tokens)| {
            (
                *id,
                Document {
                    tokens: tokens.join(" "),
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
