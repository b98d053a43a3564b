//! Results in words: one line each, and one heal at length.

use std::fmt::Write as _;
use std::time::Duration;

use maestro_protocol::Message;
use maestro_protocol::error::{Decision, ErrorTriaged};
use maestro_protocol::heal::{
    Counts, Evidence, Experience, HealCompleted, Judged, RuntimeChanges, Since, Verdict,
};
use maestro_protocol::project::Project;
use maestro_protocol::validation::Judgement;

use crate::command::env::history::environment;
use crate::command::env::words;
use crate::output::{Output, Tone, duration, harmless};
use crate::results::Found;

/// The tone, the word and the rest of a result's line.
pub(crate) fn line(found: &Found) -> (Tone, String, String) {
    match found.decoded.as_ref().map(|decoded| &decoded.payload) {
        Err(refusal) => (Tone::Bad, "unreadable".into(), one_line(&refusal.detail)),
        Ok(Message::HealCompleted(heal)) => (
            tone(heal.verdict),
            name(&heal.verdict),
            format!(
                "{}: {}  [{}]",
                subject(found, heal),
                one_line(&heal.reason),
                found.id()
            ),
        ),
        Ok(Message::ErrorTriaged(triaged)) => {
            let tone = match triaged.decision {
                Decision::Heal => Tone::Plain,
                Decision::Repeat => Tone::Faint,
                Decision::NotHealable => Tone::Warn,
            };
            (
                tone,
                name(&triaged.decision),
                format!("{}: {}", about(found, triaged), one_line(&triaged.reason)),
            )
        }
        Ok(Message::ValidationCompleted(judged)) => {
            let (tone, word) = match judged.judgement {
                Judgement::Approved => (Tone::Good, "accepted".to_owned()),
                Judgement::Rejected => (Tone::Bad, "rejected".to_owned()),
                Judgement::Upheld => (Tone::Good, name(&judged.judgement)),
                Judgement::Overturned | Judgement::Inconclusive => {
                    (Tone::Warn, name(&judged.judgement))
                }
            };
            let by = judged
                .by
                .as_deref()
                .map_or(String::new(), |by| format!(" by {by}"));
            let text = format!("{}{by}: {}", judged.heal, judged.reason);
            (tone, word, one_line(&text))
        }
        Ok(other) => {
            if let Some((environment, told)) = environment(found).zip(words::told(other)) {
                let text = match one_line(&told.text) {
                    text if text.is_empty() => environment.to_owned(),
                    text => format!("{environment}: {text}"),
                };
                return (told.tone, told.word, text);
            }
            let short = other.type_name().trim_start_matches("maestro.");
            let short = short.rsplit_once(".v").map_or(short, |(name, _)| name);
            let data = serde_json::to_string(other).unwrap_or_default();
            (Tone::Plain, short.to_owned(), one_line(&data))
        }
    }
}

fn subject(found: &Found, heal: &HealCompleted) -> String {
    heal.test
        .as_ref()
        .map(|test| test.id.clone())
        .or_else(|| Some(heal.finding.as_ref()?.title(heal.file.as_deref())))
        .or_else(|| found.field("subject").map(str::to_owned))
        .unwrap_or_else(|| heal.project.repository.clone())
}

fn about(found: &Found, triaged: &ErrorTriaged) -> String {
    triaged
        .test
        .as_ref()
        .map(|test| test.id.clone())
        .or_else(|| Some(triaged.finding.as_ref()?.title(triaged.file.as_deref())))
        .or_else(|| found.field("subject").map(str::to_owned))
        .unwrap_or_else(|| triaged.project.repository.clone())
}

/// The first line, cut.
fn one_line(text: &str) -> String {
    const MOST: usize = 160;
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(MOST) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line.to_owned(),
    }
}

/// A value of the wire as the wire says it.
pub(crate) fn name(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        other => other.map(|value| value.to_string()).unwrap_or_default(),
    }
}

pub(crate) fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Healed => Tone::Good,
        Verdict::Proposed => Tone::Warn,
        Verdict::Refused | Verdict::NoFix => Tone::Bad,
        Verdict::NotReproduced => Tone::Faint,
    }
}

/// A heal at length, ready for the terminal.
pub(crate) fn whole(found: &Found, heal: &HealCompleted, output: Output) -> String {
    let mut text = String::new();
    let strong = |heading: &str| output.paint(Tone::Strong, heading);
    let verdict = output.paint(tone(heal.verdict), &name(&heal.verdict));
    let _ = writeln!(text, "{verdict}  {}", harmless(&subject(found, heal)));
    let _ = writeln!(text, "{}", harmless(&heal.reason));
    let _ = writeln!(text, "\n{}", strong("About"));
    let _ = writeln!(text, "  id           {}", harmless(&found.id()));
    if let Some(flow) = found.field("correlationid") {
        let _ = writeln!(text, "  flow         {}", harmless(flow));
    }
    let _ = writeln!(text, "  project      {}", harmless(&project(&heal.project)));
    let _ = writeln!(text, "  confidence   {:.0} %", heal.confidence * 100.0);
    let _ = writeln!(text, "  worker       {}", harmless(&heal.worker_version));
    if !heal.touches.is_empty() {
        let touches: Vec<_> = heal.touches.iter().map(name).collect();
        let _ = writeln!(text, "  touches      {}", touches.join(", "));
    }
    if !heal.steps.is_empty() {
        let _ = writeln!(text, "\n{}", strong("Steps"));
        for (number, step) in heal.steps.iter().enumerate() {
            let _ = writeln!(
                text,
                "  {}. {}: {}",
                number + 1,
                name(&step.strategy),
                harmless(&step.description)
            );
        }
    }
    evidence(&mut text, &heal.evidence, &strong);
    timing(&mut text, heal, &strong);
    if let Some(changes) = heal
        .runtime_changes
        .as_ref()
        .filter(|changes| **changes != RuntimeChanges::default())
    {
        let _ = writeln!(text, "\n{}", strong("Changes to the environment"));
        for line in runtime_changes(changes) {
            let _ = writeln!(text, "  {}", harmless(&line));
        }
    }
    if let Some(patch) = &heal.patch {
        let _ = writeln!(text, "\n{}", strong("Patch"));
        text.push_str(&diff(patch, output));
    }
    text
}

fn project(project: &Project) -> String {
    let mut text = project.repository.clone();
    if let Some(revision) = &project.revision {
        let _ = write!(text, " at {revision}");
    }
    if let Some(directory) = &project.directory {
        let _ = write!(text, " in {directory}");
    }
    text
}

fn evidence(text: &mut String, evidence: &Evidence, strong: &dyn Fn(&str) -> String) {
    let counts = |counts: &Counts| {
        format!(
            "{} passed, {} failed, {} errors, {} skipped",
            counts.passed, counts.failed, counts.errors, counts.skipped
        )
    };
    let _ = writeln!(text, "\n{}", strong("Evidence"));
    let _ = writeln!(text, "  error class  {}", harmless(&evidence.error_class));
    let _ = writeln!(text, "  reproduced   {}", harmless(&evidence.reproduced));
    let _ = writeln!(text, "  after        {} passed", harmless(&evidence.after));
    let _ = writeln!(
        text,
        "  neighbours   before: {}",
        counts(&evidence.neighbours.before)
    );
    let _ = writeln!(
        text,
        "               after:  {}",
        counts(&evidence.neighbours.after)
    );
    let (collected, assertions) = (&evidence.collected, &evidence.assertions);
    let _ = writeln!(
        text,
        "  collected    {} before, {} after",
        collected.before, collected.after
    );
    let _ = writeln!(
        text,
        "  assertions   {} before, {} after",
        assertions.before, assertions.after
    );
    match &evidence.teeth {
        Some(teeth) => {
            let before = teeth
                .caught_before
                .map_or(String::new(), |caught| format!(", {caught} before"));
            let _ = writeln!(
                text,
                "  teeth        {} of {} planted defects caught{before}",
                teeth.caught_after, teeth.planted
            );
        }
        None => {
            let _ = writeln!(text, "  teeth        not checked");
        }
    }
    if let Some(experience) = &evidence.experience {
        remembered(text, experience);
    }
    if let Some(since) = &evidence.since {
        began(text, since);
    }
    for caveat in &evidence.caveats {
        let _ = writeln!(text, "  mind         {}", harmless(caveat));
    }
    if !evidence.excerpt.trim().is_empty() {
        let _ = writeln!(text, "\n{}", strong("Failure"));
        for line in harmless(&evidence.excerpt).lines().take(40) {
            let _ = writeln!(text, "  {line}");
        }
    }
}

/// What went into the confidence besides the evidence of this heal.
fn remembered(text: &mut String, experience: &Experience) {
    let judged = |judged: Judged| {
        format!(
            "{} accepted, {} rejected, {} failed again",
            judged.accepted, judged.rejected, judged.failed_again
        )
    };
    let _ = writeln!(
        text,
        "  experience   {:.0} % by this evidence alone",
        experience.counted * 100.0
    );
    for (name, counts) in [
        ("the strategy on this class", experience.alike),
        ("the strategy elsewhere", experience.elsewhere),
        ("this failure", experience.this),
    ] {
        let _ = writeln!(text, "               {name}: {}", judged(counts));
    }
    let _ = writeln!(
        text,
        "               reported {} times, {} flips",
        experience.reported, experience.flips
    );
}

/// The commit that the evidence names.
fn began(text: &mut String, since: &Since) {
    let short = since.commit.get(..12).unwrap_or(&since.commit);
    let _ = writeln!(
        text,
        "  since        {short} of {}: {}",
        harmless(&since.authored),
        harmless(&since.subject)
    );
    if let Some(path) = &since.path {
        let line = since.line.map_or(String::new(), |line| format!(":{line}"));
        let _ = writeln!(text, "               {}{line}", harmless(path));
    }
    for (sign, changed) in [('-', &since.was), ('+', &since.now)] {
        if let Some(changed) = changed {
            let _ = writeln!(text, "               {sign} {}", harmless(changed));
        }
    }
}

fn timing(text: &mut String, heal: &HealCompleted, strong: &dyn Fn(&str) -> String) {
    let spent = &heal.timing_ms;
    let phases = [
        ("checkout", spent.checkout),
        ("install", spent.install),
        ("reproduce", spent.reproduce),
        ("generate", spent.generate),
        ("validate", spent.validate),
    ];
    let total: u64 = phases.iter().map(|(_, ms)| ms).sum();
    let parts: Vec<String> = phases
        .iter()
        .map(|(phase, ms)| format!("{phase} {}", duration(Duration::from_millis(*ms))))
        .collect();
    let _ = writeln!(text, "\n{}", strong("Time"));
    let _ = writeln!(
        text,
        "  {}: {}",
        duration(Duration::from_millis(total)),
        parts.join(", ")
    );
}

/// What a person does by hand beside the patch.
pub(crate) fn runtime_changes(changes: &RuntimeChanges) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(python) = &changes.python {
        lines.push(format!("use Python {python}"));
    }
    if !changes.uninstall.is_empty() {
        lines.push(format!("uninstall {}", changes.uninstall.join(" ")));
    }
    if !changes.install.is_empty() {
        lines.push(format!("install {}", changes.install.join(" ")));
    }
    lines.extend(
        changes
            .variables
            .iter()
            .map(|(name, value)| format!("set {name}={value}")),
    );
    lines
}

/// A diff, its lines coloured by what they do.
pub(crate) fn diff(patch: &str, output: Output) -> String {
    let mut text = String::with_capacity(patch.len() + 64);
    for line in harmless(patch).lines() {
        let tone = match line.as_bytes() {
            [b'-', b'-', b'-', ..] | [b'+', b'+', b'+', ..] | [b'd', b'i', b'f', b'f', ..] => {
                Tone::Strong
            }
            [b'@', ..] => Tone::Place,
            [b'+', ..] => Tone::Good,
            [b'-', ..] => Tone::Bad,
            _ => Tone::Plain,
        };
        text.push_str(&output.paint(tone, line));
        text.push('\n');
    }
    text
}
