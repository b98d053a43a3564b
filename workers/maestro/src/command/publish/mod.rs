//! `maestro publish`: from reports, JSON and JSON Lines to messages on a stream.

mod attributes;
mod drafts;
mod files;
mod findings;
mod identified;
mod junit;
mod lane;
mod lines;
mod project;
mod send;
mod typed;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgGroup, Args};

use self::attributes::Attributes;
use self::project::ProjectFlags;
pub(crate) use self::project::working_copy;
use self::send::Sender;
pub(crate) use self::typed::bounded;
use super::OutputFlag;
use crate::fault::Outcome;
use crate::session::Session;

/// Publishes errors and other messages, and prints their ids
///
/// From a JUnit report every failing test becomes one message, from a report of a linter, a type checker or a compiler
/// every finding. Its id is a hash of the report: publishing the same report twice is harmless.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").required(true).args(["junit", "findings", "message_type", "lines"]),
    override_usage = "maestro publish --junit FILE... [OPTIONS] [-- COMMAND...]\n       \
                      maestro publish --findings FILE... [OPTIONS] [-- COMMAND...]\n       \
                      maestro publish --type TYPE --data JSON|@FILE|- [OPTIONS]\n       \
                      maestro publish --lines [OPTIONS] < FILE",
    after_help = "\
Examples:
  pytest --junitxml=report.xml; maestro publish --junit report.xml
  maestro publish --junit 'reports/**/*.xml' --repository https://example.org/x.git --revision main \\
      --python 3.11 --install pytest --install . -- python -m pytest -q
  ruff check --output-format json | maestro publish --findings - -- python -m pytest
  maestro publish --findings 'reports/*.sarif' --level error
  maestro publish --type error.reported --data @error.json --id build-7
  maestro publish --junit release.xml --urgent    # before everything that waits already
  generate-errors | maestro publish --lines --output json

A line of --lines is {\"type\": \"…\", \"data\": {…}} with, if you like, \"id\", \"source\", \"subject\",
\"correlationid\" and the other attributes."
)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Publish {
    /// JUnit reports; a pattern such as 'reports/**/*.xml' is looked up, - is standard input
    #[arg(long, num_args = 1.., value_name = "FILE")]
    junit: Vec<String>,

    /// Reports of linters, type checkers and compilers: SARIF 2.1.0; JSON of cargo, rustc, mypy, ruff, eslint; `tsc --pretty
    /// false`. Which it is shows by the content; a pattern is looked up, - is standard input
    #[arg(long, visible_alias = "sarif", num_args = 1.., value_name = "FILE")]
    findings: Vec<String>,

    /// How much a tool has to mind what it finds, for --findings
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "warning")]
    level: findings::Least,

    /// The type of one message, for example maestro.error.reported.v1 or error.reported
    #[arg(long = "type", value_name = "TYPE", requires = "data")]
    message_type: Option<String>,

    /// Its payload: JSON, @FILE, or - for standard input
    #[arg(
        long,
        value_name = "JSON",
        requires = "message_type",
        allow_hyphen_values = true
    )]
    data: Option<String>,

    /// Messages as JSON Lines on standard input
    #[arg(long)]
    lines: bool,

    /// The stream, where it is not the one that carries the type
    #[arg(long, value_name = "STREAM")]
    stream: Option<String>,

    /// Send by the stream's urgent lane: begins before what waits already, and so does what it brings about
    #[arg(long)]
    urgent: bool,

    /// Send what a worker would refuse, too
    #[arg(long)]
    no_validate: bool,

    /// Print the messages instead of sending them
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    output: OutputFlag,

    /// The command that runs the tests, for --junit and --findings
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,

    // Last, because their headings hold for everything below.
    #[command(flatten)]
    attributes: Attributes,

    #[command(flatten)]
    project: ProjectFlags,
}

impl Publish {
    pub(crate) async fn run(self, session: Session) -> Outcome {
        let mut sender = Sender::new(&session, &self);
        if self.lines {
            lines::publish(&self, &mut sender).await
        } else if let (Some(message_type), Some(data)) = (&self.message_type, &self.data) {
            typed::publish(&self, message_type, data, &mut sender).await
        } else if self.findings.is_empty() {
            let files: Vec<PathBuf> = files::files(&self.junit, "--junit")?;
            junit::publish(&self, &files, &mut sender).await
        } else {
            let files: Vec<PathBuf> = files::files(&self.findings, "--findings")?;
            findings::publish(&self, &files, &mut sender).await
        }
    }
}
