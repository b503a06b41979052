//! Connections that do not wait for ever: neither for a head, nor for somebody to take a reply.
//!
//! The framework limits the first head of a connection alone. Here every head is: between two requests, what has begun to
//! come has to be a whole head in time. The body of a request that is under way is the business of `patience.rs`.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep_until};

use crate::refusal::{self, UrlLength};

/// How long a connection stays when nothing is asked on it.
pub const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How many times as long as for a head the server waits for somebody to go on reading a reply.
const READERS_PATIENCE: u32 = 3;

/// What a connection and its requests tell each other.
#[derive(Default)]
pub struct Progress {
    requests: Cell<usize>,
    /// Whether something came since the last head.
    came: Cell<bool>,
    /// By when the next head has to be whole, once there is any of it.
    deadline: Cell<Option<Instant>>,
    url: Cell<UrlLength>,
}

impl Progress {
    /// Called when a head is whole; the request goes on until what this gives is dropped.
    pub fn begin(request: &HttpRequest) -> Option<UnderWay> {
        let progress = Rc::clone(request.conn_data::<Rc<Self>>()?);
        progress.requests.set(progress.requests.get() + 1);
        progress.came.set(false);
        progress.deadline.set(None);
        progress.url.take();
        Some(UnderWay(progress))
    }

    /// Notes that something came; whether the sender has had time enough.
    fn receive(&self, bytes: &[u8], patience: Duration) -> io::Result<()> {
        if self.requests.get() > 0 {
            self.came.set(true);
            return Ok(());
        }
        let mut url = self.url.get();
        url.receive(bytes);
        self.url.set(url);
        let now = Instant::now();
        match self.deadline.get() {
            Some(deadline) if deadline <= now => Err(io::ErrorKind::TimedOut.into()),
            before => {
                let deadline = now + patience;
                self.deadline
                    .set(Some(before.map_or(deadline, |before| before.min(deadline))));
                Ok(())
            }
        }
    }
}

/// A request that is under way.
pub struct UnderWay(Rc<Progress>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let progress = &self.0;
        progress
            .requests
            .set(progress.requests.get().saturating_sub(1));
        if progress.requests.get() == 0 && progress.came.get() {
            // Its own body, or the beginning of the next head: nobody can tell from here.
            progress.deadline.set(Some(Instant::now() + KEEP_ALIVE));
        }
    }
}

pin_project_lite::pin_project! {
    /// A body that keeps its request under way until it is sent.
    pub struct Accompanied<B> {
        #[pin]
        body: B,
        request: Option<UnderWay>,
    }
}

impl<B> Accompanied<B> {
    pub fn new(body: B, request: Option<UnderWay>) -> Self {
        Self { body, request }
    }
}

impl<B: MessageBody> MessageBody for Accompanied<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, B::Error>>> {
        self.project().body.poll_next(context)
    }
}

/// A connection with patience.
pub struct Connection {
    stream: TcpStream,
    progress: Rc<Progress>,
    patience: Duration,
    reading: Timer,
    writing: Timer,
    stalled_since: Option<Instant>,
    /// What is sent in place of an empty refusal.
    instead: Vec<u8>,
}

impl Connection {
    pub fn new(stream: TcpStream, patience: Duration) -> Self {
        // Results of a batch go out as they come.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            progress: Rc::default(),
            patience,
            reading: Timer::default(),
            writing: Timer::default(),
            stalled_since: None,
            instead: Vec::new(),
        }
    }

    pub fn progress(&self) -> Rc<Progress> {
        Rc::clone(&self.progress)
    }

    fn write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Ready(written) => {
                self.stalled_since = None;
                Poll::Ready(written)
            }
            Poll::Pending => {
                let since = *self.stalled_since.get_or_insert_with(Instant::now);
                let deadline = since + self.patience * READERS_PATIENCE;
                ready!(self.writing.wait(context, deadline));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }

    fn write_instead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.instead.is_empty() {
            let bytes = std::mem::take(&mut self.instead);
            let written = self.write(context, &bytes);
            self.instead = bytes;
            let written = ready!(written)?;
            self.instead.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        if let Poll::Ready(result) = Pin::new(&mut this.stream).poll_read(context, buffer) {
            let came = &buffer.filled()[before..];
            if result.is_ok() && !came.is_empty() {
                this.progress.receive(came, this.patience)?;
            }
            return Poll::Ready(result);
        }
        let waits = this.progress.requests.get() == 0;
        match this.progress.deadline.get().filter(|_| waits) {
            None => Poll::Pending,
            Some(deadline) => {
                ready!(this.reading.wait(context, deadline));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.write_instead(context))?;
        if self.progress.requests.get() == 0
            && let Some(instead) = refusal::in_place_of(bytes, self.progress.url.get())
        {
            self.instead = instead;
            // The rest goes out when it is flushed.
            let _ = self.write_instead(context)?;
            return Poll::Ready(Ok(bytes.len()));
        }
        self.write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_instead(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_instead(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A timer that is set only when it is waited for.
#[derive(Default)]
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    fn wait(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let deadline = tokio::time::Instant::from_std(deadline);
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        let ended = sleep.as_mut().poll(context);
        if ended.is_ready() {
            self.sleep = None;
        }
        ended
    }
}
