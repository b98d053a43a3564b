//! eslint and tsc: the project's own, from its manifest, with the packages linked into a fresh copy.

use std::sync::Arc;
use std::time::Instant;

use maestro_findings::{Finding, Place};
use maestro_protocol::heal::RuntimeChanges;
use maestro_protocol::project::Runtime;
use serde::Deserialize;
use serde_json::json;

use super::bench::{Said, Seen};
use super::{Check, Offer, Tool, has};
use crate::bench::{Bench, environment_error, read_records, stopped, write_beside};
use crate::case::{Installed, Tree};
use crate::edge::{
    Command, Ended, Limits, Manifest, Network, NodeEnvironment, NodeSpec, NpmSettings,
    is_npm_requirement,
};
use crate::laboratory::AttemptError;
use crate::node::bench::PROCESSES;
use crate::node::manifest::{self, Package};
use crate::node::requirement_name;
use crate::node::run::link_packages;
use crate::overlay::Overlay;

/// The project's own packages, in a list of what is installed.
const PROJECT: &str = ".";
/// A run over a whole project may have much to say.
const OUTPUT: usize = 16 << 20;

/// What the probe of eslint writes.
#[derive(Deserialize)]
#[serde(default)]
struct Record {
    failed: Option<String>,
    results: serde_json::Value,
    fixed: Option<String>,
    suggested: Vec<Suggested>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            failed: None,
            results: serde_json::Value::Null,
            fixed: None,
            suggested: Vec::new(),
        }
    }
}

#[derive(Deserialize)]
struct Suggested {
    line: Option<u32>,
    column: Option<u32>,
    what: String,
    text: String,
}

/// Runs the checker; of the findings `pick` chooses the one for which fixes are wanted.
pub(super) async fn run(
    bench: &Bench,
    check: &Check,
    runtime: &Runtime,
    npm: &NpmSettings,
    tree: &Overlay,
    changes: &RuntimeChanges,
    pick: &(dyn Fn(&[Finding]) -> Option<Finding> + Sync),
) -> Result<Seen, AttemptError> {
    let began = Instant::now();
    let (environment, requested) = environment(bench, check, runtime, npm, tree, changes).await?;
    let install = began.elapsed();
    let installed = Arc::new(Installed {
        site_packages: environment.modules.clone(),
        distributions: environment.installed.clone(),
        requested,
        node: environment.version,
        ..Installed::default()
    });
    let (copy, records) = bench.copy(tree).await?;
    let project = copy.project();
    link_packages(&environment.modules, &project)?;
    let words = if check.tool == Tool::Eslint {
        let probe = bench.facilities.probes.join("maestro_eslint.cjs");
        vec![probe.display().to_string()]
    } else {
        let program = environment
            .program("typescript", "tsc")
            .ok_or_else(|| AttemptError::Environment("typescript brings no `tsc`".to_owned()))?;
        let mut words = vec![program.display().to_string()];
        words.extend(words_of_tsc(check, tree));
        words
    };
    let node = environment.node.display().to_string();
    let mut command = Command::new(std::iter::once(node).chain(words), &project);
    command.writable = vec![copy.root(), records.path().to_owned()];
    command.readable = environment.readable();
    command.readable.push(bench.facilities.probes.clone());
    command.network = Network::None;
    command.limits = bench.facilities.limits.clone();
    command.limits.output_bytes = OUTPUT;
    command.limits.processes = command.limits.processes.max(PROCESSES);
    command.limits.wall = command.limits.wall.min(bench.time_left());
    let out = records.path().join("checked.json");
    let asked = json!({ "file": check.file, "rule": check.rule }).to_string();
    write_beside(
        &mut command,
        "MAESTRO_CHECK",
        "check.json",
        asked.as_bytes(),
        records.path(),
    )?;
    command
        .variables
        .insert("MAESTRO_CHECK_OUT".to_owned(), out.display().to_string());
    let finished = bench.run(&command).await?;
    let place = Place::new(project.clone(), project);
    let mut seen = Seen {
        said: Said::Failed(String::new()),
        target: None,
        offers: Vec::new(),
        installed,
        install,
        run: finished.elapsed,
        stopped: stopped(&finished, &bench.facilities.limits),
    };
    if check.tool == Tool::Tsc {
        // 1 and 2: there are findings, and whether anything was written all the same.
        let ran = matches!(finished.ended, Ended::Exited(0..=2));
        seen.said = Said::read(&finished, &finished.stdout, &place, ran);
        if let Said::Found(findings) = &seen.said {
            seen.target = pick(findings);
        }
        return Ok(seen);
    }
    let record: Record = serde_json::from_slice(&read_records(&out)).unwrap_or_default();
    seen.said = match record.failed {
        Some(failed) => Said::Failed(failed),
        None => Said::read(
            &finished,
            record.results.to_string().as_bytes(),
            &place,
            record.results.is_array(),
        ),
    };
    if let Said::Found(findings) = &seen.said {
        seen.target = pick(findings);
        if let Some(target) = &seen.target {
            let before = tree.read(&check.file).unwrap_or_default();
            seen.offers = offers(check, target, &before, record.fixed, record.suggested);
        }
    }
    Ok(seen)
}

fn offers(
    check: &Check,
    target: &Finding,
    before: &str,
    fixed: Option<String>,
    suggested: Vec<Suggested>,
) -> Vec<Offer> {
    let fix = fixed.map(|text| Offer {
        safe: true,
        how: format!("eslint --fix for `{}` alone", check.rule),
        text,
    });
    let suggestions = suggested
        .into_iter()
        .filter(|suggested| (suggested.line, suggested.column) == (target.line, target.column))
        .map(|suggested| Offer {
            safe: false,
            how: format!(
                "eslint's suggestion for `{}`: {}",
                check.rule,
                suggested.what.chars().take(200).collect::<String>()
            ),
            text: suggested.text,
        });
    fix.into_iter()
        .chain(suggestions)
        .filter(|offer| offer.text != before)
        .collect()
}

/// The project's own words, else its configuration, else the file alone. Nothing is written.
fn words_of_tsc(check: &Check, tree: &Overlay) -> Vec<String> {
    let mut words = match &check.words {
        Some(own) => own
            .iter()
            .filter(|word| {
                !matches!(
                    word.as_str(),
                    "-w" | "--watch" | "-b" | "--build" | "--pretty"
                )
            })
            .cloned()
            .collect(),
        None if has(tree, "tsconfig.json") => Vec::new(),
        None => vec![check.file.clone()],
    };
    words.extend(["--noEmit", "--pretty", "false"].map(str::to_owned));
    words
}

async fn environment(
    bench: &Bench,
    check: &Check,
    runtime: &Runtime,
    npm: &NpmSettings,
    tree: &Overlay,
    changes: &RuntimeChanges,
) -> Result<(NodeEnvironment, Vec<String>), AttemptError> {
    let asked = runtime
        .install
        .clone()
        .unwrap_or_else(|| vec![PROJECT.to_owned()]);
    let (own, mut install): (Vec<String>, Vec<String>) =
        asked.into_iter().partition(|entry| entry == PROJECT);
    let package = check.tool.package();
    let declared = !own.is_empty() && Package::read(tree).asks_for(package);
    if !declared
        && !install
            .iter()
            .any(|entry| requirement_name(entry) == package)
    {
        let exact = check
            .version
            .as_deref()
            .map(|version| format!("{package}@{version}"))
            .filter(|requirement| is_npm_requirement(requirement));
        install.push(exact.unwrap_or_else(|| package.to_owned()));
    }
    for name in changes
        .uninstall
        .iter()
        .chain(&changes.install)
        .map(|requirement| requirement_name(requirement))
    {
        install.retain(|requirement| requirement_name(requirement) != name);
    }
    install.extend(
        changes
            .install
            .iter()
            .filter(|entry| *entry != PROJECT)
            .cloned(),
    );
    let project = tree
        .read(manifest::NAME)
        .filter(|_| !own.is_empty())
        .map(|package| Manifest {
            lock: tree
                .read("npm-shrinkwrap.json")
                .or_else(|| tree.read("package-lock.json")),
            package,
            without_dev: false,
        });
    let spec = NodeSpec {
        node: runtime.node.clone(),
        install: install.clone(),
        project,
    };
    let mut limits = Limits::for_installation();
    limits.wall = limits.wall.min(bench.time_left());
    let environment = bench
        .facilities
        .environments
        .prepare_node(&spec, npm, &limits, &bench.cancel)
        .await
        .map_err(environment_error)?;
    Ok((environment, install))
}
