//! What is counted of every worker's messages, from what it says. Labels come from closed sets: names of the protocol, never a text of
//! a message.

use std::time::Duration;

use maestro_protocol::environment::{DeletionCause, Phase, TestOutcome};
use maestro_protocol::error::Decision;
use maestro_protocol::heal::{Strategy, Timing, Verdict};
use maestro_protocol::{DeadReason, Message};
use metrics::{counter, histogram};
use serde::Serialize;

/// A handler came to an outcome.
pub(crate) fn handled(worker: &'static str, outcome: &'static str) {
    counter!("maestro_handled_total", "worker" => worker, "outcome" => outcome).increment(1);
}

/// A message is set aside unhandled.
pub(crate) fn unfit(worker: &'static str, reason: DeadReason) {
    counter!("maestro_unfit_total", "worker" => worker, "reason" => reason.name()).increment(1);
}

/// A worker said this, `age` after it was asked.
pub(crate) fn said(message: &Message, age: Duration) {
    match message {
        Message::ErrorTriaged(triaged) => {
            let (decision, kind) = (name(&triaged.decision), name(&triaged.kind));
            counter!("maestro_triaged_total", "decision" => decision, "kind" => kind).increment(1);
        }
        Message::HealCompleted(heal) => {
            healed(heal.verdict, heal.strategy, &heal.timing_ms);
        }
        Message::EnvironmentStatus(status) => {
            let phase = name(&status.phase);
            counter!("maestro_environment_phases_total", "phase" => phase).increment(1);
            if status.phase == Phase::Ready {
                histogram!("maestro_environment_ready_seconds").record(age);
            }
        }
        Message::EnvironmentTested(tested) => {
            let outcome = name(&tested.outcome);
            counter!("maestro_environment_tests_total", "outcome" => outcome.clone()).increment(1);
            let took = Duration::from_millis(tested.duration_ms);
            histogram!("maestro_environment_test_seconds", "outcome" => outcome).record(took);
        }
        Message::EnvironmentDeleted(deleted) if deleted.dry_run != Some(true) => {
            let cause = name(&deleted.cause);
            counter!("maestro_environments_deleted_total", "cause" => cause).increment(1);
        }
        _ => {}
    }
}

fn healed(verdict: Verdict, strategy: Option<Strategy>, timing: &Timing) {
    let verdict = name(&verdict);
    let strategy = strategy.map_or_else(|| "none".to_owned(), |strategy| name(&strategy));
    counter!("maestro_heals_total", "verdict" => verdict.clone(), "strategy" => strategy)
        .increment(1);
    let mut whole = Duration::ZERO;
    for (step, ms) in [
        ("checkout", Some(timing.checkout)),
        ("install", Some(timing.install)),
        ("reproduce", Some(timing.reproduce)),
        ("generate", Some(timing.generate)),
        ("validate", Some(timing.validate)),
        ("teeth", timing.teeth),
    ] {
        if let Some(ms) = ms {
            let took = Duration::from_millis(ms);
            whole += took;
            histogram!("maestro_heal_step_seconds", "step" => step).record(took);
        }
    }
    histogram!("maestro_heal_seconds", "verdict" => verdict).record(whole);
}

/// The name by which the protocol writes a value of one of its closed sets.
fn name<T: Serialize + Closed>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// Types that have no values but a few named ones, so that a label stays small.
trait Closed {}
impl Closed for Decision {}
impl Closed for maestro_protocol::error::ErrorKind {}
impl Closed for Verdict {}
impl Closed for Strategy {}
impl Closed for Phase {}
impl Closed for TestOutcome {}
impl Closed for DeletionCause {}
