//! JavaScript and TypeScript as trees that can be asked and edited, and what a file's names are bound to.

use std::collections::BTreeMap;

use tree_sitter::{Node, Parser, Tree};

use crate::source::{ancestors, descendants};

/// Larger files are data or made by a program.
const LARGEST: usize = 1 << 20;

/// A parsed file.
pub struct Source {
    text: String,
    tree: Tree,
}

/// What a name of a file is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The module as the file names it, without `node:`.
    pub module: String,
    /// The member of the module; `None` for the module itself, `default` for its default.
    pub member: Option<String>,
    /// Whether it is bound by `require`.
    pub required: bool,
}

impl Source {
    /// Parses a text, broken or not, in the language that its name says; `None` where it is too large.
    pub fn parse(path: &str, text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        if text.len() > LARGEST {
            return None;
        }
        let language = match path.rsplit('.').next() {
            Some("ts" | "mts" | "cts") => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            Some("tsx") => tree_sitter_typescript::LANGUAGE_TSX.into(),
            _ => tree_sitter_javascript::LANGUAGE.into(),
        };
        let mut parser = Parser::new();
        parser.set_language(&language).ok()?;
        let tree = parser.parse(&text, None)?;
        Some(Self { text, tree })
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The root of its tree.
    pub fn root(&self) -> Node<'_> {
        self.tree.root_node()
    }

    /// Whether all of it parsed.
    pub fn is_whole(&self) -> bool {
        !self.root().has_error()
    }

    /// The text of one node.
    pub fn slice(&self, node: Node<'_>) -> &str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// Every node, parents before children, in the order of the text.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        descendants(self.root())
    }

    /// The calls, `new` ones among them, each with the text of what is called.
    pub fn calls(&self) -> impl Iterator<Item = (Node<'_>, &str)> {
        self.nodes().filter_map(|node| {
            let field = match node.kind() {
                "call_expression" => "function",
                "new_expression" => "constructor",
                _ => return None,
            };
            Some((node, self.slice(node.child_by_field_name(field)?)))
        })
    }

    /// The line, counted from 1, on which a node begins.
    pub fn line(node: Node<'_>) -> u32 {
        u32::try_from(node.start_position().row).map_or(u32::MAX, |row| row + 1)
    }

    /// The text of a string without its quotes; `None` where it is not a plain one.
    pub fn string(&self, node: Node<'_>) -> Option<&str> {
        if node.kind() != "string" {
            return None;
        }
        let text = self.slice(node);
        text.get(1..text.len().checked_sub(1)?)
    }

    /// Every module that the file names, with the string that does: `import`, `export … from`, `require`, `import()`,
    /// and the mocks of jest and vitest.
    pub fn modules(&self) -> Vec<(Node<'_>, &str)> {
        self.nodes()
            .filter_map(|node| {
                let string = match node.kind() {
                    "import_statement" | "export_statement" => {
                        node.child_by_field_name("source")?
                    }
                    "call_expression" => {
                        let called = self.slice(node.child_by_field_name("function")?);
                        let loads = matches!(
                            called,
                            "require"
                                | "import"
                                | "require.resolve"
                                | "jest.mock"
                                | "jest.requireActual"
                                | "vi.mock"
                        );
                        if !loads {
                            return None;
                        }
                        node.child_by_field_name("arguments")?.named_child(0)?
                    }
                    _ => return None,
                };
                Some((string, self.string(string)?))
            })
            .collect()
    }

    /// What the names of the file's top level are bound to.
    pub fn bindings(&self) -> BTreeMap<String, Binding> {
        let mut found = BTreeMap::new();
        for node in self.nodes() {
            match node.kind() {
                "import_statement" => self.imported(node, &mut found),
                "variable_declarator" => self.required(node, &mut found),
                _ => {}
            }
        }
        found
    }

    fn imported(&self, node: Node<'_>, found: &mut BTreeMap<String, Binding>) {
        let Some(module) = node
            .child_by_field_name("source")
            .and_then(|source| self.string(source))
        else {
            return;
        };
        let mut bind = |name: &str, member: Option<&str>| {
            found.insert(
                name.to_owned(),
                Binding {
                    module: plain(module).to_owned(),
                    member: member.map(str::to_owned),
                    required: false,
                },
            );
        };
        for clause in descendants(node) {
            match clause.kind() {
                "identifier"
                    if clause
                        .parent()
                        .is_some_and(|up| up.kind() == "import_clause") =>
                {
                    bind(self.slice(clause), Some("default"));
                }
                "namespace_import" => {
                    if let Some(name) = clause.named_child(0) {
                        bind(self.slice(name), None);
                    }
                }
                "import_specifier" => {
                    let Some(name) = clause.child_by_field_name("name") else {
                        continue;
                    };
                    let alias = clause.child_by_field_name("alias").unwrap_or(name);
                    bind(self.slice(alias), Some(self.slice(name)));
                }
                _ => {}
            }
        }
    }

    fn required(&self, node: Node<'_>, found: &mut BTreeMap<String, Binding>) {
        let (Some(name), Some(value)) = (
            node.child_by_field_name("name"),
            node.child_by_field_name("value"),
        ) else {
            return;
        };
        let Some((module, member)) = self.required_module(value) else {
            return;
        };
        let mut bind = |name: &str, member: Option<&str>| {
            found.insert(
                name.to_owned(),
                Binding {
                    module: plain(module).to_owned(),
                    member: member.map(str::to_owned),
                    required: true,
                },
            );
        };
        match name.kind() {
            "identifier" => bind(self.slice(name), member),
            "object_pattern" if member.is_none() => {
                let mut cursor = name.walk();
                for part in name.named_children(&mut cursor) {
                    match part.kind() {
                        "shorthand_property_identifier_pattern" => {
                            bind(self.slice(part), Some(self.slice(part)));
                        }
                        "pair_pattern" => {
                            if let (Some(key), Some(value)) = (
                                part.child_by_field_name("key"),
                                part.child_by_field_name("value"),
                            ) {
                                bind(self.slice(value), Some(self.slice(key)));
                            }
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    /// `require('m')` and `require('m').member`.
    pub fn required_module(&self, node: Node<'_>) -> Option<(&str, Option<&str>)> {
        match node.kind() {
            "call_expression" => {
                let called = node.child_by_field_name("function")?;
                if self.slice(called) != "require" {
                    return None;
                }
                let string = node.child_by_field_name("arguments")?.named_child(0)?;
                Some((self.string(string)?, None))
            }
            "member_expression" => {
                let object = node.child_by_field_name("object")?;
                let (module, None) = self.required_module(object)? else {
                    return None;
                };
                let member = node.child_by_field_name("property")?;
                Some((module, Some(self.slice(member))))
            }
            "await_expression" => {
                // `await import('m')`
                let call = node.named_child(0)?;
                let called = call.child_by_field_name("function")?;
                if called.kind() != "import" {
                    return None;
                }
                let string = call.child_by_field_name("arguments")?.named_child(0)?;
                Some((self.string(string)?, None))
            }
            _ => None,
        }
    }
}

/// The arguments of a call, in order; comments left out.
pub fn arguments(call: Node<'_>) -> Vec<Node<'_>> {
    let Some(list) = call.child_by_field_name("arguments") else {
        return Vec::new();
    };
    let mut cursor = list.walk();
    list.named_children(&mut cursor)
        .filter(|node| node.kind() != "comment")
        .collect()
}

/// The function that a node stands in.
pub fn function_of(node: Node<'_>) -> Option<Node<'_>> {
    ancestors(node).find(|outer| is_function(*outer))
}

/// Whether a node is a function of any form.
pub fn is_function(node: Node<'_>) -> bool {
    matches!(
        node.kind(),
        "function_declaration"
            | "function_expression"
            | "arrow_function"
            | "method_definition"
            | "generator_function"
            | "generator_function_declaration"
    )
}

/// A module's name without the scheme of Node's own.
pub fn plain(module: &str) -> &str {
    module.strip_prefix("node:").unwrap_or(module)
}

/// The package that a module's name names: `@a/b` of `@a/b/c`; `None` for a file, a URL, or an alias of the project's own.
pub fn package_of(specifier: &str) -> Option<&str> {
    if specifier.starts_with(['.', '/', '#', '~']) || specifier.contains(':') {
        return None;
    }
    let parts = if specifier.starts_with('@') { 2 } else { 1 };
    let end = specifier
        .match_indices('/')
        .nth(parts - 1)
        .map_or(specifier.len(), |(at, _)| at);
    let name = &specifier[..end];
    crate::edge::is_npm_requirement(name).then_some(name)
}

/// Node's own modules (<https://nodejs.org/api/module.html#modulebuiltinmodules>).
pub fn is_builtin(module: &str) -> bool {
    const BUILTIN: &[&str] = &[
        "assert",
        "async_hooks",
        "buffer",
        "child_process",
        "cluster",
        "console",
        "constants",
        "crypto",
        "dgram",
        "diagnostics_channel",
        "dns",
        "domain",
        "events",
        "fs",
        "http",
        "http2",
        "https",
        "inspector",
        "module",
        "net",
        "os",
        "path",
        "perf_hooks",
        "process",
        "punycode",
        "querystring",
        "readline",
        "repl",
        "stream",
        "string_decoder",
        "sys",
        "timers",
        "tls",
        "trace_events",
        "tty",
        "url",
        "util",
        "v8",
        "vm",
        "wasi",
        "worker_threads",
        "zlib",
    ];
    module.starts_with("node:") || BUILTIN.contains(&module.split('/').next().unwrap_or(module))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bound_by_every_form_of_import() {
        let text = "import d, { a, b as c } from 'x';\nimport * as n from 'node:util';\nconst r = require('@s/p/q'), { s, t: u } = require('y');\nconst m = require('z').inner;\n";
        let source = Source::parse("a.mjs", text).unwrap();
        let bindings = source.bindings();
        let said = |name: &str| {
            let of = &bindings[name];
            format!("{}:{}", of.module, of.member.as_deref().unwrap_or("*"))
        };
        for (name, of) in [
            ("d", "x:default"),
            ("a", "x:a"),
            ("c", "x:b"),
            ("n", "util:*"),
            ("r", "@s/p/q:*"),
            ("s", "y:s"),
            ("u", "y:t"),
            ("m", "z:inner"),
        ] {
            assert_eq!(said(name), of);
        }
        let modules: Vec<&str> = source.modules().into_iter().map(|(_, name)| name).collect();
        assert_eq!(modules, ["x", "node:util", "@s/p/q", "y", "z"]);
    }

    #[test]
    fn typescript_is_read_as_such() {
        let source = Source::parse("a.ts", "const a: number = f<string>('x');\n").unwrap();
        assert!(source.is_whole());
        assert!(
            !Source::parse("a.js", "const a: number = 1;\n")
                .unwrap()
                .is_whole()
        );
    }

    #[test]
    fn a_package_is_told_from_a_file_and_from_an_alias() {
        assert_eq!(package_of("@a/b/c"), Some("@a/b"));
        assert_eq!(package_of("x/y"), Some("x"));
        for none in [
            "./x",
            "../x",
            "/x",
            "#x",
            "~/x",
            "node:fs",
            "@/x",
            "https://x",
        ] {
            assert_eq!(package_of(none), None, "{none}");
        }
    }
}
