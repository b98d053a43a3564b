use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What this consumer knows of its fence token. Whoever takes an entry away from a consumer deletes its token at Redis; with the
/// token unchanged, everything that was asked for after it was learned is still owned, and a commit need not look it up.
#[derive(Debug, Default)]
pub(super) struct Fence {
    token: String,
    stale: bool,
    /// Another token is wanted: an earlier request of ours may still be on its way.
    renew: bool,
    /// Counts the tokens learned. A read that was asked for in an earlier epoch may have been delivered, and taken
    /// away again, before the present token was made.
    epoch: Arc<AtomicU64>,
}

impl Fence {
    /// Nothing is known yet.
    pub(super) fn new() -> Self {
        Self {
            stale: true,
            ..Self::default()
        }
    }

    /// The token, empty if none is known.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// For the reader, who notes it before each read.
    pub(super) fn epoch(&self) -> Arc<AtomicU64> {
        self.epoch.clone()
    }

    pub(super) fn present(&self) -> (&str, u64) {
        (&self.token, self.epoch.load(Ordering::Acquire))
    }

    /// Whether what was asked for in this epoch is covered by the present token.
    pub(super) fn covers(&self, epoch: u64) -> bool {
        !self.token.is_empty() && epoch == self.epoch.load(Ordering::Acquire)
    }

    /// The token is no longer good, or something is in hand that it does not cover: look everything up.
    pub(super) fn doubt(&mut self) {
        self.stale = true;
    }

    pub(super) fn is_stale(&self) -> bool {
        self.stale
    }

    /// A reply was lost: what was asked for may be done now, later or never. Only another token tells those apart.
    pub(super) fn renew(&mut self) {
        self.stale = true;
        self.renew = true;
    }

    /// Whether the next look-up shall make another token.
    pub(super) fn wants_another(&self) -> bool {
        self.renew
    }

    /// Takes over a token that came together with a look-up of everything in hand. Says whether it is another one.
    pub(super) fn learn(&mut self, token: String) -> bool {
        self.stale = token.is_empty();
        self.renew = false;
        let other = token != self.token;
        if other {
            self.token = token;
            self.pass();
        }
        other
    }

    /// Something came in hand otherwise than by a read: a read that is under way may bring it a second time.
    pub(super) fn pass(&mut self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }
}
