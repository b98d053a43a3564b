//! Runs of Node in a process that makes several: what is under test has modules of its own in each, and what runs it is loaded once.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::bench::{COVERAGE, NodeBench};
use super::coverage;
use super::plan::Runner;
use super::run::Subject;
use crate::adapter::has_extension;
use crate::bench::{RECORDS, read_records, write_plan};
use crate::conditions::Conditions;
use crate::edge::Confinement;
use crate::failure::Report;
use crate::fork_server::{Ended, ForkServer, ForkServers, Forked, Job, Kind, SOCKET};
use crate::laboratory::{Attempt, AttemptError};

/// The program that makes the runs.
const SERVER: &str = "maestro_node_server.cjs";

/// The processes of one heal, and what they have to know.
#[derive(Debug, Default)]
pub(super) struct Warm {
    servers: ForkServers,
    /// Held while a lane is used.
    lanes: [tokio::sync::Mutex<()>; 2],
    /// Whether there is a second process.
    has_two: AtomicBool,
    /// The files of tests of the command as it stands.
    files: Mutex<BTreeSet<String>>,
}

impl Warm {
    /// Takes note of a run of the whole command in a process of its own.
    pub(super) fn saw(&self, report: &Report) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let tests = report.outcomes.keys().chain(&report.order);
        *files = tests
            .map(|test| test.split("::").next().unwrap_or(test))
            .filter(|file| has_extension(file, super::EXTENSIONS))
            .map(str::to_owned)
            .collect();
    }

    /// None of them is used from now on.
    pub(super) fn distrust(&self) {
        self.servers.distrust();
    }
}

impl NodeBench {
    /// Starts the process for the runs to come.
    pub(super) async fn warm_up(&self, subject: &Subject<'_>) {
        self.server(subject, 0).await;
    }

    /// A lane that is free, or the first that will be. The second is made when two runs are wanted at one time, in orders of their own: then there
    /// are more of them to come.
    async fn lane(
        &self,
        subject: &Subject<'_>,
        conditions: &Conditions,
    ) -> (u8, tokio::sync::MutexGuard<'_, ()>) {
        let [one, other] = &self.warm.lanes;
        if let Ok(held) = one.try_lock() {
            return (0, held);
        }
        if self.warm.has_two.load(Ordering::Relaxed) {
            return tokio::select! {
                biased;
                held = one.lock() => (0, held),
                held = other.lock() => (1, held),
            };
        }
        if conditions.arranges() {
            let (held, _) = tokio::join!(one.lock(), self.server(subject, 1));
            self.warm.has_two.store(true, Ordering::Relaxed);
            return (0, held);
        }
        (0, one.lock().await)
    }

    /// A run in a process that makes several; `None` where that cannot be, or says too little.
    pub(super) async fn forked(
        &self,
        subject: &Subject<'_>,
        conditions: &Conditions,
        limit: Duration,
    ) -> Result<Option<Forked>, AttemptError> {
        let traced = !conditions.trace.is_empty();
        let runner = subject.plan.runner;
        // What V8 counts in vitest's processes it writes as they end.
        if conditions.apart || traced && runner == Runner::Vitest {
            return Ok(None);
        }
        let (lane, _held) = self.lane(subject, conditions).await;
        let Some(server) = self.server(subject, lane).await else {
            return Ok(None);
        };
        let probes = &self.bench.facilities.probes;
        let laid_out = subject.laid_out(conditions, probes);
        let (copy, records) = self.bench.copy_in(&laid_out, server.directory()).await?;
        let covered = records.path().join(COVERAGE);
        let Some(words) = self.told(subject, conditions, &covered) else {
            return Ok(None);
        };
        let (mut variables, told) = subject.lay(&copy, conditions, probes)?;
        if traced && runner != Runner::Jest {
            let covered = covered.display().to_string();
            variables.insert("MAESTRO_NODE_COVERAGE".to_owned(), covered);
        }
        let plan = write_plan(&told, records.path())?;
        let written = records.path().join(RECORDS);
        let began = Instant::now();
        let job = Job {
            directory: &copy.project(),
            records: &written,
            plan: plan.as_deref(),
            words: &words,
            variables: &variables,
            limit: limit.min(self.bench.time_left()),
        };
        let ended = server.run(&job).await;
        let run = began.elapsed();
        let status = match ended {
            None => return Ok(None),
            Some(Ended::Stopped) => return Ok(Some(Forked::Stopped)),
            Some(Ended::Exited(status)) => status,
        };
        let written = read_records(&written);
        let mut report = subject
            .plan
            .read(&copy.project(), &written, &[], &[], Some(status));
        // What the runner printed is not here: a run that it does not explain is made again.
        let explained = status == 0 || report.failures.iter().any(|of| !of.text.is_empty());
        if !explained || status == UNKNOWN {
            return Ok(None);
        }
        if traced {
            report.lines = coverage::lines(&covered, &copy.project(), subject.tree, runner);
        }
        Ok(Some(Forked::Ended {
            passed: status == 0,
            attempt: Box::new(Attempt {
                forked: true,
                ..subject.attempt(report, run, None)
            }),
        }))
    }

    /// What the runner is told of a run: the words behind its program; of Node's own, the files. `None` where these are not known.
    fn told(
        &self,
        subject: &Subject<'_>,
        conditions: &Conditions,
        covered: &Path,
    ) -> Option<Vec<String>> {
        let plan = &subject.plan;
        if plan.runner != Runner::NodeTest {
            let words = subject.words(conditions, &self.bench.facilities.probes, covered);
            return Some(words.into_iter().skip(plan.node.len() + 1).collect());
        }
        let operands = plan.operands();
        if operands.len() < plan.arguments.len() || operands.is_empty() {
            if plan.arguments.iter().any(|word| word.starts_with('-')) {
                return None;
            }
            let files = self.warm.files.lock();
            let files = files.unwrap_or_else(PoisonError::into_inner);
            return (!files.is_empty()).then(|| files.iter().cloned().collect());
        }
        Some(operands.into_iter().map(str::to_owned).collect())
    }

    /// The process for runs of a subject.
    async fn server(&self, subject: &Subject<'_>, lane: u8) -> Option<Arc<ForkServer>> {
        let runner = match subject.plan.runner {
            Runner::NodeTest => "node-test",
            Runner::Jest => "jest",
            Runner::Vitest => "vitest",
            Runner::Mocha => "mocha",
            // What they print is how their tests ended.
            Runner::Tape | Runner::Script => return None,
        };
        let facilities = &self.bench.facilities;
        // Nothing else ends what a run leaves running.
        if facilities.sandbox.confinement() != Confinement::Bubblewrap {
            return None;
        }
        let kind = Kind {
            environment: subject.environment.modules.clone(),
            variables: subject.changes.variables.clone(),
            lane,
        };
        let server = facilities.probes.join(SERVER).display().to_string();
        let mut words = self.plan.node.clone();
        words.extend([server, SOCKET.to_owned()]);
        let room = serde_json::json!({ "runner": runner, "program": subject.program });
        let command = |directory: &Path| {
            // Each run is told its own file for what it records.
            let mut command = self.command(subject, words, directory, Path::new(""));
            command
                .variables
                .insert("MAESTRO_NODE_ROOM".to_owned(), room.to_string());
            self.bench.for_several_runs(&mut command);
            command
        };
        let (sandbox, cancel) = (&facilities.sandbox, &self.bench.cancel);
        self.warm
            .servers
            .of(&kind, sandbox, cancel, &facilities.work, command)
            .await
    }

    /// Ends what was started for the runs of this heal.
    pub(crate) async fn close(&self) {
        self.warm.servers.close().await;
    }
}

/// How the process says that it does not know how a run ended.
const UNKNOWN: i32 = 70;
