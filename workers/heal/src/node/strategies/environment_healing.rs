//! What the environment of a run lacks: options of Node, variables that the project itself sets elsewhere, a document for
//! tests of what runs in a browser, a directory that a test writes to.

use std::collections::BTreeMap;

use maestro_protocol::heal::{RuntimeChanges, Strategy};

use crate::adapter::has_extension;
use crate::case::{Candidate, Case, Edit, Finding, Repair};
use crate::failure::Failure;
use crate::node::manifest::Package;
use crate::node::script;
use crate::node::source::Source;
use crate::node::subject::{Subject, subject};
use crate::roles::{Role, Roles};
use crate::strategies::rank;

/// See the module.
pub(super) struct EnvironmentHealing;

impl Repair for EnvironmentHealing {
    fn strategy(&self) -> Strategy {
        Strategy::EnvironmentHealing
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        let Some(failure) = case.failures.first() else {
            return Vec::new();
        };
        let mut found: Vec<Candidate> = Vec::new();
        found.extend(option_of_node(failure));
        found.extend(document(case, failure));
        found.extend(directory(case, failure));
        found.extend(declared(case, failure));
        found.into_iter().map(Finding::Try).collect()
    }
}

fn candidate(
    description: String,
    edits: Vec<Edit>,
    runtime: RuntimeChanges,
    rank: u32,
) -> Candidate {
    Candidate {
        strategy: Strategy::EnvironmentHealing,
        description,
        edits,
        runtime,
        rank,
    }
}

fn variables(of: &[(&str, &str)]) -> RuntimeChanges {
    RuntimeChanges {
        variables: of
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..RuntimeChanges::default()
    }
}

/// Options by which Node does what it did before, or what a runner needs of it; the failure itself names them.
fn option_of_node(failure: &Failure) -> Option<Candidate> {
    let message = failure.message.as_str();
    let code = failure.code.as_deref().unwrap_or_default();
    let (option, why) = if code == "ERR_OSSL_EVP_UNSUPPORTED" {
        (
            "--openssl-legacy-provider",
            "digests and ciphers that OpenSSL 3 has put away are asked for",
        )
    } else if code == "ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING_FLAG"
        || message.contains("without --experimental-vm-modules")
    {
        (
            "--experimental-vm-modules",
            "jest runs modules only with this option of Node",
        )
    } else if code == "ECONNREFUSED" && message.contains("::1") {
        (
            "--dns-result-order=ipv4first",
            "the test listens on 127.0.0.1 and calls `localhost`, which is ::1 first since Node 17",
        )
    } else {
        return None;
    };
    Some(candidate(
        format!("runs with NODE_OPTIONS={option}: {why}"),
        Vec::new(),
        variables(&[("NODE_OPTIONS", option)]),
        rank::DECLARED_VARIABLE,
    ))
}

/// A test of what runs in a browser, under a runner whose default is no browser any more (jest 27).
fn document(case: &Case<'_>, failure: &Failure) -> Option<Candidate> {
    const OF_BROWSERS: [&str; 9] = [
        "document",
        "window",
        "localStorage",
        "sessionStorage",
        "HTMLElement",
        "Element",
        "DOMParser",
        "MutationObserver",
        "XMLHttpRequest",
    ];
    let Subject::NameUndefined(name) = subject(failure) else {
        return None;
    };
    let id = failure.test.as_deref()?;
    let path = id.split("::").next().unwrap_or(id);
    let text = case.tree.read(path)?;
    if !OF_BROWSERS.contains(&name.as_str()) || text.contains("-environment") {
        return None;
    }
    let version = |package: &str| {
        case.installed
            .distributions
            .iter()
            .find(|(known, _)| known == package)
            .map(|(_, version)| version.split('.').next().unwrap_or(version).to_owned())
    };
    let (mark, requirement) = if let Some(major) = version("jest") {
        (
            "/**\n * @jest-environment jsdom\n */\n",
            format!("jest-environment-jsdom@{major}"),
        )
    } else {
        version("vitest")?;
        ("// @vitest-environment jsdom\n", "jsdom".to_owned())
    };
    let installed = version(requirement.split('@').next().unwrap_or(&requirement)).is_some();
    let runtime = RuntimeChanges {
        install: if installed {
            Vec::new()
        } else {
            vec![requirement]
        },
        ..RuntimeChanges::default()
    };
    Some(candidate(
        format!("{path} runs with jsdom: it asks for `{name}`, which only browsers have"),
        vec![Edit {
            path: path.to_owned(),
            text: format!("{mark}{text}"),
        }],
        runtime,
        rank::FIXTURE,
    ))
}

/// A directory that a test writes to, names itself, and that no checkout has.
fn directory(case: &Case<'_>, failure: &Failure) -> Option<Candidate> {
    if failure.code.as_deref() != Some("ENOENT") {
        return None;
    }
    let (_, rest) = failure.message.split_once(", open '")?;
    let file = rest.split('\'').next()?;
    if file.starts_with('/') || file.split('/').any(|part| part == "..") {
        return None;
    }
    let file = file.strip_prefix("./").unwrap_or(file);
    let (directory, _) = file.rsplit_once('/')?;
    let inside = format!("{directory}/");
    if case
        .tree
        .paths()
        .iter()
        .any(|path| path.starts_with(&inside))
    {
        return None;
    }
    let frame = failure.innermost_own()?;
    let roles = Roles::of_case(case);
    if roles.of(&frame.path) != Role::Test {
        return None;
    }
    let text = case.tree.read(&frame.path)?;
    let last = directory.rsplit('/').next()?;
    let source = Source::parse(&frame.path, text.clone())?;
    let named = source.nodes().any(|node| {
        source
            .string(node)
            .is_some_and(|said| said.split('/').any(|part| part == last))
    });
    if !named {
        return None;
    }
    let module = super::api_contract_adaptation::is_module(&source)
        || Package::read(case.tree).module && !has_extension(&frame.path, &["cjs"]);
    let (import, call) = if module {
        (
            "import { mkdirSync as makeDirectory } from 'node:fs';\n",
            "makeDirectory",
        )
    } else {
        ("", "require('fs').mkdirSync")
    };
    let line = format!("{import}{call}('{directory}', {{ recursive: true }});\n");
    let start = if text.starts_with("#!") {
        text.find('\n')? + 1
    } else {
        0
    };
    let mut changed = text;
    changed.insert_str(start, &line);
    Some(candidate(
        format!(
            "{} makes the directory {directory} that it writes to",
            frame.path
        ),
        vec![Edit {
            path: frame.path.clone(),
            text: changed,
        }],
        RuntimeChanges::default(),
        rank::FIXTURE,
    ))
}

/// Variables that the failing code reads and that the project sets for its tests: in its scripts, or in a file for that.
fn declared(case: &Case<'_>, failure: &Failure) -> Option<Candidate> {
    let mut known: BTreeMap<String, (String, &'static str)> = BTreeMap::new();
    for (name, script) in Package::read(case.tree).scripts {
        if name != "test" && !name.starts_with("test:") && name != "pretest" {
            continue;
        }
        for command in script::commands(&script) {
            let cross = command
                .words
                .iter()
                .skip(1)
                .take_while(|word| word.contains('='))
                .filter_map(|word| word.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .filter(|_| {
                    command
                        .words
                        .first()
                        .is_some_and(|word| word == "cross-env")
                });
            for (name, value) in command.variables.iter().cloned().chain(cross) {
                known
                    .entry(name)
                    .or_insert((value, "a script of package.json"));
            }
        }
    }
    for file in [".env.test", ".env.testing"] {
        for line in case.tree.read(file).unwrap_or_default().lines() {
            let line = line.trim().trim_start_matches("export ");
            if let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
                let value = value.trim().trim_matches(['"', '\'']).to_owned();
                known
                    .entry(name.trim().to_owned())
                    .or_insert((value, "its .env.test"));
            }
        }
    }
    known.retain(|name, (value, _)| {
        name != "NODE_OPTIONS" && !value.contains('$') && !value.is_empty()
    });
    // What the code on the way to the failure reads; the time zone and the language everything reads.
    let mut read: BTreeMap<String, (String, &'static str)> = BTreeMap::new();
    let test = failure.test.as_deref().unwrap_or_default();
    let mut paths: Vec<&str> = failure
        .frames
        .iter()
        .map(|frame| frame.path.as_str())
        .filter(|path| !path.starts_with('/'))
        .collect();
    paths.push(test.split("::").next().unwrap_or(test));
    let products: Vec<&str> = super::own_sources(case).take(300).collect();
    paths.extend(products);
    let texts: Vec<String> = paths
        .iter()
        .filter_map(|path| case.tree.read(path))
        .collect();
    for (name, of) in known {
        let forms = [
            format!("process.env.{name}"),
            format!("process.env['{name}']"),
            format!("process.env[\"{name}\"]"),
        ];
        let everywhere = matches!(name.as_str(), "TZ" | "LANG" | "LC_ALL");
        let is_read = texts
            .iter()
            .any(|text| forms.iter().any(|form| text.contains(form.as_str())));
        if everywhere || is_read {
            read.insert(name, of);
        }
    }
    if read.is_empty() {
        return None;
    }
    let said: Vec<String> = read
        .iter()
        .map(|(name, (value, from))| format!("{name}={value} (from {from})"))
        .collect();
    let runtime = RuntimeChanges {
        variables: read
            .into_iter()
            .map(|(name, (value, _))| (name, value))
            .collect(),
        ..RuntimeChanges::default()
    };
    Some(candidate(
        format!(
            "sets what the project sets for its tests: {}",
            said.join(", ")
        ),
        Vec::new(),
        runtime,
        rank::DECLARED_VARIABLE,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Installed;
    use crate::failure::Frame;
    use crate::strategies::fake::{Files, Index, case};

    fn offered(failure: Failure, files: &[(&str, &str)]) -> Vec<Candidate> {
        let installed = Installed {
            distributions: vec![("jest".to_owned(), "29.7.0".to_owned())],
            ..Installed::default()
        };
        let (tree, index) = (Files::new(files), Index::default());
        EnvironmentHealing
            .examine(&case(&[failure], &tree, &installed, &index))
            .into_iter()
            .map(|finding| match finding {
                Finding::Try(candidate) => candidate,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn failure(exception: &str, code: &str, message: &str) -> Failure {
        Failure {
            test: Some("test/a.test.js::t".to_owned()),
            exception: Some(exception.to_owned()),
            code: Some(code.to_owned()).filter(|code| !code.is_empty()),
            message: message.to_owned(),
            frames: vec![Frame {
                path: "test/a.test.js".to_owned(),
                line: 2,
                function: String::new(),
            }],
            ..Failure::default()
        }
    }

    #[test]
    fn a_test_of_a_browsers_document_gets_one() {
        let found = offered(
            failure("ReferenceError", "", "document is not defined"),
            &[("test/a.test.js", "test('t', () => { document.body; });\n")],
        );
        assert_eq!(found[0].runtime.install, ["jest-environment-jsdom@29"]);
        assert!(
            found[0].edits[0]
                .text
                .starts_with("/**\n * @jest-environment jsdom\n")
        );
    }

    #[test]
    fn a_directory_is_made_only_where_the_test_itself_names_it() {
        let missing = || {
            failure(
                "Error",
                "ENOENT",
                "ENOENT: no such file or directory, open 'test/tmp/out.txt'",
            )
        };
        let named = "const fs = require('fs');\nfs.writeFileSync('test/tmp/out.txt', '');\n";
        let found = offered(missing(), &[("test/a.test.js", named)]);
        assert!(
            found[0].edits[0]
                .text
                .starts_with("require('fs').mkdirSync('test/tmp', { recursive: true });\n")
        );
        let unnamed = "write('out.txt');\n";
        assert!(offered(missing(), &[("test/a.test.js", unnamed)]).is_empty());
    }

    #[test]
    fn a_variable_that_the_projects_script_sets_and_the_code_reads_is_set() {
        let manifest = r#"{"scripts": {"test": "MODE=test TZ=UTC UNREAD=1 node --test"}}"#;
        let files = [
            ("package.json", manifest),
            ("lib/a.js", "module.exports = process.env.MODE;\n"),
            ("test/a.test.js", ""),
        ];
        let found = offered(failure("AssertionError", "ERR_ASSERTION", "x"), &files);
        let names: Vec<&str> = found[0]
            .runtime
            .variables
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(names, ["MODE", "TZ"]);
    }

    #[test]
    fn options_of_node_are_set_where_the_failure_names_what_lacks_them() {
        let found = offered(
            failure("Error", "ERR_OSSL_EVP_UNSUPPORTED", "unsupported"),
            &[],
        );
        assert_eq!(
            found[0].runtime.variables["NODE_OPTIONS"],
            "--openssl-legacy-provider"
        );
    }
}
