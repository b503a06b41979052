//! What a run has found, for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::player::Seen;
use crate::step::Step;

/// A run of `pharos conformance`.
#[derive(Debug, Default)]
pub struct Report {
    pub seed: u64,
    pub names: [String; 2],
    /// Requests that were sent to both and compared.
    pub cases: usize,
    pub sequences: usize,
    /// How often each kind of request was answered with each status.
    pub counts: BTreeMap<(String, u16), usize>,
    /// Lists and searches that found something.
    pub found_something: usize,
    pub difference: Option<Difference>,
}

/// Two replies that should be one, and the fewest steps that lead there.
#[derive(Debug)]
pub struct Difference {
    /// Of the sequence, for `--seed`.
    pub sequence_seed: u64,
    pub steps: Vec<Step>,
    /// What each side answered to the last step that was played.
    pub replies: [Vec<Seen>; 2],
}

impl Report {
    pub fn count(&mut self, step: &Step, seen: &[Seen]) {
        self.cases += step.len();
        let kind = match step {
            Step::One(request) => {
                let path = request.path.split('/').next().unwrap_or_default();
                let one = if request.path.contains('/') {
                    "/{id}"
                } else {
                    ""
                };
                format!("{} {path}{one}", request.method)
            }
            Step::Together(_) => "PATCH at once".to_owned(),
        };
        for reply in seen {
            *self.counts.entry((kind.clone(), reply.status)).or_default() += 1;
            let found = reply.body.starts_with("{\"items\":[{");
            self.found_something += usize::from(found);
        }
    }

    /// One line.
    pub fn summary(&self) -> String {
        format!(
            "conformance seed={} cases={} sequences={} differences={}",
            self.seed,
            self.cases,
            self.sequences,
            usize::from(self.difference.is_some())
        )
    }

    /// All of it, as Markdown.
    pub fn to_markdown(&self) -> String {
        let mut text = format!(
            "# Conformance\n\n- a: `{}`\n- b: `{}`\n- seed: {}\n- cases: {} in {} sequences\n- lists and searches that found something: {}\n",
            self.names[0],
            self.names[1],
            self.seed,
            self.cases,
            self.sequences,
            self.found_something
        );
        text += "\n| request | status | times |\n| --- | --- | --- |\n";
        for ((kind, status), times) in &self.counts {
            let _ = writeln!(text, "| {kind} | {status} | {times} |");
        }
        match &self.difference {
            None => text += "\nNo difference was found.\n",
            Some(difference) => text += &difference.to_markdown(&self.names),
        }
        text
    }
}

impl Difference {
    fn to_markdown(&self, names: &[String; 2]) -> String {
        let mut text = format!(
            "\n## A difference\n\nIn the sequence with the seed {}. The fewest steps:\n\n```\n",
            self.sequence_seed
        );
        for step in &self.steps {
            let _ = writeln!(text, "{step}");
        }
        text += "```\n";
        for (name, replies) in names.iter().zip(&self.replies) {
            let _ = write!(text, "\n`{name}` answers\n\n```\n");
            for reply in replies {
                let _ = writeln!(text, "{} {:?}\n{}", reply.status, reply.headers, reply.body);
            }
            text += "```\n";
        }
        text
    }
}
