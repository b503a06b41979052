//! Any JSON document and any question about it have one answer.
//!
//! `PROPTEST_CASES` says how many cases (200), `PROPTEST_RNG_SEED` which ones.

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use serde_json::{Map, Value as Json, json};
use service::json::{JsonColumn, JsonPath, JsonTest, json_match};
use uuid::Uuid;

use super::comparable;
use super::filters::quoted;
use crate::harness::{Backend, World};

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned),
        2 => prop::sample::select(vec!["0", "1", "-1", "00", "+1", " 1", "", "a.b", "a b", "é", "\"", "\\", "{", "}", ",", "null", "NULL", "*", "🎉", "'", "$"]).prop_map(str::to_owned),
        1 => "\\PC{0,3}",
    ]
}

fn number() -> impl Strategy<Value = Json> {
    prop_oneof![
        4 => (-2_i64..3).prop_map(Json::from),
        1 => any::<i64>().prop_map(Json::from),
        1 => any::<u64>().prop_map(Json::from),
        2 => prop::sample::select(vec![
            0.0, -0.0, 1.0, 1.5, -1.5, 0.1, 1e15, 1e16, 1e17, 123_456_789_012_345_680.0, 9_007_199_254_740_992.0, 9_007_199_254_740_993.0,
            18_446_744_073_709_551_615.0, 18_446_744_073_709_551_616.0, 1e22, -1e22, 1e300, 5e-324, 1e-7, 1e-5, 123_456.789,
        ]).prop_map(Json::from),
        1 => any::<f64>().prop_map(Json::from),
    ]
}

fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        1 => Just(Json::Null),
        2 => any::<bool>().prop_map(Json::from),
        4 => number(),
        4 => key().prop_map(Json::from),
    ]
}

fn value() -> impl Strategy<Value = Json> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::vec((key(), inner), 0..4)
                .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

fn document() -> impl Strategy<Value = Json> {
    prop::collection::vec((key(), value()), 0..4)
        .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into())
}

/// How a question about a document is made: steps down into it, then an operator and an argument.
#[derive(Debug, Clone)]
struct Asked {
    document: prop::sample::Index,
    steps: Vec<(prop::sample::Index, Option<String>)>,
    operator: &'static str,
    argument: Option<Json>,
    negated: bool,
}

fn asked() -> impl Strategy<Value = Asked> {
    let step = (
        any::<prop::sample::Index>(),
        prop::option::weighted(0.15, key()),
    );
    (
        any::<prop::sample::Index>(),
        prop::collection::vec(step, 0..4),
        prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">=", ":", ":*"]),
        prop::option::weighted(0.4, scalar()),
        any::<bool>(),
    )
        .prop_map(|(document, steps, operator, argument, negated)| Asked {
            document,
            steps,
            operator,
            argument,
            negated,
        })
}

fn found<'d>(asked: &Asked, documents: &'d [Json]) -> (Vec<String>, Option<&'d Json>) {
    let mut path = Vec::new();
    let mut here = Some(asked.document.get(documents));
    for (index, stray) in &asked.steps {
        let inside: Vec<String> = match here {
            Some(Json::Object(members)) if !members.is_empty() => members.keys().cloned().collect(),
            Some(Json::Array(items)) if !items.is_empty() => {
                (0..items.len()).map(|index| index.to_string()).collect()
            }
            _ => vec!["a".to_owned()],
        };
        let key = stray.clone().unwrap_or_else(|| index.get(&inside).clone());
        here = here.and_then(|value| match value {
            Json::Object(members) => members.get(&key),
            Json::Array(items) => key.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => None,
        });
        path.push(key);
    }
    (path, here)
}

fn filter(asked: &Asked, documents: &[Json]) -> String {
    let (path, here) = found(asked, documents);
    let argument = match asked.argument.as_ref().or(here) {
        Some(Json::String(text)) => quoted(text),
        Some(Json::Array(items)) => match items.first() {
            Some(Json::String(text)) => quoted(text),
            Some(Json::Array(_) | Json::Object(_)) | None => "1".to_owned(),
            Some(other) => other.to_string(),
        },
        Some(Json::Object(members)) => quoted(members.keys().next().map_or("a", String::as_str)),
        Some(other) => other.to_string(),
        None => "0".to_owned(),
    };
    let path: String = path.iter().map(|key| format!(".{}", quoted(key))).collect();
    let restriction = match asked.operator {
        ":*" => format!("metadata{path}:*"),
        operator => format!("metadata{path} {operator} {argument}"),
    };
    if asked.negated {
        format!("NOT {restriction}")
    } else {
        restriction
    }
}

struct Case {
    documents: Vec<Json>,
    questions: Vec<Asked>,
    contained: Vec<Json>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let filters: Vec<String> = self
            .questions
            .iter()
            .map(|asked| filter(asked, &self.documents))
            .collect();
        f.debug_struct("Case")
            .field("documents", &json!(self.documents).to_string())
            .field("filters", &filters)
            .field("contained", &json!(self.contained).to_string())
            .finish()
    }
}

fn case() -> impl Strategy<Value = Case> {
    let contained = (
        any::<prop::sample::Index>(),
        prop::collection::vec(any::<prop::sample::Index>(), 8),
        prop::option::weighted(0.2, value()),
    );
    (
        prop::collection::vec(document(), 1..4),
        prop::collection::vec(asked(), 1..6),
        prop::collection::vec(contained, 1..4),
    )
        .prop_map(|(documents, questions, contained)| {
            let contained = contained
                .into_iter()
                .map(|(document, choices, other)| {
                    other
                        .unwrap_or_else(|| part(document.get(&documents), &mut choices.into_iter()))
                })
                .collect();
            Case {
                documents,
                questions,
                contained,
            }
        })
}

/// Something that the value contains: some of its members, all the way down.
fn part(whole: &Json, choices: &mut impl Iterator<Item = prop::sample::Index>) -> Json {
    let mut keep = || choices.next().is_none_or(|choice| choice.index(3) > 0);
    match whole {
        Json::Object(members) => {
            let kept: Vec<(&String, &Json)> = members.iter().filter(|_| keep()).collect();
            kept.into_iter()
                .map(|(key, value)| (key.clone(), part(value, choices)))
                .collect::<Map<_, _>>()
                .into()
        }
        Json::Array(items) => {
            let kept: Vec<&Json> = items.iter().rev().filter(|_| keep()).collect();
            kept.into_iter()
                .map(|item| part(item, choices))
                .collect::<Vec<_>>()
                .into()
        }
        scalar => scalar.clone(),
    }
}

async fn containing(world: &World, source: &str, value: &Json) -> Result<Vec<Uuid>, String> {
    use entity::resources::{Column, Entity};

    let database = world.pharos.database();
    let test = JsonTest::Contains(JsonPath::new(), value.clone());
    let contains = json_match(database).passes(JsonColumn::Metadata, &test);
    let select = Query::select()
        .column((Entity, Column::Id))
        .from(Entity)
        .and_where(Expr::col((Entity, Column::Source)).eq(source))
        .and_where(contains)
        .order_by((Entity, Column::Id), Order::Asc)
        .take();
    database
        .fetch_all(database.build(&select))
        .await
        .map_err(|error| error.to_string())
}

async fn check(
    sqlite: &World,
    postgres: &World,
    number: u32,
    case: &Case,
) -> Result<(), TestCaseError> {
    let source = format!("case {number}");
    for document in &case.documents {
        let body = json!({"title": "t", "source": source, "metadata": document});
        let (one, other) = tokio::join!(
            sqlite.editor.post("resources", &body),
            postgres.editor.post("resources", &body)
        );
        prop_assert_eq!(one.text(), other.text());
        prop_assert_eq!(one.status, 201);
        let path = one.header("location").unwrap_or_default().to_owned();
        let (one, other) = tokio::join!(sqlite.reader.get(&path), postgres.reader.get(&path));
        prop_assert_eq!(one.text(), other.text(), "read back");
    }
    for asked in &case.questions {
        let filter = format!(
            "source = \"{source}\" AND {}",
            filter(asked, &case.documents)
        );
        let parameters = [("filter", filter.as_str()), ("sort", "id")];
        let (one, other) = tokio::join!(
            sqlite.reader.query("resources", &parameters),
            postgres.reader.query("resources", &parameters)
        );
        prop_assert!(one.status < 500, "{}: {}", filter, one.text());
        prop_assert_eq!(
            comparable(one).text(),
            comparable(other).text(),
            "{}",
            filter
        );
    }
    for value in &case.contained {
        let (one, other) = tokio::join!(
            containing(sqlite, &source, value),
            containing(postgres, &source, value)
        );
        prop_assert!(one.is_ok(), "contains {}: {:?}", value, one);
        prop_assert_eq!(one, other, "contains {}", value);
    }
    Ok(())
}

#[test]
fn any_question_about_any_json_document_has_one_answer() {
    let mut config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 200;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(1);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (sqlite, postgres) = runtime.block_on(async {
        tokio::join!(
            World::start(Backend::Sqlite),
            World::start(Backend::Postgres)
        )
    });
    let number = std::cell::Cell::new(0);
    let result = TestRunner::new(config).run(&case(), |case| {
        number.set(number.get() + 1);
        runtime.block_on(check(&sqlite, &postgres, number.get(), &case))
    });
    drop((sqlite, postgres));
    if let Err(error) = result {
        panic!("{error}");
    }
}
