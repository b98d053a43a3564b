//! Reports of linters, type checkers and compilers: everything that they find one message.

use std::path::{Path, PathBuf};

use maestro_findings::{LeftOut, Limits, Place};
use maestro_protocol::finding::Level;

use super::Publish;
use super::drafts::drafts;
use super::files;
use super::project::Located;
use super::send::Sender;
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::message::Draft;

/// How much a tool has to mind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Least {
    /// Errors alone.
    Error,
    /// Warnings and errors.
    Warning,
    /// Everything.
    Note,
}

/// What is not published, and why.
#[derive(Default)]
struct Beside {
    milder: usize,
    left_out: LeftOut,
}

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
    let (mut published, mut beside) = (0, Beside::default());
    for file in files {
        let drafts = one(command, file, &located, &mut beside)?;
        published += drafts.len();
        for draft in drafts {
            sender.send(draft, &file.display()).await?;
        }
    }
    sender.finish().await?;
    if let Some(remark) = beside.remark() {
        sender.remark(&remark);
    }
    if published == 0 {
        sender.remark("nothing was found; nothing was published");
    }
    Ok(Exit::Success)
}

fn one(
    command: &Publish,
    file: &Path,
    located: &Located,
    beside: &mut Beside,
) -> Result<Vec<Draft>, Fault> {
    let limits = Limits::default();
    let bytes = files::bytes(file, limits.bytes)?;
    let place = Place::new(&located.root, &located.directory);
    let mut report = maestro_findings::read(&bytes, &limits, &place)
        .map_err(|error| Fault::data(format!("`{}`: {error}", file.display())))?;
    beside.milder += report.keep(match command.level {
        Least::Error => Level::Error,
        Least::Warning => Level::Warning,
        Least::Note => Level::Note,
    });
    let left_out = report.left_out;
    beside.left_out.suppressed += left_out.suppressed;
    beside.left_out.in_baseline += left_out.in_baseline;
    beside.left_out.no_failure += left_out.no_failure;
    beside.left_out.repeated += left_out.repeated;
    let errors = report
        .findings
        .into_iter()
        .map(|finding| finding.into_error(located.project.clone(), located.runtime.clone()));
    drafts(command, file, &bytes, errors)
}

impl Beside {
    /// One line about what was left out; `None` where that is nothing.
    fn remark(&self) -> Option<String> {
        let counted: Vec<String> = [
            (self.milder, "below --level"),
            (self.left_out.suppressed, "suppressed"),
            (self.left_out.in_baseline, "of the baseline"),
            (self.left_out.no_failure, "that say of no failure"),
            (self.left_out.repeated, "that stand there twice"),
        ]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, which)| format!("{number} {which}"))
        .collect();
        (!counted.is_empty()).then(|| format!("left out: {}", counted.join(", ")))
    }
}
