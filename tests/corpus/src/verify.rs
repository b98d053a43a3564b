//! The second, independent run: the patch on a clean copy, and the command as it stands.

use std::path::Path;

use anyhow::ensure;
use maestro_heal::Healer;
use maestro_protocol::heal::{HealCompleted, HealRequested, Verdict};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

/// Applies the answer to the clean tree at `root` and runs the whole command: `Ok(true)` if all of it is green.
pub(crate) async fn turns_green(
    healer: &Healer,
    mut request: HealRequested,
    answer: &HealCompleted,
    root: &Path,
    flaky: bool,
) -> anyhow::Result<bool> {
    // What is not committed is not fetched.
    request.project.revision = None;
    if let Some(patch) = &answer.patch {
        let file = root.with_extension("patch");
        std::fs::write(&file, patch)?;
        for check in [&["--check"][..], &[]] {
            let applied = Command::new("git")
                .args(["apply", "--whitespace=nowarn"])
                .args(check)
                .arg(&file)
                .current_dir(root)
                .env("GIT_CEILING_DIRECTORIES", root.parent().unwrap_or(root))
                .output()
                .await?;
            ensure!(
                applied.status.success(),
                "git apply: {}",
                String::from_utf8_lossy(&applied.stderr)
            );
        }
    }
    let runtime = request.runtime.get_or_insert_default();
    if let Some(changes) = &answer.runtime_changes {
        let install = runtime.install.get_or_insert_default();
        for requirement in &changes.install {
            let name = maestro_heal::distribution(requirement);
            install.retain(|earlier| maestro_heal::distribution(earlier) != name);
            install.push(requirement.clone());
        }
        if changes.python.is_some() {
            runtime.python.clone_from(&changes.python);
        }
        runtime
            .variables
            .get_or_insert_default()
            .extend(changes.variables.clone());
    }
    // A flaky test is looked at again in other orders and with other seeds, which takes its name.
    let whole = request
        .runtime
        .as_ref()
        .is_some_and(|runtime| runtime.command.is_some());
    if !flaky && whole {
        request.test = None;
    }
    let again = healer.heal(&request, CancellationToken::new()).await?;
    Ok(again.verdict == Verdict::NotReproduced)
}
