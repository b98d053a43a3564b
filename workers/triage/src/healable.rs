//! What the fleet can try to heal, and why not the rest.

use maestro_protocol::error::{ErrorKind, ErrorReported};
use maestro_protocol::finding::Finding;
use maestro_protocol::project::Framework;

use crate::failure::{Failure, Language};
use crate::kind::name;

/// `Ok`, or one clause that says why no heal is requested.
pub fn healable(report: &ErrorReported, failure: &Failure, kind: ErrorKind) -> Result<(), String> {
    if let Some(finding) = &report.finding {
        return can_be_repaired(report, finding, kind);
    }
    match kind {
        ErrorKind::BuildError | ErrorKind::TypeError | ErrorKind::LintError => {
            return Err(format!("no strategy heals a {} yet", name(kind)));
        }
        ErrorKind::TestFailure
        | ErrorKind::RuntimeError
        | ErrorKind::ImportError
        | ErrorKind::DependencyError => {}
    }
    if let Some(test) = &report.test {
        return match test.framework {
            Framework::Pytest
            | Framework::Unittest
            | Framework::NodeTest
            | Framework::Jest
            | Framework::Vitest => Ok(()),
            Framework::Cargo => Err(
                "only tests of Python and Node can be healed yet, and this is one of cargo"
                    .to_owned(),
            ),
        };
    }
    let command = report
        .runtime
        .as_ref()
        .and_then(|runtime| runtime.command.as_deref());
    match command {
        Some(command) if runs_python_tests(command) || may_run_node_tests(command) => Ok(()),
        Some(command) => Err(format!(
            "only commands that run tests of Python or Node can be healed yet, and this one runs {}",
            shown(command)
        )),
        // What cannot be imported fails whichever test is run, so the heal worker can look for it by itself.
        None if matches!(kind, ErrorKind::ImportError | ErrorKind::DependencyError)
            && is_python(report, failure) =>
        {
            Ok(())
        }
        None => Err(
            "neither a test nor a command is named, so it cannot be shown to fail and then to pass"
                .to_owned(),
        ),
    }
}

/// Whether the heal worker can run a checker again and knows what to do about what it finds.
fn can_be_repaired(
    report: &ErrorReported,
    finding: &Finding,
    kind: ErrorKind,
) -> Result<(), String> {
    let tool = finding.tool.as_str();
    let known: &[&str] = match kind {
        ErrorKind::LintError => &["ruff", "eslint"],
        ErrorKind::TypeError => &["mypy", "tsc"],
        _ => &[],
    };
    if !known.contains(&tool) {
        return Err(match known {
            [] => format!("no strategy heals a {} yet", name(kind)),
            known => format!(
                "of {}s only those of {} can be healed yet, and this one is of {tool}",
                name(kind).replace('_', " "),
                known.join(" and ")
            ),
        });
    }
    if finding.rule.is_none() {
        return Err(format!("{tool} names no rule that it breaks"));
    }
    match report.file.as_deref() {
        None => Err(format!("{tool} names no file")),
        // An absolute path lies outside of the project: the producer makes those inside relative.
        Some(file) if file.starts_with('/') || file.split('/').any(|part| part == "..") => {
            Err("its file lies outside of the project".to_owned())
        }
        Some(_) => Ok(()),
    }
}

/// `pytest …`, `python -m pytest …`, `uv run pytest …`, and `unittest` likewise. Not merely the word among the arguments:
/// `npm install pytest` runs no test.
fn runs_python_tests(command: &[String]) -> bool {
    let is_runner = |word: &str| matches!(word, "pytest" | "py.test" | "unittest");
    let mut words = command
        .iter()
        .map(|word| word.rsplit('/').next().unwrap_or_default());
    let Some(program) = words.next() else {
        return false;
    };
    if is_runner(program) && program != "unittest" {
        return true;
    }
    let rest: Vec<&str> = words.collect();
    let module = rest
        .windows(2)
        .any(|pair| pair[0] == "-m" && is_runner(pair[1]));
    let python = program.starts_with("python") || program.starts_with("pypy");
    let wrapped = matches!(
        program,
        "uv" | "poetry" | "pipenv" | "hatch" | "pdm" | "coverage" | "env" | "xvfb-run"
    ) && rest.iter().any(|word| is_runner(word));
    (python && module) || wrapped
}

/// `node --test`, `node test.js`, `npx jest`, `npm test` and their like. What a script of the project runs only the heal
/// worker sees, which has the project.
fn may_run_node_tests(command: &[String]) -> bool {
    let mut words = command
        .iter()
        .map(|word| word.rsplit('/').next().unwrap_or_default());
    let Some(program) = words.next() else {
        return false;
    };
    let rest: Vec<&str> = words.filter(|word| !word.starts_with('-')).collect();
    match program {
        "jest" | "vitest" | "mocha" | "tape" => true,
        "node" | "nodejs" => command.len() > 1,
        "npx" | "c8" | "nyc" | "cross-env" => rest
            .iter()
            .any(|word| matches!(*word, "jest" | "vitest" | "mocha" | "tape" | "node")),
        "npm" | "yarn" | "pnpm" => rest
            .first()
            .is_some_and(|verb| matches!(*verb, "test" | "t" | "run" | "run-script" | "exec")),
        _ => false,
    }
}

fn is_python(report: &ErrorReported, failure: &Failure) -> bool {
    failure.language == Some(Language::Python)
        || report
            .file
            .as_deref()
            .is_some_and(|file| file.rsplit('.').next() == Some("py"))
        || report
            .runtime
            .as_ref()
            .is_some_and(|runtime| runtime.python.is_some())
}

fn shown(command: &[String]) -> String {
    let first: String = command
        .first()
        .map(|program| program.chars().take(40).collect())
        .unwrap_or_default();
    format!("`{first}`")
}
