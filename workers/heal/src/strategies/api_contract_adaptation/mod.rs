//! Calls to an API that moved, was renamed, or whose signature changed.
//!
//! What the public knows of it stands in the tables of [`crate::rules`]; [`trigger`] finds the rules that a failure
//! calls for, [`port`] writes a file by them. Where no rule knows a name, [`derivation`] looks where the installed
//! package defines it now. One candidate ports every use: first of the tests alone where only they
//! failed, then of the whole project.

mod argspec;
mod derivation;
mod generators;
mod nodes;
mod port;
mod raised;
mod streams;
mod template;
mod transforms;
mod trigger;
mod yield_tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use maestro_protocol::heal::{RuntimeChanges, Strategy};

use crate::case::{Candidate, Case, Edit, Finding, Repair};
#[cfg(test)]
use crate::classify::subject::Said;
use crate::classify::subject::{Subject, subject};
use crate::failure::Failure;
use crate::roles::{Role, Roles};
use crate::rules::{Change, Rule};
use crate::source::Source;
use crate::strategies::{own_python, rank};
use port::Order;

/// See the module.
pub(crate) struct ApiContractAdaptation;

impl Repair for ApiContractAdaptation {
    fn strategy(&self) -> Strategy {
        Strategy::ApiContractAdaptation
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        let Some(failure) = case.failures.first() else {
            return Vec::new();
        };
        let (about, said) = subject(failure);
        let project = Project {
            case,
            roles: Roles::of_case(case),
            failure,
        };
        let rules: Vec<&Rule> = trigger::called(&about, &said)
            .into_iter()
            .filter(|rule| project.applies(rule, &about))
            .collect();
        let mut candidates = project.by_rules(&rules, &about);
        if about == Subject::Assertion {
            return candidates.into_iter().map(Finding::Try).collect();
        }
        candidates.extend(derivation::candidates(case, &about));
        candidates.into_iter().map(Finding::Try).collect()
    }
}

/// Whether a rule about a removed or renamed API explains a failure. Says nothing of whether it can be repaired.
pub(crate) fn explains(case: &Case<'_>) -> bool {
    let Some(failure) = case.failures.first() else {
        return false;
    };
    let (about, said) = subject(failure);
    let project = Project {
        case,
        roles: Roles::of_case(case),
        failure,
    };
    trigger::called(&about, &said)
        .into_iter()
        .any(|rule| project.applies(rule, &about))
}

struct Project<'c> {
    case: &'c Case<'c>,
    roles: Roles,
    failure: &'c Failure,
}

impl Project<'_> {
    /// What the wording of the failure alone does not settle.
    fn applies(&self, rule: &Rule, about: &Subject) -> bool {
        let Change::Transform(name) = &rule.change else {
            return *about != Subject::Assertion;
        };
        match (name.as_str(), about) {
            ("nose_style_setup", Subject::AttributeMissing { name, .. }) => own_python(self.case)
                .filter(|path| self.roles.of(path) == Role::Test)
                .filter_map(|path| self.case.tree.read(path))
                .filter(|text| text.contains("def setup("))
                .filter_map(Source::parse)
                .any(|source| transforms::setup_binds(&source, name)),
            ("nose_style_setup", _) => false,
            // A comparison names no API, but for the one whose object shows itself in it.
            (name, Subject::Assertion) => name == "raised_text",
            _ => true,
        }
    }

    fn by_rules(&self, rules: &[&Rule], about: &Subject) -> Vec<Candidate> {
        let exact: Vec<&Rule> = rules
            .iter()
            .copied()
            .filter(|rule| !rule.approximate)
            .collect();
        let mut candidates = self.ports(&exact, about, rank::EXACT_RULE);
        if exact.len() < rules.len() {
            for candidate in self.ports(rules, about, rank::APPROXIMATE_RULE) {
                if candidates
                    .iter()
                    .all(|other| other.edits != candidate.edits)
                {
                    candidates.push(candidate);
                }
            }
        }
        candidates
    }

    /// The port by a set of rules: of the tests alone where that may be enough, and of everything.
    fn ports(&self, rules: &[&Rule], about: &Subject, rank: u32) -> Vec<Candidate> {
        if rules.is_empty() {
            return Vec::new();
        }
        let edits = self.edits(rules, about);
        if !self.reaches_the_failure(&edits) {
            return Vec::new();
        }
        let rules: Vec<&Rule> = rules
            .iter()
            .copied()
            .filter(|rule| self.concerned(rule, &edits))
            .collect();
        let described = describe(&rules, &self.failure.message);
        let mut runtime = RuntimeChanges::default();
        for requirement in rules.iter().flat_map(|rule| &rule.install) {
            if !runtime.install.contains(requirement) {
                runtime.install.push(requirement.clone());
            }
        }
        let candidate = |edits: Vec<Edit>, rank| Candidate {
            strategy: Strategy::ApiContractAdaptation,
            description: described.clone(),
            edits,
            runtime: runtime.clone(),
            rank,
        };
        let is_test = |edit: &&Edit| self.roles.of(&edit.path) != Role::Product;
        let tests: Vec<Edit> = edits.iter().filter(is_test).cloned().collect();
        let mut candidates = Vec::new();
        if tests.len() < edits.len() && self.reaches_the_failure(&tests) && !self.fails_in_product()
        {
            candidates.push(candidate(tests, rank));
        }
        candidates.push(candidate(edits, rank + 1));
        candidates
    }

    fn edits(&self, rules: &[&Rule], about: &Subject) -> Vec<Edit> {
        let words = words(rules);
        // Where only the line that failed is changed, the failure itself says whose method it is.
        let methods: BTreeSet<&str> = rules
            .iter()
            .filter(|rule| !rule.here_only)
            .flat_map(|rule| methods(&rule.change))
            .collect();
        let here_only = rules.iter().all(|rule| rule.here_only);
        let transforms_tests = rules.iter().all(
            |rule| matches!(&rule.change, Change::Transform(name) if matches!(name.as_str(), "nose_style_setup" | "yield_tests")),
        );
        let mut texts = Vec::new();
        let mut defined = BTreeSet::new();
        for path in own_python(self.case) {
            if transforms_tests && self.roles.of(path) != Role::Test {
                continue;
            }
            let Some(text) = self.case.tree.read(path) else {
                continue;
            };
            if !words.is_empty() && !words.iter().any(|word| text.contains(word)) {
                continue;
            }
            if !methods.is_empty()
                && let Some(source) = Source::parse(text.as_str())
            {
                defined.extend(transforms::defined(&source, &methods));
            }
            texts.push((path, text));
        }
        let missing = match about {
            Subject::ModuleMissing(module) => Some(module.as_str()),
            _ => None,
        };
        let mut edits = Vec::new();
        for (path, text) in texts {
            let hot = hot_lines(self.case.failures, path);
            if here_only && hot.is_empty() {
                continue;
            }
            let order = Order {
                rules,
                missing,
                hot: &hot,
                defined: &defined,
                fixture: self
                    .case
                    .failures
                    .first()
                    .and_then(|failure| called_fixture(&failure.message)),
            };
            if let Some(text) = port::port(&text, &order) {
                edits.push(Edit {
                    path: path.to_owned(),
                    text,
                });
            }
        }
        edits
    }

    /// Whether the old form of a rule stands in a file that is ported: the others are called for, but not used.
    fn concerned(&self, rule: &Rule, edits: &[Edit]) -> bool {
        let last = |qualified: &str| qualified.rsplit('.').next().unwrap_or(qualified).to_owned();
        let old: Vec<String> = match &rule.change {
            Change::Moved(moved) => moved
                .names
                .iter()
                .chain(moved.renamed.keys())
                .cloned()
                .collect(),
            Change::Rewrite(rewrite) => vec![last(&rewrite.call)],
            _ => return true,
        };
        edits
            .iter()
            .filter_map(|edit| self.case.tree.read(&edit.path))
            .any(|text| old.iter().any(|word| text.contains(word)))
    }

    /// A port that leaves every file of the traceback as it was cannot be what the failure needs.
    fn reaches_the_failure(&self, edits: &[Edit]) -> bool {
        let frames: BTreeSet<&str> = self
            .failure
            .frames
            .iter()
            .map(|frame| frame.path.as_str())
            .filter(|path| !path.starts_with('/'))
            .collect();
        let test = self
            .failure
            .test
            .as_deref()
            .and_then(|id| id.split("::").next());
        let named: Vec<&str> = frames.iter().copied().chain(test).collect();
        let touches = |path: &&str| {
            edits
                .iter()
                .any(|edit| edit.path == **path || self.failure.text.contains(edit.path.as_str()))
        };
        if named.is_empty() {
            !edits.is_empty()
        } else {
            named.iter().any(touches) || self.inherits(edits)
        }
    }

    /// A test class may inherit what is ported from a file that no frame names.
    fn inherits(&self, edits: &[Edit]) -> bool {
        edits
            .iter()
            .any(|edit| self.roles.of(&edit.path) == Role::Test)
            && !self.fails_in_product()
    }

    fn fails_in_product(&self) -> bool {
        self.failure
            .innermost_own()
            .is_some_and(|frame| self.roles.of(&frame.path) == Role::Product)
    }
}

/// The lines of a file that stand in any traceback of the run, those of exceptions that were raised on the way among them.
fn hot_lines(failures: &[Failure], path: &str) -> BTreeSet<u32> {
    let last = failures
        .iter()
        .flat_map(|failure| &failure.frames)
        .filter(|frame| frame.path == path)
        .map(|frame| frame.line);
    let earlier = failures
        .iter()
        .filter(|failure| {
            failure.text.contains("another exception occurred:")
                || failure.text.contains("was the direct cause of")
        })
        .flat_map(|failure| failure.text.lines())
        .filter_map(|line| {
            let number = line.strip_prefix(path)?.strip_prefix(':')?;
            number.split(':').next()?.parse().ok()
        });
    last.chain(earlier).collect()
}

/// A file without any of these words is not concerned; empty where that cannot be told.
fn words(rules: &[&Rule]) -> Vec<String> {
    let last = |qualified: &str| qualified.rsplit('.').next().unwrap_or(qualified).to_owned();
    let mut words = Vec::new();
    for rule in rules {
        match &rule.change {
            Change::Moved(moved) => words.push(last(&moved.from)),
            Change::Module(module) => words.push(last(&module.from)),
            Change::Attributes(names) | Change::Builtins(names) => {
                words.extend(names.keys().cloned());
            }
            Change::Keyword(keyword) => {
                words.extend(keyword.drop.iter().chain(keyword.rename.keys()).cloned());
            }
            Change::Rewrite(rewrite) => words.push(last(&rewrite.call)),
            Change::Transform(name) => match transforms::words(name) {
                [] => return Vec::new(),
                own => words.extend(own.iter().map(|word| (*word).to_owned())),
            },
        }
    }
    words
}

/// The methods of anything that a change concerns: a project that defines one itself means its own.
fn methods(change: &Change) -> Vec<&str> {
    match change {
        Change::Attributes(names) => names.keys().map(String::as_str).collect(),
        Change::Rewrite(rewrite) => rewrite.call.strip_prefix('.').into_iter().collect(),
        Change::Keyword(keyword) => keyword
            .of
            .iter()
            .filter_map(|of| of.strip_prefix('.'))
            .collect(),
        _ => Vec::new(),
    }
}

fn describe(rules: &[&Rule], said: &str) -> String {
    let mut parts: Vec<String> = rules
        .iter()
        .map(|rule| {
            format!(
                "{} (gone since {}, {})",
                sentence(&rule.change, said),
                rule.since,
                rule.source
            )
        })
        .collect();
    let more = parts.len().saturating_sub(2);
    parts.truncate(2);
    let mut text = format!("ports every use: {}", parts.join("; "));
    if more > 0 {
        let _ = write!(text, "; and {more} more of the kind");
    }
    text
}

/// What a change does, by the name that the failure says where it is one of many.
fn sentence(change: &Change, said: &str) -> String {
    let one_of = |names: &BTreeMap<String, String>, mark: &str| {
        names
            .iter()
            .find(|(old, _)| said.contains(&format!("'{old}'")))
            .or_else(|| names.iter().next())
            .map(|(old, new)| format!("`{mark}{old}` to `{mark}{new}`"))
            .unwrap_or_default()
    };
    match change {
        Change::Moved(moved) if moved.from == moved.to => {
            format!("names of `{}`, {}", moved.from, one_of(&moved.renamed, ""))
        }
        Change::Moved(moved) => format!("names of `{}` to `{}`", moved.from, moved.to),
        Change::Module(module) => format!("module `{}` to `{}`", module.from, module.to),
        Change::Attributes(names) => one_of(names, "."),
        Change::Builtins(names) => one_of(names, ""),
        Change::Keyword(keyword) => {
            let names: Vec<&str> = keyword
                .drop
                .iter()
                .chain(keyword.rename.keys())
                .map(String::as_str)
                .collect();
            format!(
                "argument `{}` of `{}`",
                names.join("`, `"),
                keyword.of.join("`, `")
            )
        }
        Change::Rewrite(rewrite) => format!(
            "`{}(…)` to `{}`",
            rewrite.call,
            plain(rewrite.to.first().map_or("", String::as_str))
        ),
        Change::Transform(name) => name.replace('_', " "),
    }
}

/// A template as a person reads it.
fn plain(template: &str) -> String {
    let mut text = template.replace(":}", "}");
    while let Some(at) = text.find("@{") {
        let Some(end) = text[at..].find('}').map(|end| at + end) else {
            break;
        };
        let name = text[at + 2..end].replace(':', ".");
        text.replace_range(at..=end, &name);
    }
    text.replace("{*}", "…").replace("!}", "}")
}

/// What tests of the tables need: one text ported by what one failure calls for.
/// The fixture of which pytest says that it was called.
fn called_fixture(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("Fixture \"")?;
    let (name, rest) = rest.split_once('"')?;
    rest.starts_with(" called directly").then_some(name)
}

#[cfg(test)]
fn port_for(text: &str, about: &Subject, said: &Said) -> Option<String> {
    let rules = trigger::called(about, said);
    let missing = match about {
        Subject::ModuleMissing(module) => Some(module.as_str()),
        _ => None,
    };
    let hot = (1..=u32::try_from(text.lines().count()).unwrap()).collect();
    port::port(
        text,
        &Order {
            rules: &rules,
            missing,
            hot: &hot,
            defined: &BTreeSet::new(),
            fixture: called_fixture(&said.message),
        },
    )
}

#[cfg(test)]
mod tests;
