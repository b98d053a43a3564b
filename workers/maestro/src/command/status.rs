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
delayed   waits for its next try             dead      set aside; see `maestro dead list`")]
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

fn print(session: &Session, table: &Table) -> Result<(), Fault> {
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
        "stream", "length", "group", "lag", "pending", "oldest", "alive", "delayed", "dead",
    ]);
    for stream in streams {
        let row = |group: Option<&GroupStatus>| {
            let of_group =
                |show: &dyn Fn(&GroupStatus) -> String| group.map_or_else(|| "-".to_owned(), show);
            vec![
                stream.stream.clone(),
                stream.length.to_string(),
                of_group(&|group| harmless(&group.group).into_owned()),
                of_group(&|group| {
                    group
                        .lag
                        .map_or_else(|| ">10000".to_owned(), |lag| lag.to_string())
                }),
                of_group(&|group| group.pending.to_string()),
                of_group(&|group| {
                    group
                        .oldest_pending_idle
                        .map_or_else(|| "-".to_owned(), duration)
                }),
                of_group(&|group| alive(group).to_string()),
                stream.delayed.to_string(),
                stream.dead_letters.to_string(),
            ]
        };
        if stream.groups.is_empty() {
            table.row(row(None));
        }
        for group in &stream.groups {
            table.row(row(Some(group)));
        }
    }
    table
}

fn consumers(streams: &[StreamStatus]) -> Table {
    let mut table = Table::new(&[
        "group",
        "consumer",
        "pending",
        "idle",
        "heartbeat",
        "host, process, version",
    ]);
    for group in streams.iter().flat_map(|stream| &stream.groups) {
        for consumer in &group.consumers {
            table.row(vec![
                harmless(&group.group).into_owned(),
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
fn alive(group: &GroupStatus) -> usize {
    let is_alive = |consumer: &&ConsumerStatus| {
        consumer
            .heartbeat
            .is_some_and(|beat| beat < Duration::from_secs(30))
    };
    group.consumers.iter().filter(is_alive).count()
}

fn unread(streams: &[StreamStatus]) -> Vec<(String, String)> {
    streams
        .iter()
        .flat_map(|stream| {
            let waiting = stream
                .groups
                .iter()
                .filter(|group| alive(group) == 0 && group.backlog() != Some(0));
            let groups = waiting.map(|group| (stream.stream.clone(), group.group.clone()));
            let no_group = (stream.groups.is_empty() && stream.length > 0)
                .then(|| stream.stream.parse::<Stream>().ok()?.group())
                .flatten();
            groups
                .chain(no_group.map(|group| (stream.stream.clone(), group.to_owned())))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn as_json(stream: &StreamStatus) -> Value {
    let ms = |span: Option<Duration>| span.and_then(|span| u64::try_from(span.as_millis()).ok());
    let groups: Vec<_> = stream
        .groups
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
                "backlog": group.backlog(),
                "oldest_pending_idle_ms": ms(group.oldest_pending_idle),
                "last_delivered": group.last_delivered.to_string(),
                "alive": alive(group),
                "consumers": consumers,
            })
        })
        .collect();
    json!({
        "stream": stream.stream,
        "length": stream.length,
        "oldest_entry_age_ms": ms(stream.oldest_entry_age),
        "dead_letters": stream.dead_letters,
        "delayed": stream.delayed,
        "groups": groups,
    })
}
