//! What stands behind an operator.

use serde_json::{Number, Value as Json};

use super::super::Part;
use super::super::canonical::canonicalise;
use super::super::number::MOST_DIGITS;
use super::lexer::Text;
use super::{FilterFault, fault};

/// A text with a `*` at an end or both.
pub(super) struct Pattern<'t> {
    pub part: Part,
    pub text: &'t str,
}

impl Text {
    /// `*` alone: any value.
    pub(super) fn is_any(&self) -> bool {
        self.is_word("*")
    }

    pub(super) fn is_null(&self) -> bool {
        self.is_word("null")
    }

    /// The pattern that this text is, if it is one.
    pub(super) fn pattern(&self) -> Option<Pattern<'_>> {
        let text = self.text.as_str();
        let (part, text) = match (self.open_beginning, self.open_end) {
            (false, false) => return None,
            (false, true) => (Part::Beginning, &text[..text.len() - 1]),
            (true, false) => (Part::End, &text[1..]),
            (true, true) if text == "*" => (Part::Beginning, ""),
            (true, true) => (Part::Anywhere, &text[1..text.len() - 1]),
        };
        Some(Pattern { part, text })
    }

    /// The value as JSON: quoted is a string, bare is true, false, null, a number, or else a string.
    pub(super) fn json(&self, position: usize) -> Result<Json, FilterFault> {
        if self.quoted {
            return Ok(Json::String(self.text.clone()));
        }
        Ok(match self.text.as_str() {
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            "null" => Json::Null,
            text => match text.parse::<Number>() {
                Ok(number) => {
                    let mut value = Json::Number(number);
                    if canonicalise(&mut value).is_err() {
                        return fault(
                            position,
                            "out_of_range",
                            format!(
                                "a number has at most {MOST_DIGITS} digits before and after its point"
                            ),
                        );
                    }
                    value
                }
                Err(_) => Json::String(text.to_owned()),
            },
        })
    }
}
