//! Changes to a JSON document: merge patches (RFC 7396), and the operations of JSON Patch (RFC 6902) that say what to do
//! with a place: `add` (also to the end of an array, `/-`), `remove`, `replace` and `test`.

use serde_json::{Map, Value as Json};

use crate::error::{Error, Fault};

/// Operations in a patch at most.
const MOST_OPERATIONS: usize = 1_000;

/// A change that is applied to whatever is stored when its turn comes.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    Merge(Json),
    Operations(Vec<Operation>),
}

/// One operation of a JSON Patch.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    kind: Kind,
    /// Keys and indexes, unescaped.
    path: Vec<String>,
    value: Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Add,
    Remove,
    Replace,
    Test,
}

impl Change {
    /// Whether one of these members of a document may become another one.
    pub(crate) fn touches(&self, members: &[&str]) -> bool {
        match self {
            Self::Merge(patch) => members.iter().any(|name| patch.get(name).is_some()),
            Self::Operations(operations) => operations.iter().any(|operation| {
                operation
                    .path
                    .first()
                    .is_none_or(|first| members.contains(&first.as_str()))
            }),
        }
    }

    /// Reads a JSON Patch. All faults are reported at once.
    pub fn from_operations(body: Json) -> Result<Self, Error> {
        let Json::Array(items) = body else {
            return Err(invalid("", "type", "expected an array of operations"));
        };
        if items.len() > MOST_OPERATIONS {
            return Err(invalid(
                "",
                "too_long",
                format!("at most {MOST_OPERATIONS} operations are allowed"),
            ));
        }
        let (mut operations, mut faults) = (Vec::with_capacity(items.len()), Vec::new());
        for (index, item) in items.into_iter().enumerate() {
            match read_operation(item) {
                Ok(operation) => operations.push(operation),
                Err((member, code, detail)) => {
                    faults.push(Fault::at(format!("/{index}{member}"), code, detail));
                }
            }
        }
        if faults.is_empty() {
            Ok(Self::Operations(operations))
        } else {
            Err(Error::Invalid(faults))
        }
    }

    /// Applies the change to a document.
    pub(crate) fn apply(&self, mut document: Json) -> Result<Json, Error> {
        match self {
            Self::Merge(patch) => merge_fields(&mut document, patch.clone()),
            Self::Operations(operations) => {
                for (index, operation) in operations.iter().enumerate() {
                    // RFC 5789, 2.2: in conflict with the state of what it changes.
                    operation.apply(&mut document).map_err(|(code, detail)| {
                        Error::Unfitting(vec![Fault::at(format!("/{index}/path"), code, detail)])
                    })?;
                }
            }
        }
        Ok(document)
    }
}

fn invalid(pointer: &str, code: &'static str, detail: impl Into<String>) -> Error {
    Error::Invalid(vec![Fault::at(pointer, code, detail)])
}

type Misread = (&'static str, &'static str, String);

fn read_operation(item: Json) -> Result<Operation, Misread> {
    let Json::Object(mut members) = item else {
        return Err(("", "type", "expected an operation: an object".to_owned()));
    };
    let kind = match members.remove("op").as_ref().and_then(Json::as_str) {
        Some("add") => Kind::Add,
        Some("remove") => Kind::Remove,
        Some("replace") => Kind::Replace,
        Some("test") => Kind::Test,
        _ => {
            return Err((
                "/op",
                "enum",
                "expected add, remove, replace or test".to_owned(),
            ));
        }
    };
    let path = members.remove("path");
    let path = match path.as_ref().and_then(Json::as_str) {
        Some(path) if path.starts_with('/') => path[1..]
            .split('/')
            .map(|key| key.replace("~1", "/").replace("~0", "~"))
            .collect(),
        _ => {
            let expected = "expected a JSON pointer such as /metadata/tags/-";
            return Err(("/path", "format", expected.to_owned()));
        }
    };
    let value = match (members.remove("value"), kind) {
        (Some(value), _) => value,
        (None, Kind::Remove) => Json::Null,
        (None, _) => return Err(("/value", "required", "a value is needed".to_owned())),
    };
    // Other members are to be ignored (RFC 6902, 4).
    Ok(Operation { kind, path, value })
}

impl Operation {
    fn apply(&self, document: &mut Json) -> Result<(), (&'static str, String)> {
        let missing = || ("missing", "there is nothing at this path".to_owned());
        let (last, parents) = self.path.split_last().ok_or_else(missing)?;
        let parent = parents
            .iter()
            .try_fold(document, |value, key| match value {
                Json::Object(members) => members.get_mut(key),
                Json::Array(items) => index_of(key).and_then(|index| items.get_mut(index)),
                _ => None,
            })
            .ok_or_else(missing)?;
        let value = || self.value.clone();
        match (parent, self.kind) {
            (Json::Object(members), Kind::Add) => {
                members.insert(last.clone(), value());
            }
            (Json::Array(items), Kind::Add) if last == "-" => items.push(value()),
            (Json::Array(items), Kind::Add) => {
                let index = index_of(last).filter(|index| *index <= items.len());
                items.insert(index.ok_or_else(missing)?, value());
            }
            (Json::Object(members), Kind::Remove) => {
                members.remove(last).ok_or_else(missing)?;
            }
            (Json::Array(items), Kind::Remove) => {
                let index = index_of(last).filter(|index| *index < items.len());
                items.remove(index.ok_or_else(missing)?);
            }
            (Json::Object(members), kind) => {
                self.replace_or_test(kind, members.get_mut(last).ok_or_else(missing)?)?;
            }
            (Json::Array(items), kind) => {
                let found = index_of(last).and_then(|index| items.get_mut(index));
                self.replace_or_test(kind, found.ok_or_else(missing)?)?;
            }
            _ => return Err(missing()),
        }
        Ok(())
    }

    fn replace_or_test(&self, kind: Kind, found: &mut Json) -> Result<(), (&'static str, String)> {
        if kind == Kind::Replace {
            *found = self.value.clone();
        } else if !super::document::equal(found, &self.value) {
            return Err(("test_failed", "the value is another one".to_owned()));
        }
        Ok(())
    }
}

/// As RFC 6901 has it: digits without a leading zero.
fn index_of(key: &str) -> Option<usize> {
    let digits = key.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits && (key == "0" || !key.starts_with('0'));
    key.parse().ok().filter(|_| plain)
}

/// Merges a patch into the fields of a thing. A null for a field that is not there stays in it, so that whoever reads the
/// fields refuses an unknown name with null as with anything else.
pub(crate) fn merge_fields(document: &mut Json, patch: Json) {
    let unknown: Vec<String> = match (&*document, &patch) {
        (Json::Object(document), Json::Object(patch)) => patch
            .iter()
            .filter(|(name, value)| value.is_null() && !document.contains_key(*name))
            .map(|(name, _)| name.clone())
            .collect(),
        _ => Vec::new(),
    };
    merge(document, patch);
    if let Json::Object(document) = document {
        document.extend(unknown.into_iter().map(|name| (name, Json::Null)));
    }
}

/// RFC 7396, section 2.
fn merge(target: &mut Json, patch: Json) {
    let Json::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Json::Object(Map::new());
    }
    let Json::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(&key);
        } else {
            merge(target.entry(key).or_insert(Json::Null), value);
        }
    }
}
