//! ruff and mypy: a checker of Python in an environment of its own version, on a fresh copy.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use maestro_findings::{Finding, Place};
use maestro_protocol::heal::RuntimeChanges;
use maestro_protocol::project::Runtime;

use super::bench::{Said, Seen};
use super::{Check, Offer, Tool, has, version};
use crate::bench::{Bench, changed, environment_error, read_records, stopped};
use crate::case::Tree;
use crate::distribution::distribution;
use crate::edge::{
    Command, Ended, Environment, EnvironmentSpec, Finished, Limits, Network, WorkCopy,
};
use crate::laboratory::AttemptError;
use crate::overlay::Overlay;

/// Arguments that would take away the form in which mypy is read.
const OWN_OUTPUT: [&str; 4] = ["--output", "-O", "--pretty", "--no-error-summary"];

/// Runs the checker; of the findings `pick` chooses the one for which fixes are wanted.
pub(super) async fn run(
    bench: &Bench,
    check: &Check,
    runtime: &Runtime,
    tree: &Overlay,
    changes: &RuntimeChanges,
    pick: &(dyn Fn(&[Finding]) -> Option<Finding> + Sync),
) -> Result<Seen, AttemptError> {
    let began = Instant::now();
    let (environment, requested) = environment(bench, check, runtime, tree, changes).await?;
    let install = began.elapsed();
    let (copy, _records) = bench.copy(tree).await?;
    let run = Run {
        bench,
        check,
        environment: &environment,
        copy: &copy,
    };
    let finished = run.checker(run.words(tree)).await?;
    let mut seen = Seen {
        said: run.read(&finished),
        target: None,
        offers: Vec::new(),
        installed: Arc::new(bench.facilities.installed(&environment, requested)),
        install,
        run: finished.elapsed,
        stopped: stopped(&finished, &bench.facilities.limits),
    };
    if let Said::Found(findings) = &seen.said {
        seen.target = pick(findings);
        if seen.target.is_some() && check.tool == Tool::Ruff {
            seen.offers = run.fixes(tree, findings, &mut seen.run).await?;
        }
    }
    Ok(seen)
}

/// ruff needs nothing but itself; mypy sees the types of what the project needs.
async fn environment(
    bench: &Bench,
    check: &Check,
    runtime: &Runtime,
    tree: &Overlay,
    changes: &RuntimeChanges,
) -> Result<(Environment, Vec<String>), AttemptError> {
    let asked = runtime.install.clone().unwrap_or_default();
    let own = asked
        .iter()
        .find(|requirement| distribution(requirement) == check.tool.package())
        .cloned()
        .unwrap_or_else(|| version::requirement(check.tool, check.version.as_deref(), tree));
    let install = if check.tool == Tool::Ruff {
        vec![own]
    } else {
        let mut install = changed(&asked, changes);
        install.retain(|requirement| distribution(requirement) != check.tool.package());
        install.push(own);
        install
    };
    let python = changes.python.as_deref().or(runtime.python.as_deref());
    let spec = EnvironmentSpec::from_install(python, &install, &bench.checkout.project());
    let mut limits = Limits::for_installation();
    limits.wall = limits.wall.min(bench.time_left());
    let environment = bench
        .facilities
        .environments
        .prepare(&spec, &limits, &bench.cancel)
        .await
        .map_err(environment_error)?;
    Ok((environment, install))
}

struct Run<'r> {
    bench: &'r Bench,
    check: &'r Check,
    environment: &'r Environment,
    copy: &'r WorkCopy,
}

impl Run<'_> {
    /// The words that check the file, or for mypy what the project says is checked.
    fn words(&self, tree: &Overlay) -> Vec<String> {
        let file = self.check.file.clone();
        let strings = |words: &[&str]| {
            words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>()
        };
        if self.check.tool == Tool::Ruff {
            // What the project leaves out stays out, although the file is named.
            let mut words = strings(&[
                "check",
                "--output-format=json",
                "--no-fix",
                "--no-cache",
                "--force-exclude",
                "--",
            ]);
            words.push(file);
            return words;
        }
        let mut words = strings(&["-m", "mypy"]);
        match &self.check.words {
            Some(own) => words.extend(without_output(own)),
            None if says_what_is_checked(tree) => {}
            None => words.push(file),
        }
        words.extend(strings(&[
            "--output=json",
            "--no-error-summary",
            "--cache-dir=/dev/null",
        ]));
        words
    }

    async fn checker(&self, words: Vec<String>) -> Result<Finished, AttemptError> {
        let program = match self.check.tool {
            Tool::Ruff => self.environment.root.join("bin/ruff"),
            _ => self.environment.python.clone(),
        };
        let argv = std::iter::once(program.display().to_string()).chain(words);
        let mut command = Command::new(argv, self.copy.project());
        command.writable = vec![self.copy.root()];
        command.readable = self.environment.readable();
        command.network = Network::None;
        command.limits = self.bench.facilities.limits.clone();
        command.limits.output_bytes = OUTPUT;
        command.limits.wall = command.limits.wall.min(self.bench.time_left());
        self.bench.run(&command).await
    }

    fn read(&self, finished: &Finished) -> Said {
        let project = self.copy.project();
        Said::read(
            finished,
            &finished.stdout,
            &Place::new(project.clone(), project),
            // 2: the checker itself failed, whatever stands in its output.
            matches!(finished.ended, Ended::Exited(0 | 1)),
        )
    }

    /// What ruff's own fixes of the rule make of the file: the safe ones, then with those that it calls unsafe. A fix may bring up another
    /// rule, as an import that nobody needs any more; the safe fix of that goes with it.
    async fn fixes(
        &self,
        tree: &Overlay,
        findings: &[Finding],
        spent: &mut Duration,
    ) -> Result<Vec<Offer>, AttemptError> {
        let before = tree.read(&self.check.file).unwrap_or_default();
        let known: BTreeSet<&str> = findings
            .iter()
            .filter_map(|finding| finding.rule.as_deref())
            .collect();
        let mut offers: Vec<Offer> = Vec::new();
        for (safe, option) in [(true, "--no-unsafe-fixes"), (false, "--unsafe-fixes")] {
            let own = std::slice::from_ref(&self.check.rule);
            let Some(fixed) = self.fix(own, option, spent).await? else {
                continue;
            };
            if fixed == before || fixed.is_empty() {
                continue;
            }
            let (text, rules) = self.follow(tree, fixed, &known, spent).await?;
            if offers.iter().all(|offer| offer.text != text) {
                let option = if safe { "" } else { " --unsafe-fixes" };
                offers.push(Offer {
                    safe,
                    how: format!("ruff check --fix{option} --select={}", rules.join(",")),
                    text,
                });
            }
        }
        Ok(offers)
    }

    /// The text with what its fix brought up fixed as well, and the rules of all of it; as it was where that leads nowhere.
    async fn follow(
        &self,
        tree: &Overlay,
        fixed: String,
        known: &BTreeSet<&str>,
        spent: &mut Duration,
    ) -> Result<(String, Vec<String>), AttemptError> {
        let own = vec![self.check.rule.clone()];
        let (mut text, mut rules) = (fixed.clone(), own.clone());
        for _ in 0..LINKS {
            let finished = self.checker(self.words(tree)).await?;
            *spent += finished.elapsed;
            let Said::Found(findings) = self.read(&finished) else {
                break;
            };
            // Findings of a rule that was there before are somebody else's.
            let mut new: Vec<String> = findings
                .into_iter()
                .filter_map(|finding| finding.rule)
                .filter(|rule| !known.contains(rule.as_str()))
                .collect();
            new.sort_unstable();
            new.dedup();
            if new.is_empty() {
                return Ok((text, rules));
            }
            match self.fix(&new, "--no-unsafe-fixes", spent).await? {
                Some(next) if next != text => text = next,
                _ => break,
            }
            rules.extend(new);
        }
        let written = self.copy.write(&self.check.file, fixed.as_bytes());
        written.map_err(|error| {
            let path = &self.check.file;
            AttemptError::Machine(format!("unable to set {path} of the copy back: {error}"))
        })?;
        Ok((fixed, own))
    }

    /// What the file is after ruff's fixes of these rules; none where ruff or the file says nothing.
    async fn fix(
        &self,
        rules: &[String],
        option: &str,
        spent: &mut Duration,
    ) -> Result<Option<String>, AttemptError> {
        let select = format!("--select={}", rules.join(","));
        let words = [
            "check",
            "--fix",
            &select,
            option,
            "--no-cache",
            "--force-exclude",
            "--quiet",
            "--",
        ];
        let mut words: Vec<String> = words.map(str::to_owned).into();
        words.push(self.check.file.clone());
        let finished = self.checker(words).await?;
        *spent += finished.elapsed;
        let written = read_records(&self.copy.project().join(&self.check.file));
        let ran = matches!(finished.ended, Ended::Exited(0 | 1));
        Ok(String::from_utf8(written).ok().filter(|_| ran))
    }
}

/// How many fixes may follow each other.
const LINKS: usize = 3;
/// A run of mypy over a whole project may have much to say.
const OUTPUT: usize = 16 << 20;

fn without_output(words: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut skip = false;
    for word in words {
        if std::mem::take(&mut skip) {
            continue;
        }
        if OWN_OUTPUT
            .iter()
            .any(|own| word.split('=').next() == Some(own))
        {
            skip = matches!(word.as_str(), "--output" | "-O");
        } else {
            kept.push(word.clone());
        }
    }
    kept
}

/// Whether mypy's own configuration names what is checked (`files`, `packages`, `modules`).
fn says_what_is_checked(tree: &dyn Tree) -> bool {
    let files = ["mypy.ini", ".mypy.ini", "pyproject.toml", "setup.cfg"];
    let Some(file) = files.into_iter().find(|file| {
        has(tree, file)
            && tree.read(file).is_some_and(|text| {
                text.lines()
                    .any(|line| matches!(line.trim(), "[mypy]" | "[tool.mypy]"))
            })
    }) else {
        return false;
    };
    let text = tree.read(file).unwrap_or_default();
    text.lines()
        .map(str::trim)
        .skip_while(|line| !matches!(*line, "[mypy]" | "[tool.mypy]"))
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .any(|line| {
            line.split_once('=')
                .is_some_and(|(name, _)| matches!(name.trim(), "files" | "packages" | "modules"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies::fake::Files;

    #[test]
    fn what_mypy_checks_is_the_projects_to_say() {
        let with = |text: &str| says_what_is_checked(&Files::new(&[("pyproject.toml", text)]));
        assert!(with("[tool.mypy]\nstrict = true\nfiles = [\"src\"]\n"));
        assert!(!with(
            "[tool.mypy]\nstrict = true\n[tool.other]\nfiles = 1\n"
        ));
        assert!(!with("[tool.ruff]\nfiles = 1\n"));
    }

    #[test]
    fn the_output_stays_one_that_is_read() {
        let words = ["--strict", "-O", "json", "--pretty", "pkg", "--output=x"].map(str::to_owned);
        assert_eq!(without_output(&words), ["--strict", "pkg"]);
    }
}
