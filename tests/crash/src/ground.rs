//! The servers that a scenario runs on, and the faults that they can have.

use std::time::{Duration, Instant};

use maestro_streams::Endpoint;

use crate::fault::{Dice, Fault};
use crate::place::{Eye, Place};

mod clock;
mod cluster;
mod nodes;
mod single;
mod watched;

pub(crate) use clock::Clock;
pub(crate) use cluster::Cluster;
pub(crate) use single::Single;
pub(crate) use watched::Watched;

/// Redis in one of the ways in which it is run.
pub(crate) trait Ground {
    /// For tables and on the command line.
    const NAME: &'static str;
    /// The faults of this scenario, with weights.
    const FAULTS: &'static [(Fault, u32)];
    /// Whether effects go to other slots, and so through a receiver that tells duplicates.
    const IS_CLUSTER: bool;
    /// Whether a message counts as published only when a replica has it.
    const HAS_REPLICAS: bool;
    /// Whether `FLUSHALL` can be sent to all of it.
    const CAN_FLUSH: bool;

    /// Ways to Redis for workers: one after another takes the next.
    fn ways(&self) -> Vec<Endpoint>;

    /// Where the keys are, past every proxy.
    fn place(&self) -> Place;

    /// Does it, and comes back when Redis can be used again, or when it is to be undone later.
    async fn inflict(&mut self, fault: Fault, dice: Dice, eye: &mut Eye) -> anyhow::Result<After>;

    /// Puts an end to it.
    async fn undo(&mut self, undo: &Undo, eye: &mut Eye) -> anyhow::Result<()>;
}

/// What follows from a fault.
#[derive(Debug, Default)]
pub(crate) struct After {
    /// It could not be done here, and does not count.
    pub(crate) skipped: bool,
    /// What ends it, and when.
    pub(crate) undo: Option<(Duration, Undo)>,
    /// What Redis may have lost by it.
    pub(crate) excuse: Option<Excuse>,
}

impl After {
    pub(crate) fn undo(after: Duration, undo: Undo) -> Self {
        Self {
            undo: Some((after, undo)),
            ..Self::default()
        }
    }

    pub(crate) fn skipped() -> Self {
        Self {
            skipped: true,
            ..Self::default()
        }
    }

    pub(crate) fn excuse(excuse: Excuse) -> Self {
        Self {
            excuse: Some(excuse),
            ..Self::default()
        }
    }
}

/// The end of a fault that lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undo {
    /// This worker goes on.
    Thaw(String),
    /// The proxy passes on again, over the same connections.
    Pass,
    /// The proxy cuts its connections, and passes on those that follow.
    CutAndPass,
    /// No limit of memory.
    NoLimit,
}

/// What Redis promises not to keep: messages of this time may be missing afterwards, and are counted apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Excuse {
    /// Acknowledged after this.
    pub(crate) from: Instant,
    /// Begun before this.
    pub(crate) to: Instant,
    /// Only those of which no replica had said that it has them.
    pub(crate) unless_replicated: bool,
}
