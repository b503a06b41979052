//! How much one caller may ask for: a budget for each API key, for each address, and for failed keys of an address.
//!
//! A budget is a number of requests in a window. It refills evenly (the generic cell rate algorithm), so that what is kept
//! of a caller is one point in time: when its budget is whole again. Whoever has a whole budget is not kept at all.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Callers that are kept of each kind at most: about 3 MB.
const MOST_KEPT: usize = 65_536;

const SHARDS: usize = 16;

/// So many requests in a window; all of them at once, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub requests: u64,
    pub window: Duration,
}

/// What is limited; `None` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of one API key.
    pub key: Option<Quota>,
    /// Of one address: an IPv4 address or an IPv6 network of 64 bits.
    pub address: Option<Quota>,
    /// Requests of one address with a key that is not good.
    pub failures: Option<Quota>,
}

impl Limits {
    /// Nothing is limited.
    pub const NONE: Self = Self {
        key: None,
        address: None,
        failures: None,
    };
}

impl Default for Limits {
    fn default() -> Self {
        let in_a_minute = |requests| {
            Some(Quota {
                requests,
                window: Duration::from_secs(60),
            })
        };
        Self {
            key: in_a_minute(600_000),
            address: in_a_minute(1_200_000),
            failures: in_a_minute(60),
        }
    }
}

/// What is left of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub quota: Quota,
    pub remaining: u64,
    /// Seconds until the budget is whole again.
    pub reset: u64,
    /// Seconds until there is something left, when there is nothing.
    pub retry_after: Option<u64>,
}

/// The budgets of many callers.
pub struct Budgets<K> {
    quota: Option<Quota>,
    /// Nanoseconds that one request costs.
    cost: u64,
    /// Nanoseconds that a whole budget is worth.
    whole: u64,
    began: Instant,
    hasher: RandomState,
    /// Nanoseconds after `began` when a budget is whole again.
    shards: [Mutex<HashMap<K, u64>>; SHARDS],
}

impl<K: Hash + Eq + Copy> Budgets<K> {
    pub fn new(quota: Option<Quota>) -> Self {
        let nanoseconds =
            |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let (cost, whole) = quota.map_or((0, 0), |quota| {
            let cost = (nanoseconds(quota.window) / quota.requests.max(1)).max(1);
            (cost, cost.saturating_mul(quota.requests.max(1)))
        });
        Self {
            quota,
            cost,
            whole,
            began: Instant::now(),
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// Takes one request from the budget when there is something left.
    pub fn take(&self, key: K) -> Option<Standing> {
        self.look(key, true)
    }

    /// What is left, without taking anything.
    pub fn standing(&self, key: K) -> Option<Standing> {
        self.look(key, false)
    }

    fn look(&self, key: K, takes: bool) -> Option<Standing> {
        let quota = self.quota?;
        let now = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let shard = self.hasher.hash_one(key) as usize % SHARDS;
        let mut kept = self.shards[shard].lock();
        let full_at = kept.get(&key).copied().unwrap_or(0).max(now);
        let after = full_at + self.cost;
        let spent = after - now > self.whole;
        let full_at = if takes && !spent {
            if kept.len() >= MOST_KEPT / SHARDS && !kept.contains_key(&key) {
                make_room(&mut kept, now);
            }
            kept.insert(key, after);
            after
        } else {
            full_at
        };
        drop(kept);
        let used = full_at - now;
        Some(Standing {
            quota,
            remaining: (self.whole - used.min(self.whole)) / self.cost,
            reset: used.div_ceil(1_000_000_000),
            retry_after: spent.then(|| (after - now - self.whole).div_ceil(1_000_000_000).max(1)),
        })
    }
}

/// Forgets those whose budget is whole; when there are none, half of the others, the least spent first.
fn make_room<K: Hash + Eq + Copy>(kept: &mut HashMap<K, u64>, now: u64) {
    kept.retain(|_, full_at| *full_at > now);
    if kept.len() < MOST_KEPT / SHARDS {
        return;
    }
    let mut times: Vec<u64> = kept.values().copied().collect();
    let middle = times.len() / 2;
    let (_, median, _) = times.select_nth_unstable(middle);
    let median = *median;
    kept.retain(|_, full_at| *full_at > median);
}

/// Whose budget an address uses: an IPv6 client has a whole network of 64 bits.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        address => address,
    }
}

impl FromStr for Quota {
    type Err = String;

    /// `600000/1m`: requests, and the window in `s`, `m` or `h`.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!("`{text}` is no limit: write requests and a window, for example 600/1m, or off")
        };
        let (requests, window) = text.split_once('/').ok_or_else(expected)?;
        let requests: u64 = requests.trim().parse().map_err(|_| expected())?;
        let window = window.trim();
        let (number, unit) = window.split_at(window.len().saturating_sub(1));
        let number: u64 = if number.is_empty() {
            1
        } else {
            number.parse().map_err(|_| expected())?
        };
        let seconds = match unit {
            "s" => number,
            "m" => number.saturating_mul(60),
            "h" => number.saturating_mul(3_600),
            _ => return Err(expected()),
        };
        let in_range = (1..=1_000_000_000).contains(&requests) && (1..=86_400).contains(&seconds);
        if !in_range {
            return Err(format!(
                "`{text}` is out of range: 1 to 1000000000 requests in 1s to 24h"
            ));
        }
        Ok(Self {
            requests,
            window: Duration::from_secs(seconds),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(text: &str) -> Quota {
        text.parse().expect("a quota")
    }

    #[test]
    fn limits_are_written_as_requests_and_a_window() {
        assert_eq!(
            quota("600/1m"),
            Quota {
                requests: 600,
                window: Duration::from_secs(60)
            }
        );
        assert_eq!(quota("5/s").window, Duration::from_secs(1));
        for text in [
            "", "5", "5/", "/1m", "0/1m", "5/0s", "5/1d", "-1/1s", "5/25h",
        ] {
            assert!(text.parse::<Quota>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_budget_is_spent_at_once_and_each_has_their_own() {
        let budgets = Budgets::new(Some(quota("3/1h")));
        let left: Vec<u64> = (0..3)
            .map(|_| budgets.take(1).expect("limited").remaining)
            .collect();
        assert_eq!(left, [2, 1, 0]);
        let standing = budgets.take(1).expect("limited");
        assert_eq!(standing.remaining, 0);
        assert!(
            standing
                .retry_after
                .is_some_and(|after| (1..=1_200).contains(&after))
        );
        assert_eq!(budgets.take(2).expect("limited").retry_after, None);
        assert_eq!(Budgets::new(None).take(1), None);
    }

    #[test]
    fn what_is_kept_is_bounded_and_those_who_spent_most_stay() {
        let budgets = Budgets::new(Some(quota("2/1h")));
        budgets.take(0_u64);
        budgets.take(0);
        for other in 1..300_000 {
            budgets.take(other);
        }
        let kept: usize = budgets.shards.iter().map(|shard| shard.lock().len()).sum();
        assert!(kept <= MOST_KEPT, "{kept}");
        assert!(budgets.take(0).expect("limited").retry_after.is_some());
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let network = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}
