//! The measures, as `trec_eval` defines them: <https://trec.nist.gov/trec_eval/>.

use std::collections::HashMap;

/// Normalised discounted cumulative gain of the first `depth` ranks: the gain is the judgement, the discount
/// log₂(rank + 1), and 1 the best order of all judged documents. 0 when nothing is relevant.
pub fn ndcg(ranking: &[&str], relevant: &HashMap<String, u32>, depth: usize) -> f64 {
    let discounted = |gains: &mut dyn Iterator<Item = u32>| -> f64 {
        gains
            .take(depth)
            .zip(2_u32..)
            .map(|(gain, place)| f64::from(gain) / f64::from(place).log2())
            .sum()
    };
    let mut best: Vec<u32> = relevant.values().copied().collect();
    best.sort_unstable_by_key(|gain| std::cmp::Reverse(*gain));
    let ideal = discounted(&mut best.into_iter());
    if ideal == 0.0 {
        return 0.0;
    }
    let found = ranking
        .iter()
        .map(|id| relevant.get(*id).copied().unwrap_or(0));
    discounted(&mut found.into_iter()) / ideal
}

/// The share of the relevant documents that the ranking has. 0 when nothing is relevant.
pub fn recall(ranking: &[&str], relevant: &HashMap<String, u32>) -> f64 {
    let found = ranking
        .iter()
        .filter(|id| relevant.contains_key(**id))
        .count();
    found as f64 / relevant.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judgements(list: &[(&str, u32)]) -> HashMap<String, u32> {
        list.iter()
            .map(|(id, gain)| ((*id).to_owned(), *gain))
            .collect()
    }

    #[test]
    fn the_measures_are_those_worked_out_by_hand() {
        let relevant = judgements(&[("a", 1), ("b", 1), ("c", 1)]);
        // Ranks 1 and 3 of a best order with ranks 1 to 3: (1 + 1/2) / (1 + 1/log2(3) + 1/2).
        let found = ndcg(&["a", "x", "b"], &relevant, 10);
        assert!(
            (found - 1.5 / 2.130_929_753_571_457_5).abs() < 1e-12,
            "{found}"
        );
        assert!((recall(&["a", "x", "b"], &relevant) - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(ndcg(&["c", "b", "a"], &relevant, 10), 1.0);
        assert_eq!(ndcg(&["x", "a"], &relevant, 1), 0.0);
        assert_eq!(ndcg(&["a"], &HashMap::new(), 10), 0.0);
    }

    #[test]
    fn a_higher_judgement_counts_more() {
        let relevant = judgements(&[("a", 2), ("b", 1)]);
        // (1 + 2/log2(3)) / (2 + 1/log2(3)).
        let found = ndcg(&["b", "a"], &relevant, 10);
        assert!(
            (found - 2.261_859_507_142_915 / 2.630_929_753_571_457_3).abs() < 1e-12,
            "{found}"
        );
    }
}
