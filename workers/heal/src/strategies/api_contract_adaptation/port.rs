//! Ports one file by a set of rules: every use, through whatever import it comes.

use std::collections::{BTreeMap, BTreeSet};

use tree_sitter::Node;

use super::template::Call;
use super::transforms;
use super::trigger::{is_within, split};
use crate::rules::{Change, Keyword, Moved, Renamed, Rewrite, Rule};
use crate::source::edit::{self, Splice};
use crate::source::names::Names;
use crate::source::spelling::{Spelling, without_item};
use crate::source::{Source, arguments};

/// What a file is ported by.
pub(super) struct Order<'r> {
    /// The rules.
    pub rules: &'r [&'r Rule],
    /// The module that the failure says is missing, where it says so.
    pub missing: Option<&'r str>,
    /// Lines of this file that stand in the traceback.
    pub hot: &'r BTreeSet<u32>,
    /// Functions and methods that the project defines under names that rules would change.
    pub defined: &'r BTreeSet<String>,
    /// The fixture that the failure names, where it names one.
    pub fixture: Option<&'r str>,
}

/// The file's new text: `None` where nothing in it is concerned, or where not all that is concerned can be ported.
pub(super) fn port(text: &str, order: &Order<'_>) -> Option<String> {
    let source = Source::parse(text)?;
    let names = Names::of(&source);
    let mut port = Port {
        source: &source,
        names: &names,
        spelling: Spelling::new(&source, &names),
        order,
        splices: Vec::new(),
        statements: Vec::new(),
        gone: BTreeSet::new(),
        rewritten: BTreeSet::new(),
    };
    port.expressions()?;
    port.imports()?;
    for rule in order.rules {
        if let Change::Transform(name) = &rule.change {
            port.splices
                .extend(transforms::run(name, &source, &names, order)?);
        }
    }
    let imports = port.spelling.import_splices(&port.statements, &port.gone)?;
    port.splices.extend(imports);
    let ported = edit::apply(text, &port.splices)?;
    let intact = Source::parse(ported.as_str())?.broken() <= source.broken();
    (ported != text && intact).then_some(ported)
}

struct Port<'p, 't> {
    source: &'t Source,
    names: &'p Names<'t>,
    spelling: Spelling<'p, 't>,
    order: &'p Order<'p>,
    splices: Vec<Splice>,
    /// Import statements to add next to an import.
    statements: Vec<(usize, String)>,
    /// Imports of which nothing is left.
    gone: BTreeSet<usize>,
    /// Ids of nodes that were replaced, or that an import statement's own edit takes care of.
    rewritten: BTreeSet<usize>,
}

impl<'t> Port<'_, 't> {
    /// Whether a place may be changed: the file does not itself provide for the absence, unless that is what failed.
    fn is_open(&self, node: Node<'t>, rule: &Rule) -> bool {
        let hot = self.is_hot(node);
        hot || (!rule.here_only && !self.source.guarded(node))
    }

    fn is_hot(&self, node: Node<'t>) -> bool {
        let last = u32::try_from(node.end_position().row).map_or(u32::MAX, |row| row + 1);
        self.order
            .hot
            .range(Source::line(node)..=last)
            .next()
            .is_some()
    }

    /// Innermost first: an outer call is written with its inner repairs already made.
    fn expressions(&mut self) -> Option<()> {
        let nodes: Vec<_> = self.source.nodes().collect();
        for &node in nodes.iter().rev() {
            match node.kind() {
                "call" => self.call(node)?,
                "attribute" => self.attribute(node)?,
                "identifier" => self.identifier(node)?,
                _ => {}
            }
        }
        Some(())
    }

    fn call(&mut self, node: Node<'t>) -> Option<()> {
        for rule in self.order.rules {
            match &rule.change {
                Change::Rewrite(rewrite)
                    if self.concerns(&rewrite.call, node) && self.is_open(node, rule) =>
                {
                    self.rewrite(node, rewrite)?;
                }
                Change::Keyword(keyword)
                    if keyword.of.iter().any(|of| self.concerns(of, node))
                        && self.is_open(node, rule) =>
                {
                    self.keyword(node, keyword);
                }
                _ => {}
            }
        }
        Some(())
    }

    /// Whether a call is one of this function, or of this `.method` of anything.
    fn concerns(&self, wanted: &str, call: Node<'t>) -> bool {
        let Some(function) = call.child_by_field_name("function") else {
            return false;
        };
        if let Some((class, method)) = wanted.split_once("().") {
            return self.is_method_of_a_new(function, class, method);
        }
        match wanted.strip_prefix('.') {
            Some(method) => {
                function.kind() == "attribute"
                    && function
                        .child_by_field_name("attribute")
                        .is_some_and(|name| self.source.slice(name) == method)
                    && !self.order.defined.contains(method)
                    && !self.is_of_module(function)
            }
            None => self
                .names
                .resolve(function)
                .is_some_and(|used| used.qualified == wanted),
        }
    }

    /// `Class(…).method`, whatever the class is called by.
    fn is_method_of_a_new(&self, attribute: Node<'t>, class: &str, method: &str) -> bool {
        let object = attribute.child_by_field_name("object");
        let name = attribute.child_by_field_name("attribute");
        name.is_some_and(|name| self.source.slice(name) == method)
            && object
                .filter(|object| object.kind() == "call")
                .and_then(|call| call.child_by_field_name("function"))
                .and_then(|function| self.names.resolve(function))
                .is_some_and(|used| used.qualified == class)
    }

    /// `module.name`, where the module was imported: not a method of some object.
    fn is_of_module(&self, attribute: Node<'t>) -> bool {
        let object = attribute.child_by_field_name("object");
        object
            .and_then(|object| self.names.resolve(object))
            .is_some_and(|used| {
                let import = &self.names.imports[used.import];
                import.from.is_none() && used.qualified == import.stands_for()
            })
    }

    /// Whether an attribute is this `.method` of anything, or `Class().method`, and is passed on rather than called.
    fn is_passed_on(&self, attribute: Node<'t>, wanted: &str) -> bool {
        let is = |field: &str| {
            attribute
                .parent()
                .and_then(|parent| parent.child_by_field_name(field))
                .is_some_and(|child| child.id() == attribute.id())
        };
        if is("function") || is("left") || !crate::source::names::is_load(attribute) {
            return false;
        }
        if let Some((class, method)) = wanted.split_once("().") {
            return self.is_method_of_a_new(attribute, class, method);
        }
        let Some(method) = wanted.strip_prefix('.') else {
            return false;
        };
        attribute
            .child_by_field_name("attribute")
            .is_some_and(|name| self.source.slice(name) == method)
            && !self.order.defined.contains(method)
            && !self.is_of_module(attribute)
    }

    fn rewrite(&mut self, node: Node<'t>, rewrite: &Rewrite) -> Option<()> {
        let function = node.child_by_field_name("function")?;
        let via = self.names.resolve(function).map(|used| used.import);
        let splices = &self.splices;
        let call = Call::of(self.source, node, &|inner| {
            repaired(self.source, inner, splices)
        })?;
        let Some(text) = call.fill(&rewrite.to, &|module, name| {
            self.spelling.write(module, name, via)
        }) else {
            // A call that no template fits stays, and fails as before.
            return Some(());
        };
        let text = if needs_no_parentheses(node) {
            without_outer_parentheses(&text)
        } else {
            text
        };
        let range = node.byte_range();
        self.splices
            .retain(|splice| splice.range.start < range.start || splice.range.end > range.end);
        self.splices.push(Splice::replace(range, text));
        for inner in crate::source::descendants(node) {
            self.rewritten.insert(inner.id());
        }
        Some(())
    }

    fn keyword(&mut self, node: Node<'t>, keyword: &Keyword) {
        let all = arguments(node);
        let name_of = |argument: &Node<'t>| {
            argument
                .child_by_field_name("name")
                .filter(|_| argument.kind() == "keyword_argument")
        };
        let dropped: Vec<usize> = (0..all.len())
            .filter(|&index| {
                name_of(&all[index]).is_some_and(|name| {
                    keyword
                        .drop
                        .iter()
                        .any(|drop| drop == self.source.slice(name))
                })
            })
            .collect();
        for &index in &dropped {
            self.splices
                .push(Splice::replace(without_item(&all, &dropped, index), ""));
        }
        for argument in &all {
            if let Some(name) = name_of(argument)
                && let Some(new) = keyword.rename.get(self.source.slice(name))
            {
                self.splices
                    .push(Splice::replace(name.byte_range(), new.clone()));
            }
        }
    }

    fn attribute(&mut self, node: Node<'t>) -> Option<()> {
        let used = self.names.resolve(node);
        for rule in self.order.rules {
            if let Change::Attributes(names) = &rule.change {
                let name = node.child_by_field_name("attribute")?;
                let old = self.source.slice(name);
                if let Some(new) = names.get(old)
                    && self.is_open(node, rule)
                    && !self.order.defined.contains(old)
                    && !self.is_of_module(node)
                {
                    self.splices
                        .push(Splice::replace(name.byte_range(), new.clone()));
                }
            }
            if let Change::Rewrite(rewrite) = &rule.change
                && let Some((module, name)) = passed_on(rewrite)
                && self.is_open(node, rule)
                && !self.rewritten.contains(&node.id())
                && self.is_passed_on(node, &rewrite.call)
            {
                let text = self.spelling.write(module, name, None)?;
                self.splices.push(Splice::replace(node.byte_range(), text));
                for inner in crate::source::descendants(node) {
                    self.rewritten.insert(inner.id());
                }
                continue;
            }
            let Some(used) = &used else { continue };
            let (module, name) = match &rule.change {
                Change::Moved(moved) => match moved_to(moved, &used.qualified) {
                    Some(place) => place,
                    None => continue,
                },
                // A single word is the import's own; only a dotted way to the module is written out in uses.
                Change::Module(module)
                    if used.qualified == module.from && module.from.contains('.') =>
                {
                    (module.to.as_str(), "")
                }
                _ => continue,
            };
            if !self.is_open(node, rule) || self.rewritten.contains(&node.id()) {
                continue;
            }
            let text = self.spelling.write(module, name, Some(used.import))?;
            self.splices.push(Splice::replace(node.byte_range(), text));
            for inner in crate::source::descendants(node) {
                self.rewritten.insert(inner.id());
            }
        }
        Some(())
    }

    fn identifier(&mut self, node: Node<'t>) -> Option<()> {
        let local = self.source.slice(node);
        for rule in self.order.rules {
            let Change::Builtins(names) = &rule.change else {
                continue;
            };
            let Some(new) = names.get(local) else {
                continue;
            };
            if self.names.is_taken(local)
                || !crate::source::names::is_load(node)
                || !self.is_open(node, rule)
            {
                continue;
            }
            let text = match new.rsplit_once('.') {
                Some((module, name)) => self.spelling.write(module, name, None)?,
                None => new.clone(),
            };
            self.splices.push(Splice::replace(node.byte_range(), text));
        }
        Some(())
    }

    fn imports(&mut self) -> Option<()> {
        for index in 0..self.names.imports.len() {
            self.import(index)?;
        }
        self.shorten();
        Some(())
    }

    fn import(&mut self, index: usize) -> Option<()> {
        let import = &self.names.imports[index];
        for rule in self.order.rules {
            if !self.is_open(import.statement, rule) {
                continue;
            }
            match &rule.change {
                Change::Moved(moved)
                    if import.from.as_deref() == Some(moved.from.as_str())
                        && import.name != "*" =>
                {
                    if let Some((module, name)) = moved_to(moved, &import.stands_for()) {
                        let statement = from_import(module, name, import.local());
                        self.replace_import(index, statement);
                        return Some(());
                    }
                }
                Change::Module(module) => {
                    if let Some(statement) = self.module_import(index, module) {
                        self.replace_import(index, Some(statement));
                        return Some(());
                    }
                }
                _ => {}
            }
        }
        self.leftover(index)
    }

    fn replace_import(&mut self, index: usize, statement: Option<String>) {
        self.gone.insert(index);
        if let Some(statement) = statement {
            self.statements.push((index, statement));
        }
    }

    /// The statement that brings a renamed module under the name that the file knows it by; `None` where this import
    /// is not concerned.
    fn module_import(&self, index: usize, module: &Renamed) -> Option<String> {
        let import = &self.names.imports[index];
        let Some(from) = &import.from else {
            if import.name != module.from {
                return None;
            }
            return Some(match &import.alias {
                Some(alias) if *alias == module.to => format!("import {}", module.to),
                Some(alias) => format!("import {} as {alias}", module.to),
                None if module.from.contains('.') => format!("import {}", module.to),
                None => import_as(&module.to, import.local()),
            });
        };
        if is_within(from, &module.from) {
            let rest = &from[module.from.len()..];
            return Some(explicit_import(
                &format!("{}{rest}", module.to),
                &import.name,
                import.local(),
            ));
        }
        (format!("{from}.{}", import.name) == module.from)
            .then(|| import_as(&module.to, import.local()))
    }

    /// An import of a module that is gone, or of a name whose calls were rewritten: nothing may be left of it.
    fn leftover(&mut self, index: usize) -> Option<()> {
        let import = &self.names.imports[index];
        let stands_for = import.stands_for();
        let rewritten_call = self.order.rules.iter().any(|rule| match &rule.change {
            Change::Rewrite(rewrite) => import.from.is_some() && rewrite.call == stands_for,
            _ => false,
        });
        let module_gone =
            self.is_gone(import.module()) || (import.from.is_some() && self.is_gone(&stands_for));
        if !(module_gone || rewritten_call) {
            return Some(());
        }
        if import.guarded && !self.is_hot(import.statement) {
            return Some(());
        }
        let mut used = 0;
        for node in self
            .source
            .nodes()
            .filter(|node| node.kind() == "identifier")
        {
            let Some(found) = self.names.resolve(node) else {
                continue;
            };
            if found.import == index {
                used += 1;
                if !self.rewritten.contains(&node.id()) {
                    // Something of it stays that no rule knows. What fails on import cannot be left half done.
                    return if module_gone { None } else { Some(()) };
                }
            }
        }
        if self.spelling.reuses(import.local()) {
            return if module_gone { None } else { Some(()) };
        }
        if used > 0 || (module_gone && import.from.is_none()) {
            self.gone.insert(index);
            return Some(());
        }
        if module_gone { None } else { Some(()) }
    }

    fn is_gone(&self, module: &str) -> bool {
        let Some(missing) = self.order.missing else {
            return false;
        };
        self.order.rules.iter().any(|rule| match &rule.change {
            Change::Moved(moved) => {
                moved.gone
                    && (is_within(module, &moved.from)
                        || (is_within(module, missing) && is_within(&moved.from, module)))
            }
            Change::Rewrite(rewrite) => {
                rewrite.gone
                    && split(&rewrite.call).is_some_and(|(from, _)| {
                        is_within(module, from)
                            || (is_within(module, missing) && is_within(from, module))
                    })
            }
            _ => false,
        })
    }

    /// `from old import a, b` of which all go to one module, each under its name, only needs the module changed.
    fn shorten(&mut self) {
        let mut by_statement: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for index in 0..self.names.imports.len() {
            by_statement
                .entry(self.names.imports[index].statement.id())
                .or_default()
                .push(index);
        }
        for members in by_statement.values() {
            let statement = self.names.imports[members[0]].statement;
            let Some(old) = statement.child_by_field_name("module_name") else {
                continue;
            };
            let mut modules = BTreeSet::new();
            let mut items = Vec::new();
            for member in members {
                let mine: Vec<_> = self
                    .statements
                    .iter()
                    .filter(|(index, _)| index == member)
                    .collect();
                let [(_, text)] = mine.as_slice() else { break };
                let Some((module, item)) = text
                    .strip_prefix("from ")
                    .and_then(|rest| rest.split_once(" import "))
                else {
                    break;
                };
                modules.insert(module.to_owned());
                items.push((*member, item.to_owned()));
            }
            let others = self.spelling.adds_next_to(members);
            if items.len() != members.len() || modules.len() != 1 || others {
                continue;
            }
            for module in modules {
                self.splices.push(Splice::replace(old.byte_range(), module));
            }
            for (member, item) in items {
                let node = self.names.imports[member].item;
                if self.source.slice(node) != item {
                    self.splices.push(Splice::replace(node.byte_range(), item));
                }
                self.gone.remove(&member);
            }
            self.statements
                .retain(|(index, _)| !members.contains(index));
        }
    }
}

/// The function that a method's calls become, where they only take its argument along: it can be passed on in the
/// method's place.
fn passed_on(rewrite: &Rewrite) -> Option<(&str, &str)> {
    let [only] = rewrite.to.as_slice() else {
        return None;
    };
    only.strip_prefix("@{")?
        .strip_suffix("}({0})")?
        .split_once(':')
}

fn moved_to<'m>(moved: &'m Moved, qualified: &str) -> Option<(&'m str, &'m str)> {
    let name = qualified
        .strip_prefix(moved.from.as_str())?
        .strip_prefix('.')?;
    let new = moved
        .names
        .iter()
        .find(|known| *known == name)
        .or_else(|| moved.renamed.get(name))?;
    Some((moved.to.as_str(), new.as_str()))
}

/// The statement that brings `module.name` under a local name; `None` where none is needed.
fn from_import(module: &str, name: &str, local: &str) -> Option<String> {
    if module == "builtins" {
        return (name != local).then(|| format!("{local} = {name}"));
    }
    Some(explicit_import(module, name, local))
}

fn explicit_import(module: &str, name: &str, local: &str) -> String {
    if name == local {
        format!("from {module} import {name}")
    } else {
        format!("from {module} import {name} as {local}")
    }
}

fn import_as(module: &str, local: &str) -> String {
    match module.rsplit_once('.') {
        Some((parent, name)) if name == local => format!("from {parent} import {name}"),
        Some((parent, name)) => format!("from {parent} import {name} as {local}"),
        None if module == local => format!("import {module}"),
        None => format!("import {module} as {local}"),
    }
}

/// A node's text with the repairs inside it made.
fn repaired(source: &Source, node: Node<'_>, splices: &[Splice]) -> Option<String> {
    let range = node.byte_range();
    let inside: Vec<Splice> = splices
        .iter()
        .filter(|splice| splice.range.start >= range.start && splice.range.end <= range.end)
        .map(|splice| Splice {
            range: splice.range.start - range.start..splice.range.end - range.start,
            text: splice.text.clone(),
        })
        .collect();
    edit::apply(source.slice(node), &inside)
}

/// Whether an expression in the place of this one is delimited by what stands around it.
fn needs_no_parentheses(node: Node<'_>) -> bool {
    node.parent().is_some_and(|parent| {
        matches!(
            parent.kind(),
            "if_statement"
                | "elif_clause"
                | "while_statement"
                | "assert_statement"
                | "return_statement"
                | "assignment"
                | "expression_statement"
                | "parenthesized_expression"
                | "argument_list"
                | "keyword_argument"
                | "not_operator"
                | "boolean_operator"
                | "if_clause"
        )
    })
}

fn without_outer_parentheses(text: &str) -> String {
    let Some(inner) = text
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
    else {
        return text.to_owned();
    };
    let mut depth = 0_i32;
    for character in inner.chars() {
        depth += match character {
            '(' | '[' | '{' => 1,
            ')' | ']' | '}' => -1,
            _ => 0,
        };
        if depth < 0 {
            return text.to_owned();
        }
    }
    // A line break is only allowed inside brackets.
    if inner.contains('\n') {
        text.to_owned()
    } else {
        inner.to_owned()
    }
}
