//! Templates of calls: how an old call is written in the new form.

use std::fmt::Write as _;
use tree_sitter::Node;

use crate::source::{Source, arguments};

/// A call taken apart.
pub(super) struct Call {
    /// What its method is called on, as the file has it.
    pub receiver: Option<Piece>,
    /// Arguments by position.
    pub positional: Vec<Piece>,
    /// Arguments by keyword.
    pub keywords: Vec<(String, Piece)>,
    /// All arguments as they stand; unpacked ones cannot be told apart and are only here.
    pub all: String,
    /// It unpacks a sequence or a mapping into its arguments.
    pub unpacks: bool,
}

/// The text of an expression, and whether an operator next to it would tear it apart.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// As the file has it, inner repairs made.
    pub text: String,
    /// It stands by itself next to any operator.
    pub atom: bool,
}

impl Call {
    /// Takes a call apart; `text_of` gives a node's text with the repairs inside it already made.
    pub(super) fn of(
        source: &Source,
        call: Node<'_>,
        text_of: &dyn Fn(Node<'_>) -> Option<String>,
    ) -> Option<Self> {
        let piece = |node: Node<'_>| {
            Some(Piece {
                text: text_of(node)?,
                atom: is_atom(node),
            })
        };
        let function = call.child_by_field_name("function")?;
        let receiver = match function.child_by_field_name("object") {
            Some(object) => Some(piece(object)?),
            None => None,
        };
        let list = call.child_by_field_name("arguments")?;
        let all = text_of(list)?;
        let all = all
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'))
            .unwrap_or(&all)
            .to_owned();
        let mut taken = Self {
            receiver,
            positional: Vec::new(),
            keywords: Vec::new(),
            all,
            unpacks: false,
        };
        for argument in arguments(call) {
            match argument.kind() {
                "keyword_argument" => {
                    let name = source
                        .slice(argument.child_by_field_name("name")?)
                        .to_owned();
                    taken
                        .keywords
                        .push((name, piece(argument.child_by_field_name("value")?)?));
                }
                "list_splat" | "dictionary_splat" => taken.unpacks = true,
                _ => taken.positional.push(piece(argument)?),
            }
        }
        Some(taken)
    }

    /// Fills in the first template that takes exactly the arguments that the call has. `spell` writes down
    /// `module:name`.
    pub(super) fn fill(
        &self,
        templates: &[String],
        spell: &dyn Fn(&str, &str) -> Option<String>,
    ) -> Option<String> {
        let fitting = templates.iter().find(|template| self.fits(template))?;
        let mut text = String::new();
        for token in tokens(fitting) {
            match token {
                Token::Text(literal) => text.push_str(&literal),
                Token::Name(module, name) => text.push_str(&spell(&module, &name)?),
                Token::All => text.push_str(&self.all),
                Token::Hole(name, atom) => {
                    let piece = self.hole(&name)?;
                    if atom && !piece.atom {
                        let _ = write!(text, "({})", piece.text);
                    } else {
                        text.push_str(&piece.text);
                    }
                }
            }
        }
        Some(text)
    }

    fn hole(&self, name: &str) -> Option<&Piece> {
        if name == "self" {
            return self.receiver.as_ref();
        }
        match name.parse::<usize>() {
            Ok(index) => self.positional.get(index),
            Err(_) => self
                .keywords
                .iter()
                .find(|(keyword, _)| keyword == name)
                .map(|(_, piece)| piece),
        }
    }

    fn fits(&self, template: &str) -> bool {
        let tokens = tokens(template);
        if tokens.iter().any(|token| matches!(token, Token::All)) {
            return true;
        }
        let mut positions = Vec::new();
        let mut keywords = Vec::new();
        for token in &tokens {
            if let Token::Hole(name, _) = token {
                match name.parse::<usize>() {
                    _ if name == "self" => {}
                    Ok(index) => positions.push(index),
                    Err(_) => keywords.push(name.as_str()),
                }
            }
        }
        positions.sort_unstable();
        positions.dedup();
        keywords.sort_unstable();
        keywords.dedup();
        let mut given: Vec<&str> = self
            .keywords
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        given.sort_unstable();
        !self.unpacks && positions.iter().copied().eq(0..self.positional.len()) && keywords == given
    }
}

enum Token {
    Text(String),
    /// `{0}`, `{name}`; `{0!}` must stand by itself.
    Hole(String, bool),
    /// `@{module:name}`.
    Name(String, String),
    /// `{*}`.
    All,
}

fn tokens(template: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let Some(end) = rest[at..].find('}').map(|end| at + end) else {
            break;
        };
        let before = &rest[..at];
        let inner = &rest[at + 1..end];
        if let Some(before) = before.strip_suffix('@') {
            found.push(Token::Text(before.to_owned()));
            let (module, name) = inner.split_once(':').unwrap_or((inner, ""));
            found.push(Token::Name(module.to_owned(), name.to_owned()));
        } else {
            found.push(Token::Text(before.to_owned()));
            found.push(match inner.strip_suffix('!') {
                Some(name) => Token::Hole(name.to_owned(), true),
                None if inner == "*" => Token::All,
                None => Token::Hole(inner.to_owned(), false),
            });
        }
        rest = &rest[end + 1..];
    }
    found.push(Token::Text(rest.to_owned()));
    found
}

fn is_atom(node: Node<'_>) -> bool {
    matches!(
        node.kind(),
        "identifier"
            | "attribute"
            | "call"
            | "subscript"
            | "string"
            | "integer"
            | "float"
            | "list"
            | "dictionary"
            | "set"
            | "tuple"
            | "parenthesized_expression"
            | "true"
            | "false"
            | "none"
            | "list_comprehension"
            | "dictionary_comprehension"
            | "set_comprehension"
            | "generator_expression"
    )
}
