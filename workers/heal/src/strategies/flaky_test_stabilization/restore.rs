//! The code that gives state back: before a test it is kept, after the test it is what it was.

use std::collections::{BTreeMap, BTreeSet};

use crate::case::{Case, Edit};
use crate::failure::Change;
use crate::runner::file_of;
use crate::source::Source;
use crate::source::edit::apply;
use crate::source::names::Names;
use crate::source::spelling::Spelling;

use super::fixture::{self, Fixture};
use super::process;

/// How much of a container is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// The container, with the very objects in it.
    Shallow,
    /// The containers in it too.
    Deep,
}

/// The depths that are worth a try for these changes.
pub(super) fn depths(changes: &[Change]) -> Vec<Depth> {
    let contents = |change: &Change| change.kind == "attribute" && change.how == "changed";
    if changes.iter().any(contents) {
        vec![Depth::Shallow, Depth::Deep]
    } else {
        vec![Depth::Shallow]
    }
}

/// Which changes to give back first: what outlives most tests, before what every test changes.
pub(super) fn order(change: &Change) -> u8 {
    match (change.kind.as_str(), change.how.as_str()) {
        ("attribute", "changed" | "rebound") if !change.path.is_empty() => 0,
        ("variable" | "directory" | "locale", _) => 1,
        ("attribute" | "cache", _) => 2,
        ("module", _) => 5,
        ("garbage", _) => 6,
        ("file", _) => 3,
        _ => 4,
    }
}

/// What keeps one thing and gives it back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Undo {
    /// Names of the file itself that are bound again.
    pub(super) globals: BTreeSet<String>,
    /// Statements before the test.
    pub(super) before: Vec<String>,
    /// Statements after it.
    pub(super) after: Vec<String>,
    /// The same as calls, for `unittest`: those made last come first.
    pub(super) cleanups: Vec<String>,
}

impl Undo {
    pub(super) fn merge(undos: Vec<Self>) -> Self {
        let mut all = Self::default();
        for undo in undos {
            all.globals.extend(undo.globals);
            all.before.extend(undo.before);
            all.cleanups.extend(undo.cleanups);
            all.after.extend(undo.after);
        }
        all
    }
}

/// The files of these tests, each with what gives the changes back.
pub(super) fn edits(
    case: &Case<'_>,
    tests: &[&str],
    changes: &[Change],
    depth: Depth,
) -> Option<Vec<Edit>> {
    let mut by_file: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for test in tests {
        by_file
            .entry(file_of(case.tree, test)?)
            .or_default()
            .push(test);
    }
    by_file
        .into_iter()
        .map(|(path, tests)| {
            let text = case.tree.read(&path)?;
            let text = text_with(&text, &path, &tests, changes, depth)?;
            Some(Edit { path, text })
        })
        .collect()
}

fn text_with(
    text: &str,
    path: &str,
    tests: &[&str],
    changes: &[Change],
    depth: Depth,
) -> Option<String> {
    let source = Source::parse(text)?;
    let names = Names::of(&source);
    let spelling = Spelling::new(&source, &names);
    let undos: Option<Vec<Undo>> = changes
        .iter()
        .map(|change| undo(change, path, depth, &spelling))
        .collect();
    let undo = Undo::merge(undos?);
    let mut splices = if tests.iter().all(|test| test.contains("::")) {
        let fixture = Fixture {
            name: fixture::free_name(&names, "state_is_given_back"),
            says: format!("Gives back what a test changes: {}.", super::names(changes)),
            autouse: true,
            parameters: String::new(),
            body: Vec::new(),
            undo,
        };
        vec![fixture.splice(&source, &spelling.write("pytest", "fixture", None)?)?]
    } else {
        tests
            .iter()
            .map(|test| fixture::cleanup(&source, test, &undo, &[]))
            .collect::<Option<Vec<_>>>()?
    };
    splices.extend(spelling.import_splices(&[], &BTreeSet::new())?);
    apply(text, &splices)
}

/// What gives one change back in the file at `path`; `None` where nothing can.
pub(super) fn undo(
    change: &Change,
    path: &str,
    depth: Depth,
    spelling: &Spelling<'_, '_>,
) -> Option<Undo> {
    match change.kind.as_str() {
        "attribute" => attribute(change, path, depth, spelling),
        "cache" => {
            let function = expression(change, path, spelling)?;
            Some(Undo {
                after: vec![format!("{function}.cache_clear()")],
                cleanups: vec![format!("self.addCleanup({function}.cache_clear)")],
                ..Undo::default()
            })
        }
        _ => process::undo(change, spelling),
    }
}

/// An attribute of a module or of a class.
fn attribute(
    change: &Change,
    path: &str,
    depth: Depth,
    spelling: &Spelling<'_, '_>,
) -> Option<Undo> {
    let whole = expression(change, path, spelling)?;
    let kept = kept(&change.name);
    let own_global = change.path == path && !change.name.contains('.');
    let (object, name) = match whole.rsplit_once('.') {
        Some((object, name)) => (object.to_owned(), name.to_owned()),
        None => (String::new(), whole.clone()),
    };
    match (change.how.as_str(), change.shape.as_str()) {
        ("changed", "dict" | "set") => contents(&whole, &kept, "update", depth, spelling),
        ("changed", "list" | "deque" | "bytearray") => {
            contents(&whole, &kept, "extend", depth, spelling)
        }
        ("changed", "object") => {
            contents(&format!("vars({whole})"), &kept, "update", depth, spelling)
        }
        ("changed", _) => None,
        ("added", _) if own_global => Some(Undo {
            after: vec![format!("globals().pop(\"{name}\", None)")],
            cleanups: vec![format!("self.addCleanup(globals().pop, \"{name}\", None)")],
            ..Undo::default()
        }),
        ("added", _) => Some(Undo {
            after: vec![
                format!("if \"{name}\" in vars({object}):"),
                format!("    del {whole}"),
            ],
            cleanups: vec![format!("self.addCleanup(delattr, {object}, \"{name}\")")],
            ..Undo::default()
        }),
        _ if own_global => Some(Undo {
            globals: BTreeSet::from([name.clone()]),
            before: vec![format!("{kept} = {whole}")],
            after: closed(change, &whole, &kept)
                .into_iter()
                .chain([format!("{whole} = {kept}")])
                .collect(),
            cleanups: vec![format!(
                "self.addCleanup(globals().__setitem__, \"{name}\", {whole})"
            )],
        }),
        (_, shape) => {
            // What a class holds is not always what asking the class for it gives.
            let get = if change.name.contains('.') && !is_plain(shape) {
                format!("vars({object})[\"{name}\"]")
            } else {
                whole.clone()
            };
            Some(Undo {
                before: vec![format!("{kept} = {get}")],
                after: closed(change, &whole, &kept)
                    .into_iter()
                    .chain([format!("{whole} = {kept}")])
                    .collect(),
                cleanups: vec![format!(
                    "self.addCleanup(setattr, {object}, \"{name}\", {get})"
                )],
                ..Undo::default()
            })
        }
    }
}

/// What a test opened, it closes: the file, the socket, the pool that the new value holds.
fn closed(change: &Change, whole: &str, kept: &str) -> Vec<String> {
    if change.closer.is_empty() {
        return Vec::new();
    }
    vec![
        format!("if {whole} is not {kept}:"),
        format!("    {whole}.{}()", change.closer),
    ]
}

fn contents(
    whole: &str,
    kept: &str,
    fill: &str,
    depth: Depth,
    spelling: &Spelling<'_, '_>,
) -> Option<Undo> {
    let copy = spelling.write(
        "copy",
        match depth {
            Depth::Shallow => "copy",
            Depth::Deep => "deepcopy",
        },
        None,
    )?;
    Some(Undo {
        before: vec![format!("{kept} = {copy}({whole})")],
        after: vec![
            format!("{whole}.clear()"),
            format!("{whole}.{fill}({kept})"),
        ],
        cleanups: vec![
            format!("self.addCleanup({whole}.{fill}, {copy}({whole}))"),
            format!("self.addCleanup({whole}.clear)"),
        ],
        ..Undo::default()
    })
}

fn is_plain(shape: &str) -> bool {
    matches!(
        shape,
        "dict"
            | "list"
            | "set"
            | "deque"
            | "bytearray"
            | "object"
            | "int"
            | "str"
            | "bool"
            | "float"
            | "tuple"
            | "NoneType"
            | "function"
    )
}

/// How the file at `path` writes what changed down.
fn expression(change: &Change, path: &str, spelling: &Spelling<'_, '_>) -> Option<String> {
    if change.path == path {
        Some(change.name.clone())
    } else {
        spelling.write(&change.owner, &change.name, None)
    }
}

/// The name of the variable that keeps it.
pub(super) fn kept(name: &str) -> String {
    let word: String = name
        .rsplit('/')
        .next()
        .unwrap_or(name)
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() => c.to_ascii_lowercase(),
            _ => '_',
        })
        .collect();
    let mut word = word.trim_matches('_').to_owned();
    if word.is_empty() || word.starts_with(|c: char| c.is_ascii_digit()) {
        word.insert_str(0, "state");
    }
    word + "_before"
}
