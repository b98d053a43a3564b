//! What is counted of every worker's messages, from what it says. Labels come from closed sets: names of the protocol, never a text of
//! a message.

use std::time::Duration;

use maestro_protocol::environment::{DeletionCause, Phase, TestOutcome};
use maestro_protocol::error::{Decision, ErrorKind};
use maestro_protocol::heal::{Strategy, Timing, Verdict};
use maestro_protocol::{DeadReason, Message};
use metrics::{Counter, Histogram, counter, histogram};
use serde::Serialize;

const OUTCOMES: [&str; 5] = ["done", "retry", "refused", "unavailable", "panicked"];

/// Counts nothing yet of what a worker of this name may say: what first shows as 1 has not grown for Prometheus, and the first of
/// few would never be seen.
pub(crate) fn prepare(worker: &'static str) {
    for reason in DeadReason::ALL {
        counter!("maestro_unfit_total", "worker" => worker, "reason" => reason.name()).increment(0);
    }
    match worker {
        "triage" => {
            for decision in [Decision::Heal, Decision::Repeat, Decision::NotHealable] {
                for kind in KINDS {
                    triaged(decision, kind).increment(0);
                }
            }
        }
        "heal" => {
            for verdict in VERDICTS {
                for strategy in STRATEGIES.into_iter().map(Some).chain([None]) {
                    heals(verdict, strategy).increment(0);
                }
                let _ = heal_seconds(verdict);
            }
            for step in STEPS {
                let _ = step_seconds(step);
            }
        }
        "provision" | "cleanup" => {
            for phase in PHASES {
                phases(phase).increment(0);
            }
            for outcome in TEST_OUTCOMES {
                tests(outcome).increment(0);
                let _ = test_seconds(outcome);
            }
            let _ = ready_seconds();
            for cause in CAUSES {
                deleted(cause).increment(0);
            }
        }
        _ => {}
    }
}

const KINDS: [ErrorKind; 7] = [
    ErrorKind::TestFailure,
    ErrorKind::BuildError,
    ErrorKind::TypeError,
    ErrorKind::LintError,
    ErrorKind::RuntimeError,
    ErrorKind::ImportError,
    ErrorKind::DependencyError,
];

const VERDICTS: [Verdict; 5] = [
    Verdict::Healed,
    Verdict::Proposed,
    Verdict::Refused,
    Verdict::NotReproduced,
    Verdict::NoFix,
];

const STRATEGIES: [Strategy; 7] = [
    Strategy::SyntaxRepair,
    Strategy::DependencyFix,
    Strategy::TimingAdjustment,
    Strategy::AssertionUpdate,
    Strategy::EnvironmentHealing,
    Strategy::FlakyTestStabilization,
    Strategy::ApiContractAdaptation,
];

const PHASES: [Phase; 8] = [
    Phase::Accepted,
    Phase::Provisioning,
    Phase::Ready,
    Phase::Testing,
    Phase::Tested,
    Phase::Failed,
    Phase::Deleting,
    Phase::Deleted,
];

const TEST_OUTCOMES: [TestOutcome; 4] = [
    TestOutcome::Passed,
    TestOutcome::Failed,
    TestOutcome::TimedOut,
    TestOutcome::Broken,
];

const CAUSES: [DeletionCause; 5] = [
    DeletionCause::Requested,
    DeletionCause::Expired,
    DeletionCause::Finished,
    DeletionCause::Failed,
    DeletionCause::Orphaned,
];

const STEPS: [&str; 6] = [
    "checkout",
    "install",
    "reproduce",
    "generate",
    "validate",
    "teeth",
];

fn heal_seconds(verdict: Verdict) -> Histogram {
    histogram!("maestro_heal_seconds", "verdict" => name(&verdict))
}

fn step_seconds(step: &'static str) -> Histogram {
    histogram!("maestro_heal_step_seconds", "step" => step)
}

fn ready_seconds() -> Histogram {
    histogram!("maestro_environment_ready_seconds")
}

fn test_seconds(outcome: TestOutcome) -> Histogram {
    histogram!("maestro_environment_test_seconds", "outcome" => name(&outcome))
}

fn triaged(decision: Decision, kind: ErrorKind) -> Counter {
    counter!("maestro_triaged_total", "decision" => name(&decision), "kind" => name(&kind))
}

fn heals(verdict: Verdict, strategy: Option<Strategy>) -> Counter {
    let strategy = strategy.map_or_else(|| "none".to_owned(), |strategy| name(&strategy));
    counter!("maestro_heals_total", "verdict" => name(&verdict), "strategy" => strategy)
}

fn phases(phase: Phase) -> Counter {
    counter!("maestro_environment_phases_total", "phase" => name(&phase))
}

fn tests(outcome: TestOutcome) -> Counter {
    counter!("maestro_environment_tests_total", "outcome" => name(&outcome))
}

fn deleted(cause: DeletionCause) -> Counter {
    counter!("maestro_environments_deleted_total", "cause" => name(&cause))
}

/// A handler came to an outcome.
/// Messages handled, by outcome. Kept, since looking a counter up by its labels costs more than counting.
pub(crate) struct Handled([(&'static str, Counter); OUTCOMES.len()]);

impl Handled {
    /// All at nothing.
    pub(crate) fn by(worker: &'static str) -> Self {
        Self(OUTCOMES.map(|outcome| {
            let counter =
                counter!("maestro_handled_total", "worker" => worker, "outcome" => outcome);
            counter.increment(0);
            (outcome, counter)
        }))
    }

    /// One more with one of the [`OUTCOMES`].
    pub(crate) fn count(&self, outcome: &str) {
        if let Some((_, counter)) = self.0.iter().find(|(of, _)| *of == outcome) {
            counter.increment(1);
        }
    }
}

/// A message is set aside unhandled.
pub(crate) fn unfit(worker: &'static str, reason: DeadReason) {
    counter!("maestro_unfit_total", "worker" => worker, "reason" => reason.name()).increment(1);
}

/// A worker said this, `age` after it was asked.
pub(crate) fn said(message: &Message, age: Duration) {
    match message {
        Message::ErrorTriaged(triaged) => {
            self::triaged(triaged.decision, triaged.kind).increment(1);
        }
        Message::HealCompleted(heal) => {
            healed(heal.verdict, heal.strategy, &heal.timing_ms);
        }
        Message::EnvironmentStatus(status) => {
            phases(status.phase).increment(1);
            if status.phase == Phase::Ready {
                ready_seconds().record(age);
            }
        }
        Message::EnvironmentTested(tested) => {
            tests(tested.outcome).increment(1);
            test_seconds(tested.outcome).record(Duration::from_millis(tested.duration_ms));
        }
        Message::EnvironmentDeleted(deleted) if deleted.dry_run != Some(true) => {
            self::deleted(deleted.cause).increment(1);
        }
        _ => {}
    }
}

fn healed(verdict: Verdict, strategy: Option<Strategy>, timing: &Timing) {
    heals(verdict, strategy).increment(1);
    let took = [
        Some(timing.checkout),
        Some(timing.install),
        Some(timing.reproduce),
        Some(timing.generate),
        Some(timing.validate),
        timing.teeth,
    ];
    let mut whole = Duration::ZERO;
    for (step, ms) in STEPS.into_iter().zip(took) {
        if let Some(ms) = ms {
            let took = Duration::from_millis(ms);
            whole += took;
            step_seconds(step).record(took);
        }
    }
    heal_seconds(verdict).record(whole);
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
impl Closed for ErrorKind {}
impl Closed for Verdict {}
impl Closed for Strategy {}
impl Closed for Phase {}
impl Closed for TestOutcome {}
impl Closed for DeletionCause {}
