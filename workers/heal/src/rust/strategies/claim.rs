//! What an assertion demands. The arguments of a macro are tokens; here they are parsed as those of a call.

use tree_sitter::Node;

use crate::rust::source::Source;
use crate::source::edit::Splice;

/// Put in front of a macro's arguments, so that they parse.
const FRONT: &str = "fn claim() { claim(";

/// An assertion with its arguments as a tree.
pub(in crate::rust::strategies) struct Claim {
    /// The arguments, within a function that nobody calls.
    pub(in crate::rust::strategies) source: Source,
    /// `assert`, `assert_eq` or `assert_ne`.
    name: String,
    /// Where in the file the arguments begin.
    start: usize,
}

impl Claim {
    /// The assertion that a statement is.
    pub(in crate::rust::strategies) fn of(source: &Source, statement: Node<'_>) -> Option<Self> {
        let call = match statement.kind() {
            "macro_invocation" => statement,
            _ => statement
                .named_child(0)
                .filter(|node| node.kind() == "macro_invocation")?,
        };
        let name = source.slice(call.child_by_field_name("macro")?);
        let name = name.rsplit("::").next().unwrap_or(name);
        if !matches!(name, "assert" | "assert_eq" | "assert_ne") {
            return None;
        }
        let mut cursor = call.walk();
        let tokens = call
            .named_children(&mut cursor)
            .find(|node| node.kind() == "token_tree")?;
        let text = source.slice(tokens);
        let inside = text.get(1..text.len().checked_sub(1)?)?;
        let parsed = Source::parse(format!("{FRONT}{inside}); }}"))?;
        parsed.is_whole().then_some(Self {
            source: parsed,
            name: name.to_owned(),
            start: tokens.start_byte() + 1,
        })
    }

    /// What it is about; a message of its own is left out.
    pub(in crate::rust::strategies) fn operands(&self) -> impl Iterator<Item = Node<'_>> {
        let count = if self.name == "assert" { 1 } else { 2 };
        let list = self.source.nodes().find(|node| node.kind() == "arguments");
        let mut found = Vec::new();
        if let Some(list) = list {
            let mut cursor = list.walk();
            found.extend(
                list.named_children(&mut cursor)
                    .filter(|node| !node.kind().ends_with("_comment")),
            );
        }
        found.into_iter().take(count)
    }

    /// The condition as long as which a test has to wait.
    pub(in crate::rust::strategies) fn unmet(&self) -> Option<String> {
        let texts: Vec<&str> = self
            .operands()
            .map(|node| self.source.slice(node))
            .collect();
        match (self.name.as_str(), texts.as_slice()) {
            ("assert", [condition]) => Some(format!("!({condition})")),
            ("assert_eq", [left, right]) => Some(format!("{left} != {right}")),
            ("assert_ne", [left, right]) => Some(format!("{left} == {right}")),
            _ => None,
        }
    }

    /// An edit of the claim as one of the file.
    pub(in crate::rust::strategies) fn moved(&self, splice: Splice) -> Splice {
        let moved = |at: usize| at - FRONT.len() + self.start;
        Splice {
            range: moved(splice.range.start)..moved(splice.range.end),
            ..splice
        }
    }
}
