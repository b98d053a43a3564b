//! Files that the compiler refuses, changed as the compiler itself says where it vouches for it, and a bracket that is
//! missing put where the line ends that opened it.
//!
//! What is a matter of form (a missing `mut`, `dyn` or semicolon) means what was meant. Where types no longer agree, the
//! compiler's change makes them agree, and whether the product or its user is wrong a person decides.

use maestro_protocol::heal::Strategy;

use super::{edited, is_of_tests, is_steady, rewrite};
use crate::case::{Candidate, Case, Finding, Repair};
use crate::failure::{Failure, Fix, Phase, first_line};
use crate::rust::source::Source;
use crate::source::edit::Splice;
use crate::strategies::rank;

/// See the module.
pub(super) struct SyntaxRepair;

/// Errors whose repair cannot change what the code means. Lints go by their names.
const OF_FORM: &[&str] = &[
    "", // it does not parse
    "E0384",
    "E0596",
    "E0782",
    "bare_trait_objects",
    "ellipsis_inclusive_range_patterns",
    "unused_imports",
    "unused_mut",
    "unused_parens",
    "unused_braces",
];

/// The most places for a bracket that are tried.
const MOST_PLACES: u32 = 3;

impl Repair for SyntaxRepair {
    fn strategy(&self) -> Strategy {
        Strategy::SyntaxRepair
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        if !is_steady(case) {
            return Vec::new();
        }
        let refused: Vec<&Failure> = case
            .failures
            .iter()
            .filter(|failure| failure.phase == Phase::Collection && failure.compiled.is_some())
            .collect();
        let mut findings = by_the_compiler(case, &refused);
        if let Some(failure) = refused.first() {
            findings.extend(brackets(case, failure).into_iter().map(Finding::Try));
        }
        findings
    }
}

/// The change that the compiler vouches for, if there is one.
fn certain(failure: &Failure) -> Option<&Fix> {
    failure.compiled.as_ref()?.fixes.iter().find(|fix| {
        fix.certain
            && !fix.parts.is_empty()
            && fix
                .parts
                .iter()
                .all(|(span, _)| !span.path.starts_with('/'))
    })
}

fn by_the_compiler(case: &Case<'_>, refused: &[&Failure]) -> Vec<Finding> {
    let mut splices: Vec<(String, Splice)> = Vec::new();
    let mut said: Vec<String> = Vec::new();
    let mut form = true;
    for failure in refused {
        let Some(fix) = certain(failure) else {
            continue;
        };
        let of = failure.code.as_deref().unwrap_or_default();
        form &= OF_FORM.contains(&of);
        let what = format!(
            "{}: {}",
            first_line(&failure.message),
            first_line(&fix.message)
        );
        if !said.contains(&what) {
            said.push(what);
        }
        splices.extend(fix.parts.iter().map(|(span, text)| {
            (
                span.path.clone(),
                Splice::replace(span.bytes.clone(), text.as_str()),
            )
        }));
    }
    let edits = edited(case, &splices);
    if edits.is_empty() {
        return Vec::new();
    }
    said.truncate(4);
    let description = format!("changes what the compiler says: {}", said.join("; "));
    let offer = |edits, rank| {
        let candidate = rewrite(Strategy::SyntaxRepair, description.clone(), edits, rank);
        if form {
            Finding::Try(candidate)
        } else {
            Finding::Propose(
                candidate,
                "the types of the test and of what it uses do not agree, and which of them is wrong the compiler does not know".to_owned(),
            )
        }
    };
    let of_tests: Vec<_> = edits
        .iter()
        .filter(|edit| is_of_tests(case, edit))
        .cloned()
        .collect();
    if of_tests.is_empty() || of_tests.len() == edits.len() {
        vec![offer(edits, rank::ONE_CHARACTER)]
    } else {
        vec![
            offer(of_tests, rank::ONE_CHARACTER),
            offer(edits, rank::ONE_CHARACTER + 1),
        ]
    }
}

/// A bracket that was opened and never closed: its partner goes where the statement ends, on the line that opened it.
fn brackets(case: &Case<'_>, failure: &Failure) -> Vec<Candidate> {
    let Some(compiled) = &failure.compiled else {
        return Vec::new();
    };
    let about_one = failure.message.contains("delimiter");
    let Some(open) = compiled.spans.iter().find(|span| {
        about_one && span.label == "unclosed delimiter" && !span.path.starts_with('/')
    }) else {
        return Vec::new();
    };
    let closing = match open.text.as_str() {
        "(" => ")",
        "[" => "]",
        "{" => "}",
        _ => return Vec::new(),
    };
    let Some(text) = case.tree.read(&open.path) else {
        return Vec::new();
    };
    let line_end = text
        .get(open.bytes.end..)
        .and_then(|rest| rest.find('\n'))
        .map_or(text.len(), |end| open.bytes.end + end);
    let line = text.get(open.bytes.end..line_end).unwrap_or_default();
    let trimmed = open.bytes.end + line.trim_end().len();
    // In front of what ends the line, from its end backwards.
    let mut places: Vec<usize> = vec![trimmed];
    for (at, c) in line.trim_end().char_indices().rev() {
        if !matches!(c, ';' | ',' | ')' | ']' | '}' | '{') {
            break;
        }
        places.push(open.bytes.end + at);
    }
    // A statement is closed before it ends.
    if let Some(place) = places
        .iter()
        .copied()
        .find(|place| text[*place..].starts_with(';'))
    {
        places = vec![place];
    }
    (0..)
        .zip(places)
        .filter_map(|(step, place)| {
            let splices = [(open.path.clone(), Splice::insert(place, closing))];
            let edits = edited(case, &splices);
            let whole = edits
                .first()
                .and_then(|edit| Source::parse(edit.text.as_str()))
                .is_some_and(|source| source.is_whole());
            whole.then(|| {
                rewrite(
                    Strategy::SyntaxRepair,
                    format!(
                        "puts in the `{closing}` that is missing at {}:{}",
                        open.path, open.line
                    ),
                    edits,
                    rank::ONE_CHARACTER + step,
                )
            })
        })
        .take(MOST_PLACES as usize)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Installed;
    use crate::failure::{Compiled, Span};
    use crate::strategies::fake::{Files, Index, case};

    const TEST: &str =
        "#[test]\nfn t() {\n    let v = vec![1];\n    v.push(2);\n    assert_eq!(v.len(), 2;\n}\n";

    fn span(path: &str, text: &str, needle: &str, label: &str) -> Span {
        let start = text.find(needle).expect("a place");
        Span {
            path: path.to_owned(),
            bytes: start..start + needle.len(),
            line: 3,
            text: needle.to_owned(),
            label: label.to_owned(),
        }
    }

    fn found(path: &str, failure: Failure) -> Vec<Finding> {
        let tree = Files::new(&[(path, TEST)]);
        let (installed, index) = (Installed::default(), Index::default());
        SyntaxRepair.examine(&case(&[failure], &tree, &installed, &index))
    }

    fn offering(code: &str, certain: bool) -> Failure {
        let place = span("tests/a.rs", TEST, "v = vec", "");
        Failure {
            phase: Phase::Collection,
            code: Some(code.to_owned()),
            message: "cannot borrow `v` as mutable".to_owned(),
            compiled: Some(Compiled {
                spans: vec![place.clone()],
                fixes: vec![Fix {
                    message: "consider changing this to be mutable".to_owned(),
                    certain,
                    parts: vec![(
                        Span {
                            bytes: place.bytes.start..place.bytes.start,
                            ..place
                        },
                        "mut ".to_owned(),
                    )],
                }],
                notes: Vec::new(),
            }),
            ..Failure::default()
        }
    }

    #[test]
    fn only_what_the_compiler_vouches_for_is_changed_and_types_are_a_persons() {
        let Finding::Try(candidate) = &found("tests/a.rs", offering("E0596", true))[0] else {
            panic!("not offered");
        };
        assert!(candidate.edits[0].text.contains("let mut v = vec![1];"));
        assert!(matches!(
            found("tests/a.rs", offering("E0308", true))[0],
            Finding::Propose(..)
        ));
        assert!(found("tests/a.rs", offering("E0596", false)).is_empty());
    }

    #[test]
    fn a_bracket_goes_in_front_of_what_ends_its_line() {
        let open = Span {
            bytes: TEST.find("(v.len").expect("a place")..TEST.find("v.len").expect("a place"),
            text: "(".to_owned(),
            ..span("tests/a.rs", TEST, "(v.len", "unclosed delimiter")
        };
        let failure = Failure {
            phase: Phase::Collection,
            message: "mismatched closing delimiter: `}`".to_owned(),
            compiled: Some(Compiled {
                spans: vec![open],
                ..Compiled::default()
            }),
            ..Failure::default()
        };
        let Finding::Try(candidate) = &found("tests/a.rs", failure)[0] else {
            panic!("not offered");
        };
        assert!(
            candidate.edits[0].text.contains("assert_eq!(v.len(), 2);"),
            "{}",
            candidate.edits[0].text
        );
    }
}
