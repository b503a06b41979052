//! A write in the queue of SQLite's writer.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::error::DatabaseError;
use super::observe::{self, Origin};
use super::transaction::Transaction;
use crate::error::Error;

/// A write in the queue, its type erased.
pub(super) trait QueuedWrite: Send {
    /// Runs the unit and keeps its result; tells whether it succeeded.
    fn run(&mut self, transaction: Transaction) -> bool;

    /// Hands the kept result to the caller.
    fn acknowledge(self: Box<Self>);

    /// Tells the caller that the unit could not be made durable.
    fn fail(self: Box<Self>, error: DatabaseError);

    fn queued_at(&self) -> Instant;

    /// Whether it cannot run again, so that no other write's failure may undo it.
    fn runs_once(&self) -> bool {
        false
    }
}

/// A unit of work with its caller.
pub(super) struct Unit<T, F> {
    pub(super) work: F,
    pub(super) result: Option<Result<T, Error>>,
    pub(super) reply: oneshot::Sender<Result<T, Error>>,
    pub(super) queued_at: Instant,
    pub(super) origin: Option<Origin>,
}

impl<T, F, Fut> QueuedWrite for Unit<T, F>
where
    T: Send,
    F: Fn(Transaction) -> Fut + Send,
    Fut: Future<Output = Result<T, Error>>,
{
    fn run(&mut self, transaction: Transaction) -> bool {
        let result = run_now(self.origin.clone(), || (self.work)(transaction));
        let succeeded = result.is_ok();
        self.result = Some(result);
        succeeded
    }

    fn acknowledge(self: Box<Self>) {
        let unit = *self;
        let result = unit
            .result
            .unwrap_or_else(|| Err(Error::Internal("a write was not run".to_owned())));
        // First, so that what the caller holds too is freed by the caller and not by the writer.
        drop(unit.work);
        // The caller may have gone away; the write stands all the same.
        let _ = unit.reply.send(result);
    }

    fn fail(self: Box<Self>, error: DatabaseError) {
        let _ = self.reply.send(Err(error.into()));
    }

    fn queued_at(&self) -> Instant {
        self.queued_at
    }
}

/// Runs a unit to its end on this thread.
pub(super) fn run_now<T, Fut>(
    origin: Option<Origin>,
    work: impl FnOnce() -> Fut,
) -> Result<T, Error>
where
    Fut: Future<Output = Result<T, Error>>,
{
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        observe::sync_attributed(origin, || work().now_or_never())
    }));
    match outcome {
        Ok(Some(result)) => result,
        Ok(None) => Err(Error::Internal(
            "a write waited for something other than its transaction".to_owned(),
        )),
        Err(_) => Err(Error::Internal("a write panicked".to_owned())),
    }
}
