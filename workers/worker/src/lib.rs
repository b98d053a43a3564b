//! What every worker is: a function from a typed message to an outcome, and its adapter to a stream.
//!
//! A [`Worker`] handles the messages of one stream. It holds no connection: it is given a
//! [`Decoded`](maestro_protocol::Decoded) message and a [`Context`], and returns an [`Outcome`]; what readers must hear earlier it says
//! through the context. [`Typed`] makes of it
//! a handler that the stream runtime can run.

mod clock;
mod context;
mod meters;
mod outcome;
mod reply;
mod span;
mod typed;
mod unwind;
mod voice;

pub use clock::{Clock, SystemClock};
pub use context::Context;
pub use outcome::Outcome;
pub use reply::Reply;
pub use span::{Span, Spans};
pub use typed::Typed;
pub use voice::Unsaid;

use std::future::Future;

use maestro_protocol::{Decoded, Inbound};

/// One kind of worker.
///
/// Its stream is that of its messages, its consumer group has its name.
pub trait Worker: Send + Sync + 'static {
    /// What it handles.
    type Message: Inbound;

    /// Its name: the consumer group, and the last part of the `source` of what it says.
    const NAME: &'static str;

    /// Handles one message.
    ///
    /// The envelope always has an `id`: the stream entry's where the producer gave none. A worker that is asked to
    /// stop, or has lost its lease, has its context cancelled; what it returns after that is not
    /// committed. Handling the same message again must come to the same replies in the same order, for
    /// their ids are derived from their place.
    fn handle(
        &self,
        message: Decoded<Self::Message>,
        context: Context,
    ) -> impl Future<Output = Outcome> + Send;
}
