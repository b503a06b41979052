//! What an index over JSON is asked: a superset of the resources that pass a test, by tokens and ranges of tokens.

/// One question to the index. Tokens are made by `tokens.rs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// Documents that satisfy an expression over whole tokens.
    Tokens(TokenExpression),
    /// Documents with a token from `from` to `to`, both included.
    Range {
        from: String,
        to: String,
        /// The values of one place that holds at most one value, where it can match at all: then two ranges are one.
        place: Option<String>,
    },
}

/// Tokens in AND and OR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenExpression {
    Token(String),
    And(Vec<TokenExpression>),
    Or(Vec<TokenExpression>),
}

/// Lookups that together find every resource that may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookups {
    One(Lookup),
    /// Each of these finds all of them.
    EachOf(Vec<Lookups>),
    /// All of these together do.
    Together(Vec<Lookups>),
}

impl Lookups {
    pub fn token(token: String) -> Self {
        Self::One(Lookup::Tokens(TokenExpression::Token(token)))
    }

    /// Both have to hold: what is known of either narrows.
    pub fn and(parts: Vec<Option<Self>>) -> Option<Self> {
        let (mut tokens, mut others) = (Vec::new(), Vec::new());
        for part in parts.into_iter().flatten() {
            match part {
                Self::One(Lookup::Tokens(expression)) => tokens.push(expression),
                other if others.iter_mut().any(|range| narrow(range, &other)) => {}
                other => others.push(other),
            }
        }
        if let Some(joined) = join(tokens, TokenExpression::And) {
            others.insert(0, Self::One(Lookup::Tokens(joined)));
        }
        match others.pop() {
            Some(only) if others.is_empty() => Some(only),
            Some(last) => {
                others.push(last);
                Some(Self::EachOf(others))
            }
            None => None,
        }
    }

    /// One has to hold: nothing is known unless something is known of each.
    pub fn or(parts: Vec<Option<Self>>) -> Option<Self> {
        let parts = parts.into_iter().collect::<Option<Vec<_>>>()?;
        let (mut tokens, mut others) = (Vec::new(), Vec::new());
        for part in parts {
            match part {
                Self::One(Lookup::Tokens(expression)) => tokens.push(expression),
                other => others.push(other),
            }
        }
        if let Some(joined) = join(tokens, TokenExpression::Or) {
            others.insert(0, Self::One(Lookup::Tokens(joined)));
        }
        match others.pop() {
            Some(only) if others.is_empty() => Some(only),
            Some(last) => {
                others.push(last);
                Some(Self::Together(others))
            }
            None => None,
        }
    }

    /// Every single lookup, in a fixed order.
    pub fn leaves(&self) -> Vec<&Lookup> {
        match self {
            Self::One(lookup) => vec![lookup],
            Self::EachOf(parts) | Self::Together(parts) => {
                parts.iter().flat_map(Self::leaves).collect()
            }
        }
    }

    /// The cheapest lookups that suffice, given how many documents each leaf finds (`None`: too many), with their sum.
    pub fn cheapest(
        &self,
        counts: &mut impl Iterator<Item = Option<u64>>,
    ) -> Option<(u64, Vec<&Lookup>)> {
        match self {
            Self::One(lookup) => counts.next().flatten().map(|count| (count, vec![lookup])),
            Self::EachOf(parts) => {
                let chosen: Vec<_> = parts.iter().map(|part| part.cheapest(counts)).collect();
                chosen.into_iter().flatten().min_by_key(|(count, _)| *count)
            }
            Self::Together(parts) => {
                let chosen: Vec<_> = parts.iter().map(|part| part.cheapest(counts)).collect();
                chosen
                    .into_iter()
                    .collect::<Option<Vec<_>>>()?
                    .into_iter()
                    .reduce(|(sum, mut all), (count, more)| {
                        all.extend(more);
                        (sum + count, all)
                    })
            }
        }
    }
}

/// Makes one range of two over the same place; tells whether it could.
fn narrow(range: &mut Lookups, by: &Lookups) -> bool {
    let Lookups::One(Lookup::Range { from, to, place }) = range else {
        return false;
    };
    match by {
        Lookups::One(Lookup::Range {
            from: other_from,
            to: other_to,
            place: other_place,
        }) if place.is_some() && place == other_place => {
            if other_from > from {
                from.clone_from(other_from);
            }
            if other_to < to {
                to.clone_from(other_to);
            }
            true
        }
        _ => false,
    }
}

fn join(
    mut parts: Vec<TokenExpression>,
    join: fn(Vec<TokenExpression>) -> TokenExpression,
) -> Option<TokenExpression> {
    match parts.len() {
        0 | 1 => parts.pop(),
        _ => Some(join(parts)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: &str) -> Option<Lookups> {
        Some(Lookups::One(Lookup::Range {
            from: from.to_owned(),
            to: from.to_owned(),
            place: None,
        }))
    }

    fn token(name: &str) -> Option<Lookups> {
        Some(Lookups::token(name.to_owned()))
    }

    #[test]
    fn two_ranges_of_one_value_are_one() {
        let range = |from: &str, to: &str, place: Option<&str>| {
            Some(Lookups::One(Lookup::Range {
                from: from.to_owned(),
                to: to.to_owned(),
                place: place.map(str::to_owned),
            }))
        };
        assert_eq!(
            Lookups::and(vec![range("b", "z", Some("p")), range("a", "f", Some("p"))]),
            range("b", "f", Some("p"))
        );
        for other in [Some("q"), None] {
            let apart = Lookups::and(vec![range("b", "z", other), range("a", "f", Some("p"))]);
            assert_eq!(apart.unwrap().leaves().len(), 2);
        }
    }

    #[test]
    fn the_cheapest_sufficient_lookups_are_chosen() {
        let lookups = Lookups::and(vec![token("a"), range("r"), None, token("b")]).unwrap();
        assert_eq!(lookups.leaves().len(), 2);
        let (count, chosen) = lookups.cheapest(&mut [None, Some(7)].into_iter()).unwrap();
        assert_eq!((count, chosen.len()), (7, 1));
        assert!(lookups.cheapest(&mut [None, None].into_iter()).is_none());

        let either = Lookups::or(vec![token("a"), range("r")]).unwrap();
        assert_eq!(
            either
                .cheapest(&mut [Some(1), Some(2)].into_iter())
                .unwrap()
                .0,
            3
        );
        assert!(either.cheapest(&mut [Some(1), None].into_iter()).is_none());
        assert!(Lookups::or(vec![token("a"), None]).is_none());
        assert!(Lookups::and(vec![None, None]).is_none());
    }
}
