//! `maestro.validation.*`: an independent judgement of a patch, and a person's decision on it put on record.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::constraint::{fingerprint, given, name};
use crate::heal::{Evidence, Policy, RuntimeChanges, Strategy, Verdict};
use crate::message::Payload;
use crate::project::{Project, Runtime, Test};
use crate::stream::Stream;
use crate::violation::{Violation, Within};

/// `maestro.validation.requested.v1`: judge this patch independently of the worker that made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("anyOf" = [
    {"required": ["patch"], "properties": {"patch": {"type": "string"}}},
    {"required": ["runtime_changes"], "properties": {"runtime_changes": {"type": "object"}}},
]))]
pub struct ValidationRequested {
    /// The id of the `maestro.heal.completed.v1` message that is judged.
    #[schemars(length(min = 1, max = 4096))]
    pub heal: String,
    /// Where the code is.
    pub project: Project,
    /// The failing test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Test>,
    /// How the tests are run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Runtime>,
    /// What a heal may do; a patch outside it is not upheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// The verdict that is claimed.
    pub verdict: Verdict,
    /// The strategy of the first step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// A unified diff, paths relative to the repository. It or `runtime_changes` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
    /// Changes to the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_changes: Option<RuntimeChanges>,
}

/// What came of a judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// The claim holds.
    Upheld,
    /// The claim does not hold.
    Overturned,
    /// The claim could be neither shown nor refuted.
    Inconclusive,
    /// A person took the patch.
    Approved,
    /// A person turned the patch down.
    Rejected,
}

/// `maestro.validation.completed.v1`: the judgement of a patch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ValidationCompleted {
    /// The id of the `maestro.heal.completed.v1` message that was judged.
    #[schemars(length(min = 1, max = 4096))]
    pub heal: String,
    /// Where the code is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Project>,
    /// The failing test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Test>,
    /// What came of it.
    pub judgement: Judgement,
    /// One sentence for a person: why.
    pub reason: String,
    /// Who decided, where a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub by: Option<String>,
    /// What was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// How long the judgement took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The version of the worker that judged.
    #[schemars(length(min = 1, max = 4096))]
    pub worker_version: String,
    /// The fingerprint that the heal has: under it the judgement is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-f]{32}$"))]
    pub fingerprint: Option<String>,
}

impl Payload for ValidationRequested {
    const TYPE: &'static str = "maestro.validation.requested.v1";
    const STREAM: Stream = Stream::Validation;

    fn check(&self) -> Result<(), Violation> {
        name(&self.heal).member("heal")?;
        self.project.check().member("project")?;
        given(self.test.as_ref(), Test::check).member("test")?;
        given(self.runtime.as_ref(), Runtime::check).member("runtime")?;
        given(self.policy.as_ref(), Policy::check).member("policy")?;
        given(self.runtime_changes.as_ref(), RuntimeChanges::check).member("runtime_changes")?;
        if self.patch.is_none() && self.runtime_changes.is_none() {
            return Err(Violation::new("`patch` or `runtime_changes`", "neither"));
        }
        Ok(())
    }
}

impl Payload for ValidationCompleted {
    const TYPE: &'static str = "maestro.validation.completed.v1";
    const STREAM: Stream = Stream::Results;

    fn check(&self) -> Result<(), Violation> {
        name(&self.heal).member("heal")?;
        given(self.project.as_ref(), Project::check).member("project")?;
        given(self.test.as_ref(), Test::check).member("test")?;
        given(self.by.as_deref(), name).member("by")?;
        given(self.evidence.as_ref(), Evidence::check).member("evidence")?;
        name(&self.worker_version).member("worker_version")?;
        given(self.fingerprint.as_deref(), fingerprint).member("fingerprint")
    }
}
