//! `maestro report`: what the results say together.

mod figures;
mod gathered;
mod words;

use clap::Args;
use jiff::Timestamp;
use maestro_protocol::Stream;
use maestro_streams::{Admin, Entry, EntryId};

use super::OutputFlag;
use crate::exit::Exit;
use crate::fault::Outcome;
use crate::fleet::connection;
use crate::moment::Moment;
use crate::results::Found;
use crate::session::Session;
use gathered::Gathered;

/// Results that one round trip brings.
const PAGE: usize = 200;

/// Shows what the results say together: trends by day, flaky tests, rates of the strategies, how well confidence predicted, where the time went
///
/// Reads the results page by page, the newest first, and keeps counts only: its memory does not grow with the trail. Shares come with their 95 %
/// interval (Wilson's). Decisions are those of `maestro apply` and `maestro verdict`; a patch whose failure came back more than a day after it was
/// accepted counts as wrong.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro report                                  # the last seven days
  maestro report --since 30d --output json | jq .calibration.brier
  maestro report --since 2026-07-01T00:00:00Z --tests 50")]
pub(crate) struct Report {
    /// From when on: an age such as 7d or 24h, or a time of RFC 3339
    #[arg(long, default_value = "7d", value_name = "AGE|TIME")]
    since: Moment,

    /// How many of the flakiest tests are listed
    #[arg(long, default_value_t = 10, value_name = "N")]
    tests: usize,

    #[command(flatten)]
    output: OutputFlag,
}

impl Report {
    pub(crate) async fn run(self, session: Session) -> Outcome {
        let admin = connection::admin(&session)?;
        let since = self.since.0;
        let first = u64::try_from(since.as_millisecond()).unwrap_or(0);
        let mut progress = session.output.progress();
        let mut gathered = Gathered::default();
        let mut before: Option<EntryId> = None;
        'pages: loop {
            let page = page(&admin, before)
                .await
                .map_err(|error| connection::fault(&error))?;
            let is_last = page.len() < PAGE;
            for entry in page {
                if entry.id.ms < first {
                    break 'pages;
                }
                before = Some(entry.id);
                let at = entry.id.ms;
                let found = Found::new(Stream::Results.name().into(), entry);
                gathered.add(&found, at);
            }
            let read = gathered.read;
            progress.say(&format!("{read} results read, back to {}", time(before)));
            if is_last {
                break;
            }
        }
        progress.wipe();
        let summary = gathered.summary(self.tests);
        if self.output.is_json() {
            session.output.json(&words::json(&summary, since))?;
        } else {
            let text = words::text(&summary, since, session.output);
            session.output.raw(text.as_bytes())?;
        }
        Ok(Exit::Success)
    }
}

async fn page(
    admin: &Admin,
    before: Option<EntryId>,
) -> Result<Vec<Entry>, maestro_streams::Error> {
    let stream = Stream::Results.name();
    admin.newest(stream, false, before, PAGE).await
}

fn time(id: Option<EntryId>) -> Timestamp {
    let ms = id.map_or(0, |id| i64::try_from(id.ms).unwrap_or(i64::MAX));
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

/// A day in milliseconds: so long a failure may still be reported after its patch was accepted.
const DAY: u64 = 86_400_000;
