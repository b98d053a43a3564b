//! JUnit reports: every failing test one message.

use std::path::{Path, PathBuf};

use maestro_junit::{Directory, Limits};

use super::Publish;
use super::drafts::drafts;
use super::files;
use super::project::Located;
use super::send::Sender;
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::message::Draft;

pub(super) async fn publish(
    command: &Publish,
    files: &[PathBuf],
    sender: &mut Sender<'_>,
) -> Outcome {
    let here = std::env::current_dir().map_err(|error| {
        Fault::new(
            Exit::Io,
            format!("the working directory cannot be read: {error}"),
        )
    })?;
    let located = command.project.locate(&here, &command.command)?;
    let (mut cases, mut failing) = (0, 0);
    for file in files {
        let found = one(command, file, &located)?;
        cases += found.0;
        failing += found.1.len();
        for draft in found.1 {
            sender.send(draft, &file.display()).await?;
        }
    }
    sender.finish().await?;
    if failing == 0 {
        sender.remark(&format!(
            "none of {cases} tests failed; nothing was published"
        ));
    }
    Ok(Exit::Success)
}

/// How many tests a report has, and a message for each that failed.
fn one(command: &Publish, file: &Path, located: &Located) -> Result<(u64, Vec<Draft>), Fault> {
    let limits = Limits::default();
    let bytes = files::bytes(file, limits.bytes)?;
    let report = maestro_junit::read(&bytes, &limits)
        .map_err(|error| Fault::data(format!("`{}`: {error}", file.display())))?;
    if report.left_out() > 0 {
        return Err(Fault::data(format!(
            "`{}`: more than {} failing tests in one report",
            file.display(),
            limits.failures
        )));
    }
    if report.failing() == 0 {
        return Ok((report.tests(), Vec::new()));
    }
    let framework = command
        .project
        .framework
        .or_else(|| report.framework())
        .ok_or_else(|| {
            Fault::data(format!(
                "`{}` does not tell which runner wrote it",
                file.display()
            ))
            .next("say it with --framework (pytest, unittest, node-test, jest, vitest or cargo)")
        })?;
    let sources = Directory(&located.directory);
    let errors = report
        .failures(Some(framework), &sources)
        .map(|failure| failure.into_error(located.project.clone(), located.runtime.clone(), None));
    let drafts = drafts(command, file, &bytes, errors)?;
    Ok((report.tests(), drafts))
}
