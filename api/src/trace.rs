//! W3C trace context: a trace that the caller has begun goes on here, and the answer says under which span.
//! <https://www.w3.org/TR/trace-context/>

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue};

pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A trace, and this server's span in it.
pub struct Trace {
    pub id: Arc<str>,
    /// What the answer says.
    pub header: HeaderValue,
}

/// The trace of a request; one that breaks the rules is ignored, as they ask for.
pub fn continued(request: &HttpRequest) -> Option<Trace> {
    let mut all = request.headers().get_all(TRACEPARENT);
    let (first, second) = (all.next()?, all.next());
    if second.is_some() {
        return None;
    }
    let (id, flags) = parse(first.to_str().ok()?)?;
    let mut span = [0; 8];
    service::random::Random::fill(&service::random::SystemRandom, &mut span);
    // All zeros would be no span.
    let span = u64::from_le_bytes(span).max(1);
    let header = format!("00-{id}-{span:016x}-{flags}");
    Some(Trace {
        id: id.into(),
        header: HeaderValue::from_str(&header).ok()?,
    })
}

/// Trace id and flags. Of later versions more may follow.
fn parse(text: &str) -> Option<(&str, &str)> {
    let mut parts = text.split('-');
    let (version, id, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hexadecimal = |part: &str, length: usize| {
        part.len() == length
            && part
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    let well_formed = hexadecimal(version, 2)
        && version != "ff"
        && hexadecimal(id, 32)
        && hexadecimal(parent, 16)
        && hexadecimal(flags, 2)
        && !zero(id)
        && !zero(parent)
        && (version != "00" || parts.next().is_none());
    well_formed.then_some((id, flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn what_breaks_the_rules_is_no_trace() {
        let good = format!("00-{ID}-00f067aa0ba902b7-01");
        assert_eq!(parse(&good), Some((ID, "01")));
        assert_eq!(
            parse(&format!("01-{ID}-00f067aa0ba902b7-00-more")),
            Some((ID, "00"))
        );
        for bad in [
            String::new(),
            format!("{good}-more"),
            format!("ff-{ID}-00f067aa0ba902b7-01"),
            good.to_uppercase(),
            good.replace(ID, &"0".repeat(32)),
            good.replace("00f067aa0ba902b7", &"0".repeat(16)),
            good.replace("-01", "-1"),
        ] {
            assert_eq!(parse(&bad), None, "{bad}");
        }
    }
}
