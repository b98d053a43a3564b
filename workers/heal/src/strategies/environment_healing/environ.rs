//! Where the project's own code reads and sets environment variables, from its syntax trees.

use std::collections::BTreeSet;

use tree_sitter::Node;

use crate::case::Case;
use crate::roles::{Role, Roles};
use crate::source::{Source, ancestors, arguments, descendants};
use crate::strategies::{own_python, place};

/// One place that sets a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) name: String,
    /// `None` where it is no literal.
    pub(super) value: Option<String>,
    pub(super) path: String,
    pub(super) line: u32,
    /// The function that sets it; empty at the top level.
    pub(super) function: String,
}

/// Every place in test code that sets a variable.
pub(super) fn settings(case: &Case<'_>, roles: &Roles) -> Vec<Setting> {
    of_role(case, roles, Role::Test)
}

/// The variables that the product sets.
pub(super) fn set_by_product(case: &Case<'_>, roles: &Roles) -> BTreeSet<String> {
    of_role(case, roles, Role::Product)
        .into_iter()
        .map(|setting| setting.name)
        .collect()
}

fn of_role(case: &Case<'_>, roles: &Roles, role: Role) -> Vec<Setting> {
    let mut found = Vec::new();
    for path in own_python(case).filter(|path| roles.of(path) == role) {
        let Some(text) = case.tree.read(path) else {
            continue;
        };
        // Parsing is what costs.
        if !text.contains("environ") && !text.contains("env(") {
            continue;
        }
        let Some(source) = Source::parse(text) else {
            continue;
        };
        for node in source.nodes() {
            for (name, value) in set_at(&source, node) {
                let function = ancestors(node)
                    .find(|around| around.kind() == "function_definition")
                    .map_or("", |around| place::name_of(&source, around))
                    .to_owned();
                found.push(Setting {
                    name,
                    value,
                    path: path.to_owned(),
                    line: Source::line(node),
                    function,
                });
            }
        }
    }
    found
}

/// What one node sets: `environ["X"] = …`, `setenv("X", …)`, `environ.setdefault("X", …)`, `patch.dict(environ, …)`.
fn set_at(source: &Source, node: Node<'_>) -> Vec<(String, Option<String>)> {
    let literal = |node: Option<Node<'_>>| node.and_then(|node| place::string_value(source, node));
    match node.kind() {
        "assignment" => {
            let target = node.child_by_field_name("left").filter(|left| {
                left.kind() == "subscript"
                    && left
                        .child_by_field_name("value")
                        .is_some_and(|value| source.slice(value).ends_with("environ"))
            });
            let name = target.and_then(|target| literal(target.child_by_field_name("subscript")));
            name.map(|name| (name, literal(node.child_by_field_name("right"))))
                .into_iter()
                .collect()
        }
        "call" => {
            let function = node
                .child_by_field_name("function")
                .map_or("", |function| source.slice(function));
            if function.ends_with("environ.update") || function.ends_with("patch.dict") {
                return of_mapping(source, node);
            }
            let sets = place::called(source, node) == "setenv"
                || function.ends_with("environ.setdefault")
                || function.ends_with(".setitem") && source.slice(node).contains("environ");
            let shift = usize::from(function.ends_with(".setitem"));
            let name = literal(place::argument(source, node, shift, "name"));
            name.filter(|_| sets)
                .map(|name| {
                    (
                        name,
                        literal(place::argument(source, node, shift + 1, "value")),
                    )
                })
                .into_iter()
                .collect()
        }
        _ => Vec::new(),
    }
}

fn of_mapping(source: &Source, call: Node<'_>) -> Vec<(String, Option<String>)> {
    let literal = |node: Option<Node<'_>>| node.and_then(|node| place::string_value(source, node));
    if !source.slice(call).contains("environ") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for argument in arguments(call) {
        if argument.kind() == "keyword_argument" {
            let name = argument
                .child_by_field_name("name")
                .map_or("", |name| source.slice(name));
            if name != "clear" && name != "values" {
                found.push((
                    name.to_owned(),
                    literal(argument.child_by_field_name("value")),
                ));
            }
        }
        found.extend(
            descendants(argument)
                .filter(|node| node.kind() == "pair")
                .filter_map(|pair| {
                    Some((
                        literal(pair.child_by_field_name("key"))?,
                        literal(pair.child_by_field_name("value")),
                    ))
                }),
        );
    }
    found
}

/// The variables that code below a node reads: `environ["X"]`, `environ.get("X")`, `getenv("X")`.
pub(super) fn read_in(source: &Source, below: Node<'_>) -> BTreeSet<String> {
    let literal = |node: Option<Node<'_>>| node.and_then(|node| place::string_value(source, node));
    descendants(below)
        .filter_map(|node| match node.kind() {
            "subscript" => {
                let value = node.child_by_field_name("value")?;
                source
                    .slice(value)
                    .ends_with("environ")
                    .then(|| literal(node.child_by_field_name("subscript")))?
            }
            "call" => {
                let function = source.slice(node.child_by_field_name("function")?);
                let reads = function.ends_with("environ.get")
                    || function == "getenv"
                    || function.ends_with(".getenv");
                reads
                    .then(|| literal(place::argument(source, node, 0, "key")))
                    .flatten()
            }
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Installed;
    use crate::strategies::fake::{Files, Index, case};

    #[test]
    fn every_way_of_setting_and_of_reading_a_variable_is_seen() {
        let text = "import os\nfrom unittest import mock\nos.environ['A_A'] = 'a'\n\n\ndef test(monkeypatch):\n    monkeypatch.setenv('B_B', 'b')\n    os.environ.setdefault('C_C', make())\n    with mock.patch.dict(os.environ, {'D_D': 'd'}, clear=True):\n        os.environ.get('E_E')\n        os.getenv('F_F', 'x')\n        os.environ['G_G']\n";
        let files = Files::new(&[("tests/test_a.py", text), ("pkg/a.py", text)]);
        let (installed, index) = (Installed::default(), Index::default());
        let case = case(&[], &files, &installed, &index);
        let found: Vec<(String, Option<String>, String)> = settings(&case, &Roles::default())
            .into_iter()
            .map(|setting| (setting.name, setting.value, setting.function))
            .collect();
        let one = |name: &str, value: Option<&str>, function: &str| {
            (
                name.to_owned(),
                value.map(str::to_owned),
                function.to_owned(),
            )
        };
        assert_eq!(
            found,
            [
                one("A_A", Some("a"), ""),
                one("B_B", Some("b"), "test"),
                one("C_C", None, "test"),
                one("D_D", Some("d"), "test"),
            ]
        );
        let source = Source::parse(text).unwrap();
        let function = place::function_at(&source, 7).unwrap();
        assert_eq!(
            read_in(&source, function),
            ["E_E", "F_F", "G_G"].map(str::to_owned).into()
        );
    }
}
