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

/// The most runs that a search through everything else leaves the last resort, at each of the two states where it is asked for.
const LAST_RUNS: u32 = 3;

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
    /// Keeps runs back, twice the number returned.
    fn set_aside(&mut self) -> u32 {
        let kept = LAST_RUNS.min(self.runs / 6);
        self.runs -= 2 * kept;
        kept
    }

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

impl Open {
    fn new(state: State, first: Asked) -> Self {
        Self {
            state,
            candidates: first.candidates,
        }
    }
}

/// What strategies answered.
struct Asked {
    candidates: std::vec::IntoIter<Offer>,
    /// One of them said that a person has to decide.
    refused: bool,
}

/// What strategies are asked for.
#[derive(Clone, Copy)]
enum Ask {
    /// What they make of the failure.
    Findings,
    /// What is left when all of that failed.
    LastResort,
}

/// What the parts of a search share.
struct Search<'a, L> {
    laboratory: &'a L,
    target: &'a Target,
    guard: &'a Guard,
    menu: &'a Menu<'a>,
    /// The run on the original code.
    original: Report,
    /// States that were run.
    tried: HashSet<String>,
    /// Forked runs have shown that they can be believed.
    believes: bool,
    found: Found,
    /// At the best state, a strategy said that a person has to decide.
    refused: bool,
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
    let mut search = Search {
        laboratory,
        target,
        guard,
        menu,
        original: start.attempt.report.clone(),
        tried: HashSet::new(),
        believes: false,
        found: Found::at(start.clone()),
        refused: false,
    };
    let kept = budget.set_aside();
    let first = search.ask(&start, Ask::Findings).await;
    search.refused = first.refused;
    let refused = first.refused;
    Box::pin(search.walk(Open::new(start.clone(), first), budget)).await?;
    if search.found.green {
        budget.runs += 2 * kept;
    } else {
        let furthest = search.found.state.clone();
        let from_furthest = !furthest.steps.is_empty() && !search.refused;
        let from = [
            from_furthest.then_some(furthest),
            (!refused).then_some(start),
        ];
        for state in from {
            budget.runs += kept;
            if let Some(state) = state
                && !search.found.green
            {
                let last = search.ask(&state, Ask::LastResort).await;
                Box::pin(search.walk(Open::new(state, last), budget)).await?;
            }
        }
    }
    let mut found = search.found;
    if found.green {
        let original = &search.original;
        let rest = follow_up(
            laboratory, menu, original, target, guard, budget, &mut found,
        );
        Box::pin(rest).await?;
    }
    Ok(found)
}

impl<L: Laboratory> Search<'_, L> {
    async fn ask(&mut self, state: &State, ask: Ask) -> Asked {
        let found = &mut self.found;
        candidates(self.laboratory, self.menu, state, self.target, ask, found).await
    }

    /// Tries the candidates of a state, and follows what each leads to, until the target is green or nothing is left to try.
    async fn walk(&mut self, from: Open, budget: &mut Budget) -> Result<(), AttemptError> {
        let mut open = vec![from];
        while let Some(top) = open.last_mut() {
            let Some(offer) = top.candidates.next() else {
                open.pop();
                continue;
            };
            let found = &mut self.found;
            if let Some(reason) = circles(&open, &offer.candidate) {
                found.rejected.push(reason);
                continue;
            }
            let Some(top) = open.last() else { break };
            let Some(mut next) = advance(&top.state, &offer, self.guard, &mut found.rejected)
            else {
                continue;
            };
            let description = &offer.candidate.description;
            if !self.tried.insert(identity(&next)) {
                continue;
            }
            if let Some(reason) = self.menu.turned_down(&next) {
                found.rejected.push(format!("{description}: {reason}"));
                continue;
            }
            if !budget.spend() {
                let spent = "the budget of runs or time is spent";
                found.rejected.push(spent.to_owned());
                break;
            }
            if !run(self.laboratory, &mut next, &offer.candidate, found).await? {
                continue;
            }
            let judge = |attempt: &Attempt| {
                let before = &top.state.attempt.report;
                assess(&self.original, before, &attempt.report, self.target)
            };
            let judged = believed(
                self.laboratory,
                &mut next,
                judge,
                &mut self.believes,
                budget,
            )
            .await?;
            match judged {
                Assessment::Green => {
                    found.state = relocked(next, self.guard);
                    found.green = true;
                    break;
                }
                Assessment::Progress if open.len() < DEEPEST => {
                    let is_furthest = next.steps.len() > found.state.steps.len();
                    if is_furthest {
                        found.state = next.clone();
                    }
                    let more = self.ask(&next, Ask::Findings).await;
                    if is_furthest {
                        self.refused = more.refused;
                    }
                    open.push(Open::new(next, more));
                }
                Assessment::Worse(reason) => {
                    found.rejected.push(format!("{description}: {reason}"));
                }
                Assessment::Progress | Assessment::Same => {
                    found
                        .rejected
                        .push(format!("{description}: the failure stays"));
                }
            }
        }
        Ok(())
    }
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
        let every = &Target::Command;
        let more = candidates(laboratory, menu, &state, every, Ask::Findings, found).await;
        found.refusals.truncate(refusals);
        for offer in more.candidates {
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
    ask: Ask,
    found: &mut Found,
) -> Asked {
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
            .flat_map(|repair| match ask {
                Ask::Findings => repair.examine(&case),
                Ask::LastResort => repair.last_resort(&case),
            })
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
    Asked {
        candidates: candidates.into_iter(),
        refused,
    }
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
