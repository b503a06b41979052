//! Completions compared with their definition.

use super::*;

/// A small generator: the same numbers in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn words(&mut self, most: usize) -> String {
        const WORDS: [&str; 8] = [
            "sea", "seal", "Seaside", "the", "lamp", "Lamps", "été", "東",
        ];
        let count = 1 + self.below(most);
        (0..count)
            .map(|_| WORDS[self.below(WORDS.len())])
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// The definition, over the resources themselves.
fn expected(resources: &[(Uuid, ResourceFields)], typed: &str) -> Vec<Completion> {
    let words = |text: &str| {
        let mut words = Vec::new();
        segments(text, |_, word| words.push(fold(word)));
        words
    };
    let typed = words(typed);
    let (last, whole) = typed.split_last().unwrap();
    let mut texts: BTreeMap<(CompletionKind, String), Vec<Uuid>> = BTreeMap::new();
    for (id, fields) in resources {
        let mut own = vec![(CompletionKind::Title, fields.title.clone())];
        own.extend(
            fields
                .subject
                .iter()
                .map(|text| (CompletionKind::Subject, text.clone())),
        );
        own.extend(
            fields
                .creator
                .iter()
                .map(|text| (CompletionKind::Creator, text.clone())),
        );
        own.sort();
        own.dedup();
        for text in own {
            texts.entry(text).or_default().push(*id);
        }
    }
    let mut found: Vec<_> = texts
        .into_iter()
        .filter_map(|((kind, text), ids)| {
            let own = words(&text);
            let matches = whole.iter().all(|word| own.contains(word))
                && own.iter().any(|word| word.starts_with(last));
            let begins = own.starts_with(whole)
                && own
                    .get(whole.len())
                    .is_some_and(|word| word.starts_with(last));
            matches.then_some((!begins, Reverse(ids.len()), kind, text, ids))
        })
        .collect();
    found.sort();
    found
        .into_iter()
        .map(|(_, Reverse(count), kind, text, ids)| Completion {
            text,
            kind,
            count,
            resource_id: ids
                .into_iter()
                .min()
                .filter(|_| kind == CompletionKind::Title),
        })
        .collect()
}

#[test]
fn what_is_completed_is_what_comparing_every_text_gives_whatever_was_added_and_taken_out() {
    let mut numbers = Numbers(1);
    let mut completions = Completions::default();
    let mut resources: Vec<(Uuid, ResourceFields)> = Vec::new();
    let mut entries = HashMap::new();
    for round in 0..150 {
        if numbers.below(3) == 0 && !resources.is_empty() {
            let (id, _) = resources.swap_remove(numbers.below(resources.len()));
            completions.take_out(id, entries.remove(&id).unwrap());
        } else {
            let fields = ResourceFields {
                title: numbers.words(3),
                creator: (numbers.below(2) == 0).then(|| numbers.words(2)),
                subject: (0..numbers.below(3)).map(|_| numbers.words(2)).collect(),
                ..ResourceFields::default()
            };
            let id = Uuid::from_u128(u128::try_from(numbers.below(1 << 30)).unwrap() << 32 | round);
            entries.insert(id, completions.add(id, &fields));
            resources.push((id, fields));
        }
        for typed in [
            "s",
            "sea",
            "the l",
            "LAMP sea",
            "ete",
            "東",
            "lamps lamps",
            "x",
        ] {
            let expected = expected(&resources, typed);
            for limit in [1, 3, 1_000] {
                let limited = &expected[..expected.len().min(limit)];
                assert_eq!(
                    completions.complete(typed, limit),
                    limited,
                    "{round} {typed}"
                );
            }
        }
    }
    for (id, _) in resources {
        completions.take_out(id, entries.remove(&id).unwrap());
    }
    assert!(completions.numbers.is_empty() && completions.words.is_empty());
    assert_eq!(completions.free_texts.len(), completions.texts.len());
}
