//! The proof that two libraries behave alike: generated requests are sent to both, and what a client sees is compared.
//!
//! Speaks the public HTTP API and knows nothing else. A run consists of sequences, each of which makes a small library,
//! asks about it, changes it, and takes it away again; a difference is shrunk to the fewest steps that show it.

mod chance;
mod corpus;
mod filters;
mod http;
mod player;
mod report;
mod sequence;
mod shrink;
mod side;
mod step;

use std::fmt;
use std::path::PathBuf;

use self::chance::Chance;
use self::player::{Player, Seen};
pub use self::report::{Difference, Report};
use self::side::Side;
use self::step::Step;

/// Attempts at a shorter sequence at most.
const SHRINKING: usize = 600;

/// What is compared, and how much of it.
#[derive(Debug, Clone)]
pub struct Options {
    /// `http://KEY@host:port` of a running server, or the URL of an empty database.
    pub a: String,
    pub b: String,
    pub seed: u64,
    /// The run ends with the sequence that reaches this number of requests.
    pub cases: usize,
    /// The program that is started as `… serve` on a database.
    pub server: PathBuf,
}

/// Why a run could not go on.
#[derive(Debug)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// Compares until enough cases are alike, or two replies are not. `progress` is told the number of cases so far.
pub fn run(options: &Options, mut progress: impl FnMut(usize)) -> Result<Report, Failure> {
    let sides = [
        Side::open(&options.a, &options.server)?,
        Side::open(&options.b, &options.server)?,
    ];
    let mut report = Report {
        seed: options.seed,
        names: sides.each_ref().map(|side| side.name.clone()),
        ..Report::default()
    };
    let mut seeds = Chance::new(options.seed);
    while report.cases < options.cases {
        // The first sequence of a seed is that seed's own, so that a difference can be shown again by it.
        let seed = match report.sequences {
            0 => options.seed,
            _ => seeds.number(),
        };
        let steps = sequence::sequence(seed);
        let played = play(&sides, &steps, |step, seen| report.count(step, seen))?;
        report.sequences += 1;
        progress(report.cases);
        if let Some(at) = played {
            let mut steps = steps;
            steps.truncate(at.step + 1);
            let mut last = at;
            let steps = shrink::shrink(steps, SHRINKING, &mut |candidate| {
                let found = play(&sides, candidate, |_, _| {})?;
                let differs = found.is_some();
                if let Some(found) = found {
                    last = found;
                }
                Ok(differs)
            })?;
            report.difference = Some(Difference {
                sequence_seed: seed,
                steps,
                replies: last.replies,
            });
            break;
        }
    }
    Ok(report)
}

/// Where two replies were not alike.
struct Unlike {
    step: usize,
    replies: [Vec<Seen>; 2],
}

/// Plays a sequence on both sides until they differ, and takes away what it made.
fn play(
    sides: &[Side; 2],
    steps: &[Step],
    mut each: impl FnMut(&Step, &[Seen]),
) -> Result<Option<Unlike>, Failure> {
    let [mut one, mut other] = sides.each_ref().map(|side| Player::new(&side.place));
    let mut unlike = None;
    for (index, step) in steps.iter().enumerate() {
        let (seen, also_seen) = std::thread::scope(|scope| {
            let beside = scope.spawn(|| other.play(step));
            let seen = one.play(step);
            let also_seen = beside
                .join()
                .unwrap_or_else(|_| Err(Failure("a step panicked".to_owned())));
            (seen, also_seen)
        });
        let (seen, also_seen) = (seen?, also_seen?);
        each(step, &seen);
        if seen != also_seen {
            unlike = Some(Unlike {
                step: index,
                replies: [seen, also_seen],
            });
            break;
        }
    }
    one.clean()?;
    other.clean()?;
    Ok(unlike)
}
