//! The laboratory of a finding: each attempt runs the checker on a fresh copy, and the project's tests beside it where nothing
//! else speaks against the repair.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use std::collections::BTreeMap;

use maestro_findings::{Finding, Limits, Place};
use maestro_protocol::heal::{HealRequested, RuntimeChanges};
use maestro_protocol::project::Runtime;

use super::beside::Beside;
use super::identity::{counted, key, meant};
use super::{Check, Checkers, Complaint, Offer, node, python};
use crate::adapter::Adapter;
use crate::bench::Bench;
use crate::case::{Installed, PackageIndex, Tree as _};
use crate::conditions::Conditions;
use crate::edge::{Finished, NpmIndex, NpmSettings, PipIndex};
use crate::failure::{Failure, Frame, Phase, Report, TestOutcome};
use crate::laboratory::{Attempt, AttemptError, Laboratory};
use crate::overlay::Overlay;
use crate::runner::console::tail;
use crate::teeth::{Bites, Defect};

/// The most of what a checker prints when it fails that is kept.
const FAILED: usize = 2_000;

/// What one run of a checker came to.
pub(super) struct Seen {
    pub(super) said: Said,
    /// The finding that is to be healed, where it is there.
    pub(super) target: Option<Finding>,
    pub(super) offers: Vec<Offer>,
    pub(super) installed: Arc<Installed>,
    pub(super) install: Duration,
    pub(super) run: Duration,
    pub(super) stopped: Option<String>,
}

/// What a checker said.
pub(super) enum Said {
    /// What it finds.
    Found(Vec<Finding>),
    /// It could not check: what it printed about that.
    Failed(String),
}

impl Said {
    /// Reads a checker's report; `ran` is whether it came so far.
    pub(super) fn read(finished: &Finished, report: &[u8], place: &Place, ran: bool) -> Self {
        let printed = || {
            let text = format!("{}\n{}", finished.stdout_text(), finished.stderr_text());
            tail(text.trim(), FAILED).to_owned()
        };
        if !ran {
            return Self::Failed(printed());
        }
        match maestro_findings::read(report, &Limits::default(), place) {
            // A run that failed and finds nothing has not checked anything.
            Ok(report) if report.findings.is_empty() && !finished.ended.succeeded() => {
                Self::Failed(printed())
            }
            Ok(report) => Self::Found(report.findings),
            Err(error) => Self::Failed(format!("its report cannot be read: {error}")),
        }
    }
}

/// What the run on the code as it is showed.
#[derive(Debug)]
struct First {
    /// What makes the finding the same in later runs; none where it was not there.
    key: Option<String>,
    complaints: BTreeMap<String, u32>,
}

/// The laboratory of one finding.
#[derive(Debug)]
pub(crate) struct CheckBench {
    bench: Bench,
    check: Check,
    runtime: Runtime,
    npm: NpmSettings,
    pip_index: PipIndex,
    npm_index: NpmIndex,
    beside: Beside,
    first: OnceLock<First>,
}

impl CheckBench {
    pub(crate) fn new(
        bench: Bench,
        check: Check,
        runtime: Runtime,
        request: &HealRequested,
        npm: NpmSettings,
        tree: &Overlay,
    ) -> Self {
        let environments = &bench.facilities.environments;
        Self {
            pip_index: PipIndex::new(environments, runtime.python.as_deref()),
            npm_index: NpmIndex::new(environments, &npm),
            beside: Beside::new(&bench, &check, &runtime, request, &npm, tree),
            bench,
            check,
            runtime,
            npm,
            first: OnceLock::new(),
        }
    }

    /// The files that the tests' command names as tests.
    pub(crate) fn operands(&self) -> Vec<String> {
        self.beside.operands()
    }

    /// What a person should know of the proof.
    pub(crate) fn caveats(&self) -> Vec<String> {
        self.beside.caveat().into_iter().collect()
    }

    async fn see(&self, tree: &Overlay, changes: &RuntimeChanges) -> Result<Seen, AttemptError> {
        let pick = |findings: &[Finding]| match self.first.get() {
            None => meant(&self.check, findings).cloned(),
            Some(first) => {
                let known = first.key.as_ref()?;
                findings
                    .iter()
                    .find(|finding| key(finding) == *known)
                    .cloned()
            }
        };
        let (bench, check, runtime) = (&self.bench, &self.check, &self.runtime);
        if check.tool.is_pythons() {
            python::run(bench, check, runtime, tree, changes, &pick).await
        } else {
            node::run(bench, check, runtime, &self.npm, tree, changes, &pick).await
        }
    }

    fn report(&self, seen: &mut Seen, tree: &Overlay) -> Report {
        let id = self.check.id();
        let mut report = Report::default();
        let failure = match &seen.said {
            Said::Failed(printed) => {
                report.outcomes.insert(id.clone(), TestOutcome::Error);
                Some(Failure {
                    test: Some(id),
                    phase: Phase::Configuration,
                    message: format!("{} could not check the file", self.check.tool.name()),
                    text: printed.clone(),
                    ..Failure::default()
                })
            }
            Said::Found(findings) => {
                report.complaints = counted(findings);
                let outcome = match seen.target {
                    Some(_) => TestOutcome::Failed,
                    None => TestOutcome::Passed,
                };
                report.outcomes.insert(id.clone(), outcome);
                seen.target
                    .take()
                    .map(|finding| failure(id, finding, std::mem::take(&mut seen.offers), tree))
            }
        };
        report.failures.extend(failure);
        report
    }
}

fn failure(id: String, finding: Finding, offers: Vec<Offer>, tree: &Overlay) -> Failure {
    let path = finding.file.clone().unwrap_or_default();
    let line = finding.line.unwrap_or(1);
    let source = tree.read(&path).and_then(|text| {
        let at = usize::try_from(line).ok()?.checked_sub(1)?;
        Some(text.lines().nth(at)?.chars().take(400).collect::<String>())
    });
    let complaint = Complaint { finding, offers };
    let mut text = complaint.line();
    if let Some(source) = source {
        text.push('\n');
        text.push_str(&source);
    }
    Failure {
        test: Some(id),
        phase: Phase::Call,
        exception: complaint.finding.rule.clone(),
        message: complaint.finding.message.clone(),
        frames: vec![Frame {
            path,
            line,
            function: String::new(),
        }],
        text,
        complaint: Some(Box::new(complaint)),
        ..Failure::default()
    }
}

impl Laboratory for CheckBench {
    async fn attempt_under(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        _conditions: &Conditions,
    ) -> Result<Attempt, AttemptError> {
        let mut seen = self.see(tree, changes).await?;
        let target = seen.target.as_ref().map(key);
        let mut report = self.report(&mut seen, tree);
        let first = self.first.get_or_init(|| First {
            key: target.clone(),
            complaints: report.complaints.clone(),
        });
        let nothing_new = report.complaints.iter().all(|(complaint, count)| {
            first
                .complaints
                .get(complaint)
                .is_some_and(|had| had >= count)
        });
        // The tests as they are, once; then those of a repair that the checker is content with.
        let worth_it = tree.changes().is_empty() && *changes == RuntimeChanges::default()
            || target.is_none() && nothing_new;
        let mut run = seen.run;
        let mut install = seen.install;
        let mut stopped = seen.stopped.take();
        if first.key.is_some() && worth_it && stopped.is_none() {
            let tested = self
                .beside
                .run(tree, changes, self.bench.time_left())
                .await?;
            run += tested.run;
            install += tested.install;
            stopped = tested.stopped;
            report.outcomes.extend(tested.outcomes);
        } else if let Some(known) = self.beside.as_it_was().await {
            report.outcomes.extend(known);
        }
        Ok(Attempt {
            report,
            installed: Arc::clone(&seen.installed),
            install,
            run,
            stopped,
            forked: false,
        })
    }

    async fn bite(
        &self,
        _tree: &Overlay,
        _changes: &RuntimeChanges,
        _tests: &[String],
        _defects: &[Defect],
        _within: Duration,
    ) -> Result<Bites, AttemptError> {
        Ok(Bites::default())
    }

    fn adapter(&self) -> &'static dyn Adapter {
        &Checkers
    }

    fn arranges(&self) -> bool {
        false
    }

    fn bites(&self) -> bool {
        false
    }

    fn index(&self) -> Arc<dyn PackageIndex + Send + Sync> {
        if self.check.tool.is_pythons() {
            Arc::new(crate::workbench::KnownVersions(self.pip_index.clone()))
        } else {
            Arc::new(crate::node::bench::KnownVersions(self.npm_index.clone()))
        }
    }
}
