//! What is kept of a run: everything as JSON, and a table for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use maestro_bench::machine::Machine;
use serde::Serialize;

use crate::many::Many;
use crate::ready::Ready;
use crate::verdict::Verdict;

/// A whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The fleet's time from a message to `ready`, over that of `kubectl apply` and `kubectl wait`.
    pub(crate) ready_to_kubectl: f64,
    pub(crate) ready: Ready,
    /// From the status to the verdict, by reason.
    pub(crate) verdicts: BTreeMap<&'static str, Verdict>,
    pub(crate) many: Many,
    /// The API server's version.
    pub(crate) kubernetes: String,
    pub(crate) machine: Machine,
    /// Whether fleet and clients were built for speed.
    pub(crate) is_optimised: bool,
}

impl Report {
    /// In Markdown.
    pub(crate) fn table(&self) -> String {
        let Self { ready, many, .. } = self;
        let Machine {
            cpu, cores, redis, ..
        } = &self.machine;
        let mut text = format!(
            "{cpu}, {cores} cores, Kubernetes {} with a played kubelet, Redis {redis}; {} build. Server, fleet and clients share the cores.

An application with PostgreSQL and Redis ({} objects), medians of {} turns:

| from the message to `ready` | `kubectl apply` and `kubectl wait` | ratio |
|----------------------------:|-----------------------------------:|------:|
| {:.0} ms | {:.0} ms | {:.2} |

| failure         | from the status to the verdict: median | longest |
|:----------------|---------------------------------------:|--------:|
",
            self.kubernetes,
            if self.is_optimised { "release" } else { "debug" },
            ready.objects,
            ready.fleet_rounds_ms.len(),
            ready.fleet_ms,
            ready.kubectl_ms,
            self.ready_to_kubectl,
        );
        for (reason, verdict) in &self.verdicts {
            let _ = writeln!(
                text,
                "| {reason:<15} | {:.0} ms | {:.0} ms |",
                verdict.median_ms, verdict.longest_ms
            );
        }
        let _ = write!(
            text,
            "
{} environments of one application at once, {} replicas of each worker; beside a bare client that makes and deletes the same objects:

|            | fleet, 1/s | bare client, 1/s |
|:-----------|-----------:|-----------------:|
| made ready | {:.1} | {:.1} |
| deleted    | {:.1} | {:.1} |
",
            many.environments,
            many.replicas,
            many.ready_per_second,
            many.bare_ready_per_second,
            many.deleted_per_second,
            many.bare_deleted_per_second,
        );
        text
    }
}
