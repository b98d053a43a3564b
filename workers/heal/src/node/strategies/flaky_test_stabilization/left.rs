//! What a test's own code leaves otherwise than it found it, as its text says: whatever it assigns to, adds to or deletes
//! from, where that is not its own.

use tree_sitter::Node;

use super::super::scene::Scene;
use crate::case::Case;
use crate::node::source::{Binding, Source, arguments};
use crate::source::{ancestors, descendants};

/// One thing that outlives a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Thing {
    /// A variable of the environment.
    Variable(String),
    /// All of them.
    Environment,
    /// The working directory.
    Directory,
    /// A property: of what, and its name.
    Property(String, String),
    /// What is in a list, a map or a set.
    Contents(String, Shape),
    /// A variable of the file itself.
    Binding(String),
    /// Timers, spies or stubs of the runner's own: the call that takes them back, and what people call them.
    Double(String, &'static str),
    /// A file of the project, new or written over.
    File(String),
}

/// What a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    List,
    Map,
    Set,
}

impl Thing {
    /// What people call it.
    pub(super) fn called(&self) -> String {
        match self {
            Self::Variable(name) => format!("the environment variable `{name}`"),
            Self::Environment => "the environment's variables".to_owned(),
            Self::Directory => "the working directory".to_owned(),
            Self::Property(of, name) => format!("`{of}.{name}`"),
            Self::Contents(of, _) => format!("what is in `{of}`"),
            Self::Binding(name) => format!("`{name}`"),
            Self::Double(_, what) => (*what).to_owned(),
            Self::File(path) => format!("the file `{path}`"),
        }
    }
}

/// Objects that every file has.
const GLOBALS: [&str; 11] = [
    "globalThis",
    "global",
    "window",
    "Math",
    "Date",
    "console",
    "process",
    "Array",
    "Object",
    "String",
    "JSON",
];

/// Methods by which a list, a map or a set changes.
const CHANGING: &[(&str, Option<Shape>)] = &[
    ("push", Some(Shape::List)),
    ("pop", Some(Shape::List)),
    ("shift", Some(Shape::List)),
    ("unshift", Some(Shape::List)),
    ("splice", Some(Shape::List)),
    ("sort", Some(Shape::List)),
    ("reverse", Some(Shape::List)),
    ("fill", Some(Shape::List)),
    ("set", Some(Shape::Map)),
    ("add", Some(Shape::Set)),
    ("delete", None),
    ("clear", None),
];

/// Calls of the runner's own that outlive the test that makes them, what takes them back, and what people call them.
const DOUBLES: &[(&str, &str, &str)] = &[
    ("useFakeTimers", "useRealTimers", "the runner's fake timers"),
    ("spyOn", "restoreAllMocks", "what is spied on"),
    (
        "replaceProperty",
        "restoreAllMocks",
        "a property that is replaced",
    ),
    ("stubEnv", "unstubAllEnvs", "variables that are stubbed"),
    ("stubGlobal", "unstubAllGlobals", "globals that are stubbed"),
    ("timers.enable", "timers.reset", "the runner's fake timers"),
    ("method", "restoreAll", "a method that is mocked"),
    ("getter", "restoreAll", "a getter that is mocked"),
    ("setter", "restoreAll", "a setter that is mocked"),
];

/// What the test leaves, in the order of its text.
pub(super) fn by(case: &Case<'_>, scene: &Scene) -> Vec<Thing> {
    let mut found = Vec::new();
    for node in scene.own() {
        for thing in of_node(case, scene, node) {
            if !found.contains(&thing) {
                found.push(thing);
            }
        }
    }
    found
}

fn of_node(case: &Case<'_>, scene: &Scene, node: Node<'_>) -> Vec<Thing> {
    let source = &scene.source;
    match node.kind() {
        "assignment_expression" | "augmented_assignment_expression" => node
            .child_by_field_name("left")
            .and_then(|target| target_of(scene, target))
            .into_iter()
            .collect(),
        "update_expression" => node
            .child_by_field_name("argument")
            .and_then(|target| target_of(scene, target))
            .into_iter()
            .collect(),
        "unary_expression" if source.slice(node).starts_with("delete") => node
            .child_by_field_name("argument")
            .and_then(|target| target_of(scene, target))
            .into_iter()
            .collect(),
        "call_expression" => called(case, scene, node),
        _ => Vec::new(),
    }
}

/// What is assigned to, where it is not the test's own.
fn target_of(scene: &Scene, target: Node<'_>) -> Option<Thing> {
    let source = &scene.source;
    if target.kind() == "identifier" {
        let name = source.slice(target);
        let (_, changes) = scene.declared(name)?;
        return (changes && !is_local(source, target, name))
            .then(|| Thing::Binding(name.to_owned()));
    }
    let object = target.child_by_field_name("object")?;
    let name = match target.kind() {
        "member_expression" => source.slice(target.child_by_field_name("property")?),
        "subscript_expression" => match source.string(target.child_by_field_name("index")?) {
            Some(name) => name,
            None if source.slice(object) == "process.env" => return Some(Thing::Environment),
            None => return None,
        },
        _ => return None,
    };
    let of = source.slice(object);
    if of == "process.env" {
        return Some(Thing::Variable(name.to_owned()));
    }
    if source.slice(target) == "process.env" {
        return Some(Thing::Environment);
    }
    is_shared(scene, object).then(|| Thing::Property(of.to_owned(), name.to_owned()))
}

/// Whether an object is one that other tests see as well: what is imported, a global, or a name of the file's top level.
fn is_shared(scene: &Scene, object: Node<'_>) -> bool {
    let Some(root) = root_of(object) else {
        return false;
    };
    let name = scene.source.slice(root);
    if is_local(&scene.source, root, name) {
        return false;
    }
    GLOBALS.contains(&name) || scene.bindings.contains_key(name) || scene.declared(name).is_some()
}

/// The name that a chain of members begins with; none where one of its links is a call.
fn root_of(object: Node<'_>) -> Option<Node<'_>> {
    match object.kind() {
        "identifier" => Some(object),
        "member_expression" => root_of(object.child_by_field_name("object")?),
        _ => None,
    }
}

/// Whether a function around the node declares the name itself, as a variable or a parameter.
fn is_local(source: &Source, node: Node<'_>, name: &str) -> bool {
    ancestors(node)
        .filter(|outer| crate::node::source::is_function(*outer))
        .any(|function| {
            let parameter = function
                .child_by_field_name("parameters")
                .into_iter()
                .chain(function.child_by_field_name("parameter"))
                .flat_map(descendants)
                .any(|node| node.kind() == "identifier" && source.slice(node) == name);
            parameter
                || descendants(function)
                    .filter(|node| node.kind() == "variable_declarator")
                    .filter_map(|node| node.child_by_field_name("name"))
                    .flat_map(descendants)
                    .any(|node| {
                        matches!(
                            node.kind(),
                            "identifier" | "shorthand_property_identifier_pattern"
                        ) && source.slice(node) == name
                    })
        })
}

fn called(case: &Case<'_>, scene: &Scene, call: Node<'_>) -> Vec<Thing> {
    let source = &scene.source;
    let Some(function) = call.child_by_field_name("function") else {
        return Vec::new();
    };
    let text = source.slice(function);
    let given = arguments(call);
    if text == "process.chdir" {
        return vec![Thing::Directory];
    }
    if matches!(text, "Object.assign" | "Object.defineProperty") {
        return assigned(scene, &given);
    }
    if let Some(double) = double(text) {
        return vec![double];
    }
    let (Some(object), Some(method)) = (
        function.child_by_field_name("object"),
        function.child_by_field_name("property"),
    ) else {
        return written(scene, text, &given).into_iter().collect();
    };
    let method = source.slice(method);
    if let Some((_, shape)) = CHANGING.iter().find(|(name, _)| *name == method)
        && is_shared(scene, object)
        && let Some(known) = shape_of(case, scene, object)
        && shape.is_none_or(|shape| shape == known)
    {
        return vec![Thing::Contents(source.slice(object).to_owned(), known)];
    }
    written(scene, text, &given).into_iter().collect()
}

/// `Object.assign(shared, { a: 1 })`, `Object.defineProperty(shared, 'a', …)`.
fn assigned(scene: &Scene, given: &[Node<'_>]) -> Vec<Thing> {
    let [object, what, ..] = given else {
        return Vec::new();
    };
    let of = scene.source.slice(*object);
    let made = |name: &str| match of {
        "process.env" => Thing::Variable(name.to_owned()),
        _ => Thing::Property(of.to_owned(), name.to_owned()),
    };
    if of != "process.env" && !is_shared(scene, *object) {
        return Vec::new();
    }
    if let Some(name) = scene.source.string(*what) {
        return vec![made(name)];
    }
    let mut cursor = what.walk();
    what.named_children(&mut cursor)
        .filter_map(|pair| match pair.kind() {
            "pair" => pair.child_by_field_name("key"),
            "shorthand_property_identifier" => Some(pair),
            _ => None,
        })
        .map(|key| made(scene.source.slice(key).trim_matches(['\'', '"'])))
        .collect()
}

/// A double of the runner's that stays. What a test's own context mocks ends with the test.
fn double(called: &str) -> Option<Thing> {
    let (owner, method) = called.split_once('.')?;
    if !matches!(owner, "jest" | "vi" | "vitest" | "mock") {
        return None;
    }
    let (_, back, what) = DOUBLES.iter().find(|(name, _, _)| *name == method)?;
    let of_node = owner == "mock";
    (of_node == matches!(*back, "restoreAll" | "timers.reset"))
        .then(|| Thing::Double(format!("{owner}.{back}()"), what))
}

/// A file whose path the test writes out.
fn written(scene: &Scene, called: &str, given: &[Node<'_>]) -> Option<Thing> {
    let last = called.rsplit('.').next().unwrap_or(called);
    if !matches!(
        last,
        "writeFileSync" | "writeFile" | "appendFileSync" | "appendFile"
    ) {
        return None;
    }
    let path = scene.source.string(*given.first()?)?;
    let inside = !path.starts_with(['/', '~']) && !path.split('/').any(|part| part == "..");
    inside.then(|| Thing::File(path.strip_prefix("./").unwrap_or(path).to_owned()))
}

/// What an object is, where the code that makes it says so: in this file, or in the module that it comes from.
fn shape_of(case: &Case<'_>, scene: &Scene, object: Node<'_>) -> Option<Shape> {
    let source = &scene.source;
    let root = root_of(object)?;
    let name = source.slice(root);
    let last = match object.kind() {
        "member_expression" => source.slice(object.child_by_field_name("property")?),
        _ => name,
    };
    if object.kind() == "identifier"
        && let Some((value, _)) = scene.declared(name)
        && let Some(shape) = value.and_then(|value| literal(source, value))
    {
        return Some(shape);
    }
    let binding = scene.bindings.get(name);
    let other = binding
        .and_then(|binding| module_of(case, &scene.path, binding))
        .and_then(|path| Source::parse(&path, case.tree.read(&path)?));
    let wanted = match (object.kind(), binding.and_then(|of| of.member.as_deref())) {
        ("identifier", Some(member)) if member != "default" => member,
        _ => last,
    };
    made_in(other.as_ref().unwrap_or(source), wanted)
}

/// The shape of what a file calls by this name, wherever it makes it: `NAME = []`, `NAME: []`, `exports.NAME = []`.
fn made_in(source: &Source, name: &str) -> Option<Shape> {
    source.nodes().find_map(|node| {
        let (left, right) = match node.kind() {
            "variable_declarator" | "public_field_definition" | "field_definition" => {
                ("name", "value")
            }
            "assignment_expression" => ("left", "right"),
            "pair" => ("key", "value"),
            _ => return None,
        };
        let left = node
            .child_by_field_name(left)
            .or_else(|| node.child_by_field_name("property"))?;
        let called = source.slice(left);
        let called = called.rsplit('.').next().unwrap_or(called);
        (called == name)
            .then(|| literal(source, node.child_by_field_name(right)?))
            .flatten()
    })
}

fn literal(source: &Source, value: Node<'_>) -> Option<Shape> {
    match value.kind() {
        "array" => Some(Shape::List),
        "new_expression" => match source.slice(value.child_by_field_name("constructor")?) {
            "Map" => Some(Shape::Map),
            "Set" => Some(Shape::Set),
            "Array" => Some(Shape::List),
            _ => None,
        },
        _ => None,
    }
}

/// The file of the project that a binding comes from.
fn module_of(case: &Case<'_>, path: &str, binding: &Binding) -> Option<String> {
    if !binding.module.starts_with('.') {
        return None;
    }
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let mut parts: Vec<&str> = directory
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    for part in binding.module.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let stem = parts.join("/");
    let forms = crate::node::EXTENSIONS
        .iter()
        .flat_map(|end| {
            let index = format!("{stem}/index.{end}");
            [
                format!("{stem}.{end}"),
                index.strip_prefix('/').unwrap_or(&index).to_owned(),
            ]
        })
        .chain([stem.clone()]);
    forms
        .filter(|form| crate::node::has_source_extension(form))
        .find(|form| case.tree.paths().binary_search(form).is_ok())
}
