//! A batch of lines: read while they come, written together, answered line by line, in bounded memory.
//!
//! It runs beside the reply, so that a client that sends everything before it reads is not kept waiting, until so many
//! results are waiting for it that there is no more room.

use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::web::{Bytes, Data};
use futures_util::{FutureExt, Stream, StreamExt};
use serde::Serialize;
use service::accounts::Actor;
use service::database::observe;
use service::idempotency::{Attempt, KeptReply, Once};
use service::library::ResourceFields;
use service::{Error, Pharos};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::body::{LARGEST_BODY, unreadable_body};
use crate::idempotency::{another_request, under_way};
use crate::input::parse_json_line;
use crate::problem::{Problem, ProblemFault};

/// Lines that are written in one transaction at most.
const LINES_AT_ONCE: usize = 200;

/// Bytes of lines after which they are written, too.
const BYTES_AT_ONCE: usize = 1024 * 1024;

/// Bytes of results that may wait for the client.
const WAITING_BYTES: u32 = 16 * 1024 * 1024;

/// Bytes of a line's faults that are told.
const LONGEST_DETAIL: usize = 2_000;

type Part = Result<Bytes, Problem>;

/// A batch under way.
pub struct Batch {
    pharos: Data<Pharos>,
    actor: Actor,
    payload: Payload,
    attempt: Option<Attempt>,
    /// What has come and is not cut into lines yet.
    rest: Vec<u8>,
    /// How much of it has no line feed.
    searched: usize,
    line: u64,
    part: u64,
    has_ended: bool,
}

/// A part of the reply, and the room that it takes until the client has it.
struct Waiting {
    part: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// A line with its number, or why there will be no more.
type Line = (u64, Result<Vec<u8>, Problem>);

#[derive(Serialize)]
struct LineResult<'a> {
    line: u64,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<uuid::Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ProblemFault],
}

impl Batch {
    pub fn new(
        pharos: Data<Pharos>,
        actor: Actor,
        payload: Payload,
        attempt: Option<Attempt>,
    ) -> Self {
        Self {
            pharos,
            actor,
            payload,
            attempt,
            rest: Vec::new(),
            searched: 0,
            line: 0,
            part: 0,
            has_ended: false,
        }
    }

    /// The results while they come. With an Idempotency-Key the first lines are answered before this returns, so that a key
    /// that cannot be used gets a status of its own.
    pub async fn results(mut self) -> Result<impl Stream<Item = Part> + use<>, Problem> {
        let first = match &self.attempt {
            Some(_) => Some(self.next_part().await?),
            None => None,
        };
        let (sender, receiver) = mpsc::unbounded_channel();
        let origin = observe::origin();
        actix_web::rt::spawn(async move {
            let work = self.send(first.flatten(), sender);
            match origin {
                Some(origin) => observe::attributed(origin, work).await,
                None => work.await,
            }
        });
        Ok(futures_util::stream::unfold(
            receiver,
            |mut receiver: mpsc::UnboundedReceiver<Waiting>| async move {
                let waiting = receiver.recv().await?;
                Some((Ok(waiting.part), receiver))
            },
        ))
    }

    async fn send(mut self, first: Option<Bytes>, sender: mpsc::UnboundedSender<Waiting>) {
        let room = Arc::new(Semaphore::new(WAITING_BYTES as usize));
        let mut next = Ok(first);
        if self.attempt.is_none() || matches!(next, Ok(None)) {
            next = self.next_part().await;
        }
        loop {
            let part = match next {
                Ok(None) => return,
                Ok(Some(part)) => part,
                // The status is sent already: a last line says why there are no more.
                Err(problem) => {
                    self.has_ended = true;
                    result_of(self.line + 1, &problem)
                }
            };
            let bytes = u32::try_from(part.len()).unwrap_or(WAITING_BYTES);
            let room = Arc::clone(&room).acquire_many_owned(bytes.min(WAITING_BYTES));
            let room = tokio::select! {
                room = room => room.ok(),
                () = sender.closed() => return,
            };
            if sender.send(Waiting { part, _room: room }).is_err() {
                return;
            }
            next = self.next_part().await;
        }
    }

    /// Reads, writes and answers the next lines; `None` after the last one.
    async fn next_part(&mut self) -> Result<Option<Bytes>, Problem> {
        let before = self.line;
        let lines = self.next_lines().await;
        if lines.is_empty() {
            return Ok(None);
        }
        let Some(attempt) = &self.attempt else {
            return Ok(Some(self.answer(lines).await));
        };
        let mut content = Vec::new();
        for (number, line) in &lines {
            content.extend_from_slice(&number.to_be_bytes());
            content.extend_from_slice(line.as_deref().unwrap_or(b"\0"));
            content.push(b'\n');
        }
        let attempt = attempt.part(self.part, &content);
        self.part += 1;
        let is_whole = lines.iter().all(|(_, line)| line.is_ok());
        let mut answered = Bytes::new();
        let pharos = self.pharos.clone();
        let work = async {
            answered = self.answer(lines).await;
            // What did not come whole is to be sent again.
            is_whole.then(|| KeptReply {
                status: 200,
                headers: Vec::new(),
                body: answered.to_vec(),
            })
        };
        let outcome = if is_whole {
            pharos.once(&attempt, work).await
        } else {
            work.await;
            Ok(Once::Done)
        };
        let refused = match outcome {
            Ok(Once::Done) => return Ok(Some(answered)),
            Ok(Once::Repeated(reply)) => return Ok(Some(reply.body.into())),
            Ok(Once::UnderWay) => under_way(),
            Ok(Once::AnotherRequest) => another_request(),
            Err(error) => error.into(),
        };
        self.line = before;
        self.has_ended = true;
        Err(refused)
    }

    async fn answer(&self, lines: Vec<Line>) -> Bytes {
        let (mut numbers, mut fields) = (Vec::new(), Vec::new());
        let mut refused = Vec::new();
        for (number, line) in lines {
            match line.and_then(|text| read(&text)) {
                Ok(found) => {
                    numbers.push(number);
                    fields.push(found);
                }
                Err(problem) => refused.push((number, problem)),
            }
        }
        let written = self.pharos.create_resources(&self.actor, fields).await;
        let mut results: Vec<(u64, Bytes)> = numbers
            .into_iter()
            .zip(written)
            .map(|(number, result)| match result {
                Ok(id) => (number, created(number, id)),
                Err(error) => (number, result_of(number, &error.into())),
            })
            .collect();
        let refused = refused.into_iter();
        results.extend(refused.map(|(number, problem)| (number, result_of(number, &problem))));
        results.sort_by_key(|(number, _)| *number);
        let mut bytes = Vec::new();
        for (_, result) in results {
            bytes.extend_from_slice(&result);
        }
        bytes.into()
    }

    /// The next lines that are not blank: as many as have come, or, with an Idempotency-Key, always as many, so that the
    /// parts of a repeated request are the same.
    async fn next_lines(&mut self) -> Vec<Line> {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        while lines.len() < LINES_AT_ONCE && bytes < BYTES_AT_ONCE {
            match self.cut_line() {
                Some((number, line)) if line.is_empty() => drop((number, line)),
                Some((number, line)) => {
                    bytes += line.len();
                    lines.push((number, Ok(line)));
                }
                None if self.has_ended => break,
                None => match self.receive(!lines.is_empty()).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(problem) => {
                        self.has_ended = true;
                        self.rest.clear();
                        self.searched = 0;
                        lines.push((self.line + 1, Err(problem)));
                        break;
                    }
                },
            }
        }
        lines
    }

    /// Takes in more of the body; `false` when lines are waiting and nothing more has come yet.
    async fn receive(&mut self, some_wait: bool) -> Result<bool, Problem> {
        if self.rest.len() > LARGEST_BODY {
            return Err(Problem::new(
                actix_web::http::StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                format!("a line has more than {LARGEST_BODY} bytes"),
            ));
        }
        let chunk = if some_wait && self.attempt.is_none() {
            match self.payload.next().now_or_never() {
                Some(chunk) => chunk,
                None => return Ok(false),
            }
        } else {
            self.payload.next().await
        };
        match chunk {
            Some(Ok(chunk)) => self.rest.extend_from_slice(&chunk),
            Some(Err(error)) => return Err(unreadable_body(error)),
            None => self.has_ended = true,
        }
        Ok(true)
    }

    /// The next line of what has come, without blanks around it; the last one needs no line feed.
    fn cut_line(&mut self) -> Option<(u64, Vec<u8>)> {
        let end = self.rest[self.searched..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map(|end| self.searched + end);
        let line: Vec<u8> = match end {
            Some(end) => self.rest.drain(..=end).collect(),
            None if self.has_ended && !self.rest.is_empty() => std::mem::take(&mut self.rest),
            None => {
                self.searched = self.rest.len();
                return None;
            }
        };
        self.searched = 0;
        self.line += 1;
        let mut line = line.trim_ascii();
        if self.line == 1 {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        Some((self.line, line.to_vec()))
    }
}

fn read(line: &[u8]) -> Result<ResourceFields, Problem> {
    Ok(ResourceFields::from_json(parse_json_line(line)?)?)
}

fn created(line: u64, id: uuid::Uuid) -> Bytes {
    write(&LineResult {
        line,
        status: 201,
        id: Some(id),
        code: None,
        detail: None,
        errors: &[],
    })
}

fn result_of(line: u64, problem: &Problem) -> Bytes {
    let told: usize = problem.errors.iter().map(|error| error.detail.len()).sum();
    let mut end = problem.detail.len().min(LONGEST_DETAIL);
    while !problem.detail.is_char_boundary(end) {
        end -= 1;
    }
    write(&LineResult {
        line,
        status: problem.status,
        id: None,
        code: Some(problem.code),
        detail: Some(&problem.detail[..end]),
        errors: if told <= LONGEST_DETAIL {
            &problem.errors
        } else {
            &[]
        },
    })
}

fn write(result: &LineResult<'_>) -> Bytes {
    let mut line = serde_json::to_vec(result)
        .unwrap_or_else(|error| Error::Internal(error.to_string()).to_string().into_bytes());
    line.push(b'\n');
    line.into()
}
