//! Whose state a test leaves behind. What a test's own code sets, the test gives back. What the product keeps
//! between calls may be meant (a registry) or be the defect that the failing test found (a default argument that
//! grows), and only a person can tell.

use tree_sitter::Node;

use crate::case::{Candidate, Case, Finding};
use crate::failure::Change;
use crate::roles::{Role, Roles};
use crate::runner::file_of;
use crate::source::names::Names;
use crate::source::{Source, ancestors, descendants};

use crate::unsteady::Unsteady;

use super::fixture;

/// Whose it is, from what a test may repair to what it must not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// Test code changed it by itself.
    Test,
    /// The product changed it when the test called it; the clause says so.
    Product(String),
    /// The product is broken; the sentence says where.
    Defect(String),
}

impl Owner {
    /// What becomes of a candidate that gives it back.
    pub(super) fn finding(&self, candidate: Candidate) -> Finding {
        match self {
            Self::Test => Finding::Try(candidate),
            Self::Product(why) => Finding::Propose(candidate, why.clone()),
            Self::Defect(reason) => Finding::Refuse(reason.clone()),
        }
    }
}

/// Shapes whose methods are Python's own: a call of one is a change by whoever writes it.
const BUILT_IN: [&str; 5] = ["dict", "list", "set", "deque", "bytearray"];

/// Whose change it is that `test` left.
pub(super) fn of(case: &Case<'_>, roles: &Roles, test: &str, change: &Change) -> Owner {
    let in_test = roles.of(&change.path) == Role::Test && !change.path.is_empty();
    if change.kind == "defaults" {
        return if in_test {
            Owner::Test
        } else {
            Owner::Defect(format!(
                "a default argument of `{}` ({}) is one object for all calls, and grows with them: the product keeps state that no test can give back",
                change.name, change.path
            ))
        };
    }
    // When a cycle that nobody reaches any more is collected, nobody promises.
    if in_test || change.kind == "garbage" {
        return Owner::Test;
    }
    if let Some(place) = shared_by_instances(case, change) {
        return Owner::Defect(format!(
            "`{}` ({place}) is one object for all instances of its class, and they change it: the product keeps state that was to be each instance's own",
            change.name
        ));
    }
    if names_it(case, test, change) {
        return Owner::Test;
    }
    if let Some(reason) = promised(case, roles, test, change).or_else(|| remembered(case, change)) {
        return Owner::Defect(reason);
    }
    let called = change.called();
    Owner::Product(if change.path.is_empty() {
        format!("the product changes {called} and leaves it changed")
    } else {
        format!(
            "{called} belongs to the product ({}), which keeps it from one call to the next: if that is not meant, the product is what is broken",
            change.path
        )
    })
}

/// Functions whose call by a test is a change by that test, by the kind of change.
const CALLS: &[(&str, &[&str])] = &[
    ("variable", &["putenv", "unsetenv", "load_dotenv"]),
    ("directory", &["chdir", "fchdir"]),
    ("path", &["addsitedir"]),
    ("mask", &["umask"]),
    ("recursion", &["setrecursionlimit"]),
    ("locale", &["setlocale"]),
    ("zone", &["tzset"]),
    ("timeout", &["setdefaulttimeout"]),
    ("decimal", &["setcontext", "getcontext"]),
    ("disabled", &["disable"]),
    ("level", &["setLevel", "basicConfig"]),
    ("module", &["import_module", "__import__"]),
];

/// Names of objects whose elements or methods are a change, by the kind of change.
const OBJECTS: &[(&str, &str)] = &[
    ("variable", "os.environ"),
    ("path", "sys.path"),
    ("arguments", "sys.argv"),
    ("module", "sys.modules"),
];

/// Whether the test changes it by its own code: in its body, or in a helper or a fixture of its file. What it calls
/// of the product is not its own, even where it says what to change: giving that back is the product's part.
fn names_it(case: &Case<'_>, test: &str, change: &Change) -> bool {
    let Some(source) = file_of(case.tree, test)
        .and_then(|path| case.tree.read(&path))
        .and_then(Source::parse)
    else {
        return false;
    };
    let names = Names::of(&source);
    let own = scope(&source, test);
    let calls = CALLS
        .iter()
        .find(|(kind, _)| *kind == change.kind)
        .map_or(&[][..], |(_, calls)| calls);
    let object = OBJECTS
        .iter()
        .find(|(kind, _)| *kind == change.kind)
        .map(|(_, object)| *object);
    own.iter().any(|node| {
        let called = (node.kind() == "call")
            .then(|| node.child_by_field_name("function"))
            .flatten()
            .map(|function| source.slice(function))
            .filter(|function| !function.starts_with("monkeypatch."));
        let last = called.map(|name| name.rsplit('.').next().unwrap_or(name));
        if last.is_some_and(|last| calls.contains(&last)) {
            return true;
        }
        match change.kind.as_str() {
            "file" => {
                let file = change.name.rsplit('/').next().unwrap_or(&change.name);
                let writes = [
                    "open",
                    "write_text",
                    "write_bytes",
                    "touch",
                    "mkdir",
                    "mknod",
                ];
                last.is_some_and(|last| writes.contains(&last))
                    && source.slice(*node).contains(file)
            }
            "module" if node.kind().starts_with("import") => {
                source.slice(*node).contains(change.name.as_str())
            }
            "attribute" => {
                let qualified = format!("{}.{}", change.owner, change.name);
                let built_in = BUILT_IN.contains(&change.shape.as_str());
                changes(&source, &names, *node, &qualified, built_in)
            }
            _ => object.is_some_and(|object| changes(&source, &names, *node, object, true)),
        }
    })
}

/// The nodes that are the test's own: of its function, and of functions of the file that are no tests.
fn scope<'s>(source: &'s Source, test: &str) -> Vec<Node<'s>> {
    let own = fixture::definition(source, test).map(|node| node.id());
    source
        .nodes()
        .filter(|node| {
            let outermost = ancestors(*node)
                .filter(|outer| outer.kind() == "function_definition")
                .last();
            outermost.is_some_and(|function| {
                let name = function
                    .child_by_field_name("name")
                    .map_or("", |name| source.slice(name));
                Some(function.id()) == own || !name.starts_with("test")
            })
        })
        .collect()
}

/// Whether a node binds `qualified`, an attribute or element of it, or (with `methods`) calls a method of it.
fn changes(
    source: &Source,
    names: &Names<'_>,
    node: Node<'_>,
    qualified: &str,
    methods: bool,
) -> bool {
    let is_it = |node: Node<'_>| {
        names
            .resolve(node)
            .is_some_and(|found| found.qualified == qualified)
    };
    let reaches = |node: Node<'_>| descendants(node).any(is_it);
    match node.kind() {
        "assignment" | "augmented_assignment" => {
            node.child_by_field_name("left").is_some_and(reaches)
        }
        "delete_statement" => reaches(node),
        "call" => {
            let Some(function) = node.child_by_field_name("function") else {
                return false;
            };
            if matches!(source.slice(function), "setattr" | "delattr") {
                return sets(source, names, node, qualified);
            }
            methods
                && function.kind() == "attribute"
                && function.child_by_field_name("object").is_some_and(is_it)
        }
        _ => false,
    }
}

/// `setattr(module, "NAME", …)`.
fn sets(source: &Source, names: &Names<'_>, call: Node<'_>, qualified: &str) -> bool {
    let arguments = crate::source::arguments(call);
    let [object, name, ..] = arguments.as_slice() else {
        return false;
    };
    let attribute = source.slice(*name).trim_matches(['"', '\'']);
    names
        .resolve(*object)
        .is_some_and(|found| format!("{}.{attribute}", found.qualified) == qualified)
}

/// A context manager of the product that the test uses promises that all is as before when it ends.
fn promised(case: &Case<'_>, roles: &Roles, test: &str, change: &Change) -> Option<String> {
    let source = Source::parse(case.tree.read(&file_of(case.tree, test)?)?)?;
    let names = Names::of(&source);
    let function = fixture::definition(&source, test)?;
    let manager = descendants(function)
        .filter(|node| node.kind() == "with_item")
        .flat_map(descendants)
        .filter(|node| node.kind() == "call")
        .filter_map(|node| node.child_by_field_name("function"))
        .filter_map(|function| names.resolve(function))
        .find(|used| is_product(case, roles, &used.qualified))?;
    Some(format!(
        "the product's context manager `{}` ends and leaves {} changed: the test that uses it has nothing to give back",
        manager.qualified,
        change.called()
    ))
}

/// Whether a qualified name is one of a module of the product.
fn is_product(case: &Case<'_>, roles: &Roles, qualified: &str) -> bool {
    let Some((module, _)) = qualified.rsplit_once('.') else {
        return false;
    };
    let path = module.replace('.', "/");
    case.tree.paths().iter().any(|file| {
        let inside = ["", "src/", "lib/"].iter().find_map(|root| {
            file.strip_prefix(root)
                .and_then(|rest| rest.strip_prefix(path.as_str()))
        });
        matches!(inside, Some(".py" | "/__init__.py")) && roles.of(file) == Role::Product
    })
}

/// A function of the product that stores an answer and gives it again: `path:line` and why that is the defect. Where a
/// test changes what the answer depends on (a variable, a stub), the memory is meant, and the test has to clear it. Where the victim does not
/// come into the function it is given no answer by it.
fn remembered(case: &Case<'_>, change: &Change) -> Option<String> {
    let unsteady = case.unsteady?;
    if change.kind != "attribute" || change.path.is_empty() || change.name.contains('.') {
        return None;
    }
    let tests = case.tree.read(&file_of(case.tree, &unsteady.victim)?)?;
    if [
        "monkeypatch",
        "environ",
        "mock",
        "patch",
        "chdir",
        "setattr",
    ]
    .iter()
    .any(|word| tests.contains(word))
    {
        return None;
    }
    let source = Source::parse(case.tree.read(&change.path)?)?;
    let is_it = |node: &Node<'_>| node.kind() == "identifier" && source.slice(*node) == change.name;
    let within = |node: Node<'_>| descendants(node).any(|node| is_it(&node));
    let function = source
        .nodes()
        .filter(|node| node.kind() == "function_definition")
        .find(|function| {
            let stores = descendants(*function).any(|node| {
                node.kind() == "assignment" && node.child_by_field_name("left").is_some_and(within)
            });
            let gives = descendants(*function)
                .any(|node| node.kind() == "return_statement" && within(node));
            stores && gives && may_run(unsteady, &change.path, *function)
        })?;
    Some(format!(
        "`{}` ({}:{}) remembers an answer in `{}` and gives it again where the question is another one",
        function
            .child_by_field_name("name")
            .map_or("", |name| source.slice(name)),
        change.path,
        Source::line(function),
        change.name
    ))
}

/// Whether the victim runs the body of a function, as far as its lines are known.
fn may_run(unsteady: &Unsteady, path: &str, function: Node<'_>) -> bool {
    let Some(body) = function.child_by_field_name("body") else {
        return true;
    };
    let (first, last) = (Source::line(body), body.end_position().row + 1);
    unsteady.lines.is_empty()
        || unsteady.lines.get(path).is_some_and(|lines| {
            lines
                .iter()
                .any(|line| (first as usize..=last).contains(&(*line as usize)))
        })
}

/// Where a class's own container is changed through `self`: `path:line` of the change.
fn shared_by_instances(case: &Case<'_>, change: &Change) -> Option<String> {
    let (class, name) = change.name.rsplit_once('.')?;
    if change.kind != "attribute" || change.how != "changed" || change.path.is_empty() {
        return None;
    }
    let source = Source::parse(case.tree.read(&change.path)?)?;
    let through_self = format!("self.{name}");
    source
        .nodes()
        .filter(|node| node.kind() == "attribute" && source.slice(*node) == through_self)
        .filter(|node| {
            ancestors(*node).any(|outer| {
                outer.kind() == "class_definition"
                    && outer
                        .child_by_field_name("name")
                        .is_some_and(|known| source.slice(known) == class)
            })
        })
        .find(|node| is_changed(&source, *node))
        .map(|node| format!("{}:{}", change.path, Source::line(node)))
}

/// Whether a method is called on it, or an element of it is set.
fn is_changed(source: &Source, node: Node<'_>) -> bool {
    let Some(parent) = node.parent() else {
        return false;
    };
    match parent.kind() {
        "attribute" => parent
            .parent()
            .is_some_and(|call| call.kind() == "call" && grows(source, parent)),
        "subscript" => parent.parent().is_some_and(|outer| {
            matches!(outer.kind(), "assignment" | "augmented_assignment")
                && outer
                    .child_by_field_name("left")
                    .is_some_and(|left| left.id() == parent.id())
        }),
        "augmented_assignment" => true,
        _ => false,
    }
}

/// Whether a method of a built-in container changes it.
fn grows(source: &Source, attribute: Node<'_>) -> bool {
    attribute
        .child_by_field_name("attribute")
        .is_some_and(|method| {
            matches!(
                source.slice(method),
                "append"
                    | "extend"
                    | "insert"
                    | "add"
                    | "update"
                    | "setdefault"
                    | "pop"
                    | "popitem"
                    | "remove"
                    | "discard"
                    | "clear"
                    | "appendleft"
            )
        })
}
