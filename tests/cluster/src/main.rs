//! Holds a control plane until it is killed, for whoever wants to look at one with kubectl. Its first line is for another terminal:
//! `export KUBECONFIG='…'`.

use std::io::Write as _;
use std::process::ExitCode;

use maestro_test_cluster::{ControlPlane, Node};

fn main() -> ExitCode {
    let node = match std::env::args().nth(1).as_deref() {
        None | Some("played") => Node::Played,
        Some("hollow") => Node::Hollow,
        Some("none") => Node::None,
        Some(_) => {
            note("usage: control-plane [played|hollow|none]");
            return ExitCode::from(64);
        }
    };
    match hold(node) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&maestro_test_cluster::sentence(&*error));
            ExitCode::from(69)
        }
    }
}

fn hold(node: Node) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let plane = ControlPlane::start(node).await?;
        let mut output = std::io::stdout().lock();
        writeln!(
            output,
            "export KUBECONFIG='{}'",
            plane.kubeconfig().display()
        )?;
        let pids: Vec<String> = plane.pids().iter().map(ToString::to_string).collect();
        writeln!(
            output,
            "# Kubernetes {}; processes {}",
            plane.version(),
            pids.join(" ")
        )?;
        output.flush()?;
        std::future::pending().await
    })
}

fn note(line: &str) {
    // A closed stderr has no reader.
    drop(writeln!(std::io::stderr(), "{line}"));
}
