//! Scoring a plain query over the lists in memory, without a copy of them and without a table made for each search.

use super::formula::{Frequency, inverse_frequency, rounded, saturation, weight};
use super::postings::{Postings, Steps};
use super::query::{Occurs, Part, Query};
use super::rank::Hit;

/// A score for each entry of the library, used again by later searches: what an older one left is told by its number.
#[derive(Default)]
pub(super) struct Workspace {
    scores: Vec<Score>,
    /// Of the search at hand.
    number: u32,
    /// The entries that the search at hand has met.
    met: Vec<u32>,
}

#[derive(Clone, Copy, Default)]
struct Score {
    sum: f64,
    /// The search that it is of.
    number: u32,
    /// Required clauses that hold, and whether an optional one does.
    required: u16,
    optional: bool,
    excluded: bool,
}

impl Workspace {
    /// Makes it ready for another search over so many entries.
    pub(super) fn begin(&mut self, entries: usize) {
        if self.scores.len() < entries {
            self.scores.resize(entries, Score::default());
        }
        self.met.clear();
        self.number = self.number.wrapping_add(1);
        if self.number == 0 {
            self.scores.fill(Score::default());
            self.number = 1;
        }
    }

    /// The matches of a plain query with their scores, in no order.
    pub(super) fn score(&mut self, postings: &Postings, query: &Query) -> Vec<Hit> {
        let totals = postings.totals();
        let (documents, norms) = (f64::from(totals.documents), totals.norms());
        let (mut required, mut optional) = (0_u16, false);
        for clause in &query.clauses {
            optional |= clause.occurs == Occurs::Should;
            for part in &clause.any_of {
                // A plain query has no groups.
                let Part::Atom(atom) = part else { continue };
                let terms = atom.single_word().unwrap_or_default();
                let weight = match clause.occurs {
                    Occurs::MustNot => 0.0,
                    Occurs::Must | Occurs::Should => {
                        let count = Matching::of(postings, terms).count(postings);
                        weight(atom) * inverse_frequency(documents, count)
                    }
                };
                for (entry, frequency) in Matching::of(postings, terms) {
                    let Some(lengths) = postings.lengths(entry) else {
                        continue;
                    };
                    let score = &mut self.scores[entry as usize];
                    if score.number != self.number {
                        self.met.push(entry);
                        *score = Score {
                            number: self.number,
                            ..Score::default()
                        };
                    }
                    match clause.occurs {
                        // Once for a clause, whichever of its alternatives are there.
                        Occurs::Must if score.required == required => score.required += 1,
                        Occurs::Must => {}
                        Occurs::Should => score.optional = true,
                        Occurs::MustNot => score.excluded = true,
                    }
                    if weight != 0.0 {
                        score.sum += weight * saturation(frequency, lengths, &norms);
                    }
                }
            }
            required += u16::from(clause.occurs == Occurs::Must);
        }
        let mut hits = Vec::with_capacity(self.met.len());
        for entry in &self.met {
            let score = &self.scores[*entry as usize];
            let enough = required > 0 || (optional && score.optional);
            if score.required == required && enough && !score.excluded {
                hits.push(Hit {
                    id: postings.id(*entry),
                    score: rounded(score.sum),
                });
            }
        }
        hits
    }
}

/// The entries that have any of some terms, ascending, each once with its highest frequency.
pub(super) struct Matching<'p> {
    lists: Vec<std::iter::Peekable<Steps<'p>>>,
    /// Live documents of the only list.
    known: Option<u32>,
}

impl<'p> Matching<'p> {
    pub(super) fn of(postings: &'p Postings, terms: &[String]) -> Self {
        let terms: Vec<u32> = postings.find(terms).collect();
        Self {
            lists: terms
                .iter()
                .map(|term| postings.having(*term).peekable())
                .collect(),
            known: match terms[..] {
                [] => Some(0),
                [term] => Some(postings.documents(term)),
                _ => None,
            },
        }
    }

    /// How many live documents there are.
    pub(super) fn count(self, postings: &Postings) -> f64 {
        let count = self.known.unwrap_or_else(|| {
            let live = self.filter(|(entry, _)| postings.lengths(*entry).is_some());
            u32::try_from(live.count()).unwrap_or(u32::MAX)
        });
        f64::from(count)
    }
}

impl Iterator for Matching<'_> {
    type Item = (u32, Frequency);

    #[inline]
    fn next(&mut self) -> Option<(u32, Frequency)> {
        if let [only] = &mut self.lists[..] {
            return only.next();
        }
        let first = self
            .lists
            .iter_mut()
            .filter_map(|list| list.peek().map(|(entry, _)| *entry))
            .min()?;
        let mut highest: Option<Frequency> = None;
        for list in &mut self.lists {
            if let Some((_, frequency)) = list.next_if(|(entry, _)| *entry == first)
                && highest.is_none_or(|highest| frequency.is_more_than(highest))
            {
                highest = Some(frequency);
            }
        }
        highest.map(|frequency| (first, frequency))
    }
}
