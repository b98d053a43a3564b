//! The import statements of a file, and edits of them.

use tree_sitter::Node;

use super::{Source, ancestors};

/// One name that an import statement brings.
#[derive(Debug, Clone)]
pub struct Import<'t> {
    /// The statement.
    pub statement: Node<'t>,
    /// The part of the statement that brings this name.
    pub item: Node<'t>,
    /// `Some(module)` for `from module import …`; dots in front for a relative one.
    pub from: Option<String>,
    /// What is imported: a module's dotted name, or a name of the module `from`; `*` for all of them.
    pub name: String,
    /// The name after `as`.
    pub alias: Option<String>,
    /// The file already provides for its absence.
    pub guarded: bool,
}

impl Import<'_> {
    /// The name that it binds in the file.
    pub fn local(&self) -> &str {
        match (&self.alias, &self.from) {
            (Some(alias), _) => alias,
            (None, Some(_)) => &self.name,
            (None, None) => self.name.split('.').next().unwrap_or(&self.name),
        }
    }

    /// What the local name stands for, fully qualified.
    pub fn stands_for(&self) -> String {
        match (&self.from, &self.alias) {
            (Some(module), _) => format!("{module}.{}", self.name),
            (None, Some(_)) => self.name.clone(),
            (None, None) => self.local().to_owned(),
        }
    }

    /// The module that must exist for it.
    pub fn module(&self) -> &str {
        self.from.as_deref().unwrap_or(&self.name)
    }

    /// Whether it stands at the top level of the file, though perhaps below an `if` or a `try`.
    pub fn at_top(&self) -> bool {
        !ancestors(self.statement)
            .any(|node| matches!(node.kind(), "function_definition" | "class_definition"))
    }
}

impl Source {
    /// Every name that an import statement brings, in the order of the text.
    pub fn imports(&self) -> Vec<Import<'_>> {
        let mut found = Vec::new();
        for statement in self.nodes() {
            let from = match statement.kind() {
                "import_statement" => None,
                "import_from_statement" => match statement.child_by_field_name("module_name") {
                    Some(module) => Some(self.slice(module).split_whitespace().collect::<String>()),
                    None => continue,
                },
                _ => continue,
            };
            let guarded = self.guarded(statement);
            let mut cursor = statement.walk();
            let items: Vec<_> = statement
                .children(&mut cursor)
                .enumerate()
                .filter(|(index, child)| {
                    let field = u32::try_from(*index)
                        .ok()
                        .and_then(|index| statement.field_name_for_child(index));
                    field == Some("name") || child.kind() == "wildcard_import"
                })
                .map(|(_, child)| child)
                .collect();
            for item in items {
                let (name, alias) = if item.kind() == "aliased_import" {
                    (
                        item.child_by_field_name("name"),
                        item.child_by_field_name("alias"),
                    )
                } else {
                    (Some(item), None)
                };
                let Some(name) = name else { continue };
                found.push(Import {
                    statement,
                    item,
                    from: from.clone(),
                    name: self.slice(name).split_whitespace().collect(),
                    alias: alias.map(|node| self.slice(node).to_owned()),
                    guarded,
                });
            }
        }
        found
    }

    /// Whether the file itself provides for this place not working: it stands in a `try` that catches what an
    /// absent name raises, or below a condition on the interpreter's version.
    pub fn guarded(&self, node: Node<'_>) -> bool {
        for ancestor in ancestors(node) {
            match ancestor.kind() {
                "function_definition" | "lambda" => return false,
                "try_statement" if self.catches_absence(ancestor) => return true,
                "if_statement" | "conditional_expression"
                    if self.asks_version(ancestor) && !self.is_for_all_of_today(ancestor, node) =>
                {
                    return true;
                }
                _ => {}
            }
        }
        false
    }

    fn catches_absence(&self, statement: Node<'_>) -> bool {
        let mut cursor = statement.walk();
        statement
            .children(&mut cursor)
            .filter(|child| child.kind() == "except_clause" && !self.passes_on(*child))
            .any(|clause| {
                let mut cursor = clause.walk();
                let values: Vec<_> = clause
                    .children_by_field_name("value", &mut cursor)
                    .map(|v| self.slice(v))
                    .collect();
                values.is_empty()
                    || values.iter().any(|value| {
                        [
                            "ImportError",
                            "ModuleNotFoundError",
                            "AttributeError",
                            "Exception",
                        ]
                        .iter()
                        .any(|name| value.contains(name))
                    })
            })
    }

    /// Whether a clause ends with a bare `raise`: it tidies up and provides for nothing.
    fn passes_on(&self, clause: Node<'_>) -> bool {
        let mut cursor = clause.walk();
        clause
            .named_children(&mut cursor)
            .filter(|child| child.kind() == "block")
            .any(|block| {
                let mut cursor = block.walk();
                let last = block.named_children(&mut cursor).last();
                last.is_some_and(|last| self.slice(last) == "raise")
            })
    }

    /// Whether a place below `if sys.version_info >= (3, 4):` and its like is run by every interpreter that runs anything
    /// here: what has gone since is not provided for by that.
    fn is_for_all_of_today(&self, statement: Node<'_>, place: Node<'_>) -> bool {
        let taken = statement
            .child_by_field_name("consequence")
            .is_some_and(|block| block.byte_range().contains(&place.start_byte()));
        let condition = statement
            .child_by_field_name("condition")
            .map_or("", |condition| self.slice(condition));
        let bound = condition
            .strip_prefix("sys.version_info >= (3,")
            .and_then(|rest| rest.strip_suffix(')'))
            .map(|minor| minor.trim().parse::<u32>().unwrap_or(0));
        let since_three = matches!(
            condition,
            "sys.version_info[0] >= 3" | "sys.version_info[0] == 3" | "sys.version_info.major >= 3"
        );
        taken && (since_three || bound.is_some_and(|minor| minor <= 6))
    }

    fn asks_version(&self, node: Node<'_>) -> bool {
        let condition = node
            .child_by_field_name("condition")
            .or_else(|| node.named_child(1));
        condition.is_some_and(|condition| {
            let text = self.slice(condition);
            [
                "version_info",
                "PY2",
                "PY3",
                "python_version",
                "hexversion",
                "hasattr",
            ]
            .iter()
            .any(|mark| text.contains(mark))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_says_what_it_binds_and_what_that_stands_for() {
        let source = Source::parse(
            "import a.b\nimport a.b as c, d\nfrom e import f, g as h\nfrom . import i\nfrom .j import (\n    k,  # why\n)\nfrom l import *\n",
        )
        .unwrap();
        let found: Vec<_> = source
            .imports()
            .iter()
            .map(|i| format!("{}={}", i.local(), i.stands_for()))
            .collect();
        assert_eq!(
            found,
            [
                "a=a", "c=a.b", "d=d", "f=e.f", "h=e.g", "i=..i", "k=.j.k", "*=l.*"
            ]
        );
    }

    #[test]
    fn an_import_with_a_fallback_is_guarded() {
        let source = Source::parse(
            "try:\n    import a\nexcept ImportError:\n    import b\nif sys.version_info[0] == 2:\n    import c\nimport d\n",
        )
        .unwrap();
        let found: Vec<_> = source.imports().iter().map(|i| i.guarded).collect();
        assert_eq!(found, [true, true, true, false]);
    }

    #[test]
    fn what_every_interpreter_of_today_runs_is_not_guarded_by_its_version() {
        let guarded = |condition: &str| {
            let text = format!("if {condition}:\n    import a\nelse:\n    import b\n");
            let source = Source::parse(text.as_str()).unwrap();
            source
                .imports()
                .iter()
                .map(|import| import.guarded)
                .collect::<Vec<_>>()
        };
        assert_eq!(guarded("sys.version_info >= (3, 4)"), [false, true]);
        assert_eq!(guarded("sys.version_info >= (3,)"), [false, true]);
        assert_eq!(guarded("sys.version_info >= (3, 9)"), [true, true]);
        assert_eq!(guarded("sys.version_info < (3, 4)"), [true, true]);
        assert_eq!(guarded("PY3"), [true, true]);
    }

    #[test]
    fn a_clause_that_raises_again_guards_nothing() {
        let guarded = |clause: &str| {
            let text = format!("try:\n    import a\nexcept:\n    {clause}\n");
            let source = Source::parse(text.as_str()).unwrap();
            source.imports()[0].guarded
        };
        assert!(!guarded("close()\n    raise"));
        assert!(guarded("a = None"));
        assert!(guarded("raise SystemExit"));
    }
}
