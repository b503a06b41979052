//! W3C trace context: a trace that the caller has begun goes on here, and the answer says under which span.
//! <https://www.w3.org/TR/trace-context/>

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue};

pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A trace, and this server's span in it.
#[cfg_attr(
    not(feature = "otel"),
    expect(dead_code, reason = "the spans are read where they are exported")
)]
pub struct Trace {
    pub id: Arc<str>,
    pub span: String,
    /// The caller's span.
    pub parent: Option<String>,
    /// Whether anybody wants to hear of it.
    pub sampled: bool,
    /// What the answer says.
    pub header: HeaderValue,
}

/// A trace that begins with this request.
#[cfg(feature = "otel")]
pub fn begun(request_id: &Arc<str>) -> Option<Trace> {
    new(Arc::clone(request_id), None, "01")
}

fn new(id: Arc<str>, parent: Option<String>, flags: &str) -> Option<Trace> {
    let mut span = [0; 8];
    service::random::Random::fill(&service::random::SystemRandom, &mut span);
    // All zeros would be no span.
    let span = format!("{:016x}", u64::from_le_bytes(span).max(1));
    let header = format!("00-{id}-{span}-{flags}");
    Some(Trace {
        header: HeaderValue::from_str(&header).ok()?,
        sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1,
        id,
        span,
        parent,
    })
}

/// The trace of a request; one that breaks the rules is ignored, as they ask for.
pub fn continued(request: &HttpRequest) -> Option<Trace> {
    let mut all = request.headers().get_all(TRACEPARENT);
    let (first, second) = (all.next()?, all.next());
    if second.is_some() {
        return None;
    }
    let (id, parent, flags) = parse(first.to_str().ok()?)?;
    new(id.into(), Some(parent.to_owned()), flags)
}

/// Trace id, parent and flags. Of later versions more may follow.
fn parse(text: &str) -> Option<(&str, &str, &str)> {
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
    well_formed.then_some((id, parent, flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn what_breaks_the_rules_is_no_trace() {
        let good = format!("00-{ID}-00f067aa0ba902b7-01");
        assert_eq!(parse(&good), Some((ID, "00f067aa0ba902b7", "01")));
        assert_eq!(
            parse(&format!("01-{ID}-00f067aa0ba902b7-00-more")),
            Some((ID, "00f067aa0ba902b7", "00"))
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
