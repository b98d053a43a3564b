//! How outcomes become one call of the commit script (`script/commit.lua` has the format).

use std::fmt::Write as _;

use bytes::Bytes;
use redis::Cmd;

use super::batch::Committer;
use super::work::{Finished, Mark, Resolution, Work};
use crate::admin::millis;
use crate::clock::rfc3339;
use crate::script::COMMIT;
use crate::{DeadLetter, Keys, Outgoing};

/// Lua passes at most about 8000 values to a function (`LUAI_MAXCSTACK`).
const MOST_ARGUMENTS: usize = 7_500;

/// The keys that come before the streams to append to.
const OWN_KEYS: usize = 8;

/// What the messages of a batch have in common is sent once: where they go, and the names of their fields.
#[derive(Default)]
struct Shapes<'a> {
    streams: Vec<(&'a str, bool)>,
    /// Index of the stream, and a message to take the names from.
    shapes: Vec<(usize, &'a [(Bytes, Bytes)])>,
}

impl<'a> Shapes<'a> {
    fn of(&mut self, message: &'a Outgoing) -> usize {
        let known = self.shapes.iter().position(|(stream, fields)| {
            self.streams[*stream] == (message.stream.as_str(), message.urgent)
                && fields.len() == message.fields.len()
                && fields
                    .iter()
                    .zip(&message.fields)
                    .all(|((a, _), (b, _))| a == b)
        });
        known.unwrap_or_else(|| {
            let stream = self
                .streams
                .iter()
                .position(|known| *known == (message.stream.as_str(), message.urgent))
                .unwrap_or_else(|| {
                    self.streams.push((&message.stream, message.urgent));
                    self.streams.len() - 1
                });
            self.shapes.push((stream, &message.fields));
            self.shapes.len() - 1
        })
    }
}

/// Something to append that cannot go through the script: a key, and the message.
pub(super) type Before = (String, Outgoing);

impl Committer<'_> {
    /// The call, and what must be appended before it: messages for other slots of a cluster, and dead letters of thousands of fields.
    pub(super) fn call(&self, items: &[Finished], token: &str, exact: bool) -> (Cmd, Vec<Before>) {
        let mut before = Vec::new();
        let mut shapes = Shapes::default();
        // Of each message, in the order in which the records name them.
        let mut numbers = Vec::with_capacity(items.len());
        for item in items {
            for message in messages(&item.resolution) {
                if self.is_elsewhere(message) {
                    before.push((self.key(&message.stream, message.urgent), message.clone()));
                } else {
                    numbers.push(shapes.of(message) + 1);
                }
            }
        }
        let (seen, delayed, dead) = (self.keys.seen(), self.keys.delayed(), self.keys.dead());
        let group = &self.config.group;
        let (fence, order) = (self.keys.fence(), self.keys.order(group));
        let (turn, parked) = (self.keys.turn(group), self.keys.parked(group));
        let streams = shapes.streams.iter();
        let streams: Vec<String> = streams
            .map(|(name, urgent)| self.key(name, *urgent))
            .collect();
        let mut keys = vec![self.keys.stream(), &seen, &delayed, &dead, &fence];
        keys.extend([order.as_str(), &turn, &parked]);
        keys.extend(streams.iter().map(String::as_str));
        let mut call = COMMIT.call(&keys);
        call.arg(&self.config.group)
            .arg(self.consumer)
            .arg(items.len())
            .arg(millis(self.config.dedup_window))
            .arg(self.config.concurrency * 2 + 1000)
            .arg(token)
            .arg(flag(exact))
            .arg(flag(items.iter().all(|item| mark(item).is_some())))
            .arg(shapes.shapes.len());
        for (stream, fields) in &shapes.shapes {
            // KEYS counts from 1.
            call.arg(stream + OWN_KEYS + 1).arg(fields.len());
            for (name, _) in *fields {
                call.arg(name.as_ref());
            }
        }
        let mut id = String::new();
        for item in items {
            id.clear();
            // A String takes whatever is written.
            let _ = write!(id, "{}", item.work.id);
            call.arg(&id);
        }
        for item in items {
            match mark(item) {
                Some(mark) => call.arg(&mark.0[..]),
                None => call.arg(""),
            };
        }
        call.arg(
            items
                .iter()
                .filter(|item| item.work.order.is_some())
                .count(),
        );
        for (at, Finished { work, .. }) in items.iter().enumerate() {
            if let Some(key) = &work.order {
                // Lua counts from 1.
                call.arg(at + 1).arg(key.as_ref());
                call.arg(work.entry.id.to_string());
                call.arg(flag(work.had_its_turn));
            }
        }
        let mut numbers = numbers.into_iter();
        for item in items {
            self.record(item, &mut numbers, &mut call, &mut before);
        }
        (call, before)
    }

    fn record(
        &self,
        item: &Finished,
        numbers: &mut impl Iterator<Item = usize>,
        call: &mut Cmd,
        before: &mut Vec<Before>,
    ) {
        let Finished {
            work, resolution, ..
        } = item;
        let mut counted = false;
        match resolution {
            Resolution::Done(_) => {}
            Resolution::Retry(wait) => {
                call.arg("r").arg(millis(*wait));
                return fields(call, work.waiting(work.deliveries));
            }
            Resolution::Return(wait) => {
                call.arg("r").arg(millis(*wait));
                return fields(call, work.waiting(work.deliveries - 1));
            }
            Resolution::NotBefore(due) => {
                call.arg("l").arg(*due);
                return fields(call, work.waiting(work.deliveries - 1));
            }
            Resolution::Dead(letter) => {
                let letter = self.dead_letter(work, letter);
                if letter.len() * 2 > MOST_ARGUMENTS {
                    before.push((self.keys.dead(), whole(letter)));
                    call.arg("n");
                } else {
                    call.arg("d");
                    fields(call, letter);
                }
                counted = true;
            }
            Resolution::Duplicate => {
                call.arg("x");
                return;
            }
        }
        let here = messages(resolution).filter(|message| !self.is_elsewhere(message));
        let count = here.clone().count();
        if counted {
            call.arg(count);
        } else if count != 1 {
            call.arg("n").arg(count);
        }
        for (message, number) in here.zip(numbers) {
            call.arg(number);
            for (_, value) in &message.fields {
                call.arg(value.as_ref());
            }
        }
    }

    fn key(&self, stream: &str, urgent: bool) -> String {
        // The name was looked at when the outcome came in.
        match Keys::new(&self.config.prefix, stream) {
            Ok(keys) if urgent => keys.urgent().stream().to_owned(),
            _ => format!("{}{stream}", self.config.prefix),
        }
    }

    /// Whether a message goes to another slot of a cluster.
    fn is_elsewhere(&self, message: &Outgoing) -> bool {
        self.is_cluster && *message.stream != **self.keys.name()
    }

    fn dead_letter(&self, work: &Work, letter: &DeadLetter) -> Vec<(Bytes, Bytes)> {
        let text = |name: &'static str, value: &str| {
            (
                Bytes::from_static(name.as_bytes()),
                Bytes::from(value.to_owned()),
            )
        };
        let fields = work.entry.fields.iter();
        let mut fields: Vec<_> = fields.map(|(n, v)| (n.clone(), v.clone())).collect();
        fields.extend([
            text("deadreason", &letter.reason),
            text("deaddetail", &letter.detail),
            text("deadstream", self.keys.name()),
            text("deadid", &work.entry.id.to_string()),
            text("deadgroup", &self.config.group),
            text("deadconsumer", self.consumer),
            text("deaddeliveries", &work.deliveries.to_string()),
            text("deadtime", &rfc3339(self.now_ms)),
        ]);
        if let Some(mark) = work.mark {
            // What a replay has to forget.
            fields.push(text("deadmark", &mark.hex()));
        }
        fields
    }
}

fn flag(yes: bool) -> &'static str {
    if yes { "1" } else { "0" }
}

/// The deduplication mark that an outcome leaves.
fn mark(item: &Finished) -> Option<&Mark> {
    match item.resolution {
        Resolution::Done(_) | Resolution::Dead(_) => item.work.mark.as_ref(),
        Resolution::Retry(_)
        | Resolution::Return(_)
        | Resolution::NotBefore(_)
        | Resolution::Duplicate => None,
    }
}

/// What an outcome publishes.
fn messages(resolution: &Resolution) -> impl Iterator<Item = &Outgoing> + Clone {
    let messages: &[Outgoing] = match resolution {
        Resolution::Done(messages) => messages,
        Resolution::Dead(letter) => &letter.also,
        Resolution::Retry(_)
        | Resolution::Return(_)
        | Resolution::NotBefore(_)
        | Resolution::Duplicate => &[],
    };
    messages.iter()
}

/// How many arguments follow, and the arguments.
fn fields(call: &mut Cmd, fields: impl IntoIterator<Item = (Bytes, Bytes)>) {
    let fields: Vec<_> = fields.into_iter().collect();
    call.arg(fields.len() * 2);
    for (name, value) in fields {
        call.arg(name.as_ref()).arg(value.as_ref());
    }
}

fn whole(fields: Vec<(Bytes, Bytes)>) -> Outgoing {
    Outgoing {
        stream: String::new(),
        fields,
        urgent: false,
    }
}
