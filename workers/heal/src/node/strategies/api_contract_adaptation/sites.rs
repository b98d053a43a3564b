//! Where a file uses what a rule is about, and the changes by which it uses what means the same.

use tree_sitter::Node;

use crate::node::rules::Rule;
use crate::node::source::{Binding, Source, arguments, plain};
use crate::source::descendants;
use crate::source::edit::Splice;

/// The changes of one file.
pub(super) fn splices(source: &Source, rule: &Rule) -> Vec<Splice> {
    // What needs `require` has no place in a module.
    if rule.to.contains("require(") && is_module(source) {
        return Vec::new();
    }
    match (&rule.member, rule.of.as_str()) {
        (None, _) => of_module(source, rule),
        (Some(name), "globals") => of_global(source, name, &rule.to),
        (Some(member), _) => of_member(source, rule, member),
    }
}

/// Whether a file is a module by its own statements.
pub(in crate::node::strategies) fn is_module(source: &Source) -> bool {
    let root = source.root();
    let mut cursor = root.walk();
    root.children(&mut cursor)
        .any(|node| matches!(node.kind(), "import_statement" | "export_statement"))
}

/// A module that goes by another name, or that is a name of another.
fn of_module(source: &Source, rule: &Rule) -> Vec<Splice> {
    let (module, name) = match rule.to.split_once('#') {
        Some((module, name)) => (module, Some(name)),
        None => (rule.to.as_str(), None),
    };
    let mut found = Vec::new();
    for (string, named) in source.modules() {
        if plain(named) != rule.of {
            continue;
        }
        let scheme = if named.starts_with("node:") {
            "node:"
        } else {
            ""
        };
        let inside = string.start_byte() + 1..string.end_byte() - 1;
        found.push(Splice::replace(inside, format!("{scheme}{module}")));
        let Some(name) = name else { continue };
        let Some(parent) = string.parent() else {
            continue;
        };
        if parent.kind() == "import_statement" {
            // `import x from` becomes `import { name as x } from`; any other form cannot be said so.
            let clause = descendants(parent).find(|node| node.kind() == "import_clause");
            match clause.filter(|clause| {
                clause.named_child_count() == 1
                    && clause
                        .named_child(0)
                        .is_some_and(|only| only.kind() == "identifier")
            }) {
                Some(clause) => {
                    let local = source.slice(clause);
                    let text = if local == name {
                        format!("{{ {name} }}")
                    } else {
                        format!("{{ {name} as {local} }}")
                    };
                    found.push(Splice::replace(clause.byte_range(), text));
                }
                None => return Vec::new(),
            }
        } else if let Some(call) = parent
            .parent()
            .filter(|call| call.kind() == "call_expression")
        {
            found.push(Splice::insert(call.end_byte(), format!(".{name}")));
        }
    }
    found
}

/// A name that every file had.
fn of_global(source: &Source, name: &str, to: &str) -> Vec<Splice> {
    let declared = source.nodes().any(|node| {
        let binds = match node.kind() {
            "variable_declarator" | "function_declaration" | "import_specifier" => {
                node.child_by_field_name("name")
            }
            "formal_parameters" | "import_clause" => {
                return descendants(node)
                    .any(|inner| inner.kind() == "identifier" && source.slice(inner) == name);
            }
            _ => None,
        };
        binds.is_some_and(|binds| source.slice(binds) == name)
    });
    if declared {
        return Vec::new();
    }
    source
        .nodes()
        .filter(|node| node.kind() == "identifier" && source.slice(*node) == name)
        .map(|node| Splice::replace(node.byte_range(), to))
        .collect()
}

fn of_member(source: &Source, rule: &Rule, member: &str) -> Vec<Splice> {
    let (module, export) = match rule.of.split_once(':') {
        Some((module, export)) => (module, Some(export)),
        None => (rule.of.as_str(), None),
    };
    let bindings = source.bindings();
    let is_object = |binding: &Binding| {
        binding.module == module
            && match (&binding.member, export) {
                (Some(name), Some(export)) => name == export,
                (None, None) => true,
                (Some(name), None) => name == "default",
                (None, Some(_)) => false,
            }
    };
    let mut found = Vec::new();
    for node in source.nodes() {
        if node.kind() != "member_expression" {
            continue;
        }
        let Some(object) = object_of(source, node, member) else {
            continue;
        };
        let text = source.slice(object);
        let is_it = match module {
            "expect()" => root_is_expect(source, object),
            // Objects that are always there, unless the file has another thing of that name.
            "jest" | "process" | "require" => {
                text == module && !bindings.contains_key(module)
                    || bindings.get(text).is_some_and(|binding| {
                        binding.member.as_deref() == Some(module)
                            && binding.module == "@jest/globals"
                    })
            }
            _ => {
                bindings.get(text).is_some_and(is_object)
                    || export.is_none()
                        && source
                            .required_module(object)
                            .is_some_and(|(named, inner)| plain(named) == module && inner.is_none())
            }
        };
        if is_it {
            found.extend(change(source, rule, node, Some(object), member));
        }
    }
    if export.is_none() {
        found.extend(of_names(source, rule, member, module));
    }
    found
}

/// The object of which a member expression is `member`, which may be a path: `a` of `a.b.c` for `b.c`.
fn object_of<'t>(source: &Source, node: Node<'t>, member: &str) -> Option<Node<'t>> {
    let mut current = node;
    let mut parts = member.rsplit('.').peekable();
    while let Some(part) = parts.next() {
        if current.kind() != "member_expression"
            || source.slice(current.child_by_field_name("property")?) != part
        {
            return None;
        }
        current = current.child_by_field_name("object")?;
        if parts.peek().is_none() {
            return Some(current);
        }
    }
    None
}

/// `expect(x)`, with `.not`, `.resolves` and `.rejects` behind it.
fn root_is_expect(source: &Source, object: Node<'_>) -> bool {
    match object.kind() {
        "call_expression" => object
            .child_by_field_name("function")
            .is_some_and(|called| source.slice(called) == "expect"),
        "member_expression" => object
            .child_by_field_name("object")
            .is_some_and(|inner| root_is_expect(source, inner)),
        _ => false,
    }
}

/// A change of `object.member`, which may be called.
fn change(
    source: &Source,
    rule: &Rule,
    node: Node<'_>,
    object: Option<Node<'_>>,
    member: &str,
) -> Option<Splice> {
    let call = node.parent().filter(|parent| {
        ["function", "constructor"].iter().any(|field| {
            parent
                .child_by_field_name(field)
                .is_some_and(|called| called.id() == node.id())
        })
    });
    let given = call.map(arguments);
    if rule
        .args
        .is_some_and(|count| given.as_ref().map(Vec::len) != Some(count))
    {
        return None;
    }
    if let Some(name) = rule.to.strip_prefix('.') {
        let object = object?;
        let from = object.end_byte();
        let behind = source.text().get(from..node.end_byte())?;
        // What stands between (a line break, a question mark) stays.
        let at = behind.find(member)?;
        return Some(Splice::replace(from + at..from + at + member.len(), name));
    }
    if !rule.to.contains('$') {
        return Some(Splice::replace(node.byte_range(), rule.to.clone()));
    }
    let (call, given) = (call?, given?);
    let text = filled(source, &rule.to, &given)?;
    // A call may be negated, or stand in an expression; what takes its place is one as well.
    Some(Splice::replace(call.byte_range(), text))
}

/// The text of a rule with its arguments; `None` where one that is said twice does something.
fn filled(source: &Source, template: &str, given: &[Node<'_>]) -> Option<String> {
    let mut text = template.to_owned();
    for (index, argument) in given.iter().enumerate() {
        let place = format!("${index}");
        let simple = matches!(
            argument.kind(),
            "identifier" | "member_expression" | "string" | "number" | "this"
        ) && !source.slice(*argument).contains('(');
        if text.matches(&place).count() > 1 && !simple {
            return None;
        }
        let said = source.slice(*argument);
        let said = if simple || matches!(argument.kind(), "call_expression" | "array" | "object") {
            said.to_owned()
        } else {
            format!("({said})")
        };
        text = text.replace(&place, &said);
    }
    (!text.contains('$')).then_some(text)
}

/// Names that a file takes out of the module: `import { member } from`, `const { member } = require()`.
fn of_names(source: &Source, rule: &Rule, member: &str, module: &str) -> Vec<Splice> {
    let mut found = Vec::new();
    for (local, binding) in source.bindings() {
        if binding.module != module || binding.member.as_deref() != Some(member) {
            continue;
        }
        let Some(specifier) = source.nodes().find(|node| {
            let named = match node.kind() {
                "import_specifier" => node.child_by_field_name("name"),
                "shorthand_property_identifier_pattern" => Some(*node),
                "pair_pattern" => node.child_by_field_name("key"),
                _ => None,
            };
            named.is_some_and(|name| source.slice(name) == member)
        }) else {
            continue;
        };
        if let Some(name) = rule.to.strip_prefix('.') {
            let separator = if binding.required { ": " } else { " as " };
            let text = format!("{name}{separator}{local}");
            found.push(Splice::replace(specifier.byte_range(), text));
            continue;
        }
        let uses: Vec<Node<'_>> = source
            .nodes()
            .filter(|node| node.kind() == "identifier" && source.slice(*node) == local)
            .filter(|node| !is_inside(*node, specifier))
            .collect();
        let changes: Vec<Option<Splice>> = uses
            .iter()
            .map(|node| change(source, rule, *node, None, member))
            .collect();
        if changes.iter().any(Option::is_none) {
            continue;
        }
        found.extend(changes.into_iter().flatten());
        found.push(without(source, specifier));
    }
    found
}

fn is_inside(node: Node<'_>, outer: Node<'_>) -> bool {
    outer.start_byte() <= node.start_byte() && node.end_byte() <= outer.end_byte()
}

/// Takes a name out of a list, with the comma behind it.
fn without(source: &Source, node: Node<'_>) -> Splice {
    let behind = source.text().get(node.end_byte()..).unwrap_or_default();
    let blank = behind.len() - behind.trim_start().len();
    let mut end = node.end_byte();
    if behind.trim_start().starts_with(',') {
        end += blank + 1;
        let rest = source.text().get(end..).unwrap_or_default();
        end += rest.len() - rest.trim_start_matches(' ').len();
    }
    Splice::replace(node.start_byte()..end, "")
}
