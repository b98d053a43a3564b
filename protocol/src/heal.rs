//! `maestro.heal.*`: a failing test to heal, what came of it, and a person's decision on a proposed patch.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::constraint::{
    each, fingerprint, given, is_hex, name, positive, seconds, share, variables,
};
use crate::error::{ErrorKind, Severity};
use crate::finding::Finding;
use crate::message::Payload;
use crate::project::{Project, Runtime, Test, python_version};
use crate::stream::Stream;
use crate::violation::{Violation, Within};

/// What a heal may do, and how much it may cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Policy {
    /// Globs of paths that no patch may touch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024), inner(length(min = 1, max = 4096)))]
    pub never: Option<Vec<String>>,
    /// Whether a mechanical port of product code may be proposed; `propose` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_changes: Option<ProductChanges>,
    /// The most runs of tests that one heal may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_runs: Option<u32>,
    /// The most seconds that one heal may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_592_000))]
    pub time_limit_s: Option<u32>,
    /// The package index that may be reached while dependencies are installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub index: Option<String>,
}

/// What happens to a patch of product code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProductChanges {
    /// It is not made.
    Refuse,
    /// It is proposed to a person.
    Propose,
}

/// `maestro.heal.requested.v1`: heal this failing test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealRequested {
    /// Where the code is.
    pub project: Project,
    /// What kind of error it is.
    pub kind: ErrorKind,
    /// The error's own text.
    pub message: String,
    /// How bad it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The traceback or compiler output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_trace: Option<String>,
    /// The file the error points at, relative to the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub file: Option<String>,
    /// The line in `file`, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub line: Option<u32>,
    /// What a checker found, where the error is a linter's, a type checker's or a compiler's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
    /// The failing test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Test>,
    /// How the tests are run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Runtime>,
    /// The id of the ephemeral environment it happened in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub environment: Option<String>,
    /// What the heal may do, and how much it may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// The failure's fingerprint, as triage gave it: what is remembered of it is found under this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-f]{32}$"))]
    pub fingerprint: Option<String>,
}

/// What came of a heal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Validated; may be applied.
    Healed,
    /// Works, but needs a person.
    Proposed,
    /// The product is what is broken.
    Refused,
    /// The failure did not show.
    NotReproduced,
    /// Nothing that was tried works.
    NoFix,
}

/// The seven strategies.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// A file that does not parse.
    SyntaxRepair,
    /// A missing, renamed, moved or incompatible package.
    DependencyFix,
    /// Waits that are too short.
    TimingAdjustment,
    /// An expectation that drifted.
    AssertionUpdate,
    /// A missing variable, directory, locale, interpreter.
    EnvironmentHealing,
    /// Order dependence, shared state, unseeded randomness.
    FlakyTestStabilization,
    /// Calls to an API that moved, was renamed or changed its signature.
    ApiContractAdaptation,
}

/// What a patch or a change of the runtime touches.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Touch {
    /// Test code.
    Test,
    /// Product code.
    Product,
    /// Configuration of the tests or the build.
    Config,
    /// The environment that the tests run in; no file of the project.
    Environment,
}

/// One step of a heal: a failure may hide another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The strategy that made it.
    pub strategy: Strategy,
    /// What was changed and why, one sentence.
    pub description: String,
}

/// How many tests ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Passed.
    pub passed: u32,
    /// Failed.
    pub failed: u32,
    /// Errors outside the test itself: collection, set-up, tear-down.
    pub errors: u32,
    /// Skipped or expected to fail.
    pub skipped: u32,
}

/// A figure before and after the change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BeforeAfter<T> {
    /// On the code as it was.
    pub before: T,
    /// With the change.
    pub after: T,
}

/// Planted defects, and how many the tests caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Teeth {
    /// Defects planted.
    pub planted: u32,
    /// Caught by the test as it was, where it ran at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caught_before: Option<u32>,
    /// Caught by the healed test.
    pub caught_after: u32,
}

/// How people and later failures judged what a strategy did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Judged {
    /// Patches that a person took, and whose failure did not come back.
    pub accepted: u32,
    /// Patches that a person turned down.
    pub rejected: u32,
    /// Patches that a person took, and whose failure came back.
    pub failed_again: u32,
}

/// What was remembered when the confidence was computed: all that went into it besides the evidence of this heal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Experience {
    /// The confidence from this heal's evidence alone.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub counted: f64,
    /// The same strategy on failures of the same class.
    pub alike: Judged,
    /// The same strategy on failures of other classes.
    pub elsewhere: Judged,
    /// Earlier heals of the same failure.
    pub this: Judged,
    /// Reports of the same failure.
    pub reported: u32,
    /// How often its test was seen to pass and to fail by turns.
    pub flips: u32,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Runs that failed the same way, of the runs made: `n/n`.
    #[schemars(regex(pattern = r"^[0-9]{1,9}/[0-9]{1,9}$"))]
    pub reproduced: String,
    /// Runs that passed with the change, of the runs made: `n/n`.
    #[schemars(regex(pattern = r"^[0-9]{1,9}/[0-9]{1,9}$"))]
    pub after: String,
    /// The other tests of the same command.
    pub neighbours: BeforeAfter<Counts>,
    /// Tests collected.
    pub collected: BeforeAfter<u32>,
    /// Assertions in the files that the patch touches.
    pub assertions: BeforeAfter<u32>,
    /// The teeth check; absent when it was not made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teeth: Option<Teeth>,
    /// The class of the failure, for example `import_error`.
    pub error_class: String,
    /// The decisive lines of the traceback.
    pub excerpt: String,
    /// What was not checked, or needs a person's eye.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024))]
    pub caveats: Vec<String>,
    /// What was remembered; absent where the verdict is neither `healed` nor `proposed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experience: Option<Experience>,
    /// The commit with which the failure began, or which changed a text on purpose; absent where history was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
}

/// A commit of the project as evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Since {
    /// The commit: with it the failure is there, without it not.
    #[schemars(regex(pattern = r"^[0-9a-f]{40,64}$"))]
    pub commit: String,
    /// When its author made it, RFC 3339.
    #[schemars(length(min = 1, max = 4096))]
    pub authored: String,
    /// The first line of its message.
    pub subject: String,
    /// The file of the product that it changed, relative to the project's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub path: Option<String>,
    /// The line of that file, counted from 1, as the commit left it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub line: Option<u32>,
    /// What stood there before; empty where something was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// What stands there since; empty where something was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// Runs of the test that it took to find out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub runs: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(runs: &u32) -> bool {
    *runs == 0
}

/// Milliseconds spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Timing {
    /// Getting the code.
    pub checkout: u64,
    /// Building environments.
    pub install: u64,
    /// Reproducing the failure.
    pub reproduce: u64,
    /// Making candidates.
    pub generate: u64,
    /// Running candidates.
    pub validate: u64,
    /// Running the healed test against planted defects; absent where that was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teeth: Option<u64>,
    /// One run of the tests as they are, by itself: what the others are to be compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
}

/// Changes to the environment that make the test pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuntimeChanges {
    /// Requirements to install in addition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(min = 1, max = 4096)))]
    pub install: Vec<String>,
    /// Distributions to remove.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(min = 1, max = 4096)))]
    pub uninstall: Vec<String>,
    /// Another interpreter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,4}\.[0-9]{1,4}(\.[0-9]{1,4})?$"))]
    pub python: Option<String>,
    /// Environment variables to set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

/// `maestro.heal.completed.v1`: the verdict on one failing test, with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealCompleted {
    /// Where the code is.
    pub project: Project,
    /// The failing test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Test>,
    /// What a checker found, if that is what was to be healed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
    /// The file that it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub file: Option<String>,
    /// What came of it.
    pub verdict: Verdict,
    /// The strategy of the first step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Every step, in order.
    #[schemars(length(max = 1024))]
    pub steps: Vec<Step>,
    /// A unified diff, paths relative to the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
    /// What the change touches.
    #[schemars(length(max = 1024))]
    pub touches: Vec<Touch>,
    /// Changes to the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_changes: Option<RuntimeChanges>,
    /// Between 0 and 1, computed from counted evidence.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub confidence: f64,
    /// One sentence for a person.
    pub reason: String,
    /// What was counted.
    pub evidence: Evidence,
    /// Milliseconds spent.
    pub timing_ms: Timing,
    /// The version of the worker that decided.
    #[schemars(length(min = 1, max = 4096))]
    pub worker_version: String,
    /// The failure's fingerprint, under which the next heal of the same failure finds what came of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-f]{32}$"))]
    pub fingerprint: Option<String>,
}

/// A person's decision on a proposed patch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealDecision {
    /// The id of the `heal.completed` message decided on.
    #[schemars(length(min = 1, max = 4096))]
    pub heal: String,
    /// Who decided.
    #[schemars(length(min = 1, max = 4096))]
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `maestro.heal.approved.v1`: a person takes a proposed patch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct HealApproved(pub HealDecision);

/// `maestro.heal.rejected.v1`: a person turns a proposed patch down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct HealRejected(pub HealDecision);

impl Policy {
    /// What a policy must satisfy beyond its type.
    pub fn check(&self) -> Result<(), Violation> {
        given(self.never.as_deref(), |all| each(all, |each| name(each))).member("never")?;
        given(self.max_runs.as_ref(), |&runs| positive(runs)).member("max_runs")?;
        given(self.time_limit_s.as_ref(), |&limit| seconds(limit)).member("time_limit_s")?;
        given(self.index.as_deref(), name).member("index")
    }
}

impl RuntimeChanges {
    /// What changes of a runtime must satisfy beyond their type.
    pub fn check(&self) -> Result<(), Violation> {
        each(&self.install, |each| name(each)).member("install")?;
        each(&self.uninstall, |each| name(each)).member("uninstall")?;
        given(self.python.as_deref(), python_version).member("python")?;
        variables(&self.variables).member("variables")
    }
}

impl Evidence {
    /// What evidence must satisfy beyond its type.
    pub fn check(&self) -> Result<(), Violation> {
        runs(&self.reproduced).member("reproduced")?;
        runs(&self.after).member("after")?;
        each(&self.caveats, |_| Ok(())).member("caveats")?;
        given(self.experience.as_ref(), |experience| {
            share(experience.counted).member("counted")
        })
        .member("experience")?;
        given(self.since.as_ref(), Since::check).member("since")
    }
}

impl Since {
    fn check(&self) -> Result<(), Violation> {
        let is_commit = (40..=64).contains(&self.commit.len()) && is_hex(&self.commit);
        if !is_commit {
            return Err(Violation::of_text("40 to 64 hex digits", &self.commit)).member("commit");
        }
        name(&self.authored).member("authored")?;
        given(self.path.as_deref(), name).member("path")?;
        given(self.line.as_ref(), |&line| positive(line)).member("line")
    }
}

/// So many runs of so many: `3/3`.
fn runs(text: &str) -> Result<(), Violation> {
    let count = |part: &str| match part.len() {
        1..=9 => part
            .parse::<u32>()
            .ok()
            .filter(|_| part.bytes().all(|byte| byte.is_ascii_digit())),
        _ => None,
    };
    match text
        .split_once('/')
        .map(|(some, all)| (count(some), count(all)))
    {
        Some((Some(some), Some(all))) if some <= all => Ok(()),
        _ => Err(Violation::of_text(
            "runs of the runs made, such as `3/3`",
            text,
        )),
    }
}

impl Payload for HealRequested {
    const TYPE: &'static str = "maestro.heal.requested.v1";
    const STREAM: Stream = Stream::Heal;

    fn check(&self) -> Result<(), Violation> {
        self.project.check().member("project")?;
        given(self.file.as_deref(), name).member("file")?;
        given(self.line.as_ref(), |&line| positive(line)).member("line")?;
        given(self.finding.as_ref(), Finding::check).member("finding")?;
        given(self.test.as_ref(), Test::check).member("test")?;
        given(self.runtime.as_ref(), Runtime::check).member("runtime")?;
        given(self.environment.as_deref(), name).member("environment")?;
        given(self.policy.as_ref(), Policy::check).member("policy")?;
        given(self.fingerprint.as_deref(), fingerprint).member("fingerprint")
    }
}

impl Payload for HealCompleted {
    const TYPE: &'static str = "maestro.heal.completed.v1";
    const STREAM: Stream = Stream::Results;

    fn check(&self) -> Result<(), Violation> {
        self.project.check().member("project")?;
        given(self.test.as_ref(), Test::check).member("test")?;
        given(self.finding.as_ref(), Finding::check).member("finding")?;
        given(self.file.as_deref(), name).member("file")?;
        each(&self.steps, |_| Ok(())).member("steps")?;
        each(&self.touches, |_| Ok(())).member("touches")?;
        given(self.runtime_changes.as_ref(), RuntimeChanges::check).member("runtime_changes")?;
        share(self.confidence).member("confidence")?;
        self.evidence.check().member("evidence")?;
        name(&self.worker_version).member("worker_version")?;
        given(self.fingerprint.as_deref(), fingerprint).member("fingerprint")
    }
}

impl HealDecision {
    fn check(&self) -> Result<(), Violation> {
        name(&self.heal).member("heal")?;
        name(&self.by).member("by")
    }
}

impl Payload for HealApproved {
    const TYPE: &'static str = "maestro.heal.approved.v1";
    const STREAM: Stream = Stream::Validation;

    fn check(&self) -> Result<(), Violation> {
        self.0.check()
    }
}

impl Payload for HealRejected {
    const TYPE: &'static str = "maestro.heal.rejected.v1";
    const STREAM: Stream = Stream::Validation;

    fn check(&self) -> Result<(), Violation> {
        self.0.check()
    }
}
