use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use redis::RedisResult;

use super::batch::{Batch, Committed};

/// A batch, and what Redis said.
type Answered = (Batch, RedisResult<Committed>);

/// Commits that were sent and are not answered. None relies on another: each is fenced and looks for marks by itself.
#[derive(Default)]
pub(super) struct Flights(VecDeque<Pin<Box<dyn Future<Output = Answered> + Send>>>);

impl Flights {
    pub(super) fn push(&mut self, commit: impl Future<Output = Answered> + Send + 'static) {
        self.0.push_back(Box::pin(commit));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits for the next answer, or for ever if none is to come. Nothing is lost if the waiting is given up.
    pub(super) async fn next(&mut self) -> Answered {
        poll_fn(|context| {
            for at in 0..self.0.len() {
                // All are polled: a commit is sent by its first poll.
                if let Poll::Ready(answered) = self.0[at].as_mut().poll(context) {
                    drop(self.0.remove(at));
                    return Poll::Ready(answered);
                }
            }
            Poll::Pending
        })
        .await
    }
}
