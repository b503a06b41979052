//! Calls that arrive together are answered together.
//!
//! On PostgreSQL a round trip costs more than the work in it, so concurrent calls of one kind (reads by id, key
//! checks, creates) share a statement. This is no cache: a batch begins after every call in it was made, so each
//! answer is as fresh as one asked for alone. On SQLite, where there is no round trip, each call runs at once, and so
//! does one that belongs to a joined transaction.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::error::DatabaseError;
use super::joined;
use super::observe::{self, Origin};
use crate::error::Error;

type Run<I, O> =
    dyn Fn(Vec<I>) -> Pin<Box<dyn Future<Output = Vec<Result<O, Error>>> + Send>> + Send + Sync;

type Reply<O> = oneshot::Sender<Result<O, Error>>;

/// Calls with the request that their statements are attributed to.
type Batch<I, O> = (Option<Origin>, Vec<Call<I, O>>);

/// How many calls share one batch at most.
const BATCH_LENGTH: usize = 128;

/// Collects concurrent calls into batches, with a bounded number of batches under way at once.
pub struct Batcher<I, O> {
    shared: Arc<Shared<I, O>>,
}

struct Shared<I, O> {
    run: Box<Run<I, O>>,
    waiting: Mutex<Waiting<I, O>>,
    at_once: usize,
    /// How long a call waits for its batch to begin.
    patience: Duration,
    /// Where batches run; `None` when each call runs by itself where it is made.
    runtime: Option<Handle>,
}

struct Call<I, O> {
    input: I,
    reply: Reply<O>,
    made: Instant,
}

struct Waiting<I, O> {
    calls: VecDeque<Call<I, O>>,
    /// The request of the first call that waits: the batch's statements are attributed to it.
    origin: Option<Origin>,
    under_way: usize,
}

impl<I: Send + 'static, O: Send + 'static> Batcher<I, O> {
    /// `run` answers a batch, one result for each input in the same order; `at_once` batches may be under way.
    pub(super) fn new<F, Fut>(
        runtime: Option<Handle>,
        at_once: usize,
        patience: Duration,
        run: F,
    ) -> Self
    where
        F: Fn(Vec<I>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Vec<Result<O, Error>>> + Send + 'static,
    {
        let waiting = Waiting {
            calls: VecDeque::new(),
            origin: None,
            under_way: 0,
        };
        Self {
            shared: Arc::new(Shared {
                run: Box::new(move |inputs| Box::pin(run(inputs))),
                waiting: Mutex::new(waiting),
                at_once,
                patience,
                runtime,
            }),
        }
    }

    /// Answers one call.
    pub async fn call(&self, input: I) -> Result<O, Error> {
        let alone = self.shared.runtime.is_none() || joined::current().is_some();
        let Some(runtime) = self.shared.runtime.as_ref().filter(|_| !alone) else {
            return (self.shared.run)(vec![input])
                .await
                .pop()
                .unwrap_or_else(|| Err(Error::Internal("a batch gave no answer".to_owned())));
        };
        let (reply, answer) = oneshot::channel();
        let start = {
            let mut waiting = self.shared.waiting.lock();
            if waiting.calls.is_empty() {
                waiting.origin = observe::current();
            }
            waiting.calls.push_back(Call {
                input,
                reply,
                made: Instant::now(),
            });
            let start = waiting.under_way < self.shared.at_once;
            waiting.under_way += usize::from(start);
            start
        };
        if start {
            runtime.spawn(Arc::clone(&self.shared).drain());
        }
        answer.await.unwrap_or_else(|_| {
            Err(Error::Internal(
                "a batch ended without an answer".to_owned(),
            ))
        })
    }
}

impl<I: Send + 'static, O: Send + 'static> Shared<I, O> {
    /// A call that has waited too long is told so.
    fn in_time(&self, call: Call<I, O>) -> Option<(I, Reply<O>)> {
        if call.made.elapsed() <= self.patience {
            return Some((call.input, call.reply));
        }
        let late = DatabaseError::Busy("those before took too long".to_owned());
        // The caller may have gone away.
        let _ = call.reply.send(Err(late.into()));
        None
    }

    /// The calls that wait, as many as a batch takes; `None` when nobody waits, and this batch is no longer under way.
    fn next(&self) -> Option<Batch<I, O>> {
        let mut waiting = self.waiting.lock();
        if waiting.calls.is_empty() {
            waiting.under_way -= 1;
            return None;
        }
        let length = waiting.calls.len().min(BATCH_LENGTH);
        let calls = waiting.calls.drain(..length).collect();
        Some((waiting.origin.clone(), calls))
    }

    /// Runs batches until nobody waits. The answers of one are given when the next is on its way: the database need not
    /// wait while those who were answered go on.
    async fn drain(self: Arc<Self>) {
        let mut before = Answers(Vec::new());
        while let Some((origin, calls)) = self.next() {
            let (inputs, replies): (Vec<I>, Vec<_>) = calls
                .into_iter()
                .filter_map(|call| self.in_time(call))
                .unzip();
            if inputs.is_empty() {
                continue;
            }
            let work = (self.run)(inputs);
            let mut work = match origin {
                Some(origin) => Box::pin(observe::attributed(origin, work)),
                None => work,
            };
            let begun = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
            drop(before);
            let results = match begun {
                Poll::Ready(results) => results,
                Poll::Pending => work.await,
            };
            before = Answers(replies.into_iter().zip(results).collect());
        }
    }
}

/// What callers are told when this is dropped, also by a panic.
struct Answers<O>(Vec<(Reply<O>, Result<O, Error>)>);

impl<O> Drop for Answers<O> {
    fn drop(&mut self) {
        for (reply, result) in self.0.drain(..) {
            // The caller may have gone away.
            let _ = reply.send(result);
        }
    }
}
