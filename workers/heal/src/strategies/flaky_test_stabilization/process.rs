//! The code that gives back what belongs to the whole process: variables, the working directory, limits, loggers,
//! files of the project.

use crate::failure::Change;
use crate::source::spelling::Spelling;

use super::restore::{Undo, kept};

/// Things that one function tells and another sets: kind, module, both functions, and the name of what is kept.
const TOLD_AND_SET: &[(&str, &str, &str, &str, &str)] = &[
    ("directory", "os", "getcwd", "chdir", "directory"),
    (
        "recursion",
        "sys",
        "getrecursionlimit",
        "setrecursionlimit",
        "limit",
    ),
    (
        "timeout",
        "socket",
        "getdefaulttimeout",
        "setdefaulttimeout",
        "timeout",
    ),
];

/// What gives it back; `None` where nothing can.
pub(super) fn undo(change: &Change, spelling: &Spelling<'_, '_>) -> Option<Undo> {
    let told = TOLD_AND_SET.iter().find(|(kind, ..)| *kind == change.kind);
    if let Some((_, module, get, set, kept)) = told {
        let get = spelling.write(module, get, None)?;
        let set = spelling.write(module, set, None)?;
        return Some(Undo {
            before: vec![format!("{kept} = {get}()")],
            after: vec![format!("{set}({kept})")],
            cleanups: vec![format!("self.addCleanup({set}, {get}())")],
            ..Undo::default()
        });
    }
    match change.kind.as_str() {
        "variable" => variable(&change.name, spelling),
        "path" | "arguments" => list(&change.name, spelling),
        "module" if change.how == "added" => {
            let (modules, name) = (spelling.write("sys", "modules", None)?, &change.name);
            Some(Undo {
                after: vec![format!("{modules}.pop(\"{name}\", None)")],
                cleanups: vec![format!("self.addCleanup({modules}.pop, \"{name}\", None)")],
                ..Undo::default()
            })
        }
        "zone" => {
            let set = spelling.write("time", "tzset", None)?;
            Some(Undo {
                after: vec![format!("{set}()")],
                ..Undo::default()
            })
        }
        "mask" => {
            let umask = spelling.write("os", "umask", None)?;
            Some(Undo {
                before: vec![format!("mask = {umask}(0)"), format!("{umask}(mask)")],
                after: vec![format!("{umask}(mask)")],
                ..Undo::default()
            })
        }
        "locale" => locale(spelling),
        "decimal" => decimal(spelling),
        "disabled" => disabled(spelling),
        "level" => level(&change.name, spelling),
        "file" => file(change, spelling),
        "garbage" => {
            let collect = spelling.write("gc", "collect", None)?;
            Some(Undo {
                after: vec![format!("{collect}()")],
                cleanups: vec![format!("self.addCleanup({collect})")],
                ..Undo::default()
            })
        }
        _ => None,
    }
}

fn variable(name: &str, spelling: &Spelling<'_, '_>) -> Option<Undo> {
    let environ = spelling.write("os", "environ", None)?;
    let kept = kept(name);
    Some(Undo {
        before: vec![format!("{kept} = {environ}.get(\"{name}\")")],
        after: vec![
            format!("if {kept} is None:"),
            format!("    {environ}.pop(\"{name}\", None)"),
            "else:".to_owned(),
            format!("    {environ}[\"{name}\"] = {kept}"),
        ],
        cleanups: vec![
            format!("self.addCleanup({environ}.update, dict({environ}))"),
            format!("self.addCleanup({environ}.clear)"),
        ],
        ..Undo::default()
    })
}

/// `sys.path`, `sys.argv`.
fn list(name: &str, spelling: &Spelling<'_, '_>) -> Option<Undo> {
    let list = spelling.write("sys", name, None)?;
    let kept = kept(name);
    Some(Undo {
        before: vec![format!("{kept} = list({list})")],
        after: vec![format!("{list}[:] = {kept}")],
        cleanups: vec![
            format!("self.addCleanup({list}.extend, list({list}))"),
            format!("self.addCleanup({list}.clear)"),
        ],
        ..Undo::default()
    })
}

fn locale(spelling: &Spelling<'_, '_>) -> Option<Undo> {
    let set = spelling.write("locale", "setlocale", None)?;
    let all = spelling.write("locale", "LC_ALL", None)?;
    Some(Undo {
        before: vec![format!("locale_before = {set}({all})")],
        after: vec![format!("{set}({all}, locale_before)")],
        cleanups: vec![format!("self.addCleanup({set}, {all}, {set}({all}))")],
        ..Undo::default()
    })
}

fn decimal(spelling: &Spelling<'_, '_>) -> Option<Undo> {
    let get = spelling.write("decimal", "getcontext", None)?;
    let set = spelling.write("decimal", "setcontext", None)?;
    Some(Undo {
        before: vec![format!("context = {get}().copy()")],
        after: vec![format!("{set}(context)")],
        cleanups: vec![format!("self.addCleanup({set}, {get}().copy())")],
        ..Undo::default()
    })
}

fn disabled(spelling: &Spelling<'_, '_>) -> Option<Undo> {
    let root = spelling.write("logging", "root", None)?;
    let disable = spelling.write("logging", "disable", None)?;
    Some(Undo {
        before: vec![format!("disabled = {root}.manager.disable")],
        after: vec![format!("{disable}(disabled)")],
        cleanups: vec![format!(
            "self.addCleanup({disable}, {root}.manager.disable)"
        )],
        ..Undo::default()
    })
}

fn level(name: &str, spelling: &Spelling<'_, '_>) -> Option<Undo> {
    let get = spelling.write("logging", "getLogger", None)?;
    let logger = if name.is_empty() {
        format!("{get}()")
    } else {
        format!("{get}(\"{name}\")")
    };
    let kept = kept(&format!("{name}_level"));
    Some(Undo {
        before: vec![format!("{kept} = {logger}.level")],
        after: vec![format!("{logger}.setLevel({kept})")],
        cleanups: vec![format!(
            "self.addCleanup({logger}.setLevel, {logger}.level)"
        )],
        ..Undo::default()
    })
}

/// A file of the project.
fn file(change: &Change, spelling: &Spelling<'_, '_>) -> Option<Undo> {
    let name = &change.name;
    let path = format!("{}(\"{name}\")", spelling.write("pathlib", "Path", None)?);
    if change.how == "added" {
        return Some(Undo {
            after: vec![
                format!("if {path}.exists():"),
                format!("    {path}.unlink()"),
            ],
            cleanups: vec![format!("self.addCleanup({path}.unlink)")],
            ..Undo::default()
        });
    }
    let kept = kept(name);
    Some(Undo {
        before: vec![format!("{kept} = {path}.read_bytes()")],
        after: vec![format!("{path}.write_bytes({kept})")],
        cleanups: vec![format!(
            "self.addCleanup({path}.write_bytes, {path}.read_bytes())"
        )],
        ..Undo::default()
    })
}
