//! Hooks that give back what a test changes: before each test of the file it is kept, after it it is what it was.

use std::fmt::Write as _;

use tree_sitter::Node;

use super::super::scene::{declarations, top_level};
use super::left::{Shape, Thing};
use crate::case::{Case, Edit};
use crate::node::source::Source;
use crate::source::descendants;
use crate::source::edit::{Splice, apply};

/// What keeps one thing, and what gives it back.
struct Undo {
    kept: String,
    keep: Vec<String>,
    back: Vec<String>,
}

/// The file with hooks that give these things back; `None` where they cannot be written there.
pub(super) fn edit(case: &Case<'_>, path: &str, things: &[Thing]) -> Option<Edit> {
    let source = Source::parse(path, case.tree.read(path)?)?;
    let undos: Vec<Undo> = things
        .iter()
        .map(|thing| undo(case, &source, thing))
        .collect::<Option<_>>()?;
    let first = first_declaration(&source)?;
    let mut splices = Vec::new();
    let keeps = undos.iter().any(|undo| !undo.keep.is_empty());
    let before = keeps.then(|| hook(&source, "beforeEach", &mut splices));
    let after = hook(&source, "afterEach", &mut splices)?;
    let mut text = String::new();
    for undo in undos.iter().filter(|undo| !undo.keep.is_empty()) {
        let _ = writeln!(text, "let {};", undo.kept);
    }
    if let Some(before) = before {
        text.push_str(&block(&before?, undos.iter().flat_map(|undo| &undo.keep)));
    }
    // What was changed last is given back first.
    text.push_str(&block(
        &after,
        undos.iter().rev().flat_map(|undo| &undo.back),
    ));
    splices.push(Splice::insert(
        first.start_byte(),
        format!(
            "// What a test changes is given back: none of them depends on the others.\n{text}\n"
        ),
    ));
    Some(Edit {
        path: path.to_owned(),
        text: apply(source.text(), &splices)?,
    })
}

fn block<'l>(hook: &str, lines: impl Iterator<Item = &'l String>) -> String {
    let mut text = format!("{hook}(() => {{\n");
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
    text.push_str("});\n");
    text
}

/// The statement of the file that declares the first test.
fn first_declaration(source: &Source) -> Option<Node<'_>> {
    let first = declarations(source).next()?;
    top_level(source).find(|statement| {
        statement.start_byte() <= first.start_byte() && first.end_byte() <= statement.end_byte()
    })
}

/// How the file writes a hook: a global of jest's or vitest's, a member of `node:test`, or one more name that is imported.
fn hook(source: &Source, name: &str, splices: &mut Vec<Splice>) -> Option<String> {
    let bindings = source.bindings();
    let runner = bindings.iter().find(|(_, binding)| {
        matches!(binding.module.as_str(), "test" | "vitest" | "@jest/globals")
    });
    if bindings.get(name).is_some_and(|binding| {
        matches!(binding.module.as_str(), "test" | "vitest" | "@jest/globals")
    }) {
        return Some(name.to_owned());
    }
    let Some((_, binding)) = runner else {
        // mocha's other words for the same (https://mochajs.org/#tdd).
        let is_tdd = source.calls().any(|(_, called)| called == "suite");
        let word = match name {
            "beforeEach" if is_tdd => "setup",
            "afterEach" if is_tdd => "teardown",
            name => name,
        };
        return Some(word.to_owned());
    };
    let module = binding.module.clone();
    if module == "test"
        && let Some((bound, _)) = bindings.iter().find(|(_, binding)| {
            binding.module == "test"
                && binding
                    .member
                    .as_deref()
                    .is_none_or(|member| matches!(member, "default" | "test"))
        })
    {
        return Some(format!("{bound}.{name}"));
    }
    // One more among the names that are taken from the runner.
    let list = source.nodes().find(|node| {
        let takes = match node.kind() {
            "named_imports" => node.parent().and_then(|up| up.parent()),
            "object_pattern" => node.parent(),
            _ => None,
        };
        takes.is_some_and(|outer| {
            descendants(outer)
                .filter_map(|inner| source.string(inner))
                .any(|from| crate::node::source::plain(from) == module)
        })
    })?;
    let mut cursor = list.walk();
    let name_before = list.named_children(&mut cursor).last()?;
    splices.push(Splice::insert(name_before.end_byte(), format!(", {name}")));
    Some(name.to_owned())
}

fn undo(case: &Case<'_>, source: &Source, thing: &Thing) -> Option<Undo> {
    let kept = |of: &str| free(source, &format!("{}Before", camel(of)));
    Some(match thing {
        Thing::Variable(name) => {
            let kept = kept(name);
            let place = member("process.env", name);
            Undo {
                keep: vec![format!("{kept} = {place};")],
                back: vec![
                    format!("if ({kept} === undefined) delete {place};"),
                    format!("else {place} = {kept};"),
                ],
                kept,
            }
        }
        Thing::Environment => {
            let kept = kept("environment");
            Undo {
                keep: vec![format!("{kept} = {{ ...process.env }};")],
                back: vec![
                    format!(
                        "for (const name of Object.keys(process.env)) if (!(name in {kept})) delete process.env[name];"
                    ),
                    format!("Object.assign(process.env, {kept});"),
                ],
                kept,
            }
        }
        Thing::Directory => {
            let kept = kept("directory");
            Undo {
                keep: vec![format!("{kept} = process.cwd();")],
                back: vec![format!("process.chdir({kept});")],
                kept,
            }
        }
        Thing::Property(of, name) => {
            let kept = kept(name);
            Undo {
                keep: vec![format!(
                    "{kept} = Object.getOwnPropertyDescriptor({of}, '{name}');"
                )],
                back: vec![
                    format!("if ({kept}) Object.defineProperty({of}, '{name}', {kept});"),
                    format!("else delete {};", member(of, name)),
                ],
                kept,
            }
        }
        Thing::Contents(of, shape) => {
            let kept = kept(of.rsplit('.').next().unwrap_or(of));
            let back = match shape {
                Shape::List => vec![format!("{of}.splice(0, {of}.length, ...{kept});")],
                Shape::Map => vec![
                    format!("{of}.clear();"),
                    format!("for (const [key, value] of {kept}) {of}.set(key, value);"),
                ],
                Shape::Set => vec![
                    format!("{of}.clear();"),
                    format!("for (const value of {kept}) {of}.add(value);"),
                ],
            };
            Undo {
                keep: vec![format!("{kept} = [...{of}];")],
                back,
                kept,
            }
        }
        Thing::Binding(name) => {
            let kept = kept(name);
            Undo {
                keep: vec![format!("{kept} = {name};")],
                back: vec![format!("{name} = {kept};")],
                kept,
            }
        }
        Thing::Double(back, _) => Undo {
            kept: String::new(),
            keep: Vec::new(),
            back: vec![format!("{back};")],
        },
        Thing::File(path) => return of_file(case, source, path),
    })
}

/// A file is taken away again, or gets back what was in it.
fn of_file(case: &Case<'_>, source: &Source, path: &str) -> Option<Undo> {
    let fs = source
        .bindings()
        .into_iter()
        .find(|(_, of)| {
            of.module == "fs"
                && of
                    .member
                    .as_deref()
                    .is_none_or(|member| member == "default")
        })?
        .0;
    let is_new = case
        .tree
        .paths()
        .binary_search_by(|known| known.as_str().cmp(path))
        .is_err();
    if is_new {
        return Some(Undo {
            kept: String::new(),
            keep: Vec::new(),
            back: vec![format!("{fs}.rmSync('{path}', {{ force: true }});")],
        });
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let kept = free(source, &format!("{}Before", camel(name)));
    Some(Undo {
        keep: vec![format!("{kept} = {fs}.readFileSync('{path}');")],
        back: vec![format!("{fs}.writeFileSync('{path}', {kept});")],
        kept,
    })
}

fn member(of: &str, name: &str) -> String {
    let plain = name
        .chars()
        .all(|c| c == '_' || c == '$' || c.is_alphanumeric())
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if plain {
        format!("{of}.{name}")
    } else {
        format!("{of}['{name}']")
    }
}

/// `APP_HOME` as `appHome`.
fn camel(name: &str) -> String {
    let shouted = !name.chars().any(char::is_lowercase);
    let mut word = String::new();
    for part in name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
    {
        let part = if shouted {
            part.to_lowercase()
        } else {
            part.to_owned()
        };
        let mut letters = part.chars();
        match letters.next() {
            Some(first) if !word.is_empty() => word.extend(first.to_uppercase()),
            Some(first) => word.extend(first.to_lowercase()),
            None => {}
        }
        word.extend(letters);
    }
    if word.starts_with(|c: char| c.is_ascii_digit()) || word.is_empty() {
        word.insert_str(0, "state");
    }
    word
}

/// The name, or with a number behind it where the file has that already.
fn free(source: &Source, wanted: &str) -> String {
    let taken = |name: &str| {
        source
            .nodes()
            .any(|node| node.kind().contains("identifier") && source.slice(node) == name)
    };
    std::iter::once(wanted.to_owned())
        .chain((2..100).map(|number| format!("{wanted}{number}")))
        .find(|name| !taken(name))
        .unwrap_or_else(|| wanted.to_owned())
}
