//! `maestro ps`: who works, and what each one holds.

use std::time::Duration;

use clap::Args;
use maestro_streams::Replica;
use serde_json::{Value, json};

use super::OutputFlag;
use super::status::print;
use crate::exit::Exit;
use crate::fault::Outcome;
use crate::fleet::connection;
use crate::fleet::roster::{self, State};
use crate::output::{Table, Tone, duration, harmless};
use crate::session::Session;

/// Lists the replicas of the fleet: what each one is, how long it works, what it holds
///
/// Each worker registers in Redis, says every five seconds that it is alive, and takes itself off the list when it ends in order. One
/// that fell silent stays on it, with what it holds, until another one of its kind has taken that over.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro ps
  maestro ps --output json | jq '.replicas[] | select(.state != \"alive\")'
  maestro ps --output json | jq -e '.versions | length == 1'     # one version throughout?

up        since it started                   beat      since its last sign of life
at once   how many messages it takes         holds     how many it has in hand
oldest    the age of the oldest of those")]
pub(crate) struct Ps {
    #[command(flatten)]
    output: OutputFlag,
}

impl Ps {
    pub(crate) async fn run(self, session: Session) -> Outcome {
        let replicas = roster::read(&connection::admin(&session)?).await?;
        let output = session.output;
        if self.output.is_json() {
            let all: Vec<_> = replicas.iter().map(as_json).collect();
            output.json(&json!({
                "redis": connection::endpoint(&session)?.to_string(),
                "prefix": session.settings.prefix.value,
                "versions": roster::versions(&replicas),
                "replicas": all,
            }))?;
            return Ok(Exit::Success);
        }
        if replicas.is_empty() {
            output.remark(
                "no worker is registered; start some with `maestro up` or `maestro worker`",
            );
            return Ok(Exit::Success);
        }
        print(&session, &table(&replicas))?;
        for sentence in roster::skew(&replicas)
            .into_iter()
            .chain(roster::troubles(&replicas))
        {
            output.line(output.paint(Tone::Warn, &sentence))?;
        }
        Ok(Exit::Success)
    }
}

fn table(replicas: &[Replica]) -> Table {
    let mut table = Table::new(&[
        "kind", "replica", "version", "host", "process", "state", "up", "beat", "at once", "holds",
        "oldest",
    ]);
    let span = |span: Option<Duration>| span.map_or_else(|| "-".to_owned(), duration);
    let number = |number: Option<u32>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let word = |text: &str| match text {
        "" => "-".to_owned(),
        text => harmless(text).into_owned(),
    };
    for one in replicas {
        table.row(vec![
            word(&one.group),
            word(&one.name),
            word(&one.version),
            word(&one.host),
            number(one.process),
            State::of(one).name().to_owned(),
            span(one.started),
            span(one.beat),
            number(one.concurrency),
            one.pending.to_string(),
            span(one.held.iter().map(|held| held.age).max()),
        ]);
    }
    table
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn as_json(one: &Replica) -> Value {
    let held = one.held.iter().map(|held| {
        json!({
            "entry": held.entry.to_string(),
            "urgent": held.urgent,
            "age_ms": ms(held.age),
            "idle_ms": ms(held.idle),
            "deliveries": held.deliveries,
        })
    });
    let held: Vec<_> = held.collect();
    json!({
        "kind": one.group,
        "replica": one.name,
        "stream": one.stream,
        "version": one.version,
        "host": one.host,
        "process": one.process,
        "state": State::of(one).name(),
        "started_ms": one.started.map(ms),
        "beat_ms": one.beat.map(ms),
        "concurrency": one.concurrency,
        "pending": one.pending,
        "held": held,
    })
}
