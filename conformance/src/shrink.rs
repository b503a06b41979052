//! From a sequence that shows a difference to a shorter one that still does.

use crate::Failure;
use crate::step::{Request, Step};

/// Leaves out steps, then parts of the steps that are left, as long as `differs` holds. At most `tries` attempts.
pub fn shrink(
    mut steps: Vec<Step>,
    tries: usize,
    differs: &mut impl FnMut(&[Step]) -> Result<bool, Failure>,
) -> Result<Vec<Step>, Failure> {
    let mut left = tries;
    let mut attempt = |candidate: &[Step]| -> Result<bool, Failure> {
        if left == 0 {
            return Ok(false);
        }
        left -= 1;
        differs(candidate)
    };
    let mut size = steps.len().div_ceil(2);
    while size > 0 {
        let mut begin = 0;
        while begin < steps.len() {
            let end = (begin + size).min(steps.len());
            let mut candidate = steps.clone();
            candidate.drain(begin..end);
            if !candidate.is_empty() && attempt(&candidate)? {
                steps = candidate;
            } else {
                begin = end;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    for index in 0..steps.len() {
        loop {
            let smaller = smaller(&steps[index]);
            let mut found = false;
            for step in smaller {
                let mut candidate = steps.clone();
                candidate[index] = step;
                if attempt(&candidate)? {
                    steps = candidate;
                    found = true;
                    break;
                }
            }
            if !found {
                break;
            }
        }
    }
    Ok(steps)
}

fn smaller(step: &Step) -> Vec<Step> {
    match step {
        Step::One(request) => smaller_requests(request)
            .into_iter()
            .map(Step::One)
            .collect(),
        Step::Together(requests) if requests.len() > 2 => {
            vec![Step::Together(requests[1..].to_vec())]
        }
        Step::Together(_) => Vec::new(),
    }
}

/// Without one parameter, one header, one member of the body, or one part of the filter.
fn smaller_requests(request: &Request) -> Vec<Request> {
    let mut smaller = Vec::new();
    for index in 0..request.parameters.len() {
        let mut without = request.clone();
        without.parameters.remove(index);
        smaller.push(without);
    }
    for (index, (name, value)) in request.parameters.iter().enumerate() {
        if *name != "filter" {
            continue;
        }
        for joint in [" AND ", " OR "] {
            let parts: Vec<&str> = value.split(joint).collect();
            for part in 0..if parts.len() > 1 { parts.len() } else { 0 } {
                let mut fewer = parts.clone();
                fewer.remove(part);
                let mut without = request.clone();
                without.parameters[index].1 = fewer.join(joint);
                smaller.push(without);
            }
        }
    }
    let body = request
        .body
        .as_deref()
        .and_then(|body| serde_json::from_str(body).ok());
    if let Some(serde_json::Value::Object(members)) = body {
        for fewer in fewer_members(&members) {
            let mut without = request.clone();
            without.body = Some(fewer.to_string());
            smaller.push(without);
        }
    }
    smaller
}

/// An object without one of its members, or with a member that is an object with one member less.
fn fewer_members(members: &serde_json::Map<String, serde_json::Value>) -> Vec<serde_json::Value> {
    let mut all = Vec::new();
    for (key, value) in members {
        let mut fewer = members.clone();
        fewer.remove(key);
        all.push(fewer.into());
        if let serde_json::Value::Object(inner) = value {
            for inner in fewer_members(inner) {
                let mut changed = members.clone();
                changed.insert(key.clone(), inner);
                all.push(changed.into());
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_is_left_out() {
        let list = |filter: &str| {
            Step::One(
                Request::new("GET", "resources")
                    .parameter("filter", filter)
                    .parameter("limit", "3"),
            )
        };
        let steps: Vec<Step> = (0..50)
            .map(|number| list(&format!("a = {number} AND b = 1")))
            .collect();
        let mut differs = |steps: &[Step]| {
            let shown: Vec<String> = steps.iter().map(Step::to_string).collect();
            let shown = shown.join("\n");
            Ok(shown.contains("a = 17") && shown.contains("a = 31"))
        };
        let shrunk = shrink(steps, 1_000, &mut differs).unwrap();
        let shown: Vec<String> = shrunk.iter().map(Step::to_string).collect();
        assert_eq!(
            shown,
            [
                "GET resources filter=\"a = 17\"",
                "GET resources filter=\"a = 31\""
            ]
        );
    }
}
