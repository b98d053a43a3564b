//! `maestro env show`.

use std::fmt::Write as _;

use clap::Args;
use maestro_protocol::Message;
use maestro_protocol::environment::{EnvironmentStatus, EnvironmentTested, Phase};
use serde_json::{Value, json};

use super::super::{OutputFlag, watch};
use super::state::{State, what};
use super::story::{self, Story};
use super::words;
use crate::exit::Exit;
use crate::fault::Outcome;
use crate::fleet::connection;
use crate::output::{Output, Tone, harmless};
use crate::session::Session;

/// Shows one environment: every phase, its addresses, why it failed, its tests
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro env show 3f2a                           # the beginning of the id will do
  maestro env show 3f2a --output json | jq .endpoints")]
pub(super) struct Show {
    /// The environment's id, or the beginning of it
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    output: OutputFlag,
}

impl Show {
    pub(super) async fn run(self, session: &Session) -> Outcome {
        let admin = connection::admin(session)?;
        let progress = session.output.progress();
        let story = story::named(&admin, &self.id, progress).await?;
        if self.output.is_json() {
            session.output.json(&as_json(&story))?;
        } else {
            let text = whole(&story, session.output);
            session.output.raw(text.as_bytes())?;
        }
        Ok(Exit::Success)
    }
}

/// The newest result that `pick` takes.
fn newest<'a, T>(story: &'a Story, pick: impl Fn(&'a Message) -> Option<T>) -> Option<T> {
    let decoded = story.results.iter().rev();
    decoded
        .filter_map(|found| found.decoded.as_ref().ok())
        .find_map(|decoded| pick(&decoded.payload))
}

fn ready(story: &Story) -> Option<&EnvironmentStatus> {
    newest(story, |message| match message {
        Message::EnvironmentStatus(status) => {
            (status.endpoints.is_some() || status.secret.is_some()).then_some(status)
        }
        _ => None,
    })
}

fn failed(story: &Story) -> Option<&EnvironmentStatus> {
    newest(story, |message| match message {
        Message::EnvironmentStatus(status) => (status.phase == Phase::Failed).then_some(status),
        _ => None,
    })
}

fn tested(story: &Story) -> Option<&EnvironmentTested> {
    newest(story, |message| match message {
        Message::EnvironmentTested(tested) => Some(tested),
        _ => None,
    })
}

fn phase(story: &Story, state: &State) -> (Tone, String) {
    match (&story.dead, state.phase) {
        (Some(_), _) => (Tone::Bad, "dead letter".to_owned()),
        (None, Some(phase)) => (words::tone(phase), words::wire(&phase)),
        (None, None) => (Tone::Warn, "requested".to_owned()),
    }
}

/// Name and value under a heading.
fn row(text: &mut String, name: &str, value: &str) {
    for (number, line) in harmless(value).lines().enumerate() {
        let name = if number == 0 { name } else { "" };
        let _ = writeln!(text, "  {name:<11}  {line}");
    }
}

fn whole(story: &Story, output: Output) -> String {
    let state = story.state();
    let mut text = String::new();
    let strong = |heading: &str| output.paint(Tone::Strong, heading);
    let (tone, word) = phase(story, &state);
    let _ = writeln!(
        text,
        "{}  {}",
        output.paint(tone, &word),
        harmless(&story.id)
    );
    let why = match &story.dead {
        Some(dead) => format!("{}: {}", dead.reason(), dead.detail()),
        None => state.why(),
    };
    if !why.is_empty() {
        let _ = writeln!(text, "{}", harmless(&why));
    }
    about(&mut text, story, &state, &strong);
    if !story.results.is_empty() {
        let _ = writeln!(text, "\n{}", strong("Phases"));
        let begin = story.begin().unwrap_or_default();
        for found in &story.results {
            let Ok(decoded) = &found.decoded else {
                continue;
            };
            if let Some(mut told) = words::told(&decoded.payload) {
                // What belongs below has its own place.
                told.below.clear();
                for line in told.lines(words::between(begin, found.entry.id), output) {
                    let _ = writeln!(text, "{line}");
                }
            }
        }
    }
    if let Some(failure) = failed(story).and_then(|status| status.failure.as_ref()) {
        let _ = writeln!(text, "\n{}", strong("Failure"));
        for (name, value) in words::of_failure(failure) {
            row(&mut text, name, &value);
        }
    }
    if let Some(tested) = tested(story) {
        tests(&mut text, &story.id, tested, &strong);
    }
    text
}

fn about(text: &mut String, story: &Story, state: &State, strong: &dyn Fn(&str) -> String) {
    let _ = writeln!(text, "\n{}", strong("About"));
    row(text, "id", &story.id);
    if let Some(namespace) = &state.namespace {
        row(text, "namespace", namespace);
    }
    let payload = story.request.as_ref();
    let payload = payload.and_then(|request| request.payload.as_ref());
    if let Some(payload) = payload {
        row(text, "what", &what(payload));
    }
    if let Some(time) = story.begin().and_then(words::time) {
        row(text, "requested", &words::until(&time.to_string()));
    }
    if let Some(end) = &state.expires_at {
        row(text, "expires", &words::until(end));
    }
    if let Some(ready) = ready(story) {
        for (name, value) in words::endpoints(ready) {
            row(text, name, &value);
        }
        if let Some(secret) = &ready.secret {
            row(text, "secret", secret);
        }
    }
}

fn tests(text: &mut String, id: &str, tested: &EnvironmentTested, strong: &dyn Fn(&str) -> String) {
    let _ = writeln!(text, "\n{}", strong("Tests"));
    let mut outcome = words::wire(&tested.outcome);
    if let Some(code) = tested.exit_code {
        outcome = format!("{outcome} (exit code {code})");
    }
    row(text, "outcome", &outcome);
    if let Some(counts) = tested.tests {
        row(text, "counts", &words::counts(counts));
    }
    if let Some(reported) = tested.reported.filter(|reported| *reported > 0) {
        row(text, "reported", &format!("{reported}, to be healed"));
    }
    for (name, value) in words::failed_tests(tested, usize::MAX) {
        row(text, name, &value);
    }
    if tested.log.is_some() || tested.excerpt.is_some() {
        row(text, "log", &format!("maestro env logs {id}"));
    }
}

fn as_json(story: &Story) -> Value {
    let state = story.state();
    let ready = ready(story);
    let request = story.request.as_ref();
    let (_, phase) = phase(story, &state);
    json!({
        "id": story.id,
        "namespace": state.namespace,
        "phase": phase.replace(' ', "_"),
        "requested_at": story.begin().and_then(words::time).map(|time| time.to_string()),
        "expires_at": state.expires_at,
        "request": request.and_then(|request| request.payload.as_ref()),
        "endpoints": ready.and_then(|status| status.endpoints.as_ref()),
        "secret": ready.and_then(|status| status.secret.as_ref()),
        "reason": state.reason,
        "detail": story.dead.as_ref().map_or(state.detail.as_deref(), |dead| Some(dead.detail())),
        "failure": failed(story).and_then(|status| status.failure.as_ref()),
        "tests": tested(story),
        "cause": state.cause,
        "results": story.results.iter().map(watch::as_json).collect::<Vec<_>>(),
    })
}
