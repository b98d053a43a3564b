//! Calls of what was renamed in a crate: what is known as data ([`crate::rust::rules`]). A name is only turned into the one
//! that means the same, where the compiler does not find it, or where a file of tests has it from the same crate.

use maestro_protocol::heal::Strategy;

use super::{edited, is_of_tests, is_steady, rewrite};
use crate::case::{Candidate, Case, Edit, Finding, Repair};
use crate::failure::Failure;
use crate::rust::manifest::identifier;
use crate::rust::rules::{Rule, at_least, rules};
use crate::rust::source::{Source, words};
use crate::rust::subject::{Subject, names_missing, subject};
use crate::source::edit::Splice;
use crate::strategies::rank;

/// See the module.
pub(super) struct ApiContractAdaptation;

impl Repair for ApiContractAdaptation {
    fn strategy(&self) -> Strategy {
        Strategy::ApiContractAdaptation
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        if !is_steady(case) {
            return Vec::new();
        }
        candidates(case).into_iter().map(Finding::Try).collect()
    }
}

/// Whether a changed API explains the first failure of a case.
pub(in crate::rust) fn explains(case: &Case<'_>) -> bool {
    case.failures
        .first()
        .is_some_and(|failure| rule_of(case, failure).is_some())
}

/// The first rule that a failure is about.
fn rule_of(case: &Case<'_>, failure: &Failure) -> Option<&'static Rule> {
    rules_of(case, failure).into_iter().next()
}

/// The rules that a failure is about: the name is the old one, and a version that has the new one is there.
fn rules_of(case: &Case<'_>, failure: &Failure) -> Vec<&'static Rule> {
    let about = subject(failure);
    let Some(text) = failure
        .innermost_own()
        .and_then(|here| case.tree.read(&here.path))
    else {
        return Vec::new();
    };
    let missing = match about {
        Subject::NameMissing { .. } => names_missing(failure),
        _ => Vec::new(),
    };
    rules()
        .iter()
        .filter(|rule| {
            let named = match (&about, &rule.name, &rule.method) {
                (Subject::NameMissing { .. }, Some(old), _) => missing.iter().any(|(of, name)| {
                    name == old && of.as_ref().is_none_or(|of| *of == identifier(&rule.of))
                }),
                (Subject::MethodMissing { name, .. }, _, Some(method)) => name == method,
                _ => false,
            };
            named
                && has_new_one(case, rule)
                && words(&text).any(|word| word == identifier(&rule.of))
        })
        .collect()
}

fn has_new_one(case: &Case<'_>, rule: &Rule) -> bool {
    case.installed
        .distributions
        .iter()
        .any(|(name, version)| *name == rule.of && at_least(version, &rule.since))
}

fn candidates(case: &Case<'_>) -> Vec<Candidate> {
    let mut splices: Vec<(String, Splice)> = Vec::new();
    let mut used: Vec<&Rule> = Vec::new();
    // The first failure decides which crate it is about; what else of it is gone shows at once.
    let Some(first) = case
        .failures
        .first()
        .and_then(|failure| rule_of(case, failure))
    else {
        return Vec::new();
    };
    for failure in case.failures {
        for rule in rules_of(case, failure) {
            if rule.of != first.of {
                continue;
            }
            let found = if rule.method.is_some() {
                at_its_place(failure, rule)
            } else {
                of_its_file(case, failure, rule)
            };
            if !found.is_empty() && !used.iter().any(|other| other.to == rule.to) {
                used.push(rule);
            }
            splices.extend(found);
        }
    }
    let edits = edited(case, &splices);
    if edits.is_empty() {
        return Vec::new();
    }
    let rank = if used.iter().any(|rule| rule.approximate) {
        rank::APPROXIMATE_RULE
    } else {
        rank::EXACT_RULE
    };
    let renamed = used
        .iter()
        .map(|rule| {
            let old = rule
                .name
                .as_ref()
                .or(rule.method.as_ref())
                .map_or("", String::as_str);
            format!("`{old}` becomes `{}`", rule.to)
        })
        .collect::<Vec<_>>()
        .join(", ");
    let description = format!("{renamed}, as {} {} has it", first.of, first.since);
    let of_tests: Vec<Edit> = edits
        .iter()
        .filter(|edit| is_of_tests(case, edit))
        .cloned()
        .collect();
    let offer = |edits, rank| {
        rewrite(
            Strategy::ApiContractAdaptation,
            description.clone(),
            edits,
            rank,
        )
    };
    if of_tests.is_empty() || of_tests.len() == edits.len() {
        vec![offer(edits, rank)]
    } else {
        vec![offer(of_tests, rank), offer(edits, rank + 1)]
    }
}

/// The method that the compiler marks.
fn at_its_place(failure: &Failure, rule: &Rule) -> Vec<(String, Splice)> {
    failure
        .compiled
        .iter()
        .filter_map(|compiled| compiled.spans.first())
        .filter(|span| Some(&span.text) == rule.method.as_ref() && !span.path.starts_with('/'))
        .map(|span| {
            (
                span.path.clone(),
                Splice::replace(span.bytes.clone(), rule.to.as_str()),
            )
        })
        .collect()
}

/// Every use of a name in the file that lacks it: in paths of the crate, and alone where it is brought in from there.
fn of_its_file(case: &Case<'_>, failure: &Failure, rule: &Rule) -> Vec<(String, Splice)> {
    let (Some(frame), Some(old)) = (failure.innermost_own(), rule.name.as_deref()) else {
        return Vec::new();
    };
    let Some(source) = case.tree.read(&frame.path).and_then(Source::parse) else {
        return Vec::new();
    };
    let of = identifier(&rule.of);
    let brought_in = source
        .nodes()
        .filter(|node| node.kind() == "use_declaration")
        .any(|node| {
            let mut said =
                words(source.slice(node)).skip_while(|word| *word == "pub" || *word == "use");
            said.next() == Some(of.as_str()) && said.any(|word| word == old || word == rule.to)
        });
    source
        .nodes()
        .filter(|node| matches!(node.kind(), "identifier" | "type_identifier"))
        .filter(|node| source.slice(*node) == old)
        .filter(|node| {
            if brought_in {
                let binds = node.parent().is_some_and(|up| {
                    matches!(up.kind(), "let_declaration" | "parameter" | "function_item")
                });
                return !binds;
            }
            // `rand::thread_rng`
            let front = source.text().get(..node.start_byte()).unwrap_or_default();
            front
                .strip_suffix("::")
                .and_then(|path| words(path).last())
                .is_some_and(|last| last == of)
        })
        .map(|node| {
            (
                frame.path.clone(),
                Splice::replace(node.byte_range(), rule.to.as_str()),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Installed;
    use crate::failure::{Compiled, Frame, Phase, Span};
    use crate::strategies::fake::{Files, Index, case};

    const TEST: &str = "use rand::{Rng, thread_rng};\n\n#[test]\nfn t() {\n    let n = thread_rng().gen_range(0..3);\n    assert!(n < 3 && rand::thread_rng().gen_range(1..2) == 1);\n}\n";

    fn refused(code: &str, message: &str, needle: &str) -> Failure {
        let start = TEST.find(needle).expect("a place");
        Failure {
            phase: Phase::Collection,
            code: Some(code.to_owned()),
            message: message.to_owned(),
            frames: vec![Frame {
                path: "tests/a.rs".to_owned(),
                line: 1,
                function: String::new(),
            }],
            compiled: Some(Compiled {
                spans: vec![Span {
                    path: "tests/a.rs".to_owned(),
                    bytes: start..start + needle.len(),
                    text: needle.to_owned(),
                    label: "no `thread_rng` in the root".to_owned(),
                    ..Span::default()
                }],
                ..Compiled::default()
            }),
            ..Failure::default()
        }
    }

    fn text(failure: Failure, version: &str) -> Option<String> {
        let tree = Files::new(&[("tests/a.rs", TEST)]);
        let installed = Installed {
            distributions: vec![("rand".to_owned(), version.to_owned())],
            ..Installed::default()
        };
        let index = Index::default();
        let failures = [failure];
        let found = candidates(&case(&failures, &tree, &installed, &index));
        found
            .first()
            .map(|candidate| candidate.edits[0].text.clone())
    }

    #[test]
    fn a_renamed_function_is_renamed_wherever_the_file_has_it_from_that_crate() {
        let gone = || {
            refused(
                "E0432",
                "unresolved import `rand::thread_rng`",
                "thread_rng",
            )
        };
        let ported = text(gone(), "0.10.0").expect("a repair");
        assert!(ported.starts_with("use rand::{Rng, rng};\n"), "{ported}");
        assert!(
            ported.contains("let n = rng().gen_range(0..3);"),
            "{ported}"
        );
        assert!(ported.contains("rand::rng().gen_range(1..2)"), "{ported}");
        assert_eq!(text(gone(), "0.8.5"), None, "that version has the old name");
    }

    #[test]
    fn a_renamed_method_is_renamed_only_where_the_compiler_misses_it() {
        let message =
            "no method named `gen_range` found for struct `ThreadRng` in the current scope";
        let ported = text(refused("E0599", message, "gen_range"), "0.10.0").expect("a repair");
        assert_eq!(ported.matches("random_range").count(), 1);
        assert_eq!(ported.matches(".gen_range").count(), 1);
    }
}
