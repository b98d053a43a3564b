//! `maestro watch`: results as they come.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use maestro_protocol::error::Decision;
use maestro_protocol::{Message, Stream};
use maestro_streams::{EntryId, TailFrom};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::OutputFlag;
use crate::config::Span;
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::message;
use crate::output::{Output, harmless};
use crate::results::{self, Found, Reader};
use crate::session::Session;
use crate::verdict;

/// Prints the results of the fleet: triage's decisions, verdicts, environments
///
/// Without --follow and --until it prints those that there are and ends.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro watch --since 1h                        # what happened in the last hour
  maestro watch --follow --output json | jq .data.verdict
  maestro watch --correlation build-7 --until 3 --timeout 10m   # wait for the end of three flows

A flow is at its end with a verdict, or when triage decides that nothing is to be healed. With --type, --until
counts messages of these types instead. When the timeout comes first, the exit code is 1.")]
pub(crate) struct Watch {
    /// Only results of this flow: the correlation id, or the id of its first message; may be given several times
    #[arg(long, value_name = "ID")]
    correlation: Vec<String>,

    /// Only results of this type; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,

    /// Only results after this: an age such as 10m, or the id of a stream entry [default with --follow alone: now]
    #[arg(long, value_name = "AGE|ENTRY")]
    since: Option<String>,

    /// Go on with what is to come
    #[arg(long, short)]
    follow: bool,

    /// End when this many flows have come to their end
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    until: Option<u64>,

    /// End after this time
    #[arg(long, value_name = "TIME")]
    timeout: Option<Span>,

    #[command(flatten)]
    output: OutputFlag,
}

impl Watch {
    pub(crate) async fn run(self, session: Session) -> Outcome {
        let types = self
            .types
            .iter()
            .map(|name| {
                message::type_named(name)
                    .map(|known| known.name)
                    .ok_or_else(|| message::unknown_type(name))
            })
            .collect::<Result<Vec<_>, Fault>>()?;
        let since = self.since.as_deref().map(since).transpose()?;
        let waits = self.follow || self.until.is_some();
        let mut reader = if waits {
            Reader::follow(&session, self.start(since)).await?
        } else {
            Reader::history(&session).await?
        };
        let deadline = self.timeout.map(|timeout| Instant::now() + timeout.0);
        let mut progress = session.output.progress();
        let mut ended = BTreeSet::new();
        loop {
            if self.until.is_some_and(|until| ended.len() as u64 >= until) {
                return Ok(Exit::Success);
            }
            if let Some(until) = self.until {
                progress.say(&format!("{} of {until} ended; waiting", ended.len()));
            }
            let found = tokio::select! {
                found = reader.next() => found,
                () = passed(deadline) => return self.timed_out(ended.len()),
                () = tokio::time::sleep(Duration::from_secs(1)), if self.until.is_some() => continue,
            };
            let Some(found) = found else {
                return Ok(Exit::Success);
            };
            if !self.wants(&found, &types, since) {
                continue;
            }
            progress.wipe();
            self.print(session.output, &found)?;
            if !types.is_empty() {
                ended.insert(format!("{} {}", found.stream, found.entry.id));
            } else if is_end(&found) {
                ended.insert(flow(&found));
            }
        }
    }

    fn start(&self, since: Option<EntryId>) -> TailFrom {
        match since {
            Some(id) => TailFrom::After(id),
            // What is waited for may have happened already.
            None if self.until.is_some() || !self.correlation.is_empty() => TailFrom::Beginning,
            None => TailFrom::Now,
        }
    }

    fn wants(&self, found: &Found, types: &[&str], since: Option<EntryId>) -> bool {
        (self.correlation.is_empty() || self.correlation.iter().any(|wanted| found.is_of(wanted)))
            && (types.is_empty()
                || types
                    .iter()
                    .any(|wanted| found.field("type") == Some(wanted)))
            && since.is_none_or(|since| found.entry.id > since)
    }

    fn timed_out(&self, ended: usize) -> Outcome {
        match self.until {
            None => Ok(Exit::Success),
            Some(until) => Err(Fault::no(format!(
                "{ended} of {until} had ended when the time was over"
            ))
            .next("`maestro status` shows what is still on its way")),
        }
    }

    fn print(&self, output: Output, found: &Found) -> Result<(), Fault> {
        if self.output.is_json() {
            return output.json_line(&as_json(found));
        }
        let time = i64::try_from(found.entry.id.ms)
            .ok()
            .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
            .map(|time| time.strftime("%H:%M:%S").to_string())
            .unwrap_or_default();
        let (tone, word, text) = verdict::line(found);
        output.line(format!(
            "{time}  {}  {}",
            output.paint(tone, &format!("{word:<14}")),
            harmless(&text)
        ))
    }
}

/// A flow is at its end with a verdict, or when nothing is to be healed.
fn is_end(found: &Found) -> bool {
    match found.decoded.as_ref().map(|decoded| &decoded.payload) {
        Ok(Message::ErrorTriaged(triaged)) => triaged.decision != Decision::Heal,
        Ok(Message::EnvironmentStatus(_)) | Err(_) => false,
        Ok(_) => true,
    }
}

/// What tells one flow from another: the correlation id may be shared by a whole build, so the first message's id, from
/// which the ids of its answers are derived, counts as well.
fn flow(found: &Found) -> String {
    let id = found.id();
    let first = id.split('/').next().unwrap_or(&id);
    format!(
        "{} {first}",
        found.field("correlationid").unwrap_or_default()
    )
}

async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn since(text: &str) -> Result<EntryId, Fault> {
    if let Ok(age) = text.parse::<Span>() {
        return Ok(results::before(age.0));
    }
    text.parse().map_err(|_| {
        Fault::usage(format!("`--since`: expected an age such as `10m` or the id of a stream entry, but found `{text}`"))
    })
}

pub(super) fn as_json(found: &Found) -> Value {
    let mut all = serde_json::Map::new();
    all.insert("stream".into(), found.stream.as_ref().into());
    all.insert("entry".into(), found.entry.id.to_string().into());
    for (name, value) in found.entry.fields.iter() {
        let name = String::from_utf8_lossy(name).into_owned();
        let text = String::from_utf8_lossy(value);
        let value = match name.as_str() {
            "data" => serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text.as_ref())),
            _ => Value::from(text.as_ref()),
        };
        all.insert(name, value);
    }
    if let Err(refusal) = &found.decoded {
        all.insert("unreadable".into(), json!(refusal.detail));
    }
    debug_assert!(
        found.stream.parse::<Stream>().is_ok(),
        "only results streams are read"
    );
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_an_age_or_an_entry() {
        assert_eq!(
            since("1718000000000-7").unwrap(),
            EntryId {
                ms: 1_718_000_000_000,
                seq: 7
            }
        );
        let age = since("10m").unwrap().ms;
        let expected = results::before(Duration::from_mins(10)).ms;
        assert!(expected.abs_diff(age) < 5_000);
        assert!(
            since("yesterday")
                .unwrap_err()
                .to_string()
                .contains("expected an age such as `10m`")
        );
    }
}
