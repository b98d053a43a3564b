//! What is told of environments, in words.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use maestro_protocol::Message;
use maestro_protocol::environment::{
    EnvironmentDeleted, EnvironmentExtended, EnvironmentStatus, EnvironmentTested, Failure, Log,
    Phase, TestOutcome,
};
use maestro_protocol::heal::Counts;
use maestro_streams::EntryId;
use serde::Serialize;
use serde_json::Value;

use crate::output::{Output, Tone, duration, harmless};

/// Failed tests that are named one by one; `show` names all.
const NAMED: usize = 10;

/// A result in a line, and what belongs below it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) tone: Tone,
    pub(crate) word: String,
    pub(crate) text: String,
    pub(crate) below: Vec<(&'static str, String)>,
}

impl Told {
    fn new(tone: Tone, word: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            tone,
            word: word.into(),
            text: text.into(),
            below: Vec::new(),
        }
    }

    /// The lines, after the time that has gone by.
    pub(super) fn lines(&self, elapsed: Duration, output: Output) -> Vec<String> {
        let word = output.paint(self.tone, &format!("{:<13}", self.word));
        let first = format!(
            "{:>12}  {word}  {}",
            duration(elapsed),
            harmless(&self.text)
        );
        let mut lines = vec![first.trim_end().to_owned()];
        for (name, text) in &self.below {
            for (number, line) in harmless(text).lines().enumerate() {
                let name = if number == 0 { name } else { "" };
                let name = output.paint(Tone::Faint, &format!("{name:<13}"));
                lines.push(format!("{:>12}  {name}  {line}", "").trim_end().to_owned());
            }
        }
        lines
    }
}

/// A result of an environment in words; `None` for any other message.
pub(crate) fn told(message: &Message) -> Option<Told> {
    match message {
        Message::EnvironmentStatus(status) => Some(of_status(status)),
        Message::EnvironmentTested(tested) => Some(of_tested(tested)),
        Message::EnvironmentExtended(extended) => Some(of_extended(extended)),
        Message::EnvironmentDeleted(deleted) => Some(of_deleted(deleted)),
        _ => None,
    }
}

fn of_status(status: &EnvironmentStatus) -> Told {
    let mut text = match (&status.reason, &status.detail) {
        (Some(reason), Some(detail)) => format!("{reason}: {detail}"),
        (one, other) => one.clone().or_else(|| other.clone()).unwrap_or_default(),
    };
    if text.is_empty() && status.phase == Phase::Accepted {
        text = format!("namespace {}", status.namespace);
    }
    let mut told = Told::new(tone(status.phase), wire(&status.phase), text);
    if status.phase == Phase::Ready {
        told.below.extend(endpoints(status));
        if let Some(secret) = &status.secret {
            let place = format!("{secret} in namespace {}", status.namespace);
            told.below.push(("secret", place));
        }
        if let Some(expires_at) = &status.expires_at {
            told.below.push(("until", until(expires_at)));
        }
    }
    if let Some(failure) = &status.failure {
        told.below.extend(of_failure(failure));
    }
    told
}

pub(super) fn endpoints(status: &EnvironmentStatus) -> Vec<(&'static str, String)> {
    let all = status.endpoints.iter().flatten();
    all.map(|(name, address)| ("endpoint", format!("{name}  {address}")))
        .collect()
}

pub(super) fn of_failure(failure: &Failure) -> Vec<(&'static str, String)> {
    let code = failure.exit_code.map(|code| code.to_string());
    let parts = [
        ("object", failure.object.clone()),
        ("container", failure.container.clone()),
        ("exit code", code),
        ("message", failure.message.clone()),
        ("log", failure.log.clone()),
    ];
    parts
        .into_iter()
        .filter_map(|(name, text)| Some((name, text.filter(|text| !text.trim().is_empty())?)))
        .collect()
}

fn of_tested(tested: &EnvironmentTested) -> Told {
    let tone = match tested.outcome {
        TestOutcome::Passed => Tone::Good,
        _ => Tone::Bad,
    };
    let mut text = match tested.tests {
        Some(tests) => counts(tests),
        None => format!("the tests {}", outcome(tested.outcome)),
    };
    text = format!(
        "{text} in {}",
        duration(Duration::from_millis(tested.duration_ms))
    );
    if let Some(reason) = &tested.reason {
        text = format!("{text}: {reason}");
    }
    let word = match tested.outcome {
        TestOutcome::Passed => "passed".to_owned(),
        TestOutcome::Failed => "tests failed".to_owned(),
        TestOutcome::TimedOut => "tests too long".to_owned(),
        TestOutcome::Broken => "tests broken".to_owned(),
    };
    let mut told = Told::new(tone, word, text);
    told.below.extend(failed_tests(tested, NAMED));
    told
}

/// The failed tests, at most this many of them.
pub(super) fn failed_tests(tested: &EnvironmentTested, most: usize) -> Vec<(&'static str, String)> {
    let named = tested.failures.as_deref().unwrap_or_default();
    let mut lines: Vec<_> = named
        .iter()
        .take(most)
        .map(|test| {
            let message = test.message.lines().next().unwrap_or_default();
            ("failed", format!("{}: {message}", test.id))
        })
        .collect();
    let failed = tested.tests.map_or(named.len(), |tests| {
        usize::try_from(u64::from(tests.failed) + u64::from(tests.errors)).unwrap_or(usize::MAX)
    });
    let more = failed.max(named.len()).saturating_sub(lines.len());
    if more > 0 && !lines.is_empty() {
        lines.push(("", format!("and {more} more")));
    }
    lines
}

pub(super) fn counts(tests: Counts) -> String {
    let Counts {
        passed,
        failed,
        errors,
        skipped,
    } = tests;
    let all = [
        (passed, "passed"),
        (failed, "failed"),
        (errors, "errors"),
        (skipped, "skipped"),
    ];
    let told = all
        .iter()
        .filter(|(count, word)| *count > 0 || *word == "passed");
    let told: Vec<_> = told
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    told.join(", ")
}

fn of_extended(extended: &EnvironmentExtended) -> Told {
    let end = extended.expires_at.as_deref().map(until);
    let end = end.map_or_else(
        || "there is no such environment".to_owned(),
        |end| format!("until {end}"),
    );
    let text = match &extended.detail {
        Some(detail) => format!("{end}: {detail}"),
        None => end,
    };
    if extended.granted {
        Told::new(Tone::Good, "extended", text)
    } else {
        Told::new(Tone::Bad, "not extended", text)
    }
}

fn of_deleted(deleted: &EnvironmentDeleted) -> Told {
    let mut text = wire(&deleted.cause);
    if let Some(lived) = deleted.lived_s {
        text = format!("{text}; it lived {}", duration(Duration::from_secs(lived)));
    }
    if let Some(detail) = &deleted.detail {
        text = format!("{text}: {detail}");
    }
    if deleted.dry_run == Some(true) {
        Told::new(Tone::Plain, "would go", text)
    } else {
        Told::new(Tone::Faint, "deleted", text)
    }
}

pub(super) fn tone(phase: Phase) -> Tone {
    match phase {
        Phase::Accepted | Phase::Provisioning | Phase::Testing | Phase::Tested => Tone::Plain,
        Phase::Ready => Tone::Good,
        Phase::Failed => Tone::Bad,
        Phase::Deleting | Phase::Deleted => Tone::Faint,
    }
}

pub(super) fn outcome(outcome: TestOutcome) -> &'static str {
    match outcome {
        TestOutcome::Passed => "passed",
        TestOutcome::Failed => "failed",
        TestOutcome::TimedOut => "took too long",
        TestOutcome::Broken => "could not be run",
    }
}

/// A log as it is kept: its beginning, how much is left out, and its end.
pub(super) fn log(log: &Log) -> String {
    let mut text = log.head.clone();
    if let Some(omitted) = log.omitted_bytes.filter(|omitted| *omitted > 0) {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        let _ = writeln!(text, "… {omitted} bytes omitted …");
    }
    text.push_str(log.tail.as_deref().unwrap_or_default());
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// A value of the wire as the wire says it.
pub(super) fn wire(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        other => other.map(|value| value.to_string()).unwrap_or_default(),
    }
}

/// An RFC 3339 time with how far off it is.
pub(super) fn until(text: &str) -> String {
    match left(text) {
        Some(Left::In(span)) => format!("{text} (in {})", duration(span)),
        Some(Left::Over(span)) => format!("{text} ({} ago)", duration(span)),
        None => text.to_owned(),
    }
}

/// How far off a time is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Left {
    In(Duration),
    Over(Duration),
}

pub(super) fn left(text: &str) -> Option<Left> {
    let span = text
        .parse::<Timestamp>()
        .ok()?
        .duration_since(Timestamp::now());
    let size = span.unsigned_abs();
    Some(if span.is_negative() {
        Left::Over(size)
    } else {
        Left::In(size)
    })
}

/// The time of an entry, RFC 3339.
pub(super) fn time(entry: EntryId) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(entry.ms).ok()?).ok()
}

/// How old an entry is.
pub(super) fn age(entry: EntryId) -> Duration {
    let age = time(entry).map(|time| Timestamp::now().duration_since(time));
    age.and_then(|age| Duration::try_from(age).ok())
        .unwrap_or_default()
}

/// From one entry to another.
pub(super) fn between(first: EntryId, then: EntryId) -> Duration {
    Duration::from_millis(then.ms.saturating_sub(first.ms))
}
