//! The command line.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use maestro_entry::block::MAX_REPORT;

pub(crate) const HELP: &str = "\
Runs a test command in a container and hands its JUnit report over through the log.

Usage: maestro-entry install PATH
       maestro-entry run [--junit PATH] [--max-report BYTES] -- COMMAND [ARGUMENT]...

install   copies this program to PATH, for containers of other images that share the volume
run       runs COMMAND, which no shell sees; passes signals on to it, and its output through as it is;
          ends what it left running, prints the report, and exits as COMMAND did

  --junit PATH         the report that COMMAND writes
  --max-report BYTES   the largest report that is printed, uncompressed [default: 4194304]
  -h, --help           print this
  -V, --version        print the version

Example: maestro-entry run --junit /results/junit.xml -- pytest --junitxml=/results/junit.xml

Exit codes of run: COMMAND's own; 128 and the signal's number if a signal ended it; 127 if COMMAND was not found,
126 if it cannot be run; 125 for a failure of maestro-entry's own, as of install.
";

#[derive(Debug, PartialEq)]
pub(crate) enum Asked {
    Help,
    Version,
    Install(PathBuf),
    Run(Run),
}

#[derive(Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) junit: Option<PathBuf>,
    /// Bytes.
    pub(crate) max_report: u64,
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum Misused {
    #[error("expected `install` or `run`{}; try --help", found(.0.as_ref()))]
    Nothing(Option<OsString>),
    #[error("`install` expects one path; try --help")]
    Install,
    #[error("`run` expects `--` and a command{}; try --help", found(.0.as_ref()))]
    Command(Option<OsString>),
    #[error("`{0}` expects a value; try --help")]
    Value(&'static str),
    #[error("`--max-report` expects a number of bytes{}", found(Some(.0)))]
    Number(OsString),
}

fn found(what: Option<&OsString>) -> String {
    what.map_or_else(String::new, |what| {
        format!(", but found `{}`", what.to_string_lossy())
    })
}

pub(crate) fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Asked, Misused> {
    let first = arguments.next();
    match first.as_deref().map(OsStr::as_bytes) {
        Some(b"-h" | b"--help" | b"help") => Ok(Asked::Help),
        Some(b"-V" | b"--version") => Ok(Asked::Version),
        Some(b"install") => install(arguments),
        Some(b"run") => run(arguments),
        _ => Err(Misused::Nothing(first)),
    }
}

fn install(mut arguments: impl Iterator<Item = OsString>) -> Result<Asked, Misused> {
    match (arguments.next(), arguments.next()) {
        (Some(help), None) if help == "-h" || help == "--help" => Ok(Asked::Help),
        (Some(path), None) if !path.is_empty() => Ok(Asked::Install(path.into())),
        _ => Err(Misused::Install),
    }
}

fn run(mut arguments: impl Iterator<Item = OsString>) -> Result<Asked, Misused> {
    let mut junit = None;
    let mut max_report = MAX_REPORT as u64;
    loop {
        let Some(argument) = arguments.next() else {
            return Err(Misused::Command(None));
        };
        match argument.as_bytes() {
            b"-h" | b"--help" => return Ok(Asked::Help),
            b"--" => break,
            _ => {}
        }
        if let Some(path) = value("--junit", &argument, &mut arguments) {
            junit = Some(PathBuf::from(path?));
        } else if let Some(bytes) = value("--max-report", &argument, &mut arguments) {
            let bytes = bytes?;
            let number = bytes.to_str().and_then(|text| text.parse().ok());
            max_report = number.ok_or(Misused::Number(bytes))?;
        } else {
            return Err(Misused::Command(Some(argument)));
        }
    }
    let program = arguments
        .next()
        .filter(|program| !program.is_empty())
        .ok_or(Misused::Command(None))?;
    Ok(Asked::Run(Run {
        junit,
        max_report,
        program,
        arguments: arguments.collect(),
    }))
}

/// The value of `--name VALUE` or `--name=VALUE`; nothing if the argument is another.
fn value(
    name: &'static str,
    argument: &OsStr,
    rest: &mut impl Iterator<Item = OsString>,
) -> Option<Result<OsString, Misused>> {
    let after = argument.as_bytes().strip_prefix(name.as_bytes())?;
    let value = match after {
        b"" => rest.next(),
        _ => Some(OsStr::from_bytes(after.strip_prefix(b"=")?).to_owned()),
    };
    let value = value.filter(|value| !value.is_empty());
    Some(value.ok_or(Misused::Value(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Result<Asked, Misused> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn what_comes_after_the_two_dashes_is_the_command_whatever_it_looks_like() {
        let expected = Asked::Run(Run {
            junit: Some("/r/j.xml".into()),
            max_report: 99,
            program: "pytest".into(),
            arguments: ["--junit", "-h", "--", "x"].map(OsString::from).to_vec(),
        });
        for line in [
            "run --junit /r/j.xml --max-report 99 -- pytest --junit -h -- x",
            "run --max-report=99 --junit=/r/j.xml -- pytest --junit -h -- x",
        ] {
            assert_eq!(asked(line).as_ref(), Ok(&expected));
        }
        assert_eq!(asked("run --junit x --help"), Ok(Asked::Help));
        assert_eq!(asked("install /bin/x"), Ok(Asked::Install("/bin/x".into())));
    }

    #[test]
    fn what_is_misused_is_told_in_one_sentence() {
        let sentence = |line: &str| asked(line).unwrap_err().to_string();
        for (line, expected) in [
            ("", "expected `install` or `run`; try --help"),
            (
                "exec x",
                "expected `install` or `run`, but found `exec`; try --help",
            ),
            ("install", "`install` expects one path; try --help"),
            ("install a b", "`install` expects one path; try --help"),
            ("run", "`run` expects `--` and a command; try --help"),
            ("run --", "`run` expects `--` and a command; try --help"),
            (
                "run pytest",
                "`run` expects `--` and a command, but found `pytest`; try --help",
            ),
            (
                "run --junits x -- y",
                "`run` expects `--` and a command, but found `--junits`; try --help",
            ),
            ("run --junit= -- y", "`--junit` expects a value; try --help"),
            (
                "run --max-report 4MiB -- y",
                "`--max-report` expects a number of bytes, but found `4MiB`",
            ),
        ] {
            assert_eq!(sentence(line), expected);
        }
    }
}
