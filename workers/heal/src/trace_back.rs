//! Since which commit a refused test fails: the tests as they are now run on the product as it was, first further and further back, then by
//! bisection between the last commit that fails and the first that passes.
//!
//! The tests stay as they are, so a test that is younger than the defect finds it all the same.

use std::sync::Arc;
use std::time::{Duration, Instant};

use maestro_protocol::heal::{HealCompleted, RuntimeChanges, Since, Verdict};

use crate::answer::{millis, primary};
use crate::engine::Order;
use crate::failure::Failure;
use crate::judge::alike;
use crate::laboratory::{AttemptError, Laboratory};
use crate::past::{Change, Commit, Past, Then};
use crate::roles::{Role, Roles};
use crate::search::Budget;

/// The most runs of the test that this takes.
const MOST_RUNS: u32 = 10;
/// How long it may take.
const LONGEST: Duration = Duration::from_mins(1);
/// The most characters that are shown of a line or a subject.
const SHOWN: usize = 200;

/// What a run on an older product said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// The test passes there.
    Passes,
    /// It fails there the same way.
    Fails,
    /// Something else happens, or nothing can be run.
    Unclear,
}

/// Adds to a refusal with which commit the failure began, where history and time allow to find out.
pub(crate) async fn trace_back<L: Laboratory>(
    laboratory: &L,
    order: &Order<'_>,
    failing: &Failure,
    budget: &Budget,
    completed: &mut HealCompleted,
) -> Result<(), AttemptError> {
    if completed.verdict != Verdict::Refused || !completed.steps.is_empty() || budget.runs < 2 {
        return Ok(());
    }
    let began = Instant::now();
    let past = laboratory.past();
    let asked = Arc::clone(&past);
    let commits = blocking(move || asked.commits()).await.unwrap_or_default();
    let left = budget.deadline.saturating_duration_since(began);
    let mut trace = Trace {
        laboratory,
        order,
        failing,
        roles: Roles::naming(order.target.id()),
        past,
        commits,
        runs_left: budget.runs.min(MOST_RUNS),
        until: began + (left / 2).min(LONGEST),
        runs: 0,
        last_failing: Then::new(),
    };
    let found = trace.first_failing().await?;
    completed.timing_ms.reproduce += millis(began.elapsed());
    if let Some(at) = found {
        let since = trace.since(at).await;
        let (day, _) = since
            .authored
            .split_once('T')
            .unwrap_or((&since.authored, ""));
        let reason = format!(
            "{}; it passes on the product before {} of {day} ({})",
            completed.reason,
            since.commit.get(..12).unwrap_or(&since.commit),
            since.subject
        );
        completed.reason = reason;
        completed.evidence.since = Some(since);
    }
    Ok(())
}

struct Trace<'a, 'o, L> {
    laboratory: &'a L,
    order: &'a Order<'o>,
    failing: &'a Failure,
    roles: Roles,
    past: Arc<dyn Past>,
    commits: Vec<Commit>,
    runs_left: u32,
    until: Instant,
    runs: u32,
    /// How the product differs from now where the failure was seen last.
    last_failing: Then,
}

impl<L: Laboratory> Trace<'_, '_, L> {
    /// The place of the first commit that fails; its parent passes.
    async fn first_failing(&mut self) -> Result<Option<usize>, AttemptError> {
        let Some(mut passes) = self.passing().await? else {
            return Ok(None);
        };
        let mut fails = passes.0;
        while passes.1 - fails > 1 {
            let middle = fails + (passes.1 - fails) / 2;
            match self.ask(middle).await? {
                Said::Passes => passes.1 = middle,
                Said::Fails => fails = middle,
                // Which of several commits it was is not for a guess.
                Said::Unclear => return Ok(None),
            }
        }
        Ok(Some(fails))
    }

    /// A commit that fails and an older one that passes, the steps between them doubled each time.
    async fn passing(&mut self) -> Result<Option<(usize, usize)>, AttemptError> {
        let (mut fails, mut step) = (0, 1);
        let mut end = self.commits.len();
        while fails + 1 < end {
            let at = (fails + step).min(end - 1);
            match self.ask(at).await? {
                Said::Passes => return Ok(Some((fails, at))),
                Said::Fails => {
                    fails = at;
                    step *= 2;
                }
                // Beyond, nothing is known; what lies before it still is.
                Said::Unclear => {
                    end = at;
                    step = 1;
                }
            }
        }
        Ok(None)
    }

    async fn ask(&mut self, at: usize) -> Result<Said, AttemptError> {
        let (past, commit) = (Arc::clone(&self.past), self.commits[at].clone());
        let Some(mut then) = blocking(move || past.then(&commit)).await.flatten() else {
            return Ok(Said::Unclear);
        };
        then.retain(|path, _| self.roles.of(path) == Role::Product);
        if then == self.last_failing {
            return Ok(Said::Fails);
        }
        if self.runs_left == 0 || Instant::now() >= self.until {
            return Ok(Said::Unclear);
        }
        self.runs_left -= 1;
        self.runs += 1;
        let tree = self.order.tree.as_it_was(then.clone());
        let attempt = match self
            .laboratory
            .attempt(&tree, &RuntimeChanges::default())
            .await
        {
            Ok(attempt) => attempt,
            Err(AttemptError::Cancelled) => return Err(AttemptError::Cancelled),
            Err(_) => return Ok(Said::Unclear),
        };
        if attempt.stopped.is_some() {
            return Ok(Said::Unclear);
        }
        if self.order.target.is_green(&attempt.report) {
            return Ok(Said::Passes);
        }
        if alike(self.failing, &primary(&attempt.report, &self.order.target)) {
            self.last_failing = then;
            return Ok(Said::Fails);
        }
        Ok(Said::Unclear)
    }

    async fn since(&self, at: usize) -> Since {
        let commit = self.commits[at].clone();
        let (past, asked) = (Arc::clone(&self.past), commit.clone());
        let changes = blocking(move || past.changes(&asked)).await;
        let change = self.telling(changes.unwrap_or_default());
        let first = |lines: &[String]| lines.first().map(|line| short(line));
        Since {
            commit: commit.id,
            authored: commit.authored,
            subject: short(&commit.subject),
            path: change.as_ref().map(|change| change.path.clone()),
            line: change.as_ref().map(|change| change.line.max(1)),
            was: change.as_ref().and_then(|change| first(&change.was)),
            now: change.as_ref().and_then(|change| first(&change.now)),
            runs: self.runs,
        }
    }

    /// The change of the product that lies nearest to where the failure arose: in a file of the traceback where there is one.
    fn telling(&self, changes: Vec<Change>) -> Option<Change> {
        let distance = |change: &Change| {
            self.failing
                .frames
                .iter()
                .filter(|frame| frame.path == change.path)
                .map(|frame| frame.line.abs_diff(change.line))
                .min()
                .unwrap_or(u32::MAX)
        };
        let is_source = |change: &Change| crate::adapter::of_file(&change.path).is_some();
        changes
            .into_iter()
            .filter(|change| self.roles.of(&change.path) == Role::Product)
            .min_by_key(|change| (distance(change), !is_source(change)))
    }
}

fn short(text: &str) -> String {
    text.trim_end().chars().take(SHOWN).collect()
}

/// History is read by blocking.
async fn blocking<T: Send + 'static>(ask: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(ask).await.ok()
}
