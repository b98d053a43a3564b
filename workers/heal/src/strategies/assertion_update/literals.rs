//! Texts in the literals of a test, and in its snapshots.

use crate::case::{Case, Edit};
use crate::failure::Failure;
use crate::source::Source;
use crate::source::edit::{Splice, apply};

/// The edits that write `now` where the failing test's file, or its snapshot, has `was`.
pub(super) fn replaced(case: &Case<'_>, failure: &Failure, was: &str, now: &str) -> Vec<Edit> {
    let Some(path) = failure.innermost_own().map(|frame| frame.path.clone()) else {
        return Vec::new();
    };
    let in_source = in_literals(case, &path, was, now);
    let in_snapshot = || in_snapshot(case, failure, was, now);
    in_source.or_else(in_snapshot).into_iter().collect()
}

fn in_literals(case: &Case<'_>, path: &str, was: &str, now: &str) -> Option<Edit> {
    let source = Source::parse(case.tree.read(path)?)?;
    let mut splices = Vec::new();
    for node in source.nodes().filter(|node| node.kind() == "string") {
        let whole = source.slice(node);
        // A test's own words about itself are no expectation.
        let docstring = node
            .parent()
            .is_some_and(|parent| parent.kind() == "expression_statement");
        if docstring || !(whole.contains(was) || whole.contains(&escaped(was))) {
            continue;
        }
        let mut cursor = node.walk();
        let children: Vec<_> = node.children(&mut cursor).collect();
        let start = children.first().map_or("", |first| source.slice(*first));
        let raw = start.contains(['r', 'R']);
        let quote = start.trim_start_matches(|c: char| c.is_alphabetic());
        for content in children
            .iter()
            .filter(|child| child.kind() == "string_content")
        {
            let text = source.slice(*content);
            let (old, new) = if raw && text.contains(&escaped(was)) && escaped(was) != was {
                (escaped(was), escaped(now))
            } else {
                (was.to_owned(), now.to_owned())
            };
            if !text.contains(&old) {
                continue;
            }
            // What closes the literal must not stand inside it.
            let new = if quote.len() == 1 && new.contains(quote) {
                if raw {
                    return None;
                }
                new.replace(quote, &format!("\\{quote}"))
            } else {
                new
            };
            splices.push(Splice::replace(
                content.byte_range(),
                text.replace(&old, &new),
            ));
        }
    }
    if splices.is_empty() {
        return None;
    }
    Some(Edit {
        path: path.to_owned(),
        text: apply(source.text(), &splices)?,
    })
}

/// As a regular expression has it.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if matches!(
            c,
            '.' | '(' | ')' | '[' | ']' | '{' | '}' | '*' | '+' | '?' | '|' | '^' | '$'
        ) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// The entry of the failing test in [syrupy](https://github.com/syrupy-project/syrupy)'s file: from `# name: test` to
/// `# ---`.
fn in_snapshot(case: &Case<'_>, failure: &Failure, was: &str, now: &str) -> Option<Edit> {
    let id = failure.test.as_deref()?;
    let (file, rest) = id.split_once("::")?;
    let name = rest.replace("::", ".");
    let (directory, file) = file.rsplit_once('/').unwrap_or(("", file));
    let stem = file.strip_suffix(".py")?;
    let path = if directory.is_empty() {
        format!("__snapshots__/{stem}.ambr")
    } else {
        format!("{directory}/__snapshots__/{stem}.ambr")
    };
    let text = case.tree.read(&path)?;
    let mut inside = false;
    let mut changed = false;
    let mut result = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if let Some(entry) = line.strip_prefix("# name: ") {
            let entry = entry.trim_end();
            inside = entry == name
                || entry
                    .strip_prefix(name.as_str())
                    .is_some_and(|rest| rest.starts_with(['.', '[']));
        } else if line.starts_with("# ---") {
            inside = false;
        } else if inside && line.contains(was) {
            result.push_str(&line.replace(was, now));
            changed = true;
            continue;
        }
        result.push_str(line);
    }
    changed.then_some(Edit { path, text: result })
}
