//! Asks Redis: a sample at each interval, and what a key wants in between.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use maestro_protocol::Stream;
use maestro_streams::{Admin, DeadEntry, Flow, GroupStatus, StreamStatus};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::MissedTickBehavior;

use super::flow::{Follower, row};
use super::press::Request;
use super::running::{Running, since};
use super::sample::{Detail, Letter, Sample, StreamLine, flow_of};
use super::state::{Act, Answer, List};
use crate::command::status::alive;
use crate::fault::Fault;
use crate::fleet::connection;
use crate::output::Tone;

/// How many dead letters of each stream are listed, the oldest first.
const LETTERS: usize = 50;
/// How many messages of a stream are shown.
const NEWEST: usize = 100;

#[derive(Debug)]
pub(super) struct Sampler {
    admin: Admin,
    began: Instant,
    running: Running,
    follower: Option<Follower>,
}

impl Sampler {
    pub(super) fn new(admin: Admin) -> Self {
        Self {
            admin,
            began: Instant::now(),
            running: Running::new(),
            follower: None,
        }
    }

    /// Looks at everything once.
    pub(super) async fn sample(&mut self) -> Result<Sample, Fault> {
        let fault = |error| connection::fault(&error);
        let (admin, names) = (&self.admin, Stream::ALL.map(Stream::name));
        let (some, others) = names.split_at(names.len() / 2);
        // Side by side, for a Redis that is far away; there are two connections.
        let asked = Box::pin(async {
            tokio::try_join!(
                admin.status(some),
                admin.status(others),
                admin.flow(&names),
                admin.replicas(&names),
            )
        });
        let (mut status, more, flow, replicas) = asked.await.map_err(fault)?;
        status.extend(more);
        let clock = self.began.elapsed();
        let mut dead = Vec::new();
        for (stream, status) in Stream::ALL.into_iter().zip(&status) {
            if status.dead_letters > 0 {
                let letters = self.admin.dead_letters(stream.name(), None, LETTERS).await;
                let letters = letters.map_err(fault)?;
                dead.extend(letters.iter().map(|one| letter(stream, one)));
            }
        }
        let lines = Stream::ALL.iter().zip(status.iter().zip(&flow));
        Ok(Sample {
            taken: Timestamp::now(),
            clock,
            streams: lines
                .map(|(stream, (status, flow))| line(*stream, status, flow))
                .collect(),
            work: self.running.look(&self.admin, &replicas).await?,
            replicas,
            dead,
        })
    }

    /// Until nobody wants an answer any more.
    pub(super) async fn run(
        mut self,
        interval: Duration,
        mut requests: UnboundedReceiver<Request>,
        answers: UnboundedSender<Answer>,
    ) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let request = tokio::select! {
                _ = ticks.tick() => None,
                request = requests.recv() => match request {
                    Some(request) => Some(request),
                    None => return,
                },
            };
            let is_act = matches!(request, Some(Request::Act(..)));
            let answer = match request {
                None => None,
                Some(request) => self
                    .answer(request)
                    .await
                    .unwrap_or_else(|fault| Some(Answer::Told(Tone::Bad, fault.to_string()))),
            };
            let mut all: Vec<Answer> = answer.into_iter().collect();
            // After a change the next picture shows it.
            if all.is_empty() || is_act {
                all.extend(self.tick().await);
            }
            for answer in all {
                if answers.send(answer).is_err() {
                    return;
                }
            }
        }
    }

    async fn tick(&mut self) -> Vec<Answer> {
        let sample = match self.sample().await {
            Ok(sample) => sample,
            Err(fault) => return vec![Answer::Trouble(fault.to_string())],
        };
        let mut all = vec![Answer::Sample(sample)];
        if let Some(follower) = &mut self.follower
            && let Ok(list) = follower.look(&self.admin).await
        {
            all.push(Answer::List(list));
        }
        all
    }

    async fn answer(&mut self, request: Request) -> Result<Option<Answer>, Fault> {
        let fault = |error| connection::fault(&error);
        Ok(Some(match request {
            Request::Newest(stream) => Answer::List(self.newest(&stream).await?),
            Request::Letter(stream, id) => {
                let dead = self.admin.dead_letter(stream.name(), id).await;
                let title = format!("dead letter {id} of {stream}");
                let detail = Detail::of_message(title, &dead.map_err(fault)?.entry.fields);
                Answer::Detail(Detail {
                    letter: Some((stream, id)),
                    ..detail
                })
            }
            Request::Act(Act::Replay, stream, id) => {
                let entry = self.admin.replay(stream.name(), id).await.map_err(fault)?;
                Answer::Told(Tone::Good, format!("{id} replayed to {stream} as {entry}"))
            }
            Request::Act(Act::Drop, stream, id) => {
                let dropped = self.admin.drop_dead_letter(stream.name(), id).await;
                dropped.map_err(fault)?;
                Answer::Told(Tone::Good, format!("{id} dropped from {stream}"))
            }
            Request::Follow(id) => {
                let follower = self.follower.insert(Follower::new(id));
                Answer::List(follower.look(&self.admin).await?)
            }
            Request::Unfollow => {
                self.follower = None;
                return Ok(None);
            }
        }))
    }

    /// The newest messages of both lanes of a stream.
    async fn newest(&self, name: &str) -> Result<List, Fault> {
        let stream: Stream = name
            .parse()
            .map_err(|error| Fault::usage(format!("{error}")))?;
        let mut entries = Vec::new();
        for urgent in [false, true] {
            let page = self.admin.newest(name, urgent, None, NEWEST).await;
            entries.extend(page.map_err(|error| connection::fault(&error))?);
        }
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.id));
        entries.truncate(NEWEST);
        Ok(List {
            title: format!("{name}: the newest messages"),
            rows: entries
                .into_iter()
                .map(|entry| row(stream, entry))
                .collect(),
            ..List::default()
        })
    }
}

fn letter(stream: Stream, dead: &DeadEntry) -> Letter {
    let message = dead.entry.fields.get_str("id").unwrap_or_default();
    Letter {
        stream,
        id: dead.id,
        reason: dead.reason().to_owned(),
        age: since(dead.id),
        why: match message {
            "" => dead.detail().to_owned(),
            id => format!("{id}: {}", dead.detail()),
        },
        flow: flow_of(&dead.entry.fields),
    }
}

/// Both lanes of a stream in one line, as the worker of ours has them; groups of others do not count.
fn line(stream: Stream, status: &StreamStatus, flow: &Flow) -> StreamLine {
    let lanes = [
        Some((&status.groups, status.delayed)),
        status
            .urgent
            .as_ref()
            .map(|lane| (&lane.groups, lane.delayed)),
    ];
    let lanes: Vec<_> = lanes.into_iter().flatten().collect();
    let is_ours = |group: &&GroupStatus| Some(group.group.as_str()) == stream.group();
    let groups: Vec<_> = lanes
        .iter()
        .flat_map(|(groups, _)| groups.iter().filter(is_ours))
        .collect();
    let ours = flow
        .groups
        .iter()
        .find(|group| Some(group.group.as_str()) == stream.group());
    StreamLine {
        name: status.stream.clone(),
        is_read: stream.group().is_some(),
        // Without a group, nothing was delivered yet.
        lag: match groups.as_slice() {
            [] => Some(status.length),
            groups => groups.iter().map(|group| group.lag).sum(),
        },
        pending: groups.iter().map(|group| group.pending).sum(),
        waiting: lanes.iter().map(|(_, delayed)| delayed).sum::<u64>()
            + groups.iter().map(|group| group.parked).sum::<u64>(),
        dead: status.dead_letters,
        added: flow.added,
        done: ours.and_then(|group| group.done),
        oldest: match ours {
            Some(group) => group.oldest,
            None if stream.group().is_some() => status.oldest_entry_age,
            None => None,
        },
        alive: groups.iter().map(|group| alive(group)).max().unwrap_or(0),
    }
}
