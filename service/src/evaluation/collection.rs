//! A retrieval collection as files: `corpus.jsonl`, `queries.jsonl`, `qrels.tsv`.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json, json};

/// Where the collection's own id is kept: in the metadata, which are not searched.
pub(super) const ID: &str = "_id";

/// Characters of a title at most, as resources have it; what is longer goes on in the description.
const LONGEST_TITLE: usize = 4_000;
/// Characters of a description at most, as resources have it; what is longer is cut.
const LONGEST_TEXT: usize = 1_000_000;
/// The title of a document that has none: there is no word in it.
const NO_TITLE: &str = "-";

/// Queries and judgements; the documents are streamed by `Corpus`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    pub queries: Vec<TestQuery>,
    /// Query, document, judgement above 0.
    judgements: HashMap<String, HashMap<String, u32>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestQuery {
    pub id: String,
    pub text: String,
}

/// What is wrong with the files, and where.
#[derive(Debug, thiserror::Error)]
pub enum CollectionError {
    #[error("cannot read {path}: {error}", path = .path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{path}:{line}: {reason}", path = .path.display())]
    Malformed {
        path: PathBuf,
        line: usize,
        reason: String,
    },
    #[error("{path} has no {what}", path = .path.display())]
    Empty { path: PathBuf, what: &'static str },
}

impl Collection {
    /// Reads the queries and judgements of a folder, and looks whether the documents are there.
    pub fn read(folder: &Path) -> Result<Self, CollectionError> {
        Corpus::open(folder)?;
        let queries = read_queries(&folder.join("queries.jsonl"))?;
        let judgements = read_judgements(&folder.join("qrels.tsv"))?;
        if !queries
            .iter()
            .any(|query| judgements.contains_key(&query.id))
        {
            return Err(CollectionError::Empty {
                path: folder.join("qrels.tsv"),
                what: "relevant document for any query of queries.jsonl",
            });
        }
        Ok(Self {
            queries,
            judgements,
        })
    }

    /// The judgements above 0 of a query; `None` when it has none.
    pub fn relevant(&self, query: &str) -> Option<&HashMap<String, u32>> {
        self.judgements.get(query)
    }
}

fn read_queries(path: &Path) -> Result<Vec<TestQuery>, CollectionError> {
    let (mut queries, mut seen) = (Vec::new(), HashSet::new());
    for (number, line) in lines(path)? {
        let line = line.map_err(|error| unreadable(path, error))?;
        let malformed = |reason| malformed(path, number, reason);
        let Some(row) = object(&line).map_err(malformed)? else {
            continue;
        };
        let id = id(&row).map_err(malformed)?;
        if !seen.insert(id.clone()) {
            return Err(malformed(format!("the query {id} was there before")));
        }
        let text = text(&row, "text").map_err(malformed)?;
        queries.push(TestQuery { id, text });
    }
    if queries.is_empty() {
        return Err(CollectionError::Empty {
            path: path.to_owned(),
            what: "query",
        });
    }
    Ok(queries)
}

fn read_judgements(path: &Path) -> Result<HashMap<String, HashMap<String, u32>>, CollectionError> {
    let mut judgements: HashMap<String, HashMap<String, u32>> = HashMap::new();
    for (number, line) in lines(path)? {
        let line = line.map_err(|error| unreadable(path, error))?;
        if line.trim().is_empty() {
            continue;
        }
        let cells: Vec<&str> = line.split_whitespace().collect();
        let (query, document, score) = match cells[..] {
            // TREC's form: the second column says nothing.
            [query, _, document, score] | [query, document, score] => (query, document, score),
            _ => {
                let found = cells.len();
                let reason = format!(
                    "query, document and judgement, or query, 0, document and judgement, were expected, \
                     not {found} columns"
                );
                return Err(malformed(path, number, reason));
            }
        };
        match score.parse::<i64>() {
            Ok(score) if score > 0 => {
                let score = u32::try_from(score).unwrap_or(u32::MAX);
                let of_query = judgements.entry(query.to_owned()).or_default();
                of_query.insert(document.to_owned(), score);
            }
            Ok(_) => {}
            // The first line may name the columns.
            Err(_) if number == 1 => {}
            Err(_) => {
                let reason = format!("the score `{score}` is no whole number");
                return Err(malformed(path, number, reason));
            }
        }
    }
    Ok(judgements)
}

/// The documents as resources, one line of NDJSON after the other. A line that is wrong ends the reading.
pub(super) struct Corpus {
    path: PathBuf,
    lines: NumberedLines,
    seen: HashSet<String>,
    /// What was not yet read of the last line.
    rest: io::Cursor<Vec<u8>>,
}

impl Corpus {
    pub(super) fn open(folder: &Path) -> Result<Self, CollectionError> {
        let path = folder.join("corpus.jsonl");
        Ok(Self {
            lines: lines(&path)?,
            path,
            seen: HashSet::new(),
            rest: io::Cursor::default(),
        })
    }

    /// The next line as a resource: an empty line for a document without text, so that lines keep their numbers.
    fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some((number, line)) = self.lines.next() else {
            return Ok(None);
        };
        let line = line.map_err(|error| io::Error::other(unreadable(&self.path, error)))?;
        let resource = self
            .resource(&line)
            .map_err(|reason| io::Error::other(malformed(&self.path, number, reason)))?;
        let mut bytes = match resource {
            Some(resource) => serde_json::to_vec(&resource)?,
            None => Vec::new(),
        };
        bytes.push(b'\n');
        Ok(Some(bytes))
    }

    fn resource(&mut self, line: &str) -> Result<Option<Json>, String> {
        let Some(row) = object(line)? else {
            return Ok(None);
        };
        let id = id(&row)?;
        if !self.seen.insert(id.clone()) {
            return Err(format!("the document {id} was there before"));
        }
        let (title, text) = (text(&row, "title")?, text(&row, "text")?);
        let (title, excess) = cut(&title, LONGEST_TITLE);
        let text = format!("{excess} {text}");
        let (text, _) = cut(text.trim(), LONGEST_TEXT);
        if title.trim().is_empty() && text.is_empty() {
            return Ok(None);
        }
        let title = Some(title).filter(|title| !title.trim().is_empty());
        let mut resource = json!({"title": title.unwrap_or(NO_TITLE), "metadata": {ID: id}});
        if !text.is_empty() {
            resource["description"] = text.into();
        }
        Ok(Some(resource))
    }
}

impl Read for Corpus {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.rest.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.next_line()? {
                None => return Ok(0),
                Some(line) => self.rest = io::Cursor::new(line),
            }
        }
    }
}

/// The first `longest` characters, and the rest.
fn cut(text: &str, longest: usize) -> (&str, &str) {
    match text.char_indices().nth(longest) {
        None => (text, ""),
        Some((at, _)) => text.split_at(at),
    }
}

type NumberedLines = Box<dyn Iterator<Item = (usize, io::Result<String>)> + Send>;

fn lines(path: &Path) -> Result<NumberedLines, CollectionError> {
    let file = File::open(path).map_err(|error| unreadable(path, error))?;
    Ok(Box::new((1..).zip(BufReader::new(file).lines())))
}

fn unreadable(path: &Path, error: io::Error) -> CollectionError {
    CollectionError::Unreadable {
        path: path.to_owned(),
        error,
    }
}

fn malformed(path: &Path, line: usize, reason: String) -> CollectionError {
    CollectionError::Malformed {
        path: path.to_owned(),
        line,
        reason,
    }
}

/// A line as a JSON object; `None` when it is blank.
fn object(line: &str) -> Result<Option<Map<String, Json>>, String> {
    if line.trim().is_empty() {
        return Ok(None);
    }
    serde_json::from_str(line).map_err(|error| format!("no JSON object: {error}"))
}

fn id(row: &Map<String, Json>) -> Result<String, String> {
    match row.get(ID) {
        Some(Json::String(id)) if id.trim().contains(char::is_whitespace) => Err(format!(
            "`{ID}` is \"{}\": an id with white space cannot stand in qrels.tsv or in a run file",
            id.trim()
        )),
        Some(Json::String(id)) if !id.trim().is_empty() => Ok(id.trim().to_owned()),
        Some(Json::Number(id)) => Ok(id.to_string()),
        _ => Err(format!("`{ID}` is missing or no text")),
    }
}

/// A text without characters that no field takes; empty when it is not there.
fn text(row: &Map<String, Json>, name: &str) -> Result<String, String> {
    match row.get(name) {
        None | Some(Json::Null) => Ok(String::new()),
        Some(Json::String(text)) => Ok(text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect()),
        Some(_) => Err(format!("`{name}` is no text")),
    }
}
