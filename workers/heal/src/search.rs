//! The search for a repair: candidates, cheapest and safest first, each tried on a fresh tree; what stands behind
//! a failure is followed, within the budget.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use maestro_memory::Known;
use maestro_protocol::heal::{RuntimeChanges, Step, Strategy, Touch};

use crate::case::{Candidate, Case, Finding, Repair};
use crate::conditions::Conditions;
use crate::distribution::distribution;
use crate::failure::{Report, TestOutcome};
use crate::guard::Guard;
use crate::judge::{Assessment, Target, assess};
use crate::laboratory::{Attempt, AttemptError, Laboratory};
use crate::overlay::Overlay;
use crate::patch::unified;
use crate::way_back::goes_back;

/// The most links of a chain.
const DEEPEST: usize = 8;
/// The most candidates tried for one failure.
const WIDEST: usize = 10;

/// The strategies that are asked.
pub type Repairs = &'static [&'static dyn Repair];

/// What a search chooses from, and in which order.
#[derive(Clone, Copy)]
pub struct Menu<'a> {
    /// The strategies.
    pub repairs: Repairs,
    /// What became of earlier heals.
    pub known: &'a Known,
    /// The class of the failure.
    pub class: &'a str,
    /// Where the project lies in its repository: patches have paths of the repository.
    pub directory: Option<&'a str>,
}

impl Menu<'_> {
    /// Why a state is not to be offered: a person has turned the same repair of the same failure down.
    fn turned_down(&self, state: &State) -> Option<String> {
        if self.known.history.tried.is_empty() {
            return None;
        }
        let changes = state.tree.changes();
        let patch = if changes.is_empty() {
            None
        } else {
            Some(unified(&changes, self.directory).ok()?)
        };
        let tried = self
            .known
            .turned_down(patch.as_deref(), Some(&state.runtime))?;
        let by = tried.by.as_deref().unwrap_or("a person");
        let why = match tried.reason.as_str() {
            "" => String::new(),
            reason => format!(" ({reason})"),
        };
        Some(format!(
            "{by} turned the same repair of the same failure down{why}"
        ))
    }
}

/// What a heal may cost.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Runs of the command.
    pub runs: u32,
    /// The same for a flaky test, which takes runs to understand and more to prove.
    pub for_flaky: u32,
    /// When it must be over.
    pub deadline: Instant,
}

impl Budget {
    fn spend(&mut self) -> bool {
        if self.runs == 0 || Instant::now() >= self.deadline {
            return false;
        }
        self.take(1);
        true
    }

    /// Counts runs that are made whether or not any are left.
    pub(crate) fn take(&mut self, runs: u32) {
        self.runs = self.runs.saturating_sub(runs);
        self.for_flaky = self.for_flaky.saturating_sub(runs);
    }

    /// What is left of it for a test that turns out to be flaky.
    pub(crate) fn of_flaky(self) -> Self {
        Self {
            runs: self.runs.max(self.for_flaky),
            ..self
        }
    }
}

/// A tree and an environment on the way to a repair.
#[derive(Clone)]
pub struct State {
    /// The tree.
    pub tree: Overlay,
    /// Changes to the environment.
    pub runtime: RuntimeChanges,
    /// What was done to get here.
    pub steps: Vec<Step>,
    /// What the changes touch, sorted.
    pub touches: Vec<Touch>,
    /// Why a person has to judge what was done, where a step says so.
    pub doubts: Vec<String>,
    /// The run that was made here.
    pub attempt: Attempt,
}

/// What the search came to.
pub struct Found {
    /// The best state: green, or as far as it went.
    pub state: State,
    /// Whether the target passes there.
    pub green: bool,
    /// Reasons why a person has to decide, in the order in which strategies gave them.
    pub refusals: Vec<String>,
    /// What is lacking, by its name, and cannot be known from the project.
    pub lacking: Vec<String>,
    /// What was tried and did not do, one sentence each.
    pub rejected: Vec<String>,
    /// Time spent on making candidates.
    pub generate: Duration,
    /// Time spent on building environments.
    pub install: Duration,
    /// Time spent on running candidates.
    pub validate: Duration,
}

impl State {
    /// The project as it is.
    pub(crate) fn before(tree: &Overlay, attempt: Attempt) -> Self {
        Self {
            tree: tree.clone(),
            runtime: RuntimeChanges::default(),
            steps: Vec::new(),
            touches: Vec::new(),
            doubts: Vec::new(),
            attempt,
        }
    }
}

impl Found {
    /// Nothing yet.
    pub(crate) fn at(state: State) -> Self {
        Self {
            state,
            green: false,
            refusals: Vec::new(),
            lacking: Vec::new(),
            rejected: Vec::new(),
            generate: Duration::ZERO,
            install: Duration::ZERO,
            validate: Duration::ZERO,
        }
    }
}

/// A candidate, and why a person has to judge it, where that is so.
struct Offer {
    candidate: Candidate,
    doubt: Option<String>,
}

/// A state whose candidates are being tried.
struct Open {
    state: State,
    candidates: std::vec::IntoIter<Offer>,
}

/// Searches from `start`, whose attempt is the run on the original code.
pub async fn search<L: Laboratory>(
    laboratory: &L,
    start: State,
    target: &Target,
    guard: &Guard,
    budget: &mut Budget,
    menu: &Menu<'_>,
) -> Result<Found, AttemptError> {
    let original = start.attempt.report.clone();
    let mut found = Found::at(start.clone());
    let mut tried = HashSet::new();
    let mut believes = false;
    let first = candidates(laboratory, menu, &start, target, &mut found).await;
    let mut open = vec![Open {
        state: start,
        candidates: first,
    }];
    while let Some(top) = open.last_mut() {
        let Some(offer) = top.candidates.next() else {
            open.pop();
            continue;
        };
        if let Some(reason) = circles(&open, &offer.candidate) {
            found.rejected.push(reason);
            continue;
        }
        let Some(top) = open.last_mut() else { break };
        let Some(mut next) = advance(&top.state, &offer, guard, &mut found.rejected) else {
            continue;
        };
        let candidate = offer.candidate;
        if !tried.insert(identity(&next)) {
            continue;
        }
        if let Some(reason) = menu.turned_down(&next) {
            found
                .rejected
                .push(format!("{}: {reason}", candidate.description));
            continue;
        }
        if !budget.spend() {
            found
                .rejected
                .push("the budget of runs or time is spent".to_owned());
            break;
        }
        if !run(laboratory, &mut next, &candidate, &mut found).await? {
            continue;
        }
        let judge = |attempt: &Attempt| {
            let before = &top.state.attempt.report;
            assess(&original, before, &attempt.report, target)
        };
        let judged = believed(laboratory, &mut next, judge, &mut believes, budget).await?;
        match judged {
            Assessment::Green => {
                found.state = relocked(next, guard);
                found.green = true;
                break;
            }
            Assessment::Progress if open.len() < DEEPEST => {
                if next.steps.len() > found.state.steps.len() {
                    found.state = next.clone();
                }
                let more = candidates(laboratory, menu, &next, target, &mut found).await;
                open.push(Open {
                    state: next,
                    candidates: more,
                });
            }
            Assessment::Worse(reason) => found
                .rejected
                .push(format!("{}: {reason}", candidate.description)),
            Assessment::Progress | Assessment::Same => {
                found
                    .rejected
                    .push(format!("{}: the failure stays", candidate.description));
            }
        }
    }
    if found.green {
        follow_up(
            laboratory, menu, &original, target, guard, budget, &mut found,
        )
        .await?;
    }
    Ok(found)
}

/// Why a candidate would lead a chain back to where it came from.
fn circles(open: &[Open], candidate: &Candidate) -> Option<String> {
    let history: Vec<&[(String, String)]> = open
        .iter()
        .map(|open| open.state.attempt.installed.distributions.as_slice())
        .collect();
    let back = |requirement: &String| goes_back(&history, requirement);
    let reason = candidate.runtime.install.iter().find_map(back)?;
    Some(format!("{}: {reason}", candidate.description))
}

/// What a state's run says. The first forked one that shows another failure is made once more in a process of its own: the failure may be one of
/// forked runs alone.
async fn believed<L: Laboratory>(
    laboratory: &L,
    next: &mut State,
    judge: impl Fn(&Attempt) -> Assessment,
    believes: &mut bool,
    budget: &mut Budget,
) -> Result<Assessment, AttemptError> {
    let judged = judge(&next.attempt);
    let is_new = matches!(judged, Assessment::Progress | Assessment::Worse(_));
    if *believes || !next.attempt.forked || !is_new {
        return Ok(judged);
    }
    budget.take(1);
    let conditions = Conditions::apart();
    let apart = laboratory
        .attempt_under(&next.tree, &next.runtime, &conditions)
        .await?;
    let by_itself = judge(&apart);
    if std::mem::discriminant(&by_itself) == std::mem::discriminant(&judged) {
        *believes = true;
    } else {
        laboratory.distrust();
    }
    next.attempt = apart;
    Ok(by_itself)
}

/// The state with the lock file that its run was made with, where a manifest was changed and the project keeps one. Nothing is run for it
/// here: whatever is to prove the repair runs with it.
fn relocked(mut state: State, guard: &Guard) -> State {
    let Some(lock) = &state.attempt.installed.lock else {
        return state;
    };
    let changed = state.tree.changes();
    let is_stale = changed
        .iter()
        .any(|(path, _, _)| path.rsplit('/').next() == Some(lock.of));
    if is_stale && guard.permits(&lock.edit.path) {
        state.tree = state.tree.with(std::slice::from_ref(&lock.edit));
    }
    state
}

/// Runs a candidate's state; `false`, and said why, where it could not be run to its end.
async fn run<L: Laboratory>(
    laboratory: &L,
    next: &mut State,
    candidate: &Candidate,
    found: &mut Found,
) -> Result<bool, AttemptError> {
    match laboratory.attempt(&next.tree, &next.runtime).await {
        Ok(Attempt {
            stopped: Some(detail),
            ..
        })
        | Err(AttemptError::Environment(detail)) => {
            found
                .rejected
                .push(format!("{}: {detail}", candidate.description));
            Ok(false)
        }
        Ok(attempt) => {
            found.install += attempt.install;
            found.validate += attempt.run;
            next.attempt = attempt;
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

/// With the target green, files that could not be collected before may still fail for a reason behind the first.
/// They are followed too, as long as that touches nothing that the heal has not touched already.
async fn follow_up<L: Laboratory>(
    laboratory: &L,
    menu: &Menu<'_>,
    original: &Report,
    target: &Target,
    guard: &Guard,
    budget: &mut Budget,
    found: &mut Found,
) -> Result<(), AttemptError> {
    let mut links = 0;
    'links: while !found.state.attempt.report.failures.is_empty() && links < DEEPEST {
        links += 1;
        let report = &found.state.attempt.report;
        let uncovered = report.failures.iter().any(|failure| {
            failure.test.as_ref().is_none_or(|test| {
                original
                    .outcomes
                    .get(test)
                    .is_none_or(|outcome| *outcome == TestOutcome::Error)
            })
        });
        if !uncovered {
            break;
        }
        let refusals = found.refusals.len();
        let state = found.state.clone();
        let more = candidates(laboratory, menu, &state, &Target::Command, found).await;
        found.refusals.truncate(refusals);
        for offer in more {
            let Some(mut next) = advance(&state, &offer, guard, &mut found.rejected) else {
                continue;
            };
            if next.touches != state.touches || next.doubts != state.doubts || !budget.spend() {
                continue;
            }
            if !run(laboratory, &mut next, &offer.candidate, found).await? {
                continue;
            }
            let keeps = target.is_green(&next.attempt.report);
            let judged = assess(
                original,
                &state.attempt.report,
                &next.attempt.report,
                &Target::Command,
            );
            if keeps && matches!(judged, Assessment::Green | Assessment::Progress) {
                found.state = next;
                continue 'links;
            }
        }
        break;
    }
    Ok(())
}

/// Asks every strategy, and sorts what they answer.
async fn candidates<L: Laboratory>(
    laboratory: &L,
    menu: &Menu<'_>,
    state: &State,
    target: &Target,
    found: &mut Found,
) -> std::vec::IntoIter<Offer> {
    let began = Instant::now();
    let failures = state.attempt.report.failures_of(target.id());
    let tree = state.tree.clone();
    let installed = Arc::clone(&state.attempt.installed);
    let index = laboratory.index();
    let past = laboratory.past();
    let unsteady = laboratory.unsteady();
    let repairs = menu.repairs;
    // Parsing a tree and asking an index block; the reactor must not.
    let findings = tokio::task::spawn_blocking(move || {
        let case = Case {
            failures: &failures,
            tree: &tree,
            installed: &installed,
            index: index.as_ref(),
            past: past.as_ref(),
            unsteady: unsteady.as_deref(),
        };
        // What a flaky test depends on was found out by running it; what its text looks like says less.
        let asked = |repair: &&&dyn Repair| {
            unsteady.is_none() || repair.strategy() == Strategy::FlakyTestStabilization
        };
        repairs
            .iter()
            .filter(asked)
            .flat_map(|repair| repair.examine(&case))
            .collect::<Vec<_>>()
    })
    .await
    .unwrap_or_else(|panic| {
        tracing::error!(%panic, "a strategy panicked; it offers nothing");
        Vec::new()
    });
    let mut candidates = Vec::new();
    let mut refused = false;
    for finding in findings {
        match finding {
            Finding::Try(candidate) => candidates.push(Offer {
                candidate,
                doubt: None,
            }),
            Finding::Propose(candidate, doubt) => candidates.push(Offer {
                candidate,
                doubt: Some(doubt),
            }),
            Finding::Lacking(what) => {
                if !found.lacking.contains(&what) {
                    found.lacking.push(what);
                }
            }
            Finding::Refuse(reason) => {
                refused = true;
                if !found.refusals.contains(&reason) {
                    found.refusals.push(reason);
                }
            }
        }
    }
    // What a person has to decide is not decided by a candidate of another strategy.
    if refused {
        candidates.clear();
    }
    // What people took before comes first; among equals, what is cheaper and safer.
    candidates.sort_by_key(|offer| {
        let candidate = &offer.candidate;
        let turn = menu.known.turn(candidate.strategy, menu.class);
        (turn, candidate.rank)
    });
    candidates.truncate(WIDEST);
    found.generate += began.elapsed();
    candidates.into_iter()
}

/// The state after a candidate, not yet run; `None` where the guard forbids it.
fn advance(
    state: &State,
    offer: &Offer,
    guard: &Guard,
    rejected: &mut Vec<String>,
) -> Option<State> {
    let candidate = &offer.candidate;
    let tree = state.tree.with(&candidate.edits);
    let touches = match guard.admit(&tree, candidate) {
        Ok(touches) => touches,
        Err(reason) => {
            rejected.push(format!("{}: {reason}", candidate.description));
            return None;
        }
    };
    let mut next = state.clone();
    next.tree = tree;
    next.touches.extend(touches);
    next.touches.sort_unstable();
    next.touches.dedup();
    merge(&mut next.runtime, &candidate.runtime);
    next.steps.push(Step {
        strategy: candidate.strategy,
        description: candidate.description.clone(),
    });
    next.doubts.extend(offer.doubt.clone());
    Some(next)
}

/// Lays further changes over earlier ones. A requirement replaces an earlier one of the same distribution.
fn merge(into: &mut RuntimeChanges, more: &RuntimeChanges) {
    for requirement in &more.install {
        let name = distribution(requirement);
        into.install.retain(|earlier| distribution(earlier) != name);
        into.install.push(requirement.clone());
    }
    for name in &more.uninstall {
        if !into.uninstall.contains(name) {
            into.uninstall.push(name.clone());
        }
    }
    if more.python.is_some() {
        into.python.clone_from(&more.python);
    }
    into.variables.extend(more.variables.clone());
}

fn identity(state: &State) -> String {
    format!("{:?} {:?}", state.tree.changes(), state.runtime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_requirement_of_the_same_distribution_replaces_the_earlier() {
        let mut changes = RuntimeChanges {
            install: vec!["html5lib".into(), "six".into()],
            ..RuntimeChanges::default()
        };
        merge(
            &mut changes,
            &RuntimeChanges {
                install: vec!["HTML5lib==1.0.1".into()],
                ..RuntimeChanges::default()
            },
        );
        assert_eq!(changes.install, ["six", "HTML5lib==1.0.1"]);
    }
}
