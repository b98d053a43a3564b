//! Files that do not parse: configuration in JSON, a bracket or a quote that is missing, syntax that this Node no longer
//! takes. A repair changes as few characters as will do, and every text that is offered parses.

mod json;

use maestro_protocol::heal::Strategy;

use super::rewrite;
use crate::case::{Candidate, Case, Edit, Finding, Repair};
use crate::failure::{Failure, Phase};
use crate::node::source::{Source, arguments, function_of};
use crate::node::subject::{Subject, subject};
use crate::source::edit::{Splice, apply};
use crate::strategies::rank;

/// How many lines before the error may hold its cause.
const LINES_BEFORE: usize = 4;
/// The most texts that are tried for one file.
const MOST: usize = 6;

/// See the module.
pub(super) struct SyntaxRepair;

impl Repair for SyntaxRepair {
    fn strategy(&self) -> Strategy {
        Strategy::SyntaxRepair
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        let Some(failure) = case.failures.first() else {
            return Vec::new();
        };
        if let Some(findings) = json::findings(case, failure) {
            return findings;
        }
        if !matches!(subject(failure), Subject::Syntax(_)) {
            return Vec::new();
        }
        let mut findings = Vec::new();
        for path in suspects(case, failure) {
            let Some(text) = case.tree.read(&path) else {
                continue;
            };
            if is_unmerged(&text) {
                return vec![Finding::Refuse(format!(
                    "{path} holds the marks of a merge that was not resolved: which side is meant, a person knows"
                ))];
            }
            findings.extend(repairs(&path, &text, failure).into_iter().map(Finding::Try));
            if !findings.is_empty() {
                break;
            }
        }
        findings
    }
}

/// Whether a text has both marks that git leaves (<https://git-scm.com/docs/git-merge#_how_conflicts_are_presented>).
fn is_unmerged(text: &str) -> bool {
    ["<<<<<<< ", ">>>>>>> "]
        .iter()
        .all(|mark| text.lines().any(|line| line.starts_with(mark)))
}

/// The files that may be the one: those of the frames, innermost first, then the test's own, then what does not parse.
fn suspects(case: &Case<'_>, failure: &Failure) -> Vec<String> {
    let mut paths: Vec<String> = failure
        .frames
        .iter()
        .rev()
        .map(|frame| frame.path.clone())
        .filter(|path| !path.starts_with('/'))
        .collect();
    paths.extend(
        failure
            .test
            .as_deref()
            .map(|test| test.split("::").next().unwrap_or(test).to_owned()),
    );
    paths.extend(super::own_sources(case).take(500).map(str::to_owned));
    let mut seen = Vec::new();
    for path in paths {
        if !seen.contains(&path)
            && case.tree.read(&path).is_some_and(|text| {
                is_unmerged(&text)
                    || Source::parse(&path, text.clone()).is_some_and(|source| !source.is_whole())
                    || !by_message(&path, &text, failure).is_empty()
            })
        {
            seen.push(path);
        }
    }
    seen
}

fn repairs(path: &str, text: &str, failure: &Failure) -> Vec<Candidate> {
    let by_message = by_message(path, text, failure);
    if !by_message.is_empty() {
        return by_message;
    }
    let Some(source) = Source::parse(path, text) else {
        return Vec::new();
    };
    let reported = failure
        .frames
        .iter()
        .rev()
        .find(|frame| frame.path == path && frame.line > 0)
        .map(|frame| frame.line as usize);
    let first = source
        .nodes()
        .find(|node| node.is_error() || node.is_missing())
        .map(|node| node.start_position().row + 1);
    let mut found: Vec<(usize, Candidate)> = Vec::new();
    for line in [reported, first].into_iter().flatten() {
        for (distance, description, changed) in one_character(text, line) {
            let good = Source::parse(path, changed.clone()).is_some_and(|source| source.is_whole());
            let edit = Edit {
                path: path.to_owned(),
                text: changed,
            };
            let known = found
                .iter()
                .any(|(_, candidate)| candidate.edits.first() == Some(&edit));
            if good && !known {
                let description = format!("{path}: {description}");
                let candidate = rewrite(
                    Strategy::SyntaxRepair,
                    description,
                    vec![edit],
                    rank::ONE_CHARACTER,
                );
                found.push((distance, candidate));
            }
        }
    }
    found.sort_by_key(|(distance, _)| *distance);
    found
        .into_iter()
        .take(MOST)
        .zip(0_u32..)
        .map(|((_, mut candidate), step)| {
            candidate.rank += step.min(8);
            candidate
        })
        .collect()
}

/// Texts with one character, or one closing of a block, more or less, near a line; each with how far away that is.
fn one_character(text: &str, line: usize) -> Vec<(usize, String, String)> {
    const CLOSING: [&str; 8] = [")", "}", "]", "'", "\"", "`", ",", "("];
    let mut found = Vec::new();
    let mut starts = vec![0];
    starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
    let from = line.saturating_sub(LINES_BEFORE).max(1);
    for number in from..=line.min(starts.len()) {
        let start = starts[number - 1];
        let end = text
            .get(start..)
            .and_then(|rest| rest.find('\n'))
            .map_or(text.len(), |length| start + length);
        let row = &text[start..end];
        let distance = 4 * (line - number);
        // Behind the last of the line's words, and in front of what ends it.
        let trimmed = row.trim_end();
        let mut places = vec![start + trimmed.len()];
        for ending in [";", ",", " {", "{", ");", "})", "});", ") {"] {
            if let Some(rest) = trimmed.strip_suffix(ending) {
                places.push(start + rest.len());
            }
        }
        for (order, place) in places.into_iter().enumerate() {
            for mark in CLOSING {
                let mut changed = text.to_owned();
                changed.insert_str(place, mark);
                found.push((
                    distance + order,
                    format!("`{mark}` was missing on line {number}"),
                    changed,
                ));
            }
        }
        for (at, character) in row.char_indices() {
            if matches!(character, ')' | '}' | ']' | ',' | ';' | '(' | '{') {
                let mut changed = text.to_owned();
                changed.remove(start + at);
                found.push((
                    distance + 6,
                    format!("a `{character}` on line {number} was too much"),
                    changed,
                ));
            }
        }
    }
    let end = text.trim_end().len();
    for closing in ["}", "})", "});", ")", "};"] {
        let mut changed = text[..end].to_owned();
        changed.push('\n');
        changed.push_str(closing);
        changed.push('\n');
        found.push((2, format!("`{closing}` was missing at the end"), changed));
    }
    found
}

/// Repairs of what the message itself names.
fn by_message(path: &str, text: &str, failure: &Failure) -> Vec<Candidate> {
    let Some(source) = Source::parse(path, text) else {
        return Vec::new();
    };
    let message = failure.message.as_str();
    // Where `await` is only a name, what stands behind it is one word too many, and that is all that is said.
    let awaits = failure.phase <= Phase::Collection && source.is_whole();
    let async_ones = if awaits || message.contains("await is only valid in async") {
        made_async(&source)
    } else {
        Vec::new()
    };
    let (splices, description, rank) = if !async_ones.is_empty() {
        (
            async_ones,
            "a function that awaits is async",
            rank::EXACT_RULE,
        )
    } else if message.contains("'assert'") || message.contains("import assertions") {
        (
            with_attributes(text),
            "what is imported has its type said by `with`, not `assert` (Node 22)",
            rank::EXACT_RULE,
        )
    } else if message.contains("Cannot use import statement outside a module") {
        match as_script(&source) {
            Some(splices) => (
                splices,
                "a script requires what a module would import",
                rank::APPROXIMATE_RULE,
            ),
            None => return Vec::new(),
        }
    } else {
        return Vec::new();
    };
    if splices.is_empty() {
        return Vec::new();
    }
    apply(text, &splices)
        .map(|text| {
            rewrite(
                Strategy::SyntaxRepair,
                format!("{path}: {description}"),
                vec![Edit {
                    path: path.to_owned(),
                    text,
                }],
                rank,
            )
        })
        .into_iter()
        .collect()
}

/// The callbacks of tests and hooks that await and are not async.
fn made_async(source: &Source) -> Vec<Splice> {
    const TAKE: [&str; 9] = [
        "test",
        "it",
        "before",
        "after",
        "beforeEach",
        "afterEach",
        "beforeAll",
        "afterAll",
        "t.test",
    ];
    let callbacks: Vec<usize> = source
        .calls()
        .filter(|(_, called)| TAKE.contains(called))
        .flat_map(|(call, _)| arguments(call))
        .map(|node| node.id())
        .collect();
    let mut found = Vec::new();
    for node in source.nodes() {
        // Outside of an async function `await` is a name, and what stands behind it an error.
        let awaits = node.kind() == "await_expression"
            || node.kind() == "identifier" && source.slice(node) == "await";
        if !awaits {
            continue;
        }
        let Some(function) = function_of(node) else {
            continue;
        };
        if callbacks.contains(&function.id()) && !source.slice(function).starts_with("async") {
            found.push(Splice::insert(function.start_byte(), "async "));
        }
    }
    found
}

/// `import x from 'y' assert { … }`.
fn with_attributes(text: &str) -> Vec<Splice> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(" assert {") {
        let line = text[..at].rfind('\n').map_or(0, |start| start + 1);
        let before = text[line..at].trim_end();
        let imports = before.trim_start().starts_with("import") || before.contains(" from ");
        if imports && before.ends_with(['\'', '"']) {
            found.push(Splice::replace(at + 1..at + 7, "with"));
        }
    }
    found
}

/// Every import of a file as what a script says; `None` where one cannot be said so.
fn as_script(source: &Source) -> Option<Vec<Splice>> {
    let mut found = Vec::new();
    for node in source.nodes() {
        match node.kind() {
            "export_statement" | "await_expression"
                if node.parent().is_some_and(|up| up.kind() == "program") =>
            {
                return None;
            }
            "import_statement" => {
                let from = source.slice(node.child_by_field_name("source")?);
                let clause = node
                    .named_child(0)
                    .filter(|child| child.kind() == "import_clause");
                let Some(clause) = clause else {
                    found.push(Splice::replace(
                        node.byte_range(),
                        format!("require({from});"),
                    ));
                    continue;
                };
                let only = clause
                    .named_child(0)
                    .filter(|_| clause.named_child_count() == 1)?;
                let bound = match only.kind() {
                    "identifier" => source.slice(only).to_owned(),
                    "namespace_import" => source.slice(only.named_child(0)?).to_owned(),
                    "named_imports" => source.slice(only).replace(" as ", ": "),
                    _ => return None,
                };
                found.push(Splice::replace(
                    node.byte_range(),
                    format!("const {bound} = require({from});"),
                ));
            }
            _ => {}
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Installed;
    use crate::failure::Frame;
    use crate::strategies::fake::{Files, Index, case};

    fn examined(message: &str, files: &[(&str, &str)], line: u32) -> Vec<Finding> {
        let failure = Failure {
            test: Some(files[0].0.to_owned()),
            phase: Phase::Collection,
            exception: Some("SyntaxError".to_owned()),
            message: message.to_owned(),
            frames: vec![Frame {
                path: files[0].0.to_owned(),
                line,
                function: String::new(),
            }],
            ..Failure::default()
        };
        let (tree, index) = (Files::new(files), Index::default());
        SyntaxRepair.examine(&case(&[failure], &tree, &Installed::default(), &index))
    }

    fn texts(findings: Vec<Finding>) -> Vec<String> {
        findings
            .into_iter()
            .filter_map(|finding| match finding {
                Finding::Try(candidate) => Some(candidate.edits[0].text.clone()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_bracket_that_is_missing_is_offered_where_the_text_parses_with_it() {
        let broken = "test('a', () => {\n  assert.equal(f(1, 2);\n});\n";
        let whole = "test('a', () => {\n  assert.equal(f(1, 2));\n});\n";
        let found = texts(examined(
            "missing ) after argument list",
            &[("test/a.js", broken)],
            2,
        ));
        assert_eq!(found.first().map(String::as_str), Some(whole));
        let open = "test('a', () => {\n  f();\n});\ntest('b', () => {\n  g();\n";
        let found = texts(examined(
            "Unexpected end of input",
            &[("test/a.js", open)],
            6,
        ));
        assert!(
            found.iter().any(|text| text.ends_with("  g();\n});\n")),
            "{found:?}"
        );
    }

    #[test]
    fn the_marks_of_a_merge_are_a_persons_to_resolve() {
        let text = "<<<<<<< HEAD\nconst a = 1;\n=======\nconst a = 2;\n>>>>>>> other\n";
        let found = examined("Unexpected token '<<'", &[("test/a.js", text)], 1);
        assert!(
            matches!(found.as_slice(), [Finding::Refuse(_)]),
            "{found:?}"
        );
    }

    #[test]
    fn a_test_that_awaits_is_made_async_and_no_other_function() {
        let text = "it('a', () => {\n  const x = await f();\n});\n";
        let found = texts(examined(
            "await is only valid in async functions and the top level bodies of modules",
            &[("test/a.js", text)],
            2,
        ));
        assert_eq!(
            found,
            ["it('a', async () => {\n  const x = await f();\n});\n"]
        );
    }

    #[test]
    fn the_imports_of_a_script_become_what_it_can_say() {
        let text = "import assert from 'assert';\nimport { a, b as c } from './x.js';\nimport './y.js';\nassert(a);\n";
        let found = texts(examined(
            "Cannot use import statement outside a module",
            &[("test/a.js", text)],
            1,
        ));
        assert_eq!(
            found,
            [
                "const assert = require('assert');\nconst { a, b: c } = require('./x.js');\nrequire('./y.js');\nassert(a);\n"
            ]
        );
    }

    #[test]
    fn what_is_imported_has_its_type_said_in_todays_words() {
        let text = "import x from './x.json' assert { type: 'json' };\n";
        let found = texts(examined(
            "Unexpected identifier 'assert'",
            &[("a.mjs", text)],
            1,
        ));
        assert_eq!(found, ["import x from './x.json' with { type: 'json' };\n"]);
    }
}
