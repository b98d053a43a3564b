//! Directories, modes and the home directory that a test needs and that its own fixture should make.

use maestro_protocol::heal::RuntimeChanges;
use tree_sitter::Node;

use super::candidate;
use crate::case::{Candidate, Case, Edit, Finding};
use crate::classify::subject::Said;
use crate::failure::{Failure, Frame, Phase};
use crate::roles::{Role, Roles};
use crate::source::names::Names;
use crate::source::spelling::Spelling;
use crate::source::{Source, ancestors, descendants, edit};
use crate::strategies::{own_python, place, rank};

/// The path in `[Errno 2] No such file or directory: 'out/result.txt'`.
fn path_of(said: &Said) -> Option<&str> {
    let (_, rest) = said.message.split_once(": '")?;
    rest.split('\'').next()
}

/// A test that writes below a directory which nothing makes.
pub(super) fn directory(case: &Case<'_>, failure: &Failure, said: &Said) -> Vec<Finding> {
    if said.exception != "FileNotFoundError" {
        return Vec::new();
    }
    let Some(path) = path_of(said) else {
        return Vec::new();
    };
    let roles = Roles::of_case(case);
    let Some(frame) = failure
        .innermost_own()
        .filter(|frame| roles.of(&frame.path) == Role::Test)
    else {
        return Vec::new();
    };
    // Nothing is made outside of the project's copy and the places for temporary files.
    if path.starts_with('/') && !path.starts_with("/tmp/") && !path.starts_with("/var/tmp/") {
        return vec![Finding::Lacking(format!(
            "{}:{} writes to {path}, outside of the project: nothing is made there; let the test write below `tmp_path`",
            frame.path, frame.line
        ))];
    }
    made_before(case, frame, &roles).into_iter().collect()
}

fn made_before(case: &Case<'_>, frame: &Frame, roles: &Roles) -> Option<Finding> {
    let source = Source::parse(case.tree.read(&frame.path)?)?;
    let statement = place::statement_at(&source, frame.line)?;
    let written = written_path(&source, statement)?;
    let function = place::function_at(&source, frame.line);
    if let Some(call) = product_call_before(case, &source, function, statement, roles) {
        return Some(Finding::Refuse(format!(
            "{}:{} writes below a directory that is not there, after `{call}` of the product was called, which may have had to make it: the product is what may be broken",
            frame.path, frame.line
        )));
    }
    let names = Names::of(&source);
    let spelling = Spelling::new(&source, &names);
    let makedirs = spelling.write("os", "makedirs", None)?;
    let dirname = spelling.write("os", "path.dirname", None)?;
    let line = match written {
        Written::File(text) => format!("{makedirs}({dirname}({text}), exist_ok=True)"),
        Written::Directory(text) => {
            format!("{makedirs}({dirname}({text}) or \".\", exist_ok=True)")
        }
    };
    let mut splices = vec![place::before(&source, statement, &[line])?];
    splices.extend(spelling.import_splices(&[], &std::collections::BTreeSet::new())?);
    let text = edit::apply(source.text(), &splices)?;
    Some(Finding::Try(candidate(
        format!(
            "{}:{}: the test makes the directory that it writes to",
            frame.path, frame.line
        ),
        vec![Edit {
            path: frame.path.clone(),
            text,
        }],
        RuntimeChanges::default(),
        rank::FIXTURE,
    )))
}

enum Written {
    File(String),
    Directory(String),
}

/// The expression of the path that a statement writes to, where it may be evaluated once more.
fn written_path(source: &Source, statement: Node<'_>) -> Option<Written> {
    descendants(statement)
        .filter(|node| node.kind() == "call")
        .find_map(|call| {
            let target = match place::called(source, call) {
                "open" => {
                    let function = call.child_by_field_name("function")?;
                    let method = function.kind() == "attribute"
                        && !matches!(source.slice(function), "io.open" | "codecs.open");
                    let (path, mode) = if method {
                        (
                            function.child_by_field_name("object")?,
                            place::argument(source, call, 0, "mode")?,
                        )
                    } else {
                        (
                            place::argument(source, call, 0, "file")?,
                            place::argument(source, call, 1, "mode")?,
                        )
                    };
                    let mode = place::string_value(source, mode)?;
                    if !mode.contains(['w', 'a', 'x']) {
                        return None;
                    }
                    path
                }
                "write_text" | "write_bytes" | "touch" => call
                    .child_by_field_name("function")?
                    .child_by_field_name("object")?,
                "mkdir" => {
                    let function = call.child_by_field_name("function")?;
                    let path = if matches!(source.slice(function), "os.mkdir" | "mkdir") {
                        place::argument(source, call, 0, "path")?
                    } else {
                        function.child_by_field_name("object")?
                    };
                    return place::only_looks(source, path)
                        .then(|| Written::Directory(source.slice(path).to_owned()));
                }
                "copy" | "copyfile" | "copy2" | "move" => place::argument(source, call, 1, "dst")?,
                _ => return None,
            };
            place::only_looks(source, target)
                .then(|| Written::File(source.slice(target).to_owned()))
        })
}

/// The product's function that a test has called before a statement, if any: what it was to do is not made up for.
fn product_call_before(
    case: &Case<'_>,
    source: &Source,
    function: Option<Node<'_>>,
    statement: Node<'_>,
    roles: &Roles,
) -> Option<String> {
    let names = Names::of(source);
    let is_own = |qualified: &str| {
        let top = qualified
            .trim_start_matches('.')
            .split('.')
            .next()
            .unwrap_or_default();
        qualified.starts_with('.')
            || own_python(case).any(|path| {
                roles.of(path) == Role::Product
                    && path
                        .split('/')
                        .any(|part| part == top || part.strip_suffix(".py") == Some(top))
            })
    };
    let fixtures: Vec<String> = function
        .and_then(|function| function.child_by_field_name("parameters"))
        .map(|parameters| {
            descendants(parameters)
                .filter(|node| node.kind() == "identifier")
                .map(|node| source.slice(node).to_owned())
                .collect()
        })
        .unwrap_or_default();
    names
        .uses()
        .into_iter()
        .filter(|used| used.node.end_byte() <= statement.start_byte() && is_own(&used.qualified))
        .filter(|used| {
            ancestors(used.node).any(|around| match function {
                Some(function) if around.id() == function.id() => true,
                // A fixture of the file that the test asks for, and what a class sets up.
                _ => {
                    around.kind() == "function_definition" && {
                        let name = place::name_of(source, around);
                        fixtures.iter().any(|fixture| fixture == name)
                            || name.starts_with("setUp")
                            || name.starts_with("setup")
                    }
                }
            })
        })
        .find(|used| {
            used.node
                .parent()
                .is_some_and(|parent| parent.kind() == "call")
        })
        .map(|used| used.qualified)
}

/// A program of the tests' own that has lost the right to be executed.
pub(super) fn mode(case: &Case<'_>, failure: &Failure, said: &Said) -> Vec<Finding> {
    if said.exception != "PermissionError" || failure.phase != Phase::Call {
        return Vec::new();
    }
    let Some(name) = path_of(said) else {
        return Vec::new();
    };
    let started =
        failure.frames.iter().rev().any(|frame| {
            frame.path.ends_with("/subprocess.py") || frame.function.starts_with("exec")
        });
    let roles = Roles::of_case(case);
    let bare = name.trim_start_matches("./");
    let program = case
        .tree
        .paths()
        .iter()
        .filter(|path| bare == path.as_str() || bare.ends_with(&format!("/{path}")))
        .max_by_key(|path| path.len());
    let Some(program) = program.filter(|_| started) else {
        return Vec::new();
    };
    if roles.of(program) != Role::Test {
        return vec![Finding::Refuse(format!(
            "{program} is part of the product and may not be executed: its mode is the product's to give, not the test's"
        ))];
    }
    executable(case, failure, program)
        .map(Finding::Try)
        .into_iter()
        .collect()
}

fn executable(case: &Case<'_>, failure: &Failure, program: &str) -> Option<Candidate> {
    let id = failure.test.as_deref()?;
    let path = id.split("::").next()?;
    let source = Source::parse(case.tree.read(path)?)?;
    let function = place::function_of_test(&source, id)?;
    let names = Names::of(&source);
    let spelling = Spelling::new(&source, &names);
    let chmod = spelling.write("os", "chmod", None)?;
    let join = spelling.write("os", "path.join", None)?;
    let dirname = spelling.write("os", "path.dirname", None)?;
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let relative = if directory.is_empty() {
        program
    } else {
        program.strip_prefix(directory)?.strip_prefix('/')?
    };
    let line = format!("{chmod}({join}({dirname}(__file__), \"{relative}\"), 0o755)");
    let mut splices = vec![place::at_start(&source, function, &[line])?];
    splices.extend(spelling.import_splices(&[], &std::collections::BTreeSet::new())?);
    let text = edit::apply(source.text(), &splices)?;
    Some(candidate(
        format!("{path}: the test makes {program}, which it runs, executable"),
        vec![Edit {
            path: path.to_owned(),
            text,
        }],
        RuntimeChanges::default(),
        rank::FIXTURE,
    ))
}

/// A home directory that is not there or may not be written: the test gets one of its own.
pub(super) fn home(case: &Case<'_>, failure: &Failure, said: &Said) -> Vec<Finding> {
    let denied = said.exception == "PermissionError"
        || said.exception == "OSError" && said.message.contains("Read-only file system")
        || said.exception == "FileNotFoundError"
        || said.exception == "RuntimeError" && said.message.contains("home directory");
    let Some(path) = path_of(said).or(Some("")).filter(|_| denied) else {
        return Vec::new();
    };
    let in_project = !path.is_empty() && !path.starts_with('/') || path.starts_with("/tmp/");
    let asks_for_home = failure.frames.iter().any(|frame| {
        !frame.path.starts_with('/')
            && case.tree.read(&frame.path).is_some_and(|text| {
                text.contains("Path.home()")
                    || text.contains("expanduser")
                    || text.contains("\"HOME\"")
                    || text.contains("'HOME'")
            })
    });
    if in_project || !asks_for_home {
        return Vec::new();
    }
    home_of_its_own(case, failure)
        .map(Finding::Try)
        .into_iter()
        .collect()
}

fn home_of_its_own(case: &Case<'_>, failure: &Failure) -> Option<Candidate> {
    let id = failure.test.as_deref()?;
    let path = id.split("::").next()?;
    let source = Source::parse(case.tree.read(path)?)?;
    let function = place::function_of_test(&source, id)?;
    if !place::takes_fixtures(&source, function) || source.slice(function).contains("HOME") {
        return None;
    }
    let mut splices = place::with_fixtures(&source, function, &["monkeypatch", "tmp_path"])?;
    splices.push(place::at_start(
        &source,
        function,
        &["monkeypatch.setenv(\"HOME\", str(tmp_path))".to_owned()],
    )?);
    let text = edit::apply(source.text(), &splices)?;
    Some(candidate(
        format!(
            "{path}: the test gets a home directory of its own, where nothing stands in its way"
        ),
        vec![Edit {
            path: path.to_owned(),
            text,
        }],
        RuntimeChanges::default(),
        rank::FIXTURE,
    ))
}

/// A fixed port that is taken: the test asks the system for a free one.
pub(super) fn port(case: &Case<'_>, failure: &Failure, said: &Said) -> Vec<Finding> {
    if !said.message.contains("Address already in use") {
        return Vec::new();
    }
    let roles = Roles::of_case(case);
    let Some(frame) = failure.innermost_own() else {
        return Vec::new();
    };
    if roles.of(&frame.path) == Role::Product {
        return vec![Finding::Refuse(format!(
            "the product binds a port that is taken ({}:{}): that it gives its port back when it is closed is its own affair",
            frame.path, frame.line
        ))];
    }
    free_port(case, frame, &roles).into_iter().collect()
}

fn free_port(case: &Case<'_>, frame: &Frame, roles: &Roles) -> Option<Finding> {
    let source = Source::parse(case.tree.read(&frame.path)?)?;
    let statement = place::statement_at(&source, frame.line)?;
    // The port's constant: a plain assignment of a number at the top of the file, which the failing line names.
    let names: Vec<&str> = descendants(statement)
        .filter(|node| node.kind() == "identifier")
        .map(|node| source.slice(node))
        .collect();
    let constant = source
        .nodes()
        .filter(|node| node.kind() == "assignment")
        .filter(|node| {
            node.parent()
                .and_then(|parent| parent.parent())
                .is_some_and(|outer| outer.kind() == "module")
        })
        .find_map(|node| {
            let (left, right) = (
                node.child_by_field_name("left")?,
                node.child_by_field_name("right")?,
            );
            (names.contains(&source.slice(left)) && right.kind() == "integer")
                .then_some((left, right))
        });
    let (left, right) = constant?;
    let number = source.slice(right);
    // Where the product knows the number too, it may be the one that holds it.
    let holder = own_python(case)
        .filter(|path| roles.of(path) == Role::Product)
        .find(|path| {
            case.tree
                .read(path)
                .is_some_and(|text| text.contains(number))
        });
    if let Some(holder) = holder {
        return Some(Finding::Refuse(format!(
            "port {number} is taken, and {holder} of the product uses it as well: whether the product holds it longer than it should is for a person to see"
        )));
    }
    if let Some(call) = product_call_before(
        case,
        &source,
        place::function_at(&source, frame.line),
        statement,
        roles,
    ) {
        return Some(Finding::Refuse(format!(
            "port {number} is taken after `{call}` of the product was called, which may hold it longer than it should"
        )));
    }
    let names = Names::of(&source);
    if names.is_taken("_free_port") {
        return None;
    }
    let spelling = Spelling::new(&source, &names);
    let socket = spelling.write("socket", "socket", None)?;
    let newline = source.newline();
    let function = [
        "def _free_port():",
        &format!("    with {socket}() as probe:"),
        "        probe.bind((\"127.0.0.1\", 0))",
        "        return probe.getsockname()[1]",
        "",
        "",
        "",
    ]
    .join(newline);
    let start = left.parent()?.start_byte();
    let mut splices = vec![
        edit::Splice::insert(start, function),
        edit::Splice::replace(right.byte_range(), "_free_port()"),
    ];
    splices.extend(spelling.import_splices(&[], &std::collections::BTreeSet::new())?);
    let text = edit::apply(source.text(), &splices)?;
    Some(Finding::Try(candidate(
        format!(
            "{}: the test asks the system for a free port in place of {number}, which is taken",
            frame.path
        ),
        vec![Edit {
            path: frame.path.clone(),
            text,
        }],
        RuntimeChanges::default(),
        rank::FIXTURE,
    )))
}
