//! What is answered: the verdict of one heal, and the evidence as it was counted. Nothing here runs anything.

use std::time::Duration;

use maestro_protocol::heal::{
    BeforeAfter, Counts, Evidence, HealCompleted, RuntimeChanges, Strategy, Timing, Touch, Verdict,
};

use crate::adapter;
use crate::case::Case;
use crate::classify::{Diagnosis, ErrorClass, Leaning};
use crate::confidence::{Counted, confidence};
use crate::engine::Order;
use crate::failure::{Failure, Phase, Report, TestOutcome};
use crate::judge::{Target, comes_to_its_skip, neighbours};
use crate::laboratory::{AttemptError, Laboratory};
use crate::patch;
use crate::prove::Proof;
use crate::reproduce::Reproduced;
use crate::runner::console::tail;
use crate::search::{Found, State};
use crate::teeth::Objection;
use crate::unsteady::{Cause, Unsteady};

/// The most bytes of the excerpt.
const EXCERPT: usize = 2_000;

/// What the failure of a state is, and which way its verdict leans.
pub(crate) struct Explained(Option<Diagnosis>);

impl Explained {
    pub(crate) fn class(&self) -> &'static str {
        self.0
            .as_ref()
            .map_or("unknown", |diagnosis| diagnosis.class.name())
    }

    /// Whether other tests may be to blame: nothing that is missing or out of date explains the failure, and it arose
    /// in a test, not before.
    pub(crate) fn may_be_flaky(&self) -> bool {
        self.0.as_ref().is_some_and(|diagnosis| {
            diagnosis.leaning != Leaning::Heal
                && !matches!(
                    diagnosis.class,
                    ErrorClass::SyntaxError
                        | ErrorClass::ConfigError
                        | ErrorClass::DependencyError
                        | ErrorClass::DeprecationError
                )
        })
    }

    fn refusal(&self) -> Option<&String> {
        match &self.0.as_ref()?.leaning {
            Leaning::Refuse(reason) => Some(reason),
            Leaning::Heal | Leaning::Open => None,
        }
    }
}

/// What stands behind a repair that did not turn the target green.
pub(crate) enum Behind {
    /// Another failure.
    Failure(Explained),
    /// A test that passes and fails, and what was answered of it.
    Unsteady(Box<HealCompleted>),
}

impl Behind {
    /// What shows, where that is not the failure's own text.
    fn shown(&self) -> Option<&str> {
        match self {
            Self::Failure(_) => None,
            Self::Unsteady(answer) => Some(&answer.reason),
        }
    }

    /// Why only a person may go on. `refusals` are those of the search.
    fn refusal<'a>(&'a self, refusals: &'a [String]) -> Option<&'a String> {
        match self {
            Self::Failure(explained) => refusals.last().or(explained.refusal()),
            // What the search said was said of a test that was taken for steady.
            Self::Unsteady(answer) => {
                Some(&answer.reason).filter(|_| answer.verdict == Verdict::Refused)
            }
        }
    }
}

pub(crate) fn explain<L: Laboratory>(laboratory: &L, state: &State, target: &Target) -> Explained {
    let failures = [primary(&state.attempt.report, target)];
    let index = laboratory.index();
    Explained(laboratory.adapter().diagnose(&Case {
        failures: &failures,
        tree: &state.tree,
        installed: &state.attempt.installed,
        index: index.as_ref(),
        past: laboratory.past().as_ref(),
        unsteady: laboratory.unsteady().as_deref(),
    }))
}

/// The failure to explain: the target's first.
pub(crate) fn primary(report: &Report, target: &Target) -> Failure {
    report
        .failures_of(target.id())
        .into_iter()
        .next()
        .unwrap_or_else(|| Failure {
            test: target.id().map(str::to_owned),
            phase: Phase::Configuration,
            exception: None,
            message: "the test was not run".to_owned(),
            frames: Vec::new(),
            text: String::new(),
            ..Failure::default()
        })
}

/// The answer in the making.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) completed: HealCompleted,
    /// Nothing of the target could run on the code as it was.
    blocked: bool,
    /// The run of it.
    before: Report,
}

impl Answer {
    pub(crate) fn new(order: &Order<'_>, reproduced: &Reproduced, timing: Timing) -> Self {
        let report = &reproduced.attempt.report;
        let failure = primary(report, &order.target);
        let before = neighbours(report, &order.target);
        let collected = collected(report);
        Self {
            blocked: order.target.was_blocked(report),
            before: report.clone(),
            completed: HealCompleted {
                project: order.request.project.clone(),
                test: order.request.test.clone(),
                finding: order.request.finding.clone(),
                file: order
                    .request
                    .finding
                    .as_ref()
                    .and(order.request.file.clone()),
                verdict: Verdict::NoFix,
                strategy: None,
                steps: Vec::new(),
                patch: None,
                touches: Vec::new(),
                runtime_changes: None,
                confidence: 0.0,
                reason: String::new(),
                evidence: Evidence {
                    reproduced: format!("{}/{}", reproduced.shown, reproduced.runs),
                    after: "0/0".to_owned(),
                    neighbours: BeforeAfter {
                        before,
                        after: before,
                    },
                    collected: BeforeAfter {
                        before: collected,
                        after: collected,
                    },
                    assertions: BeforeAfter::default(),
                    teeth: None,
                    error_class: String::new(),
                    excerpt: excerpt(&failure),
                    caveats: reproduced.attempt.stopped.iter().cloned().collect(),
                    experience: None,
                    since: None,
                },
                timing_ms: timing,
                worker_version: env!("CARGO_PKG_VERSION").to_owned(),
                fingerprint: order.request.fingerprint.clone(),
            },
        }
    }

    pub(crate) fn spent(&mut self, found: &Found) {
        let timing = &mut self.completed.timing_ms;
        timing.generate += millis(found.generate);
        timing.install += millis(found.install);
        timing.validate += millis(found.validate);
    }

    pub(crate) fn not_reproduced(mut self, reproduced: &Reproduced, further: u32) -> HealCompleted {
        self.completed.verdict = Verdict::NotReproduced;
        self.completed.confidence = 0.9;
        "none".clone_into(&mut self.completed.evidence.error_class);
        self.completed.evidence.after = format!("{0}/{0}", reproduced.runs + further);
        self.completed.reason = if let Some(finding) = &self.completed.finding {
            let title = finding.title(self.completed.file.as_deref());
            format!(
                "{title} does not show here: it was looked for in a fresh environment, by the project's own configuration"
            )
        } else if further == 0 {
            "the test passes here: it was run in a fresh environment and did not fail".to_owned()
        } else {
            format!(
                "the test passes here: it was run in a fresh environment, then {further} times alone, in other orders and with other seeds, and did not fail"
            )
        };
        self.completed
    }

    /// It failed in some runs of the same code, and in none of `further` ones.
    pub(crate) fn unsteady(mut self, reproduced: &Reproduced, further: u32) -> HealCompleted {
        "flaky".clone_into(&mut self.completed.evidence.error_class);
        let others = if further == 0 {
            String::new()
        } else {
            format!(", and in none of {further} further ones in other orders and with other seeds")
        };
        self.completed.reason = format!(
            "the failure showed in {} of {} runs of the same code{others}: what it depends on is unknown",
            reproduced.shown, reproduced.runs
        );
        self.completed
    }

    /// Takes the excerpt from the run in which a flaky test failed.
    pub(crate) fn failed_with(&mut self, report: &Report, victim: &str) {
        let failure = primary(report, &Target::Test(victim.to_owned()));
        self.completed.evidence.excerpt = excerpt(&failure);
    }

    /// What a flaky test depends on is known, and nothing that was tried since `start` makes it independent of it.
    pub(crate) fn unstable(
        mut self,
        order: &Order<'_>,
        start: &State,
        found: &Found,
        unsteady: &Unsteady,
        diagnosis: &Explained,
    ) -> Result<HealCompleted, AttemptError> {
        if found.state.steps.len() > start.steps.len() {
            return self.not_stabilised(order, found);
        }
        let completed = &mut self.completed;
        // What fails alone, in a process of its own, may well be what is broken.
        let alone = matches!(unsteady.cause, Cause::Unset(_))
            .then(|| diagnosis.refusal())
            .flatten();
        if let Some(reason) = found.refusals.first().or(alone) {
            completed.verdict = Verdict::Refused;
            completed.confidence = 0.9;
            completed.reason = format!("{unsteady}: {reason}");
        } else {
            completed.verdict = Verdict::NoFix;
            completed.reason = match found.rejected.first() {
                Some(first) => format!(
                    "{unsteady}; {} candidates were tried and none holds; the first: {first}",
                    found.rejected.len()
                ),
                None => found
                    .lacking
                    .first()
                    .cloned()
                    .unwrap_or_else(|| format!("{unsteady}; no repair of this version fits")),
            };
        }
        completed
            .evidence
            .caveats
            .extend(found.rejected.iter().take(5).cloned());
        Ok(self.completed)
    }

    /// Something that a flaky test depends on was taken away, and it is not steady yet.
    pub(crate) fn not_stabilised(
        mut self,
        order: &Order<'_>,
        found: &Found,
    ) -> Result<HealCompleted, AttemptError> {
        self.describe(order, found)?;
        let completed = &mut self.completed;
        completed.verdict = Verdict::NoFix;
        completed.reason = found.rejected.last().cloned().unwrap_or_default();
        completed.patch = None;
        "0/1".clone_into(&mut completed.evidence.after);
        Ok(self.completed)
    }

    /// A test fails now and then under the same conditions, and no candidate repairs it.
    pub(crate) fn now_and_then(
        mut self,
        found: &Found,
        diagnosis: &Explained,
        victim: Option<&str>,
    ) -> HealCompleted {
        let what = format!(
            "{} fails now and then in the same order and with the same seeds",
            victim.unwrap_or("a test")
        );
        let completed = &mut self.completed;
        match found.refusals.first().or(diagnosis.refusal()) {
            Some(reason) => {
                completed.verdict = Verdict::Refused;
                completed.confidence = 0.7;
                completed.reason = format!("{what}: {reason}");
            }
            None => completed.reason = format!("{what}: time, threads or the system decide"),
        }
        self.completed
    }

    /// Nothing turned the target green: refused where the product is at fault or a person has to decide, no fix
    /// elsewhere; what was reached on the way is told.
    pub(crate) fn unhealed(
        mut self,
        order: &Order<'_>,
        found: &Found,
        diagnosis: &Explained,
        behind: &Behind,
    ) -> Result<HealCompleted, AttemptError> {
        let partial = !found.state.steps.is_empty();
        let completed = &mut self.completed;
        if partial {
            self.partial(order, found, behind)?;
            return Ok(self.completed);
        }
        // What is lacking is no fault of the product, whatever its failure looks like.
        let refusal = match found.lacking.first() {
            Some(_) => found.refusals.first(),
            None => found.refusals.first().or(diagnosis.refusal()),
        };
        if let Some(reason) = refusal {
            completed.verdict = Verdict::Refused;
            completed.confidence = 0.9;
            completed.reason.clone_from(reason);
        } else if let Some(lacking) = found.lacking.first() {
            completed.verdict = Verdict::NoFix;
            completed.reason.clone_from(lacking);
        } else {
            completed.verdict = Verdict::NoFix;
            completed.reason = match found.rejected.first() {
                Some(first) => format!(
                    "{} candidates were tried and none holds; the first: {first}",
                    found.rejected.len()
                ),
                None => format!(
                    "no strategy of this version repairs this failure ({})",
                    diagnosis.class()
                ),
            };
        }
        completed
            .evidence
            .caveats
            .extend(found.rejected.iter().take(5).cloned());
        Ok(self.completed)
    }

    /// One failure was repaired and another stands behind it. The repair is proposed where nothing of the target
    /// could run before and nearly all of it passes now; else it is only reported.
    fn partial(
        &mut self,
        order: &Order<'_>,
        found: &Found,
        behind: &Behind,
    ) -> Result<(), AttemptError> {
        let report = &found.state.attempt.report;
        let shown = primary(report, &order.target).message;
        let bad = report
            .outcomes
            .values()
            .filter(|outcome| outcome.is_bad())
            .count();
        let good = report
            .outcomes
            .values()
            .filter(|outcome| **outcome == TestOutcome::Passed)
            .count();
        let unblocked = self.blocked && bad > 0 && bad * 10 <= good;
        let shown = behind
            .shown()
            .unwrap_or(shown.lines().next().unwrap_or_default());
        self.describe(order, found)?;
        let completed = &mut self.completed;
        let done = found
            .state
            .steps
            .iter()
            .map(|step| step.description.as_str())
            .collect::<Vec<_>>()
            .join("; ");
        if unblocked {
            completed.verdict = Verdict::Proposed;
            completed.confidence = 0.5;
            completed.reason = format!(
                "{done}: {good} tests pass that could not run before, {bad} still fail for another reason ({shown})"
            );
        } else {
            let refused = behind.refusal(&found.refusals);
            completed.verdict = if refused.is_some() {
                Verdict::Refused
            } else {
                Verdict::NoFix
            };
            completed.reason = match refused {
                Some(reason) => format!(
                    "one failure was repaired ({done}), and behind it stands another: {reason}"
                ),
                None => format!(
                    "one failure was repaired ({done}), and behind it stands another: {shown}"
                ),
            };
            completed.confidence = if refused.is_some() { 0.7 } else { 0.0 };
        }
        completed.evidence.after = format!("0/{}", found.state.steps.len());
        completed
            .evidence
            .caveats
            .push("the repair is partial: the target still fails".to_owned());
        completed
            .evidence
            .caveats
            .extend(found.rejected.iter().take(5).cloned());
        Ok(())
    }

    pub(crate) fn healed(
        mut self,
        order: &Order<'_>,
        found: &Found,
        proof: &Proof,
    ) -> Result<HealCompleted, AttemptError> {
        self.describe(order, found)?;
        let completed = &mut self.completed;
        let (passed, runs) = (proof.passed, proof.runs);
        completed.evidence.teeth = proof.checked.teeth;
        completed.timing_ms.teeth = Some(millis(proof.checked.run)).filter(|spent| *spent > 0);
        completed.evidence.after = format!("{passed}/{runs}");
        if passed < runs {
            completed.verdict = Verdict::NoFix;
            completed.reason = found.rejected.last().cloned().unwrap_or_default();
            completed.patch = None;
            return Ok(self.completed);
        }
        let touches = found.state.touches.clone();
        let strategies: Vec<Strategy> =
            found.state.steps.iter().map(|step| step.strategy).collect();
        let counted = confidence(&Counted {
            reproduced: proof.reproduced,
            passed,
            neighbours: completed.evidence.neighbours.after,
            strategies: &strategies,
            touches: &touches,
            teeth: proof
                .checked
                .teeth
                .map(|teeth| (teeth.caught_after, teeth.planted)),
        });
        completed.confidence = counted;
        if let Some(strategy) = strategies.first() {
            let class = &completed.evidence.error_class;
            let (figure, experience) = order.known.confidence(counted, *strategy, class);
            completed.confidence = figure;
            completed.evidence.experience = Some(experience);
        }
        let needs_person = touches.contains(&Touch::Product)
            || strategies.contains(&Strategy::AssertionUpdate)
            || !found.state.doubts.is_empty();
        completed.verdict = if needs_person {
            Verdict::Proposed
        } else {
            Verdict::Healed
        };
        let what = found
            .state
            .steps
            .iter()
            .map(|step| step.description.as_str())
            .collect::<Vec<_>>()
            .join("; then ");
        let doubts = found.state.doubts.join(", and because ");
        completed.reason = if touches.contains(&Touch::Product) {
            format!("{what}; product code is touched, so a person decides")
        } else if doubts.is_empty() {
            what
        } else {
            format!("{what}; a person decides, because {doubts}")
        };
        let still = found.state.attempt.report.failures.len();
        if still > 0 {
            completed.evidence.caveats.push(format!(
                "{still} other tests of the command failed before and fail still, for reasons of their own"
            ));
        }
        let after = &found.state.attempt.report;
        let skipped = after
            .own_skips
            .iter()
            .filter(|test| comes_to_its_skip(test, &self.before, after))
            .count();
        if skipped > 0 {
            completed.evidence.caveats.push(format!(
                "{skipped} tests that could not be set up before come to a skip of the project's own now"
            ));
        }
        let nothing_collected = |failure: &Failure| failure.test.is_none();
        if self.before.failures.iter().any(nothing_collected) {
            completed.evidence.caveats.push(
                "nothing could be collected before, so there are no neighbours to compare with"
                    .to_owned(),
            );
        }
        completed
            .evidence
            .caveats
            .extend(proof.checked.caveat.clone());
        match &proof.checked.objection {
            Some(Objection::Lost(reason)) => {
                completed.verdict = Verdict::Refused;
                completed.confidence = 0.9;
                completed.reason = format!("{}; but {reason}", completed.reason);
                completed.patch = None;
            }
            Some(Objection::Toothless(reason)) => {
                completed.verdict = Verdict::Proposed;
                completed.reason = format!("{}; but {reason}", completed.reason);
            }
            None => {}
        }
        Ok(self.completed)
    }

    /// Writes the state's steps, patch, runtime changes and counts into the answer.
    fn describe(&mut self, order: &Order<'_>, found: &Found) -> Result<(), AttemptError> {
        let completed = &mut self.completed;
        let state = &found.state;
        completed.steps.clone_from(&state.steps);
        completed.strategy = state.steps.first().map(|step| step.strategy);
        completed.touches.clone_from(&state.touches);
        completed.runtime_changes =
            Some(state.runtime.clone()).filter(|changes| *changes != RuntimeChanges::default());
        let changes = state.tree.changes();
        if !changes.is_empty() {
            completed.patch = Some(patch::unified(
                &changes,
                order.request.project.directory.as_deref(),
            )?);
        }
        let report = &state.attempt.report;
        completed.evidence.neighbours.after = neighbours(report, &order.target);
        completed.evidence.collected.after = collected(report);
        let sources = changes.iter().filter_map(|(path, before, after)| {
            Some((adapter::of_file(path)?, path, before, after))
        });
        completed.evidence.assertions = sources.fold(
            BeforeAfter::default(),
            |sum, (adapter, path, before, after)| BeforeAfter {
                before: sum.before + adapter.assertions(path, before),
                after: sum.after + adapter.assertions(path, after),
            },
        );
        Ok(())
    }
}

fn collected(report: &Report) -> u32 {
    let Counts {
        passed,
        failed,
        errors,
        skipped,
    } = neighbours(report, &Target::Command);
    // A file that could not be collected is no test.
    let files = report
        .outcomes
        .iter()
        .filter(|(test, outcome)| **outcome != TestOutcome::Passed && adapter::names_a_file(test));
    (passed + failed + errors + skipped)
        .saturating_sub(u32::try_from(files.count()).unwrap_or(u32::MAX))
}

/// The lines of a traceback that say what happened: the exception's own, and the last of the frames.
fn excerpt(failure: &Failure) -> String {
    let marked: Vec<&str> = failure
        .text
        .lines()
        .filter(|line| line.starts_with("E  ") || line.starts_with('>'))
        .collect();
    let text = if marked.is_empty() {
        failure.text.trim()
    } else {
        &marked.join("\n")
    };
    let text = if text.is_empty() {
        failure.message.as_str()
    } else {
        text
    };
    // What decides stands at the end.
    tail(text, EXCERPT).to_owned()
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
