//! A body that comes too slowly is given up.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::Stream;
use tokio::time::{Sleep, sleep};

/// Bytes a second that a body has to bring at least, beyond what the client is allowed to wait anyway.
const LEAST_RATE: u64 = 16 * 1024;

/// A body whose sender may keep the server waiting for a time, and for longer the more it has sent. The time that the server
/// takes itself is not counted.
pub struct PatientBody {
    body: Payload,
    grace: Duration,
    received: u64,
    waited: Duration,
    waits_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl PatientBody {
    pub fn new(body: Payload, grace: Duration) -> Self {
        Self {
            body,
            grace,
            received: 0,
            waited: Duration::ZERO,
            waits_since: None,
            timer: None,
        }
    }

    fn patience(&self) -> Duration {
        let earned = Duration::from_millis(self.received.saturating_mul(1_000) / LEAST_RATE);
        (self.grace + earned).saturating_sub(self.waited)
    }
}

impl Stream for PatientBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_next(context) {
            Poll::Ready(chunk) => {
                if let Some(since) = this.waits_since.take() {
                    this.waited += since.elapsed();
                    this.timer = None;
                }
                if let Some(Ok(chunk)) = &chunk {
                    this.received += chunk.len() as u64;
                    if this.patience().is_zero() {
                        return Poll::Ready(Some(Err(too_slow())));
                    }
                }
                Poll::Ready(chunk)
            }
            Poll::Pending => {
                let patience = this.patience();
                this.waits_since.get_or_insert_with(Instant::now);
                let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(patience)));
                match timer.as_mut().poll(context) {
                    Poll::Ready(()) => {
                        this.timer = None;
                        Poll::Ready(Some(Err(too_slow())))
                    }
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }
}

fn too_slow() -> PayloadError {
    PayloadError::Io(std::io::ErrorKind::TimedOut.into())
}
