//! What a name in a file stands for: `abc.Mapping` after `from collections import abc` is
//! `collections.abc.Mapping`.

use std::collections::{BTreeMap, BTreeSet};

use tree_sitter::Node;

use super::imports::Import;
use super::{Source, ancestors, descendants};

/// The names of one file.
pub struct Names<'t> {
    source: &'t Source,
    /// The import statements.
    pub imports: Vec<Import<'t>>,
    by_local: BTreeMap<String, Vec<usize>>,
    /// By function (its node's id): the names that it binds itself.
    local_to: BTreeMap<usize, BTreeSet<String>>,
    assigned_at_top: BTreeSet<String>,
}

/// A place where the file uses a name that an import brought.
#[derive(Debug, Clone)]
pub struct Use<'t> {
    /// The identifier or the attribute expression.
    pub node: Node<'t>,
    /// What it stands for.
    pub qualified: String,
    /// The import that brought its first part: an index into [`Names::imports`].
    pub import: usize,
}

impl<'t> Names<'t> {
    /// Reads the names of a file.
    pub fn of(source: &'t Source) -> Self {
        let imports = source.imports();
        let mut by_local: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, import) in imports.iter().enumerate() {
            by_local
                .entry(import.local().to_owned())
                .or_default()
                .push(index);
        }
        let mut names = Self {
            source,
            imports,
            by_local,
            local_to: BTreeMap::new(),
            assigned_at_top: BTreeSet::new(),
        };
        for node in source.nodes() {
            names.note_binding(node);
        }
        names
    }

    fn note_binding(&mut self, node: Node<'t>) {
        let target = match node.kind() {
            "function_definition" | "class_definition" | "named_expression" => {
                node.child_by_field_name("name")
            }
            "assignment" | "for_statement" | "for_in_clause" | "augmented_assignment" => {
                node.child_by_field_name("left")
            }
            "as_pattern_target" | "parameters" | "lambda_parameters" => Some(node),
            _ => None,
        };
        let Some(target) = target else { return };
        // A function's name belongs to the scope around it, its parameters to itself.
        let inner = matches!(node.kind(), "parameters" | "lambda_parameters");
        let scope = ancestors(node).find(|ancestor| {
            matches!(
                ancestor.kind(),
                "function_definition" | "lambda" | "class_definition"
            )
        });
        let scope = if inner { node.parent() } else { scope };
        for name in bound_names(target).map(|node| self.source.slice(node).to_owned()) {
            match scope {
                Some(scope) => self.local_to.entry(scope.id()).or_default().insert(name),
                None => self.assigned_at_top.insert(name),
            };
        }
    }

    /// Whether the file gives this name a meaning of its own anywhere, by an import or otherwise.
    pub fn is_taken(&self, local: &str) -> bool {
        self.by_local.contains_key(local) || self.is_assigned(local)
    }

    /// Whether the file binds this name anywhere other than by an import.
    pub fn is_assigned(&self, local: &str) -> bool {
        self.assigned_at_top.contains(local)
            || self.local_to.values().any(|names| names.contains(local))
    }

    /// Every use of an imported name, the longest attribute chain first; import statements left out.
    pub fn uses(&self) -> Vec<Use<'t>> {
        self.source
            .nodes()
            .filter_map(|node| self.resolve(node))
            .collect()
    }

    /// What an identifier or attribute expression stands for, where its first part was imported.
    pub fn resolve(&self, node: Node<'t>) -> Option<Use<'t>> {
        let mut parts = Vec::new();
        let mut first = node;
        while first.kind() == "attribute" {
            parts.push(self.source.slice(first.child_by_field_name("attribute")?));
            first = first.child_by_field_name("object")?;
        }
        if first.kind() != "identifier" || !is_load(first) {
            return None;
        }
        let local = self.source.slice(first);
        let candidates = self.by_local.get(local)?;
        if self.is_shadowed(first, local) {
            return None;
        }
        let import = self.visible_import(first, candidates)?;
        let mut qualified = self.imports[import].stands_for();
        for part in parts.iter().rev() {
            qualified.push('.');
            qualified.push_str(part);
        }
        Some(Use {
            node,
            qualified,
            import,
        })
    }

    /// The import that a use sees: one in the same function before one at the top, the last of several.
    fn visible_import(&self, node: Node<'t>, candidates: &[usize]) -> Option<usize> {
        let functions: Vec<usize> = ancestors(node)
            .filter(|a| a.kind() == "function_definition")
            .map(|a| a.id())
            .collect();
        let home = |index: usize| {
            ancestors(self.imports[index].statement)
                .find(|a| a.kind() == "function_definition")
                .map(|a| a.id())
        };
        candidates
            .iter()
            .rev()
            .copied()
            .find(|&index| home(index).is_some_and(|id| functions.contains(&id)))
            .or_else(|| {
                candidates
                    .iter()
                    .rev()
                    .copied()
                    .find(|&index| home(index).is_none())
            })
    }

    fn is_shadowed(&self, node: Node<'t>, local: &str) -> bool {
        ancestors(node)
            .filter(|a| matches!(a.kind(), "function_definition" | "lambda"))
            .any(|function| {
                self.local_to
                    .get(&function.id())
                    .is_some_and(|names| names.contains(local))
            })
    }

    /// The local name under which something is imported at the top level, unguarded, and not bound otherwise.
    pub fn local_for(&self, qualified: &str) -> Option<&str> {
        self.imports
            .iter()
            .find(|import| {
                import.at_top()
                    && import.stands_for() == qualified
                    && !self.is_assigned(import.local())
            })
            .map(Import::local)
    }

    /// Whether a plain `import module` (or of something below it) stands at the top level.
    pub fn imports_module(&self, module: &str) -> bool {
        self.imports
            .iter()
            .any(|import| import.from.is_none() && import.alias.is_none() && import.name == module)
    }
}

/// The identifiers that a target binds; those of attributes and subscripts it only reads.
fn bound_names(target: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    descendants(target).filter(move |node| {
        node.kind() == "identifier"
            && !std::iter::successors(Some(*node), Node::parent)
                .take_while(|n| n.id() != target.id())
                .chain([target])
                .any(|n| matches!(n.kind(), "attribute" | "subscript" | "type"))
            && !is_default_value(*node, target)
    })
}

/// `x` in `def f(a=x)` is read, not bound.
fn is_default_value(node: Node<'_>, within: Node<'_>) -> bool {
    let mut current = node;
    while current.id() != within.id() {
        let Some(parent) = current.parent() else {
            return false;
        };
        if matches!(
            parent.kind(),
            "default_parameter" | "typed_default_parameter"
        ) && parent
            .child_by_field_name("value")
            .is_some_and(|value| value.id() == current.id())
        {
            return true;
        }
        current = parent;
    }
    false
}

/// Whether an identifier is read as a variable: not an attribute's, keyword's or import's own name.
pub fn is_load(node: Node<'_>) -> bool {
    let Some(parent) = node.parent() else {
        return false;
    };
    let is_field = |field: &str| {
        parent
            .child_by_field_name(field)
            .is_some_and(|child| child.id() == node.id())
    };
    match parent.kind() {
        "attribute" => is_field("object"),
        "keyword_argument" | "default_parameter" | "typed_default_parameter" => is_field("value"),
        "dotted_name" | "aliased_import" | "parameters" | "lambda_parameters"
        | "global_statement" | "nonlocal_statement" => false,
        "function_definition" | "class_definition" => !is_field("name"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(text: &str) -> Vec<String> {
        let source = Source::parse(text).unwrap();
        Names::of(&source)
            .uses()
            .into_iter()
            .map(|u| u.qualified)
            .collect()
    }

    #[test]
    fn names_resolve_through_modules_aliases_and_from_imports() {
        assert_eq!(
            uses("import collections as c\nc.Mapping\n"),
            ["collections.Mapping", "collections"]
        );
        assert_eq!(
            uses("from os import path as p\nx = p.join(a)\n"),
            ["os.path.join", "os.path"]
        );
    }

    #[test]
    fn a_parameter_or_local_variable_hides_the_import() {
        assert_eq!(
            uses("import time\ndef f(time):\n    return time.clock()\n"),
            [] as [&str; 0]
        );
        assert_eq!(
            uses("import time\ndef f(a=time):\n    return a\n"),
            ["time"]
        );
        assert_eq!(
            uses("import time\ndef f():\n    time = 1\n    return time\n"),
            [] as [&str; 0]
        );
        assert_eq!(uses("import time\nf(time=2)\nx.time\n"), [] as [&str; 0]);
    }
}
