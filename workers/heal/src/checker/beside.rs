//! The project's tests beside a finding: those that passed must pass with the repair.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use maestro_protocol::heal::{HealRequested, RuntimeChanges};
use maestro_protocol::project::Runtime;

use super::Check;
use crate::adapter::{Adapter as _, Python};
use crate::bench::Bench;
use crate::case::Tree as _;
use crate::distribution::distribution;
use crate::edge::NpmSettings;
use crate::failure::TestOutcome;
use crate::laboratory::{AttemptError, Laboratory};
use crate::node::NodeBench;
use crate::overlay::Overlay;
use crate::roles::{Role, Roles};
use crate::runs::Runs;
use crate::workbench::Workbench;

/// The tests may take such a part of the time that is left after them: they are run again with each repair.
const SHARE: u32 = 2;

type Outcomes = BTreeMap<String, TestOutcome>;

/// The tests of one project.
#[derive(Debug)]
pub(super) struct Beside {
    tests: Option<Tests>,
    operands: Vec<String>,
    /// By tree and environment: what was seen. The same tests on the same tree are not run twice.
    known: tokio::sync::Mutex<BTreeMap<String, Outcomes>>,
    /// Why the tests say nothing, where they do not.
    silent: Mutex<Option<String>>,
}

#[derive(Debug)]
enum Tests {
    Python(Box<Workbench>),
    Node(Box<NodeBench>),
}

/// What a run of the tests came to.
#[derive(Default)]
pub(super) struct Tested {
    pub(super) outcomes: Outcomes,
    pub(super) install: Duration,
    pub(super) run: Duration,
    pub(super) stopped: Option<String>,
}

impl Beside {
    pub(super) fn new(
        bench: &Bench,
        check: &Check,
        runtime: &Runtime,
        request: &HealRequested,
        npm: &NpmSettings,
        tree: &Overlay,
    ) -> Self {
        let (tests, operands, silent) = match plan(check, runtime, tree) {
            Err(why) => (None, Vec::new(), Some(why)),
            Ok((plan, runtime)) => {
                let runtime = &runtime;
                let operands = plan.operands().into_iter().map(str::to_owned).collect();
                let tests = match plan {
                    Runs::Python(plan) => {
                        Tests::Python(Box::new(Workbench::new(bench.clone(), plan, runtime)))
                    }
                    Runs::Node(plan) => {
                        // What the checker says of modules is no message about the tests.
                        let request = HealRequested {
                            message: String::new(),
                            stack_trace: None,
                            ..request.clone()
                        };
                        let npm = npm.clone();
                        let bench = bench.clone();
                        Tests::Node(Box::new(NodeBench::new(
                            bench, plan, runtime, &request, npm, tree,
                        )))
                    }
                };
                (Some(tests), operands, None)
            }
        };
        Self {
            tests,
            operands,
            known: tokio::sync::Mutex::default(),
            silent: Mutex::new(silent),
        }
    }

    pub(super) fn operands(&self) -> Vec<String> {
        self.operands.clone()
    }

    /// Why the tests say nothing of a repair.
    pub(super) fn caveat(&self) -> Option<String> {
        self.silent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(|why| format!("no test speaks for the repair: {why}"))
    }

    fn fall_silent(&self, why: String) {
        *self.silent.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// What the tests did on the code as it was, where they were run.
    pub(super) async fn as_it_was(&self) -> Option<Outcomes> {
        self.known.lock().await.get("").cloned()
    }

    /// Runs the tests, once for each tree and environment. The first run decides whether they say anything.
    pub(super) async fn run(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        time_left: Duration,
    ) -> Result<Tested, AttemptError> {
        let Some(tests) = self.tests.as_ref().filter(|_| self.caveat().is_none()) else {
            return Ok(Tested::default());
        };
        let mut known = self.known.lock().await;
        let first = known.is_empty();
        let name = name(tree, changes);
        if let Some(outcomes) = known.get(&name) {
            return Ok(Tested {
                outcomes: outcomes.clone(),
                ..Tested::default()
            });
        }
        let began = Instant::now();
        let attempt = match tests {
            Tests::Python(bench) => bench.attempt(tree, changes).await,
            Tests::Node(bench) => bench.attempt(tree, changes).await,
        };
        let attempt = match attempt {
            Ok(attempt) => attempt,
            Err(AttemptError::Environment(why)) if first => {
                self.fall_silent(format!("what they need cannot be installed ({why})"));
                return Ok(Tested::default());
            }
            Err(error) => return Err(error),
        };
        let passed = attempt
            .report
            .outcomes
            .values()
            .any(|outcome| *outcome == TestOutcome::Passed);
        let mut tested = Tested {
            outcomes: attempt.report.outcomes,
            install: attempt.install,
            run: attempt.run,
            stopped: attempt.stopped,
        };
        if first {
            let why = if let Some(stopped) = tested.stopped.take() {
                Some(format!("they were stopped, {stopped}"))
            } else if !passed {
                Some("none of them passed before".to_owned())
            } else if tested.run > time_left.saturating_sub(began.elapsed()) / SHARE {
                Some(format!(
                    "they take {} s, for which there is no time",
                    tested.run.as_secs()
                ))
            } else {
                None
            };
            if let Some(why) = why {
                self.fall_silent(why);
                tested.outcomes.clear();
                return Ok(tested);
            }
        }
        known.insert(name, tested.outcomes.clone());
        Ok(tested)
    }
}

/// Empty for the code as it was.
fn name(tree: &Overlay, changes: &RuntimeChanges) -> String {
    let edits = tree.changes();
    if edits.is_empty() && *changes == RuntimeChanges::default() {
        String::new()
    } else {
        format!("{edits:?} {changes:?}")
    }
}

/// The tests by the request's command, unless that runs the checker; else pytest, or what `npm test` stands for.
fn plan(check: &Check, runtime: &Runtime, tree: &Overlay) -> Result<(Runs, Runtime), String> {
    let mut runtime = runtime.clone();
    if check.words.is_some() {
        runtime.command = None;
    }
    if runtime.command.is_none() && check.tool.is_pythons() {
        let roles = Roles::default();
        let has_tests = tree
            .paths()
            .iter()
            .any(|path| Python.is_source(path) && roles.of(path) == Role::Test);
        if !has_tests {
            return Err("the project has none that are known".to_owned());
        }
        let command = ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider"];
        runtime.command = Some(command.map(str::to_owned).into());
        // What is installed for the checker need not have what runs the tests.
        if let Some(install) = &mut runtime.install
            && !install.iter().any(|entry| distribution(entry) == "pytest")
        {
            install.push("pytest".to_owned());
        }
    }
    let runs = Runs::new(&runtime, None, tree)?;
    Ok((runs, runtime))
}
