//! How fast environments come and go: from a message to a stack that is ready, beside `kubectl apply` and `kubectl wait` of the same
//! manifests; from a status that shows a failure to its verdict; and many at once, beside the API server alone.

mod bare;
mod manifests;
mod many;
mod options;
mod ready;
mod report;
mod results;
mod verdict;

use std::io::Write as _;

use anyhow::Context as _;
use clap::Parser as _;
use maestro_bench::machine::Machine;
use maestro_test_cluster::{ControlPlane, Node};

use options::{Options, Output};
use report::Report;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let plane = ControlPlane::start(Node::Played)
        .await
        .context("a control plane of our own is needed; deploy/control-plane.sh builds one")?;
    let ready = ready::measure(&plane, options.rounds).await?;
    progress("a stack is ready", &format!("{ready:?}"));
    let verdicts = verdict::measure(&plane, options.rounds).await?;
    progress("failures are told", &format!("{verdicts:?}"));
    let many = many::measure(&plane, options.environments, options.replicas).await?;
    progress("many at once", &format!("{many:?}"));
    let report = Report {
        ready_to_kubectl: ready.fleet_ms / ready.kubectl_ms,
        ready,
        verdicts,
        many,
        kubernetes: plane.version().to_string(),
        machine: Machine::look()?,
        is_optimised: !cfg!(debug_assertions),
    };
    let json = serde_json::to_string_pretty(&report)? + "\n";
    let table = report.table();
    if let Some(directory) = &options.write {
        for (extension, text) in [("json", &json), ("md", &table)] {
            let path = directory.join(format!("environments.{extension}"));
            std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        }
    }
    let text = match options.output {
        Output::Text => table,
        Output::Json => json,
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// For whoever watches; nobody may be there.
fn progress(what: &str, figures: &str) {
    let _ = writeln!(std::io::stderr(), "{what}: {figures}");
}
