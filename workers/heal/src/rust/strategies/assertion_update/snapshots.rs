//! Snapshots of [insta](https://insta.rs/docs/snapshot-files/): the lines of a file below its head, or a literal behind an `@` in
//! the assertion itself.

use super::literals::{replaced, test_at};
use crate::case::{Case, Edit};
use crate::failure::{Failure, Frame};
use crate::intended::Drift;
use crate::rust::source::Source;
use crate::source::descendants;
use crate::source::edit::apply;

/// The new text where the failing snapshot has the old: in the one that stands in the test, else in its file.
pub(super) fn edit(
    case: &Case<'_>,
    failure: &Failure,
    frame: &Frame,
    drift: &Drift,
) -> Option<Edit> {
    match said(failure, "Snapshot file: ") {
        Some(path) => in_file(case, path, frame, drift),
        None => inline(case, frame, drift),
    }
}

/// What a line of insta's summary says.
fn said<'f>(failure: &'f Failure, head: &str) -> Option<&'f str> {
    failure
        .text
        .lines()
        .find_map(|line| line.strip_prefix(head))
        .map(str::trim)
}

/// A file of snapshots, by the path that insta prints, which is the workspace's; the project may be a part of that, or the other
/// way round.
fn in_file(case: &Case<'_>, path: &str, frame: &Frame, drift: &Drift) -> Option<Edit> {
    let name = path.rsplit('/').next()?;
    let beside = frame.path.rsplit_once('/').map_or("", |(before, _)| before);
    let likely = format!("{beside}/snapshots/{name}");
    let likely = likely.trim_start_matches('/');
    let paths = case.tree.paths();
    let found = [path, likely]
        .into_iter()
        .find(|path| paths.iter().any(|known| known == path))?;
    let text = case.tree.read(found)?;
    let head = text.strip_prefix("---\n")?.find("\n---\n")? + "---\n".len() + "\n---\n".len();
    let mut result = text[..head].to_owned();
    let mut changed = 0;
    for line in text[head..].split_inclusive('\n') {
        if line.trim_end_matches('\n') == drift.was {
            result.push_str(&line.replace(&drift.was, &drift.now));
            changed += 1;
        } else {
            result.push_str(line);
        }
    }
    (changed == 1).then(|| Edit {
        path: found.to_owned(),
        text: result,
    })
}

/// The literal behind an `@` in the failing assertion.
fn inline(case: &Case<'_>, frame: &Frame, drift: &Drift) -> Option<Edit> {
    let source = Source::parse(case.tree.read(&frame.path)?)?;
    let test = test_at(&source, frame.line)?;
    let assertion = descendants(test).find(|node| {
        node.kind() == "macro_invocation"
            && Source::lines(*node).any(|line| line == frame.line)
            && source
                .slice(*node)
                .split('!')
                .next()
                .is_some_and(|name| name.ends_with("snapshot"))
    })?;
    let splice = descendants(assertion)
        .filter(|node| matches!(node.kind(), "string_literal" | "raw_string_literal"))
        .filter(|node| {
            node.prev_sibling()
                .is_some_and(|before| source.slice(before) == "@")
        })
        .find_map(|literal| replaced(&source, literal, &drift.was, &drift.now))?;
    Some(Edit {
        path: frame.path.clone(),
        text: apply(source.text(), &[splice])?,
    })
}
