//! What a command line runs: through npm and its scripts, through the programs that only start others, to the runner and what it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use maestro_protocol::project::Framework;

use super::EXTENSIONS;
use super::manifest::Package;
use super::plan::{Plan, PlanError, Runner};
use super::script::{self, Simple};
use crate::adapter::has_extension;

fn plan(runner: Runner, arguments: Vec<String>) -> Plan {
    Plan {
        runner,
        node: Vec::new(),
        arguments,
        variables: BTreeMap::new(),
        target: None,
    }
}

/// Without a command the whole file of the test is run, so that the test has neighbours; without a file, all.
pub(super) fn of_framework(
    framework: Framework,
    target: Option<&str>,
    package: &Package,
) -> Result<Plan, PlanError> {
    let file = target
        .map(|id| id.split("::").next().unwrap_or(id))
        .filter(|file| has_extension(file, EXTENSIONS))
        .map(str::to_owned);
    let runner = match framework {
        Framework::NodeTest => Runner::NodeTest,
        Framework::Jest => Runner::Jest,
        Framework::Vitest => Runner::Vitest,
        Framework::Pytest | Framework::Unittest | Framework::Cargo => {
            return of_script(package, "test", &[], 0).ok_or(PlanError::Nothing);
        }
    };
    // What the project's own command sets and loads is needed for a part of the tests as well.
    let own = of_script(package, "test", &[], 0).filter(|own| own.runner == runner);
    let Some(mut own) = own else {
        return Ok(plan(runner, file.into_iter().collect()));
    };
    if let Some(file) = file {
        let operands: BTreeSet<String> = own.operands().into_iter().map(str::to_owned).collect();
        own.arguments
            .retain(|word| !operands.contains(word) && !word.contains(['*', '?']));
        own.arguments.push(file);
    }
    Ok(own)
}

/// The first command of a script that runs tests.
pub(super) fn of_script(package: &Package, name: &str, more: &[String], depth: u8) -> Option<Plan> {
    let script = package.scripts.get(name)?;
    script::commands(script).into_iter().find_map(|mut simple| {
        simple.words.extend_from_slice(more);
        resolve(simple, package, depth + 1)
    })
}

/// What a simple command runs, through the programs that only start others.
pub(super) fn resolve(simple: Simple, package: &Package, depth: u8) -> Option<Plan> {
    if depth > 5 {
        return None;
    }
    let Simple { variables, words } = simple;
    let (program, rest) = words.split_first()?;
    let name = Path::new(program).file_name()?.to_str()?;
    let deeper = |words: &[String]| {
        resolve(
            Simple {
                variables: Vec::new(),
                words: words.to_vec(),
            },
            package,
            depth + 1,
        )
    };
    let past_options = |words: &[String]| -> Vec<String> {
        words
            .iter()
            .skip_while(|word| word.starts_with('-'))
            .cloned()
            .collect()
    };
    let mut found = match name {
        "npm" | "yarn" | "pnpm" => of_manager(name, rest, package, depth)?,
        "npx" | "c8" | "nyc" => deeper(&past_options(rest))?,
        "cross-env" | "env" | "cross-env-shell" => {
            let simple = script::commands(&quoted(rest)).into_iter().next()?;
            resolve(simple, package, depth + 1)?
        }
        "node" | "nodejs" => of_node(rest)?,
        other => plan(Runner::of_program(other)?, without_reporters(rest)),
    };
    for (name, value) in variables {
        found.variables.entry(name).or_insert(value);
    }
    Some(found)
}

fn of_manager(name: &str, rest: &[String], package: &Package, depth: u8) -> Option<Plan> {
    let words: Vec<String> = rest
        .iter()
        .skip_while(|word| word.starts_with('-'))
        .cloned()
        .collect();
    let (verb, rest) = words.split_first()?;
    let more: Vec<String> = match rest.iter().position(|word| word == "--") {
        Some(at) => rest[at + 1..].to_vec(),
        None if name == "npm" => Vec::new(),
        None => rest.to_vec(),
    };
    match verb.as_str() {
        "test" | "t" | "tst" => of_script(package, "test", &more, depth),
        "run" | "run-script" | "rum" => {
            let (script, rest) = rest.split_first()?;
            let more = match rest.first().map(String::as_str) {
                Some("--") => rest[1..].to_vec(),
                _ if name == "npm" => Vec::new(),
                _ => rest.to_vec(),
            };
            of_script(package, script, &more, depth)
        }
        "exec" | "x" | "dlx" => {
            let words = rest
                .iter()
                .skip_while(|word| word.starts_with('-'))
                .cloned()
                .collect();
            let simple = Simple {
                variables: Vec::new(),
                words,
            };
            resolve(simple, package, depth + 1)
        }
        // yarn and pnpm run a script or a program by its name alone.
        _ if name != "npm" => of_script(package, verb, rest, depth).or_else(|| {
            let simple = Simple {
                variables: Vec::new(),
                words: words.clone(),
            };
            resolve(simple, package, depth + 1)
        }),
        _ => None,
    }
}

/// Options of Node that take the next word.
const WITH_VALUE: [&str; 9] = [
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "--test-reporter",
    "--test-reporter-destination",
    "-C",
    "--env-file",
];

fn of_node(words: &[String]) -> Option<Plan> {
    let mut node = Vec::new();
    let mut test = false;
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| word.starts_with('-')) {
        at += 1;
        if word == "--test" {
            test = true;
            continue;
        }
        let reports = word.starts_with("--test-reporter");
        if !reports {
            node.push(word.clone());
        }
        if WITH_VALUE.contains(&word.as_str()) {
            if !reports {
                node.extend(words.get(at).cloned());
            }
            at += 1;
        }
    }
    let rest = &words[at..];
    let program = rest.first().and_then(|word| {
        Runner::of_program(Path::new(word).file_name()?.to_str()?)
            .filter(|_| word.contains("node_modules") || !word.contains('/'))
    });
    let mut found = match program {
        Some(runner) if !test => plan(runner, without_reporters(&rest[1..])),
        _ if test => plan(Runner::NodeTest, without_reporters(rest)),
        _ if rest.is_empty() => return None,
        _ => plan(Runner::Script, rest.to_vec()),
    };
    found.node = node;
    Some(found)
}

/// Without what decides how results are printed, and without what asks a person.
fn without_reporters(words: &[String]) -> Vec<String> {
    const VALUED: [&str; 5] = [
        "--reporter",
        "--reporters",
        "-R",
        "--outputFile",
        "--test-reporter",
    ];
    const PLAIN: [&str; 8] = [
        "--watch",
        "--watchAll",
        "--verbose",
        "--json",
        "--coverage",
        "--silent",
        "--bail",
        "-b",
    ];
    let mut kept = Vec::new();
    let mut skip = false;
    for word in words {
        if std::mem::take(&mut skip) {
            continue;
        }
        let name = word.split('=').next().unwrap_or(word);
        if VALUED.contains(&name) || name.starts_with("--test-reporter") {
            skip = !word.contains('=');
        } else if !PLAIN.contains(&name) && !name.starts_with("--coverage") {
            kept.push(word.clone());
        }
    }
    kept
}

/// A word without the quotes that a shell would have taken: a producer may have split a line at its spaces.
pub(super) fn unquoted(word: &str) -> String {
    ['\'', '"']
        .into_iter()
        .find_map(|quote| word.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(word)
        .to_owned()
}

/// The words as a script that has these words.
fn quoted(words: &[String]) -> String {
    words
        .iter()
        .map(|word| format!("'{}'", word.replace('\'', "'\\''")))
        .collect::<Vec<_>>()
        .join(" ")
}
