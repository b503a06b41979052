//! How text becomes words: what is found by what, in many languages and for identifiers.

use serde_json::json;

use crate::harness::{World, resource};
use crate::search::search;

matrix![
    texts_are_found_by_what_people_type,
    stems_are_those_of_the_language_or_else_of_the_script,
    a_stem_that_is_also_a_word_is_found_as_a_stem,
    a_language_that_is_not_given_is_told_from_the_text,
    prefixes_find_words_as_they_stand,
    what_matched_is_marked_as_it_stands
];

type Text = (
    &'static str,
    Option<&'static str>,
    &'static [&'static str],
    &'static [&'static str],
);

/// Title, its language, what finds it, what does not.
const TEXTS: &[Text] = &[
    // NFKC and accents.
    (
        "Ｆｕｌｌ width ﬁne ①②",
        None,
        &["full", "fine", "ＦＵＬＬ"],
        &["ful"],
    ),
    (
        "cafe\u{301} naïve Straße",
        None,
        &["café", "cafe", "naive", "strasse", "STRASSE", "straße"],
        &["cafes au"],
    ),
    (
        "Łódź Ærø Þórr",
        None,
        &["lodz", "aero", "thorr", "łódź"],
        &[],
    ),
    (
        "data\u{ad}base",
        None,
        &["database", "databases"],
        &["base"],
    ),
    ("Ο Οδυσσεύς", Some("el"), &["οδυσσευς", "ΟΔΥΣΣΕΥΣ"], &[]),
    ("شُكْرًا كتـاب", Some("ar"), &["شكرا", "كتاب"], &[]),
    ("שָׁלוֹם", Some("he"), &["שלום"], &[]),
    // Scripts without spaces: one and two characters, in any part of the text.
    (
        "東京都立図書館の歴史",
        Some("ja"),
        &["東", "東京", "京都", "図書", "図書館", "館", "歴史", "の歴"],
        &["京東", "大阪", "館図"],
    ),
    (
        "データベース入門",
        None,
        &["デ", "データ", "ベース", "ﾃﾞｰﾀ", "入門", "データベース"],
        &["データ門", "テータ"],
    ),
    (
        "机器学习与数据库",
        Some("zh"),
        &["机", "学习", "数据库", "库"],
        &["学数"],
    ),
    (
        "데이터베이스를 배우다",
        Some("ko"),
        &["데", "데이터", "데이터베이스", "배우"],
        &["터데"],
    ),
    (
        "ภาษาไทยและน้ำตาล",
        Some("th"),
        &["ไทย", "ภาษา", "น้ำ", "น้ำตาล", "น", "ตา", "และน"],
        &["นา", "นำ", "ตล"],
    ),
    (
        "ห้องสมุด",
        Some("th"),
        &["สม", "ห", "ห้องสม", "ด"],
        &["หอง", "มด"],
    ),
    (
        "4 ㎏ ㈱ ℃",
        None,
        &["kg", "㎏", "株", "㈱", "℃", "c"],
        &["g"],
    ),
    ("Ｃ＋＋ now", None, &["C++", "Ｃ＋＋"], &["C#"]),
    // Endings with accents are what stemmers look for.
    (
        "История русской литературы",
        Some("ru"),
        &["русская", "русский", "русские", "литература"],
        &["рус"],
    ),
    (
        "Options utilisées et configurées",
        Some("fr"),
        &["utiliser", "utilisées", "utilisees", "configuré"],
        &["utile"],
    ),
    (
        "As instalações",
        Some("pt"),
        &["instalação", "instalacoes"],
        &[],
    ),
    ("dosyanın adı", Some("tr"), &["dosya", "dosyayı"], &[]),
    ("किताब और हिन्दी", Some("hi"), &["किताब", "हिन्दी"], &["कताब"]),
    // Identifiers, whole and in parts.
    (
        "ISBN 978-0439023483",
        None,
        &[
            "978-0439023483",
            "978",
            "0439023483",
            "\"978-0439023483\"",
            "978-043*",
            "978-*",
        ],
        &["978-0439023484", "0439", "978-044*"],
    ),
    (
        "Paper cs/9809011",
        None,
        &[
            "cs/9809011",
            "cs",
            "9809011",
            "title:cs/9809011",
            "cs/98*",
            "title:cs/98*",
        ],
        &["cs/980"],
    ),
    (
        "Learning C++ by example",
        None,
        &[
            "C++",
            "c++",
            "\"C++\"",
            "\"learning c++\"",
            "title:C++",
            "C+*",
        ],
        &["C#", "c+"],
    ),
    (
        "Music of C major",
        None,
        &["c major"],
        &["\"C++\" major -learning"],
    ),
    (
        "AT&T and R&D",
        None,
        &["AT&T", "at&t", "r&d", "\"R&D\""],
        &["T&AT"],
    ),
    (
        "I don't know",
        None,
        &["don't", "dont", "don’t", "don", "DON'T"],
        &["dent"],
    ),
    (
        "L'amour d’une étoile",
        Some("fr"),
        &["amour", "l'amour", "L’Amour", "étoile", "une"],
        &[],
    ),
    (
        "snake_case at example.com, U.S.A.",
        None,
        &[
            "snake_case",
            "snake",
            "example",
            "example.com",
            "USA",
            "u.s.a.",
            "snake_c*",
            "example.c*",
        ],
        &["xample", "snake_d*"],
    ),
    (
        "doi 10.1000/xyz.123",
        None,
        &["10.1000/xyz.123", "xyz", "10.1000"],
        &["10.1001"],
    ),
    // Longer than the stem.
    (
        "Modern databases",
        Some("en"),
        &[
            "databases*",
            "database*",
            "datab*",
            "databas*",
            "moder*",
            "title:databases*",
        ],
        &["databasesx*"],
    ),
    (
        "Libraries and organizations",
        None,
        &[
            "library*",
            "libraries*",
            "organizations*",
            "organization*",
            "organizati*",
            "organiz*",
            "lib*",
        ],
        &["librarians*"],
    ),
];

async fn texts_are_found_by_what_people_type(world: World) {
    let mut ids = Vec::new();
    for (title, language, _, _) in TEXTS {
        let created = resource(&world, json!({"title": title, "language": language})).await;
        ids.push(created["id"].clone());
    }
    let mut wrong = Vec::new();
    for ((title, _, found, missed), id) in TEXTS.iter().zip(&ids) {
        for (queries, expected) in [(found, true), (missed, false)] {
            for query in *queries {
                for facets in ["", "type"] {
                    // In memory, and by the token index.
                    let parameters = [
                        ("q", *query),
                        ("match", "all"),
                        ("facets", facets),
                        ("limit", "200"),
                    ];
                    let reply = search(&world, &parameters).await;
                    let items = reply["items"].as_array().unwrap();
                    let is_there =
                        reply["corrected"] == false && items.iter().any(|item| item["id"] == *id);
                    if is_there != expected {
                        wrong.push(format!("{query} {facets} should find {title}: {expected}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn stems_are_those_of_the_language_or_else_of_the_script(world: World) {
    for (title, language) in [
        ("Les bibliothèques nationales", Some("fr")),
        ("Les bibliothèques nationales", None),
        ("National libraries", Some("fr")),
        ("National libraries", Some("en")),
        ("Книги северных морей", Some("ru")),
        ("Книга северного моря", None),
        ("Книгами", Some("en")),
    ] {
        resource(&world, json!({"title": title, "language": language})).await;
    }
    for (query, total) in [
        ("bibliothèques", 2),
        ("bibliotheque language:fr", 1),
        ("national language:fr", 2),
        ("library", 1),
        ("libraries", 2),
        // Not given, the script decides.
        ("книгу", 2),
        ("книгами", 3),
        ("книгу language:ru", 1),
    ] {
        let reply = search(&world, &[("q", query), ("match", "all")]).await;
        assert_eq!(reply["total"], total, "{query}");
    }
}

/// The index leaves a stem out where the document has the same word; that is to be found all the same, and no word of
/// another language with it, whether the index is asked (for facets and phrases) or the lists in memory.
async fn a_stem_that_is_also_a_word_is_found_as_a_stem(world: World) {
    for (title, language) in [
        ("Das alte Haus", "de"),
        ("Viele alte Häuser", "de"),
        ("Le haus alte", "tlh"),
        ("Viele alte Katzen", "de"),
    ] {
        resource(&world, json!({"title": title, "language": language})).await;
    }
    for (query, expected) in [
        ("häuser", 2),
        ("häusern", 2),
        ("haus", 3),
        ("haus language:de", 2),
        ("\"alte häuser\"", 2),
        ("\"alten häusern\"", 2),
        ("+häuser -viele", 1),
        ("katze", 1),
    ] {
        for facets in ["", "language"] {
            let parameters = [("q", query), ("match", "all"), ("facets", facets)];
            let reply = search(&world, &parameters).await;
            assert_eq!(reply["total"], expected, "{query} {facets}");
        }
    }
}

async fn a_language_that_is_not_given_is_told_from_the_text(world: World) {
    let french = "Une introduction aux oiseaux des montagnes et des forêts, avec des cartes et de nombreuses illustrations nationales";
    let german = "Eine Einführung in die Vögel der Berge und Wälder, mit Karten und vielen schönen Abbildungen für Anfänger";
    let total = async |query: &str| {
        let reply = search(&world, &[("q", query), ("match", "all")]).await;
        assert_eq!(reply["corrected"], false, "{query}");
        reply["total"].clone()
    };
    let created = resource(&world, json!({"title": "Libraries", "description": french})).await;
    resource(&world, json!({"title": "Häuser", "description": german})).await;
    resource(
        &world,
        json!({"title": "National", "description": "Plain text"}),
    )
    .await;
    for (query, expected) in [
        // As they stand, and by their stems in French and German.
        ("nationales", 1),
        ("introductions", 1),
        ("nationaux", 1),
        ("abbildung", 1),
        ("einführungen", 1),
        // What would be found if nothing had been told is found.
        ("library", 1),
        ("national", 2),
        ("montagne", 1),
        // The language is told for stemming alone.
        ("language:fr", 0),
    ] {
        assert_eq!(total(query).await, expected, "{query}");
    }
    // It follows the text.
    let path = format!("resources/{}", created["id"].as_str().unwrap());
    let patch = json!({"description": "Plain text"});
    world.editor.patch(&path, "*", &patch).await.is(200);
    assert_eq!(total("introductions").await, 0);
    assert_eq!(total("library").await, 1);
}

async fn prefixes_find_words_as_they_stand(world: World) {
    for title in [
        "The organization of knowledge",
        "Organs of mammals",
        "Relational algebra",
        "Les organisations",
        "Generalization, and the general",
        "1990s fashion",
    ] {
        resource(&world, json!({"title": title})).await;
    }
    for (query, expected) in [
        (
            "organizati*",
            json!(["The organization of knowledge", "Organs of mammals"]),
        ),
        (
            "organization*",
            json!(["The organization of knowledge", "Organs of mammals"]),
        ),
        (
            "title:organizat*",
            json!(["The organization of knowledge", "Organs of mammals"]),
        ),
        ("organisati*", json!(["Les organisations"])),
        ("organizatx*", json!([])),
        ("relationa*", json!(["Relational algebra"])),
        ("generaliza*", json!(["Generalization, and the general"])),
        ("fashi* 1990s*", json!(["1990s fashion"])),
        ("knowl* -organizati*", json!([])),
    ] {
        for facets in ["", "type"] {
            let parameters = [("q", query), ("match", "all"), ("facets", facets)];
            let reply = search(&world, &parameters).await;
            let mut titles: Vec<&str> = reply["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["resource"]["title"].as_str().unwrap())
                .collect();
            titles.sort_unstable_by_key(|title| std::cmp::Reverse(*title));
            assert_eq!(json!(titles), expected, "{query}: {reply}");
        }
    }
}

async fn what_matched_is_marked_as_it_stands(world: World) {
    for (title, query, marked) in [
        ("東京の本", "東京", "<mark>東京</mark>の本"),
        ("Learning C++ now", "c++", "Learning <mark>C++</mark> now"),
        (
            "It's at AT&T",
            "at&t",
            "It&#39;s at <mark>AT</mark>&amp;<mark>T</mark>",
        ),
        ("cafe\u{301} noir", "cafe", "<mark>cafe\u{301}</mark> noir"),
        (
            "All databases here",
            "databases*",
            "All <mark>databases</mark> here",
        ),
        ("see example.com", "example", "see <mark>example.com</mark>"),
    ] {
        let created = resource(&world, json!({"title": title})).await;
        let reply = search(&world, &[("q", query), ("limit", "200")]).await;
        let items = reply["items"].as_array().unwrap();
        let item = items
            .iter()
            .find(|item| item["id"] == created["id"])
            .unwrap();
        assert_eq!(item["highlights"]["title"], marked, "{query}");
    }
}
