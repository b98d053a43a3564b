//! How a file can write down a qualified name: through an import that it has, or one that it gets.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use tree_sitter::Node;

use super::Source;
use super::edit::Splice;
use super::imports::Import;
use super::names::Names;

/// Writes down qualified names in one file, and remembers which imports that takes.
pub struct Spelling<'s, 't> {
    source: &'t Source,
    names: &'s Names<'t>,
    /// Statements to add after the one of an import; `None` for the top of the file.
    added: RefCell<BTreeSet<(Option<usize>, String)>>,
    /// Local names that were written and that an import of the file already brings.
    reused: RefCell<BTreeSet<String>>,
    /// Plain imports that import a module further down.
    widened: RefCell<BTreeMap<usize, String>>,
}

impl<'s, 't> Spelling<'s, 't> {
    /// A spelling that has added nothing yet.
    pub fn new(source: &'t Source, names: &'s Names<'t>) -> Self {
        Self {
            source,
            names,
            added: RefCell::default(),
            reused: RefCell::default(),
            widened: RefCell::default(),
        }
    }

    /// Writes `name` (perhaps with attributes) of `module` where a use brought by the import `via` stood, in that
    /// import's own manner: dotted after `import m`, bare after `from m import n`. An empty name writes the module
    /// itself. `None` where the words that it would take mean something else in this file.
    pub fn write(&self, module: &str, name: &str, via: Option<usize>) -> Option<String> {
        let (head, tail) = name.find('.').map_or((name, ""), |at| name.split_at(at));
        self.write_head(module, head, via)
            .map(|spelled| format!("{spelled}{tail}"))
    }

    fn write_head(&self, module: &str, name: &str, via: Option<usize>) -> Option<String> {
        if module == "builtins" {
            return (!self.names.is_taken(name)).then(|| name.to_owned());
        }
        let dotted = |local: &str| {
            if name.is_empty() {
                local.to_owned()
            } else {
                format!("{local}.{name}")
            }
        };
        if !name.is_empty()
            && let Some(local) = self.names.local_for(&format!("{module}.{name}"))
        {
            self.reuse(local);
            return Some(local.to_owned());
        }
        if let Some(local) = self.names.local_for(module) {
            self.reuse(local);
            return Some(dotted(local));
        }
        if self.names.imports_module(module) {
            self.reuse(module.split('.').next().unwrap_or(module));
            return Some(dotted(module));
        }
        if let Some(via) = via {
            let import = &self.names.imports[via];
            if let Some(rest) = below(module, import) {
                // `import collections` becomes `import collections.abc`, which binds the same name.
                if import.alias.is_none() {
                    self.widened.borrow_mut().insert(via, module.to_owned());
                } else {
                    self.add(Some(via), format!("import {module}"));
                }
                return Some(dotted(&format!("{}{rest}", import.local())));
            }
            if import.from.is_some() && !name.is_empty() && self.is_free(name, import) {
                self.add(Some(via), format!("from {module} import {name}"));
                return Some(name.to_owned());
            }
        }
        let root = module.split('.').next()?;
        let same_root = self
            .names
            .imports
            .iter()
            .all(|other| other.local() != root || other.stands_for() == root);
        if !same_root || self.names.is_assigned(root) {
            return None;
        }
        // An import in a function would not be seen where the next one needs it.
        let via = via.filter(|&via| !self.names.imports[via].guarded);
        self.add(via, format!("import {module}"));
        Some(dotted(module))
    }

    /// Whether a name means nothing else in the file than what `import` brings, which is about to leave.
    fn is_free(&self, name: &str, import: &Import<'_>) -> bool {
        !self.names.is_assigned(name)
            && self
                .names
                .imports
                .iter()
                .all(|other| other.local() != name || other.stands_for() == import.stands_for())
    }

    fn reuse(&self, local: &str) {
        self.reused.borrow_mut().insert(local.to_owned());
    }

    /// Whether what was written needs an import that the file already has.
    pub fn reuses(&self, local: &str) -> bool {
        self.reused.borrow().contains(local)
    }

    fn add(&self, via: Option<usize>, statement: String) {
        self.added.borrow_mut().insert((via, statement));
    }

    /// Whether anything was added next to one of these imports.
    pub fn adds_next_to(&self, imports: &[usize]) -> bool {
        self.added
            .borrow()
            .iter()
            .any(|(via, _)| via.is_some_and(|via| imports.contains(&via)))
    }

    /// The edits that bring the imports: the statements of `more`, each next to an import, and those that writing
    /// took. Statements next to imports in `gone` take their place.
    pub fn import_splices(
        &self,
        more: &[(usize, String)],
        gone: &BTreeSet<usize>,
    ) -> Option<Vec<Splice>> {
        let mut splices = Vec::new();
        for (&via, module) in &*self.widened.borrow() {
            splices.push(Splice::replace(
                self.names.imports[via].item.byte_range(),
                module.clone(),
            ));
        }
        let mut by_statement: BTreeMap<usize, (usize, Vec<String>)> = BTreeMap::new();
        let mut at_top = Vec::new();
        let more = more.iter().map(|(via, text)| (Some(*via), text.clone()));
        for (via, text) in more.chain(self.added.borrow().iter().cloned()) {
            let Some(via) = via else {
                at_top.push(text);
                continue;
            };
            let start = self.names.imports[via].statement.start_byte();
            let entry = by_statement.entry(start).or_insert((via, Vec::new()));
            if !entry.1.contains(&text) {
                entry.1.push(text);
            }
        }
        let mut replaced = BTreeSet::new();
        for (via, statements) in by_statement.into_values() {
            let statement = self.names.imports[via].statement;
            let siblings = self.items_of(statement);
            let joint = self.joint(statement)?;
            let statements = merge_from_imports(&statements);
            if siblings.iter().all(|index| gone.contains(index)) {
                replaced.insert(statement.id());
                splices.push(Splice::replace(
                    statement.byte_range(),
                    statements.join(&joint),
                ));
                continue;
            }
            // `from m import a` that keeps all it has may simply bring one name more.
            let same = self.names.imports[via]
                .from
                .as_ref()
                .map(|module| format!("from {module} import "));
            let keeps_all = !siblings.iter().any(|index| gone.contains(index));
            let mut tail = String::new();
            for text in statements {
                match same.as_deref().and_then(|head| text.strip_prefix(head)) {
                    Some(names) if keeps_all => {
                        let last = siblings
                            .last()
                            .map(|&index| self.names.imports[index].item.end_byte())?;
                        splices.push(Splice::insert(last, format!(", {names}")));
                    }
                    _ => {
                        let _ = write!(tail, "{joint}{text}");
                    }
                }
            }
            if !tail.is_empty() {
                let at = if joint == "; " {
                    statement.end_byte()
                } else {
                    self.line_end(statement.end_byte())
                };
                splices.push(Splice::insert(at, tail));
            }
        }
        if !at_top.is_empty() {
            splices.push(self.at_top(&merge_from_imports(&at_top)));
        }
        splices.extend(self.removals(gone, &replaced)?);
        Some(splices)
    }

    /// Before the first plain import of the file, or below its docstring.
    fn at_top(&self, statements: &[String]) -> Splice {
        let newline = self.source.newline();
        let text = statements.join(newline) + newline;
        let root = self.source.root();
        let mut cursor = root.walk();
        let first = root.children(&mut cursor).find(|node| {
            let docstring = node.kind() == "expression_statement"
                && node.child(0).is_some_and(|c| c.kind() == "string");
            !docstring && !matches!(node.kind(), "comment" | "future_import_statement")
        });
        Splice::insert(
            first.map_or(self.source.text().len(), |node| node.start_byte()),
            text,
        )
    }

    /// Removes imports of which nothing is left to use. A statement that loses all and gets nothing loses its
    /// line, or becomes `pass` where its block would be empty.
    fn removals(&self, gone: &BTreeSet<usize>, replaced: &BTreeSet<usize>) -> Option<Vec<Splice>> {
        let mut splices = Vec::new();
        for &index in gone {
            let statement = self.names.imports[index].statement;
            let siblings = self.items_of(statement);
            if siblings.iter().all(|sibling| gone.contains(sibling)) {
                if !replaced.contains(&statement.id()) {
                    splices.push(self.without_statement(statement)?);
                }
                continue;
            }
            let items: Vec<_> = siblings
                .iter()
                .map(|&sibling| self.names.imports[sibling].item)
                .collect();
            let leaving: Vec<usize> = (0..siblings.len())
                .filter(|&at| gone.contains(&siblings[at]))
                .collect();
            let at = siblings.iter().position(|&sibling| sibling == index)?;
            splices.push(Splice::replace(without_item(&items, &leaving, at), ""));
        }
        Some(splices)
    }

    fn without_statement(&self, statement: Node<'_>) -> Option<Splice> {
        let parent = statement.parent()?;
        let alone = parent.kind() == "block" && parent.named_child_count() == 1;
        let text = self.source.text();
        let line_end = self.line_end(statement.end_byte());
        let rest_is_blank = text.get(statement.end_byte()..line_end)?.trim().is_empty();
        match self.source.indent_of(statement.start_byte()) {
            Some(indent) if !alone && rest_is_blank => {
                let after = text.get(line_end..)?;
                let ending = if after.starts_with("\r\n") {
                    2
                } else {
                    usize::from(after.starts_with('\n'))
                };
                Some(Splice::replace(
                    statement.start_byte() - indent.len()..line_end + ending,
                    "",
                ))
            }
            _ => Some(Splice::replace(statement.byte_range(), "pass")),
        }
    }

    fn items_of(&self, statement: Node<'_>) -> Vec<usize> {
        (0..self.names.imports.len())
            .filter(|&index| self.names.imports[index].statement.id() == statement.id())
            .collect()
    }

    /// What stands between a statement and one added after it: a line end where the statement has its line to
    /// itself, `;` where it shares it.
    fn joint(&self, statement: Node<'_>) -> Option<String> {
        let rest = self
            .source
            .text()
            .get(statement.end_byte()..self.line_end(statement.end_byte()))?
            .trim();
        Some(match self.source.indent_of(statement.start_byte()) {
            Some(indent) if rest.is_empty() || rest.starts_with('#') => {
                format!("{}{indent}", self.source.newline())
            }
            _ => "; ".to_owned(),
        })
    }

    /// Where the line that holds this byte ends, its line ending left out.
    fn line_end(&self, at: usize) -> usize {
        let rest = self.source.text().get(at..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or(rest);
        at + line.trim_end_matches('\r').len()
    }
}

/// The bytes to delete so that an item leaves its list: the item, and the comma that goes with it. `leaving` are
/// all items that leave; at least one stays.
pub fn without_item(items: &[Node<'_>], leaving: &[usize], index: usize) -> std::ops::Range<usize> {
    let stays_later = (index + 1..items.len()).any(|later| !leaving.contains(&later));
    if stays_later {
        return items[index].start_byte()..items[index + 1].start_byte();
    }
    match index.checked_sub(1) {
        Some(previous) => items[previous].end_byte()..items[index].end_byte(),
        None => items[index].byte_range(),
    }
}

/// What lies between the module that a plain `import` binds and a module below it: `.abc` for `collections` and
/// `collections.abc`.
fn below<'m>(module: &'m str, import: &Import<'_>) -> Option<&'m str> {
    // Widening `import a.b` to `import a.c` would lose `a.b`.
    if import.from.is_some()
        || import.guarded
        || (import.alias.is_none() && import.name.contains('.'))
    {
        return None;
    }
    module
        .strip_prefix(import.name.as_str())
        .filter(|rest| rest.starts_with('.'))
}

/// `from m import a` and `from m import b` are one statement.
fn merge_from_imports(statements: &[String]) -> Vec<String> {
    let mut merged: Vec<(String, Vec<String>)> = Vec::new();
    for statement in statements {
        let (head, item) = match statement.split_once(" import ") {
            Some((head, item)) if head.starts_with("from ") => {
                (format!("{head} import "), Some(item.to_owned()))
            }
            _ => (statement.clone(), None),
        };
        match (merged.iter_mut().find(|(other, _)| *other == head), item) {
            (Some((_, items)), Some(item)) => items.push(item),
            (Some(_), None) => {}
            (None, item) => merged.push((head, item.into_iter().collect())),
        }
    }
    merged
        .into_iter()
        .map(|(head, mut items)| {
            items.dedup();
            format!("{head}{}", items.join(", "))
        })
        .collect()
}
