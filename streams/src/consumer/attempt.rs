use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::Outcome;

/// One run of a handler: times it, and turns a panic into an error instead of an unwound worker.
pub(super) struct Attempt {
    handling: Pin<Box<dyn Future<Output = Outcome> + Send>>,
    started: Option<Instant>,
}

/// What came of it: the outcome or what the panic said, and how long it took.
pub(super) type Ended = (Result<Outcome, String>, Duration);

impl Attempt {
    pub(super) fn new(handling: impl Future<Output = Outcome> + Send + 'static) -> Self {
        Self {
            handling: Box::pin(handling),
            started: None,
        }
    }
}

impl Future for Attempt {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let started = *self.started.get_or_insert_with(Instant::now);
        // A future that panicked is never polled again, so nobody sees what it left behind.
        match catch_unwind(AssertUnwindSafe(|| self.handling.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(outcome)) => Poll::Ready((Ok(outcome), started.elapsed())),
            Err(panic) => Poll::Ready((Err(said(panic.as_ref())), started.elapsed())),
        }
    }
}

/// What a panic said.
pub(super) fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("something that is no text").to_owned()
}
