//! What is sent: requests with places to be filled in, because each server gives ids and times of its own.

use std::fmt;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Requests that are sent one after the other, or all at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    One(Request),
    /// Their statuses are compared as a set, because their order is the servers' own.
    Together(Vec<Request>),
}

impl Step {
    /// How many requests it has.
    pub fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Together(requests) => requests.len(),
        }
    }
}

/// In path, parameters, headers and body these are filled in: `{{id:N}}`, `{{tag:N}}` and `{{time:N}}` of the resource
/// with the label N, and `{{cursor}}` of the page before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    pub method: &'static str,
    pub path: String,
    pub parameters: Vec<(&'static str, String)>,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<String>,
    /// What the resource that this creates is called by.
    pub label: Option<usize>,
    pub anonymous: bool,
}

impl Request {
    pub fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            ..Self::default()
        }
    }

    pub fn parameter(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.parameters.push((name, value.into()));
        self
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn json(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", "application/json")
    }

    /// Path and query, its values filled in and encoded.
    pub fn target(&self, fill: &impl Fn(&str) -> String) -> String {
        let mut target = format!("/api/v1/{}", fill(&self.path));
        for (index, (name, value)) in self.parameters.iter().enumerate() {
            target.push(if index == 0 { '?' } else { '&' });
            let value = fill(value);
            target += &format!("{name}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC));
        }
        target
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        for (name, value) in &self.parameters {
            write!(f, " {name}={value:?}")?;
        }
        for (name, value) in &self.headers {
            write!(f, " [{name}: {value}]")?;
        }
        if let Some(label) = self.label {
            write!(f, " (resource {label})")?;
        }
        match &self.body {
            Some(body) => write!(f, " {body}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(request) => request.fmt(f),
            Self::Together(requests) => {
                write!(f, "at once:")?;
                requests
                    .iter()
                    .try_for_each(|request| write!(f, "\n    {request}"))
            }
        }
    }
}
