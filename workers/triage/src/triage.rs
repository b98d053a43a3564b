//! The worker.

use std::time::Duration;

use maestro_protocol::error::{Decision, ErrorKind, ErrorReported, ErrorTriaged, Severity};
use maestro_protocol::heal::HealRequested;
use maestro_protocol::{Decoded, Envelope};
use maestro_worker::{Context, Outcome, Reply, Worker};

use crate::failure::Failure;
use crate::fingerprint::fingerprint;
use crate::healable::healable;
use crate::kind::{Judged, judge};
use crate::recurrence::{Recurrence, Seen};
use crate::severity::severity;

/// How long repeats of a failure are suppressed: an hour, longer than a heal and a person's look at it take.
pub const WINDOW: Duration = Duration::from_hours(1);

/// Decides what becomes of each reported error.
#[derive(Debug, Clone)]
pub struct Triage<R> {
    recurrence: R,
    window: Duration,
}

impl<R: Recurrence> Triage<R> {
    /// A worker with this memory and the usual [`WINDOW`].
    pub fn new(recurrence: R) -> Self {
        Self {
            recurrence,
            window: WINDOW,
        }
    }

    /// The same with another window; within it, repeats of a failure are suppressed.
    #[must_use]
    pub fn window(self, window: Duration) -> Self {
        Self { window, ..self }
    }
}

impl<R: Recurrence> Worker for Triage<R> {
    type Message = ErrorReported;
    const NAME: &'static str = "triage";

    async fn handle(&self, message: Decoded<ErrorReported>, _: Context) -> Outcome {
        let Decoded {
            envelope,
            payload: report,
            members,
        } = message;
        let failure = Failure::read(&report.message, report.stack_trace.as_deref());
        let fingerprint = fingerprint(&report, &failure);
        let seen = match self
            .recurrence
            .record(&fingerprint, &one_of_all(&envelope), self.window)
            .await
        {
            Ok(seen) => seen,
            Err(error) => {
                return Outcome::Unavailable {
                    dependency: "redis".to_owned(),
                    detail: error.to_string(),
                };
            }
        };
        let judged = judge(&report, &failure);
        let severity = severity(&report, &failure, judged.kind);
        let (decision, reason) = decide(&report, &failure, judged.kind, &seen);
        let reason = match &judged.correction {
            Some(correction) => format!("{reason}; {correction}"),
            None => reason,
        };
        let triaged = ErrorTriaged {
            project: report.project.clone(),
            test: report.test.clone(),
            finding: report.finding.clone(),
            file: report.finding.as_ref().and(report.file.clone()),
            kind: judged.kind,
            severity,
            fingerprint: fingerprint.clone(),
            decision,
            reason,
            occurrences: seen.position,
            first: id_of(&seen.first).to_owned(),
            worker_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let mut replies = vec![Reply::new(triaged)];
        if decision == Decision::Heal {
            let request = Reply::new(request(report, &judged, severity, fingerprint))
                .expires(envelope.expirytime)
                .forwarding(members);
            replies.push(request);
        }
        Outcome::Done(replies)
    }
}

fn decide(
    report: &ErrorReported,
    failure: &Failure,
    kind: ErrorKind,
    seen: &Seen,
) -> (Decision, String) {
    match healable(report, failure, kind) {
        Err(reason) => (Decision::NotHealable, reason),
        Ok(()) if seen.position > 1 => {
            let first = id_of(&seen.first);
            let reason = format!(
                "the same failure was first reported by message {first}, whose heal stands for this one too"
            );
            (Decision::Repeat, reason)
        }
        Ok(()) => (
            Decision::Heal,
            match &report.finding {
                Some(finding) => format!(
                    "{} can be run again, and there are strategies for it",
                    finding.tool
                ),
                None => "its test can be run again, and there are strategies for it".to_owned(),
            },
        ),
    }
}

fn request(
    report: ErrorReported,
    judged: &Judged,
    severity: Severity,
    fingerprint: String,
) -> HealRequested {
    HealRequested {
        project: report.project,
        kind: judged.kind,
        message: report.message,
        severity: Some(severity),
        stack_trace: report.stack_trace,
        file: report.file,
        line: report.line,
        finding: report.finding,
        test: report.test,
        runtime: report.runtime,
        environment: report.environment,
        // What the report says of it comes with the forwarded members, and is checked by the heal worker's reader.
        policy: None,
        fingerprint: Some(fingerprint),
    }
}

/// Between an id and its source; no id that anybody writes has it.
const SEPARATOR: char = '\u{1f}';

/// The message among all others: ids are unique for their source only.
fn one_of_all(envelope: &Envelope) -> String {
    let id = envelope.id.as_deref().unwrap_or_default();
    match &envelope.source {
        Some(source) => format!("{id}{SEPARATOR}{source}"),
        None => id.to_owned(),
    }
}

fn id_of(message: &str) -> &str {
    message.split_once(SEPARATOR).map_or(message, |(id, _)| id)
}
