//! Publishes messages of every kind until it is told to stop, each batch again and again until it is acknowledged.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use maestro_streams::{CancellationToken, Endpoint, Outgoing, Publisher};
use tokio::time::{sleep, timeout};

use crate::load::{Job, Kind};
use crate::place::{Eye, Place};

/// So many messages that have no effect yet are enough.
const ENOUGH: u64 = 60_000;
/// How long one attempt to publish may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// One batch in so many is published without waiting for a replica, to show what that may cost.
const UNWAITED: u32 = 10;
/// Times in which so many of the kinds of [`Kind::LOAD`] are published beside the bulk: they would otherwise fill every slot.
const SPECIAL: [(Duration, Kind, u32); 6] = [
    (Duration::from_millis(100), Kind::Slow, 4),
    (Duration::from_millis(250), Kind::Long, 3),
    (Duration::from_millis(100), Kind::Retry, 3),
    (Duration::from_millis(100), Kind::Dead, 3),
    (Duration::from_millis(200), Kind::Panic, 2),
    (Duration::from_millis(1500), Kind::Fatal, 1),
];

/// What a producer is told.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) round: u32,
    /// Fast messages a second.
    pub(crate) rate: u32,
    /// How to publish.
    pub(crate) way: Way,
}

/// How to publish.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    /// As everybody does.
    Publisher(Endpoint),
    /// With `WAIT` for one replica on the same connection, which decides whether the batch counts as published.
    Waiting(Place),
}

/// What was published and acknowledged, and what has come out of it, shared while both goes on.
#[derive(Debug, Default)]
pub(crate) struct Published {
    batches: Mutex<Vec<Batch>>,
    messages: AtomicU64,
    effects: AtomicU64,
}

/// Messages that were acknowledged together.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) jobs: Vec<Job>,
    /// When the first of them may have been there: a batch is acknowledged as a whole, and has parts that wait for a master and parts that
    /// do not.
    pub(crate) begun: Instant,
    pub(crate) acknowledged: Instant,
    /// A replica said that it has them.
    pub(crate) replicated: bool,
}

impl Published {
    pub(crate) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    pub(crate) fn batches(&self) -> Vec<Batch> {
        let batches = self.batches.lock();
        batches.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells how many effects stand in Redis.
    pub(crate) fn set_effects(&self, n: u64) {
        self.effects.store(n, Ordering::Relaxed);
    }

    fn add(&self, batch: Batch) {
        let n = batch.jobs.len() as u64;
        self.messages.fetch_add(n, Ordering::Relaxed);
        let batches = self.batches.lock();
        batches.unwrap_or_else(PoisonError::into_inner).push(batch);
    }

    fn open(&self) -> u64 {
        self.messages()
            .saturating_sub(self.effects.load(Ordering::Relaxed))
    }
}

/// Publishes until `stop` fires, and ends when its last batch is acknowledged.
pub(crate) async fn run(
    order: Order,
    published: Arc<Published>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut hand = Hand::new(&order.way)?;
    let start = Instant::now();
    let (mut next, mut sent) = ([0_u32; Kind::LOAD.len()], 0_u32);
    while !stop.is_cancelled() {
        // Ten batches a second and more: small enough to be answered soon, large enough to be cheap.
        let size = (order.rate / 20).clamp(1, 500);
        let due = f64::from(order.rate) * start.elapsed().as_secs_f64();
        if published.open() > ENOUGH || f64::from(next[0]) + f64::from(size) > due {
            sleep(Duration::from_millis(5)).await;
            continue;
        }
        let mut jobs = Vec::new();
        let mut add = |kind: Kind, n: u32| {
            let Some(place) = kind.place() else { return };
            for _ in 0..n {
                jobs.push(Job {
                    round: order.round,
                    kind,
                    n: next[place],
                });
                next[place] += 1;
            }
        };
        add(Kind::Fast, size);
        for (number, (every, kind, n)) in SPECIAL.into_iter().enumerate() {
            let times = start.elapsed().as_millis() / every.as_millis();
            let times = u32::try_from(times).unwrap_or(u32::MAX);
            let times = times.saturating_sub(hand.special[number]);
            // After a long fault they do not come all at once.
            add(kind, n * times.min(3));
            hand.special[number] += times;
        }
        sent += 1;
        let begun = Instant::now();
        let replicated = hand.insist(&jobs, sent.is_multiple_of(UNWAITED)).await;
        published.add(Batch {
            jobs,
            begun,
            acknowledged: Instant::now(),
            replicated,
        });
    }
    Ok(())
}

/// What publishes.
struct Hand {
    way: Means,
    special: [u32; SPECIAL.len()],
}

enum Means {
    Publisher(Publisher),
    Waiting(Eye),
}

impl Hand {
    fn new(way: &Way) -> anyhow::Result<Self> {
        Ok(Self {
            way: match way {
                Way::Publisher(endpoint) => Means::Publisher(Publisher::new(endpoint, "")?),
                Way::Waiting(place) => Means::Waiting(Eye::new(place.clone())),
            },
            special: [0; SPECIAL.len()],
        })
    }

    /// Publishes these, as often as it takes. Says whether a replica has them.
    async fn insist(&mut self, jobs: &[Job], unwaited: bool) -> bool {
        loop {
            let published = timeout(PATIENCE, self.publish(jobs, unwaited)).await;
            match published {
                Ok(Ok(replicated)) if replicated || unwaited => return replicated,
                Ok(Ok(_)) if matches!(self.way, Means::Publisher(_)) => return false,
                _ => sleep(Duration::from_millis(20)).await,
            }
        }
    }

    async fn publish(&mut self, jobs: &[Job], unwaited: bool) -> anyhow::Result<bool> {
        match &mut self.way {
            Means::Publisher(publisher) => {
                let messages: Vec<_> = jobs.iter().map(message).collect();
                publisher.publish(&messages).await?;
                Ok(false)
            }
            Means::Waiting(eye) => {
                let mut replicated = true;
                for kind in Kind::LOAD {
                    let own = jobs.iter().filter(|job| job.kind == kind);
                    let mut pipeline = redis::pipe();
                    let mut any = false;
                    for job in own {
                        let id = job.to_string();
                        any = true;
                        pipeline.cmd("XADD").arg(kind.stream()).arg("*");
                        pipeline.arg("id").arg(&id).arg("of").arg(&id).ignore();
                    }
                    if !any {
                        continue;
                    }
                    if unwaited {
                        let () = eye.send(kind.stream(), &pipeline).await?;
                        replicated = false;
                    } else {
                        pipeline.cmd("WAIT").arg(1).arg(1000);
                        let (replicas,): (u64,) = eye.send(kind.stream(), &pipeline).await?;
                        replicated &= replicas > 0;
                    }
                }
                Ok(replicated)
            }
        }
    }
}

/// What is published for it.
pub(crate) fn message(job: &Job) -> Outgoing {
    let id = job.to_string();
    Outgoing::new(job.kind.stream())
        .field("id", id.clone())
        .field("of", id)
}
