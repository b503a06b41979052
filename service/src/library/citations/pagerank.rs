//! PageRank (Brin and Page, 1998) with damping 0.85:
//!
//! PR(v) = (1 − d) / N + d · ( Σ PR(u) / out(u) over all u that cite v, + Σ PR(w) / N over all w that cite nothing )
//!
//! N counts all resources, those too that neither cite nor are cited. What cites nothing is dangling: its rank goes to all
//! in equal parts, so that all ranks together are 1. The sums are taken in the order of the ids, so that every database
//! gives the same bits.

use std::collections::HashMap;

use uuid::Uuid;

const DAMPING: f64 = 0.85;
/// The iteration ends when the ranks together move by less.
const PRECISION: f64 = 1e-12;
/// At the latest after so many rounds; 0.85 to this power is below the precision.
const MOST_ROUNDS: usize = 200;

/// The rank of a resource, and how many others cite it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rank {
    pub id: Uuid,
    pub importance: f64,
    pub cited_by: i64,
}

/// The ranks of all that cite or are cited, in the order of their ids. `edges` are pairs of who cites and who is cited; a
/// pair counts once, and nobody cites themselves. `resources` is N.
pub(super) fn pagerank(mut edges: Vec<(Uuid, Uuid)>, resources: u64) -> Vec<Rank> {
    edges.retain(|(citing, cited)| citing != cited);
    edges.sort_unstable();
    edges.dedup();
    let mut ids: Vec<Uuid> = edges
        .iter()
        .flat_map(|(citing, cited)| [*citing, *cited])
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let places: HashMap<Uuid, usize> = ids.iter().copied().zip(0..).collect();
    let edges: Vec<(usize, usize)> = edges
        .iter()
        .filter_map(|(citing, cited)| Some((*places.get(citing)?, *places.get(cited)?)))
        .collect();
    let (mut out, mut cited_by) = (vec![0_u32; ids.len()], vec![0_i64; ids.len()]);
    for (citing, cited) in &edges {
        out[*citing] += 1;
        cited_by[*cited] += 1;
    }

    // Whoever counted the resources may have missed some that were new.
    let count = resources.max(ids.len() as u64) as f64;
    let alone = count - ids.len() as f64;
    let mut ranks = vec![1.0 / count; ids.len()];
    // All that stand alone have the same rank.
    let mut rank_alone = 1.0 / count;
    for _ in 0..MOST_ROUNDS {
        let mut dangling = alone * rank_alone;
        for (rank, out) in ranks.iter().zip(&out) {
            if *out == 0 {
                dangling += rank;
            }
        }
        let base = (1.0 - DAMPING) / count + DAMPING * dangling / count;
        let mut given = vec![0.0; ids.len()];
        for (citing, cited) in &edges {
            given[*cited] += ranks[*citing] / f64::from(out[*citing]);
        }
        let mut moved = alone * (base - rank_alone).abs();
        rank_alone = base;
        for (rank, given) in ranks.iter_mut().zip(given) {
            let next = base + DAMPING * given;
            moved += (next - *rank).abs();
            *rank = next;
        }
        if moved < PRECISION {
            break;
        }
    }
    let ranked = ids.into_iter().zip(ranks).zip(cited_by);
    ranked
        .map(|((id, importance), cited_by)| Rank {
            id,
            importance,
            cited_by,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranks(edges: &[(u128, u128)], resources: u64) -> Vec<f64> {
        let edges = edges
            .iter()
            .map(|(citing, cited)| (Uuid::from_u128(*citing), Uuid::from_u128(*cited)));
        let ranks = pagerank(edges.collect(), resources);
        ranks.iter().map(|rank| rank.importance).collect()
    }

    fn near(found: &[f64], expected: &[f64], by: f64) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < by, "{found} {expected}");
        }
    }

    #[test]
    fn two_of_which_one_cites_the_other() {
        // b is dangling: a = 0.15/2 + 0.85 b/2 and a + b = 1, so a = 0.5 / 1.425.
        let a = 0.5 / 1.425;
        near(&ranks(&[(1, 2)], 2), &[a, 1.0 - a], 1e-11);
        // Twice is once, and nobody cites themselves.
        assert_eq!(ranks(&[(1, 2), (1, 2), (2, 2)], 2), ranks(&[(1, 2)], 2));
    }

    #[test]
    fn a_circle_is_even_and_everything_together_is_one() {
        near(&ranks(&[(1, 2), (2, 3), (3, 1)], 3), &[1.0 / 3.0; 3], 1e-11);
        // One of four stands alone: x = 0.15/4 + 0.85 x/4 = 0.0375 / 0.7875, the others share the rest.
        let alone = 0.0375 / 0.7875;
        let others = (1.0 - alone) / 3.0;
        near(&ranks(&[(1, 2), (2, 3), (3, 1)], 4), &[others; 3], 1e-11);
    }

    #[test]
    fn the_graph_that_everybody_knows() {
        // A to K, with the ranks of the figure in Wikipedia's article on PageRank.
        let edges = [
            (2, 3),
            (3, 2),
            (4, 1),
            (4, 2),
            (5, 2),
            (5, 4),
            (5, 6),
            (6, 2),
            (6, 5),
            (7, 2),
            (7, 5),
            (8, 2),
            (8, 5),
            (9, 2),
            (9, 5),
            (10, 5),
            (11, 5),
        ];
        let expected = [
            0.0328, 0.3844, 0.3429, 0.0391, 0.0809, 0.0391, 0.0162, 0.0162, 0.0162, 0.0162, 0.0162,
        ];
        near(&ranks(&edges, 11), &expected, 0.00006);
    }

    #[test]
    fn nobody_cites_anybody() {
        assert!(ranks(&[], 0).is_empty());
        assert!(ranks(&[(1, 1)], 5).is_empty());
    }
}
