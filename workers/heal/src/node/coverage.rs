//! Which lines of the project a traced run ran, from what V8 itself counts
//! (<https://nodejs.org/api/cli.html#node_v8_coveragedir>), or jest where it changes files before it runs them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use tree_sitter::Node;

use super::plan::Runner;
use super::source::{Source, is_function};
use crate::bench::read_records;
use crate::case::Tree;
use crate::runner::relative_path;

/// More files than this of one run add nothing.
const MOST_FILES: usize = 200;

#[derive(Deserialize)]
struct Profile {
    result: Vec<Script>,
}

#[derive(Deserialize)]
struct Script {
    url: String,
    functions: Vec<Function>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Function {
    #[serde(default)]
    function_name: String,
    ranges: Vec<Range>,
}

/// Offsets in UTF-16 code units.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Range {
    start_offset: usize,
    end_offset: usize,
    count: u64,
}

/// The options by which jest writes the statements that were run.
pub(super) fn of_jest(into: &Path) -> Vec<String> {
    vec![
        "--coverage".to_owned(),
        "--coverageReporters=json".to_owned(),
        format!("--coverageDirectory={}", into.display()),
        // What the project wants of its own coverage is not what is asked here.
        "--coverageThreshold={}".to_owned(),
    ]
}

/// By file of the tree: the lines that were run.
pub(super) fn lines(
    directory: &Path,
    project: &Path,
    tree: &dyn Tree,
    runner: Runner,
) -> BTreeMap<String, BTreeSet<u32>> {
    let mut found: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    if runner == Runner::Jest {
        let bytes = read_records(&directory.join("coverage-final.json"));
        let Ok(Value::Object(files)) = serde_json::from_slice(&bytes) else {
            return found;
        };
        for (path, of) in files {
            found.insert(relative_path(&path, project), of_statements(&of));
        }
        return found;
    }
    let files = directory
        .read_dir()
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()));
    for file in files.take(MOST_FILES) {
        let Ok(profile) = serde_json::from_slice::<Profile>(&read_records(&file)) else {
            continue;
        };
        for script in profile.result {
            let path = script.url.strip_prefix("file://").unwrap_or(&script.url);
            if !path.starts_with('/') {
                continue;
            }
            let path = relative_path(path, project);
            if path.starts_with('/') || path.contains("node_modules/") {
                continue;
            }
            let Some(text) = tree.read(&path) else {
                continue;
            };
            // Files that another program rewrote before they were run have other offsets, and functions of the same names.
            let lines = match runner {
                Runner::Vitest => of_names(&path, &text, &script.functions),
                _ => of_ranges(&text, &script.functions),
            };
            found.entry(path).or_default().extend(lines);
        }
    }
    found
}

/// The lines of which all was run: half a line may be a function that nobody called. Inner ranges say more than outer ones.
fn of_ranges(text: &str, functions: &[Function]) -> BTreeSet<u32> {
    let length = text.encode_utf16().count();
    let mut counts = vec![0_u64; length];
    // V8 gives a function's own range first, and the functions themselves from the outermost.
    for range in functions.iter().flat_map(|function| &function.ranges) {
        let end = range.end_offset.min(length);
        if let Some(part) = counts.get_mut(range.start_offset.min(end)..end) {
            part.fill(range.count);
        }
    }
    let (mut run, mut left) = (BTreeSet::new(), BTreeSet::new());
    let mut line = 1_u32;
    for (unit, count) in text.encode_utf16().zip(counts) {
        if unit == u16::from(b'\n') {
            line += 1;
        } else if unit > u16::from(b' ') && unit != u16::from(b'}') {
            if count > 0 { &mut run } else { &mut left }.insert(line);
        }
    }
    run.difference(&left).copied().collect()
}

/// The lines of the functions that were called, by their names. A line of a branch that was not taken is among them.
fn of_names(path: &str, text: &str, functions: &[Function]) -> BTreeSet<u32> {
    let called: BTreeSet<&str> = functions
        .iter()
        .filter(|function| function.ranges.first().is_some_and(|whole| whole.count > 0))
        .map(|function| function.function_name.as_str())
        .filter(|name| !name.is_empty())
        .collect();
    let Some(source) = Source::parse(path, text) else {
        return BTreeSet::new();
    };
    let name_of = |node: Node<'_>| {
        let named = node.child_by_field_name("name").or_else(|| {
            let holder = node.parent()?;
            ["name", "key", "left", "property"]
                .iter()
                .find_map(|field| holder.child_by_field_name(field))
        })?;
        let name = source.slice(named);
        Some(name.rsplit('.').next().unwrap_or(name).to_owned())
    };
    source
        .nodes()
        .filter(|node| is_function(*node))
        .filter(|node| name_of(*node).is_some_and(|name| called.contains(name.as_str())))
        .filter_map(|node| node.child_by_field_name("body"))
        .flat_map(|body| {
            let last = u32::try_from(body.end_position().row).map_or(u32::MAX, |row| row + 1);
            Source::line(body)..=last
        })
        .collect()
}

/// Istanbul's form: `statementMap` has places, `s` counts.
fn of_statements(of: &Value) -> BTreeSet<u32> {
    let (Some(places), Some(counts)) = (
        of.get("statementMap").and_then(Value::as_object),
        of.get("s").and_then(Value::as_object),
    ) else {
        return BTreeSet::new();
    };
    places
        .iter()
        .filter(|(id, _)| counts.get(*id).and_then(Value::as_u64) > Some(0))
        .filter_map(|(_, place)| place.pointer("/start/line")?.as_u64())
        .filter_map(|line| u32::try_from(line).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_that_was_not_taken_has_no_lines() {
        let text = "function f(a) {\n  if (a) {\n    return 1;\n  }\n  return 2;\n}\nf(0);\n";
        let at = |needle: &str| text.find(needle).unwrap();
        let functions = [
            Function {
                function_name: String::new(),
                ranges: vec![Range {
                    start_offset: 0,
                    end_offset: text.len(),
                    count: 1,
                }],
            },
            Function {
                function_name: String::new(),
                ranges: vec![
                    Range {
                        start_offset: 0,
                        end_offset: at("f(0)") - 1,
                        count: 1,
                    },
                    Range {
                        start_offset: at("{\n    return"),
                        end_offset: at("  return 2"),
                        count: 0,
                    },
                ],
            },
        ];
        let lines: Vec<u32> = of_ranges(text, &functions).into_iter().collect();
        assert_eq!(lines, [1, 5, 7]);
    }

    #[test]
    fn the_statements_that_jest_counted_are_read() {
        let of: Value = serde_json::from_str(
            r#"{"statementMap": {"0": {"start": {"line": 3}}, "1": {"start": {"line": 5}}}, "s": {"0": 2, "1": 0}}"#,
        )
        .unwrap();
        assert_eq!(of_statements(&of), BTreeSet::from([3]));
    }

    #[test]
    fn of_a_file_that_was_rewritten_the_functions_that_were_called_are_known_by_name() {
        let text = "export function price(a) {\n  return a - 2;\n}\n\nexport const double = (a) =>\n  a * 2;\n\nexport const unused = (a) => a + 1;\n";
        let called = |name: &str, count| Function {
            function_name: name.to_owned(),
            ranges: vec![Range {
                start_offset: 900,
                end_offset: 990,
                count,
            }],
        };
        let functions = [
            called("", 1),
            called("price", 2),
            called("double", 1),
            called("unused", 0),
        ];
        let lines: Vec<u32> = of_names("a.mjs", text, &functions).into_iter().collect();
        assert_eq!(lines, [1, 2, 3, 6]);
    }
}
