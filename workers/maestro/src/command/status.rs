//! `maestro status`: how much waits where.

use clap::Args;
use maestro_protocol::Stream;
use maestro_streams::{ConsumerStatus, GroupStatus, StreamStatus};
use serde_json::{Value, json};
use std::time::Duration;

use super::OutputFlag;
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::fleet::connection;
use crate::fleet::roster::SILENT;
use crate::output::{Table, Tone, duration, harmless};
use crate::session::Session;

/// Shows every stream: what waits, what is in hand, who works on it, what could not be handled
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro status
  maestro status --consumers
  maestro status --output json | jq '.streams[] | select(.dead_letters > 0)'

lag       not yet given to a worker          pending   in the hands of one
delayed   waits for its next try or time     dead      set aside; see `maestro dead list`
parked    waits for its turn, behind a message with the same partitionkey

A stream whose urgent lane was used has rows of its own for that, `urgent`.")]
pub(crate) struct Status {
    /// Also each consumer
    #[arg(long)]
    consumers: bool,
    #[command(flatten)]
    output: OutputFlag,
}

impl Status {
    pub(crate) async fn run(self, session: Session) -> Outcome {
        let streams = connection::admin(&session)?
            .status(&Stream::ALL.map(Stream::name))
            .await
            .map_err(|error| connection::fault(&error))?;
        let output = session.output;
        if self.output.is_json() {
            let all: Vec<_> = streams.iter().map(as_json).collect();
            output.json(&json!({
                "redis": connection::endpoint(&session)?.to_string(),
                "prefix": session.settings.prefix.value,
                "streams": all,
            }))?;
            return Ok(Exit::Success);
        }
        print(&session, &table(&streams))?;
        if self.consumers {
            output.line("")?;
            print(&session, &consumers(&streams))?;
        }
        for (stream, group) in unread(&streams) {
            output.line(output.paint(
                Tone::Warn,
                &format!("{stream}: messages wait, and no worker of the group {group} is alive"),
            ))?;
        }
        Ok(Exit::Success)
    }
}

pub(super) fn print(session: &Session, table: &Table) -> Result<(), Fault> {
    for (number, line) in table.lines().into_iter().enumerate() {
        let tone = if number == 0 {
            Tone::Faint
        } else {
            Tone::Plain
        };
        session.output.line(session.output.paint(tone, &line))?;
    }
    Ok(())
}

fn table(streams: &[StreamStatus]) -> Table {
    let mut table = Table::new(&[
        "stream", "length", "group", "lag", "pending", "parked", "oldest", "alive", "delayed",
        "dead",
    ]);
    for stream in streams {
        let usual = Lane {
            name: stream.stream.clone(),
            length: stream.length,
            delayed: stream.delayed,
            dead: stream.dead_letters.to_string(),
            groups: &stream.groups,
        };
        usual.rows(&mut table);
        if let Some(lane) = &stream.urgent {
            let urgent = Lane {
                name: "  urgent".to_owned(),
                length: lane.length,
                delayed: lane.delayed,
                // Both lanes set aside into one stream.
                dead: "-".to_owned(),
                groups: &lane.groups,
            };
            urgent.rows(&mut table);
        }
    }
    table
}

/// One lane of a stream, as the table shows it.
struct Lane<'a> {
    name: String,
    length: u64,
    delayed: u64,
    dead: String,
    groups: &'a [GroupStatus],
}

impl Lane<'_> {
    /// A row for each group, or one without.
    fn rows(&self, table: &mut Table) {
        if self.groups.is_empty() {
            table.row(self.row(None));
        }
        for group in self.groups {
            table.row(self.row(Some(group)));
        }
    }

    fn row(&self, group: Option<&GroupStatus>) -> Vec<String> {
        let of_group =
            |show: &dyn Fn(&GroupStatus) -> String| group.map_or_else(|| "-".to_owned(), show);
        vec![
            self.name.clone(),
            self.length.to_string(),
            of_group(&|group| harmless(&group.group).into_owned()),
            of_group(&|group| {
                group
                    .lag
                    .map_or_else(|| ">10000".to_owned(), |lag| lag.to_string())
            }),
            of_group(&|group| group.pending.to_string()),
            of_group(&|group| group.parked.to_string()),
            of_group(&|group| {
                group
                    .oldest_pending_idle
                    .map_or_else(|| "-".to_owned(), duration)
            }),
            of_group(&|group| alive(group).to_string()),
            self.delayed.to_string(),
            self.dead.clone(),
        ]
    }
}

fn consumers(streams: &[StreamStatus]) -> Table {
    let mut table = Table::new(&[
        "group",
        "lane",
        "consumer",
        "pending",
        "idle",
        "heartbeat",
        "host, process, version",
    ]);
    let groups = streams.iter().flat_map(|stream| {
        let usual = stream.groups.iter().map(|group| ("usual", group));
        let urgent = stream.urgent.iter().flat_map(|lane| &lane.groups);
        usual.chain(urgent.map(|group| ("urgent", group)))
    });
    for (lane, group) in groups {
        for consumer in &group.consumers {
            table.row(vec![
                harmless(&group.group).into_owned(),
                lane.to_owned(),
                harmless(&consumer.name).into_owned(),
                consumer.pending.to_string(),
                duration(consumer.idle),
                consumer.heartbeat.map_or_else(|| "-".to_owned(), duration),
                harmless(&consumer.about).into_owned(),
            ]);
        }
    }
    table
}

/// Consumers whose last sign of life is younger than half a minute; they give one every five seconds.
pub(super) fn alive(group: &GroupStatus) -> usize {
    let is_alive =
        |consumer: &&ConsumerStatus| consumer.heartbeat.is_some_and(|beat| beat < SILENT);
    group.consumers.iter().filter(is_alive).count()
}

/// Where messages wait without a living worker, and whose they are.
fn unread(streams: &[StreamStatus]) -> Vec<(String, String)> {
    streams
        .iter()
        .flat_map(|stream| {
            let usual = unread_lane(stream, &stream.stream, stream.length, &stream.groups);
            let urgent = stream.urgent.as_ref().map(|lane| {
                let name = format!("{}, urgent lane", stream.stream);
                unread_lane(stream, &name, lane.length, &lane.groups)
            });
            usual.into_iter().chain(urgent.unwrap_or_default())
        })
        .collect()
}

fn unread_lane(
    stream: &StreamStatus,
    name: &str,
    length: u64,
    groups: &[GroupStatus],
) -> Vec<(String, String)> {
    let waiting = groups
        .iter()
        .filter(|group| alive(group) == 0 && group.backlog() != Some(0));
    let waiting = waiting.map(|group| group.group.clone());
    let no_group = (groups.is_empty() && length > 0)
        .then(|| stream.stream.parse::<Stream>().ok()?.group())
        .flatten();
    waiting
        .chain(no_group.map(str::to_owned))
        .map(|group| (name.to_owned(), group))
        .collect()
}

fn as_json(stream: &StreamStatus) -> Value {
    let mut shown = json!({
        "stream": stream.stream,
        "length": stream.length,
        "oldest_entry_age_ms": ms(stream.oldest_entry_age),
        "dead_letters": stream.dead_letters,
        "delayed": stream.delayed,
        "groups": groups_as_json(&stream.groups),
    });
    if let Some(lane) = &stream.urgent {
        shown["urgent"] = json!({
            "length": lane.length,
            "oldest_entry_age_ms": ms(lane.oldest_entry_age),
            "delayed": lane.delayed,
            "groups": groups_as_json(&lane.groups),
        });
    }
    shown
}

fn ms(span: Option<Duration>) -> Option<u64> {
    u64::try_from(span?.as_millis()).ok()
}

fn groups_as_json(groups: &[GroupStatus]) -> Vec<Value> {
    groups
        .iter()
        .map(|group| {
            let consumers: Vec<_> = group
                .consumers
                .iter()
                .map(|consumer| {
                    json!({
                        "name": consumer.name,
                        "pending": consumer.pending,
                        "idle_ms": ms(Some(consumer.idle)),
                        "heartbeat_ms": ms(consumer.heartbeat),
                        "about": consumer.about,
                    })
                })
                .collect();
            json!({
                "group": group.group,
                "lag": group.lag,
                "pending": group.pending,
                "parked": group.parked,
                "backlog": group.backlog(),
                "oldest_pending_idle_ms": ms(group.oldest_pending_idle),
                "last_delivered": group.last_delivered.to_string(),
                "alive": alive(group),
                "consumers": consumers,
            })
        })
        .collect()
}
