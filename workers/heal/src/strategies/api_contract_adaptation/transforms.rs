//! The few ports that data cannot say, each by the name that its rule calls it by. Every one returns `None` where
//! it is unsure, and nothing where nothing is concerned.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::port::Order;
use crate::source::edit::Splice;
use crate::source::names::{Names, is_load};
use crate::source::{Source, ancestors, arguments, descendants};
use crate::strategies::place;

/// A transformation of one file.
type Transform = fn(&Source, &Names<'_>, &Order<'_>) -> Option<Vec<Splice>>;

const ALL: &[(&str, Transform)] = &[
    ("nose_style_setup", nose_style_setup),
    ("hook_arguments", hook_arguments),
    ("inline_flags", inline_flags),
    ("called_fixtures", called_fixtures),
    ("marks_on_fixtures", marks_on_fixtures),
    ("warns_none", warns_none),
    ("universal_newlines", universal_newlines),
    ("yield_tests", super::yield_tests::yield_tests),
    ("stream_encoding", super::streams::stream_encoding),
    ("argspec_fields", super::argspec::argspec_fields),
    ("generator_end", super::generators::generator_end),
    ("from_parent", super::nodes::from_parent),
    ("raised_text", super::raised::raised_text),
];

/// Words of which a file has one where a transformation concerns it.
pub(super) fn words(name: &str) -> &'static [&'static str] {
    match name {
        "nose_style_setup" => &["def setup(", "def teardown(", ".setup(", ".teardown("],
        "hook_arguments" => &["def pytest_"],
        "inline_flags" => &["(?"],
        "called_fixtures" | "marks_on_fixtures" => &["fixture"],
        "warns_none" => &["warns"],
        "universal_newlines" => &["U"],
        "yield_tests" => &["yield"],
        "stream_encoding" => &[".encoding"],
        "argspec_fields" => &["getfullargspec"],
        "from_parent" => &["parent", "collector"],
        "raised_text" => &["raises"],
        "generator_end" => &["StopIteration", "next("],
        _ => &[],
    }
}

/// Runs one by its name.
pub(super) fn run(
    name: &str,
    source: &Source,
    names: &Names<'_>,
    order: &Order<'_>,
) -> Option<Vec<Splice>> {
    let (_, transform) = ALL.iter().find(|(known, _)| *known == name)?;
    transform(source, names, order)
}

/// `setup` and `teardown` of test classes, which pytest called until 8 as nose did, become `setup_method` and
/// `teardown_method`, which it has always called.
fn nose_style_setup(source: &Source, _: &Names<'_>, _: &Order<'_>) -> Option<Vec<Splice>> {
    let mut splices = Vec::new();
    for node in source.nodes() {
        match node.kind() {
            "function_definition" => {
                let name = node.child_by_field_name("name")?;
                if let Some(new) = nose_name(source.slice(name))
                    && let Some(class) = method_of(node)
                    && !is_unittest(source, class)
                    && !defines(source, class, new)
                {
                    splices.push(Splice::replace(name.byte_range(), new));
                }
            }
            // `super().setup()`, `Base.setup(self)`, `self.setup()`: the method that was renamed.
            "attribute" => {
                let (object, name) = (
                    node.child_by_field_name("object")?,
                    node.child_by_field_name("attribute")?,
                );
                let Some(new) = nose_name(source.slice(name)) else {
                    continue;
                };
                let Some(class) = ancestors(node).find(|a| a.kind() == "class_definition") else {
                    continue;
                };
                let object = source.slice(object);
                let own = object == "self"
                    || object.starts_with("super(")
                    || object.starts_with(char::is_uppercase);
                if own && !is_unittest(source, class) {
                    splices.push(Splice::replace(name.byte_range(), new));
                }
            }
            _ => {}
        }
    }
    Some(splices)
}

fn nose_name(name: &str) -> Option<&'static str> {
    match name {
        "setup" => Some("setup_method"),
        "teardown" => Some("teardown_method"),
        _ => None,
    }
}

/// Whether a nose-style `setup` of this file binds an attribute: its absence is then explained by `setup` not being
/// called any more.
pub(super) fn setup_binds(source: &Source, attribute: &str) -> bool {
    source
        .nodes()
        .filter(|node| node.kind() == "function_definition")
        .any(|function| {
            let named = function
                .child_by_field_name("name")
                .is_some_and(|name| source.slice(name) == "setup");
            let Some(class) = method_of(function).filter(|_| named) else {
                return false;
            };
            !is_unittest(source, class)
                && descendants(function).any(|node| {
                    node.kind() == "attribute"
                        && node
                            .child_by_field_name("attribute")
                            .is_some_and(|name| source.slice(name) == attribute)
                        && is_assigned(node)
                })
        })
}

fn is_assigned(node: Node<'_>) -> bool {
    ancestors(node)
        .take_while(|a| !a.kind().ends_with("_statement"))
        .chain(node.parent())
        .any(|ancestor| {
            matches!(ancestor.kind(), "assignment" | "with_item" | "as_pattern")
                && ancestor
                    .child_by_field_name("left")
                    .or_else(|| ancestor.child_by_field_name("alias"))
                    .is_some_and(|left| left.byte_range().contains(&node.start_byte()))
        })
}

/// The class that a method belongs to, where it takes only itself.
fn method_of(function: Node<'_>) -> Option<Node<'_>> {
    let parameters = function.child_by_field_name("parameters")?;
    let block = function
        .parent()
        .filter(|parent| parent.kind() == "block")?;
    let class = block
        .parent()
        .filter(|parent| parent.kind() == "class_definition")?;
    (parameters.named_child_count() == 1).then_some(class)
}

/// `unittest` has its own names, and calls them itself.
fn is_unittest(source: &Source, class: Node<'_>) -> bool {
    class
        .child_by_field_name("superclasses")
        .is_some_and(|bases| source.slice(bases).contains("TestCase"))
}

fn defines(source: &Source, class: Node<'_>, method: &str) -> bool {
    descendants(class).any(|node| {
        node.kind() == "function_definition"
            && node
                .child_by_field_name("name")
                .is_some_and(|name| source.slice(name) == method)
    })
}

/// Hooks whose `py.path.local` arguments pytest 9 no longer passes, the `pathlib.Path` that it passes instead, and
/// what was used of the one by what it is called in the other.
const PATH_ARGUMENTS: &[(&str, &str, &str)] = &[
    ("pytest_ignore_collect", "path", "collection_path"),
    ("pytest_collect_file", "path", "file_path"),
    ("pytest_pycollect_makemodule", "path", "module_path"),
    ("pytest_report_header", "startdir", "start_path"),
    ("pytest_report_collectionfinish", "startdir", "start_path"),
];

fn hook_arguments(source: &Source, _: &Names<'_>, _: &Order<'_>) -> Option<Vec<Splice>> {
    let mut splices = Vec::new();
    for function in source
        .nodes()
        .filter(|node| node.kind() == "function_definition")
    {
        let name = source.slice(function.child_by_field_name("name")?);
        for (hook, old, new) in PATH_ARGUMENTS {
            if name == *hook {
                splices.extend(path_argument(source, function, old, new)?);
            }
        }
    }
    Some(splices)
}

fn path_argument(source: &Source, function: Node<'_>, old: &str, new: &str) -> Option<Vec<Splice>> {
    let parameters = function.child_by_field_name("parameters")?;
    let takes = descendants(parameters)
        .any(|node| node.kind() == "identifier" && source.slice(node) == old);
    if !takes {
        return Some(Vec::new());
    }
    let mut splices = Vec::new();
    for node in descendants(function)
        .filter(|node| node.kind() == "identifier" && source.slice(*node) == old)
    {
        let parent = node.parent()?;
        if parent.id() == parameters.id() {
            splices.push(Splice::replace(node.byte_range(), new));
        } else if is_load(node) {
            splices.push(path_use(source, node, parent, new)?);
        }
    }
    Some(splices)
}

/// What was done with a `py.path.local`, done with a `pathlib.Path`; `None` for what has no equal.
fn path_use(source: &Source, node: Node<'_>, parent: Node<'_>, new: &str) -> Option<Splice> {
    if parent.kind() == "argument_list" {
        let function = parent.parent()?.child_by_field_name("function")?;
        return matches!(source.slice(function), "str" | "repr")
            .then(|| Splice::replace(node.byte_range(), new));
    }
    let attribute = source.slice(parent.child_by_field_name("attribute")?);
    let call = parent.parent().filter(|outer| {
        outer.kind() == "call"
            && outer
                .child_by_field_name("function")
                .is_some_and(|f| f.id() == parent.id())
    });
    match (attribute, call) {
        ("basename", None) => Some(Splice::replace(parent.byte_range(), format!("{new}.name"))),
        ("ext", None) => Some(Splice::replace(
            parent.byte_range(),
            format!("{new}.suffix"),
        )),
        ("purebasename", None) => Some(Splice::replace(parent.byte_range(), format!("{new}.stem"))),
        ("strpath", None) => Some(Splice::replace(parent.byte_range(), format!("str({new})"))),
        ("check", Some(call)) if arguments(call).is_empty() => Some(Splice::replace(
            parent.byte_range(),
            format!("{new}.exists"),
        )),
        _ => None,
    }
}

/// `a(?i)b` means `(?i)ab`; since 3.11 it must be written so.
#[expect(
    clippy::unnecessary_wraps,
    reason = "one signature for all transformations"
)]
fn inline_flags(source: &Source, _: &Names<'_>, order: &Order<'_>) -> Option<Vec<Splice>> {
    let mut splices = Vec::new();
    for content in source
        .nodes()
        .filter(|node| node.kind() == "string_content")
    {
        let first = Source::line(content);
        let last = u32::try_from(content.end_position().row).map_or(u32::MAX, |row| row + 1);
        if order.hot.range(first..=last).next().is_none() {
            continue;
        }
        let text = source.slice(content);
        let Some(at) = text.find("(?") else { continue };
        let Some(end) = text[at..].find(')').map(|end| at + end + 1) else {
            continue;
        };
        let flags = &text[at + 2..end - 1];
        if at == 0 || flags.is_empty() || !flags.bytes().all(|b| b"aiLmsux".contains(&b)) {
            continue;
        }
        splices.push(Splice::replace(
            content.byte_range(),
            format!("{}{}{}", &text[at..end], &text[..at], &text[end..]),
        ));
    }
    Some(splices)
}

/// `open(path, "rU")`: Python 3 reads all line endings alike anyway, and since 3.11 does not take the letter.
fn universal_newlines(source: &Source, _: &Names<'_>, _: &Order<'_>) -> Option<Vec<Splice>> {
    let mut splices = Vec::new();
    for call in source.nodes().filter(|node| node.kind() == "call") {
        let function = source.slice(call.child_by_field_name("function")?);
        if function.rsplit('.').next() != Some("open") {
            continue;
        }
        for content in arguments(call)
            .into_iter()
            .flat_map(descendants)
            .filter(|node| node.kind() == "string_content")
        {
            let new = match source.slice(content) {
                "rU" | "Ur" | "U" => "r",
                "rbU" | "rUb" | "Urb" => "rb",
                _ => continue,
            };
            splices.push(Splice::replace(content.byte_range(), new));
        }
    }
    Some(splices)
}

/// A mark on a fixture never had an effect; since pytest 9 it is an error.
fn marks_on_fixtures(source: &Source, names: &Names<'_>, _: &Order<'_>) -> Option<Vec<Splice>> {
    let called = |node: Node<'_>| {
        let expression = node.named_child(0)?;
        let function = if expression.kind() == "call" {
            expression.child_by_field_name("function")?
        } else {
            expression
        };
        Some(source.slice(function).to_owned())
    };
    let mut splices = Vec::new();
    for decorated in source
        .nodes()
        .filter(|node| node.kind() == "decorated_definition")
    {
        let mut cursor = decorated.walk();
        let decorators: Vec<_> = decorated
            .children(&mut cursor)
            .filter(|node| node.kind() == "decorator")
            .collect();
        let is_fixture = decorators.iter().any(|node| {
            called(*node).is_some_and(|name| {
                name == "pytest.fixture"
                    || (name == "fixture" && names.local_for("pytest.fixture").is_some())
            })
        });
        if !is_fixture {
            continue;
        }
        for node in decorators {
            if called(node).is_some_and(|name| name.starts_with("pytest.mark.")) {
                let next = node.next_named_sibling()?;
                splices.push(Splice::replace(node.start_byte()..next.start_byte(), ""));
            }
        }
    }
    Some(splices)
}

/// A fixture of the file that a test or another fixture calls once, without arguments, is asked for by its name; while it
/// runs, where it is called under a condition
/// (<https://docs.pytest.org/en/stable/reference/reference.html#pytest.FixtureRequest.getfixturevalue>). What calls it twice wants two,
/// which a fixture does not give. One of another module that is called with what it takes is the thing under test: what is
/// called is the function that was made a fixture (<https://docs.python.org/3/library/functools.html#functools.update_wrapper>).
fn called_fixtures(source: &Source, names: &Names<'_>, order: &Order<'_>) -> Option<Vec<Splice>> {
    let is_fixture = |function: Node<'_>| {
        function
            .parent()
            .filter(|parent| parent.kind() == "decorated_definition")
            .is_some_and(|decorated| {
                let mut cursor = decorated.walk();
                decorated
                    .children(&mut cursor)
                    .filter(|node| node.kind() == "decorator")
                    .flat_map(descendants)
                    .filter_map(|node| names.resolve(node))
                    .any(|used| used.qualified == "pytest.fixture")
            })
    };
    let functions = |wanted: &dyn Fn(Node<'_>) -> bool| -> Vec<_> {
        source
            .nodes()
            .filter(|node| node.kind() == "function_definition" && wanted(*node))
            .collect()
    };
    let fixtures: BTreeSet<&str> = functions(&is_fixture)
        .into_iter()
        .map(|function| place::name_of(source, function))
        .collect();
    let mut splices = Vec::new();
    let asks = |function: Node<'_>| is_fixture(function) || place::takes_fixtures(source, function);
    for function in functions(&asks) {
        let body = function.child_by_field_name("body")?;
        let (mut called, mut asked): (Vec<&str>, Vec<&str>) = Default::default();
        for call in descendants(body).filter(|node| node.kind() == "call") {
            let name = source.slice(call.child_by_field_name("function")?);
            if !fixtures.contains(name) {
                continue;
            }
            if called.contains(&name) || !arguments(call).is_empty() {
                return None;
            }
            called.push(name);
            if is_conditional(call, body) {
                asked.push("request");
                let text = format!("request.getfixturevalue(\"{name}\")");
                splices.push(Splice::replace(call.byte_range(), text));
            } else {
                asked.push(name);
                splices.push(Splice::replace(call.byte_range(), name));
            }
        }
        asked.dedup();
        splices.extend(place::with_fixtures(source, function, &asked)?);
    }
    for call in source.nodes().filter(|node| node.kind() == "call") {
        let function = call.child_by_field_name("function")?;
        let is_named = names.resolve(function).is_some_and(|used| {
            used.qualified.contains('.') && used.qualified.rsplit('.').next() == order.fixture
        });
        if is_named && !arguments(call).is_empty() {
            splices.push(Splice::insert(function.end_byte(), ".__wrapped__"));
        }
    }
    Some(splices)
}

/// Whether an expression may not be evaluated when the body of its function runs, or fails where the body expects it to: a fixture that
/// is asked for by its name is set up all the same, before the body.
fn is_conditional(expression: Node<'_>, body: Node<'_>) -> bool {
    std::iter::successors(expression.parent(), Node::parent)
        .take_while(|node| node.id() != body.id())
        .any(|node| {
            matches!(
                node.kind(),
                "if_statement"
                    | "conditional_expression"
                    | "boolean_operator"
                    | "while_statement"
                    | "for_statement"
                    | "try_statement"
                    | "match_statement"
                    | "lambda"
                    | "function_definition"
            )
        })
}

/// `pytest.warns(None)` recorded every warning; the standard library's own way of doing that, as pytest's
/// documentation says.
fn warns_none(source: &Source, names: &Names<'_>, _: &Order<'_>) -> Option<Vec<Splice>> {
    let mut splices = Vec::new();
    for statement in source
        .nodes()
        .filter(|node| node.kind() == "with_statement")
    {
        let clause = statement.named_child(0)?;
        let call = descendants(clause).find(|node| {
            node.kind() == "call"
                && node
                    .child_by_field_name("function")
                    .and_then(|function| names.resolve(function))
                    .is_some_and(|used| used.qualified == "pytest.warns")
                && arguments(*node)
                    .first()
                    .is_some_and(|argument| argument.kind() == "none")
        });
        let Some(call) = call else { continue };
        let body = statement.child_by_field_name("body")?;
        let first = body.named_child(0)?;
        let indent = source.indent_of(first.start_byte())?;
        splices.push(Splice::replace(
            call.byte_range(),
            "warnings.catch_warnings(record=True)",
        ));
        splices.push(Splice::insert(
            first.start_byte(),
            format!(
                "warnings.simplefilter(\"always\"){}{indent}",
                source.newline()
            ),
        ));
    }
    if !splices.is_empty() && names.local_for("warnings").is_none() {
        let import = names
            .imports
            .iter()
            .find(|import| import.at_top() && import.module() == "pytest")?;
        splices.push(Splice::insert(
            import.statement.start_byte(),
            format!("import warnings{}", source.newline()),
        ));
    }
    Some(splices)
}

/// The names of methods that a file's classes define, of those asked for.
pub(super) fn defined(source: &Source, wanted: &BTreeSet<&str>) -> BTreeSet<String> {
    source
        .nodes()
        .filter(|node| node.kind() == "function_definition")
        .filter(|node| {
            node.parent()
                .and_then(|block| block.parent())
                .is_some_and(|owner| owner.kind() == "class_definition")
        })
        .filter_map(|node| node.child_by_field_name("name"))
        .map(|name| source.slice(name))
        .filter(|name| wanted.contains(name))
        .map(str::to_owned)
        .collect()
}
