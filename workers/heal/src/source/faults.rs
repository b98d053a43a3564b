//! What makes a text no Python 3: nodes that the grammar could not make sense of, and constructs of Python 2 that
//! the grammar accepts because it knows both languages.

use tree_sitter::Node;

use super::{Source, ancestors};

/// One place that Python 3 does not accept.
#[derive(Debug, Clone, Copy)]
pub struct Fault<'t> {
    /// What is wrong with it.
    pub kind: FaultKind,
    /// Where.
    pub node: Node<'t>,
}

/// What is wrong with a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    /// The grammar could not make sense of it, or misses something there.
    Unparsable,
    /// `print x`.
    PrintStatement,
    /// `exec "…" in scope`.
    ExecStatement,
    /// `except E, e`.
    ExceptComma,
    /// `raise E, "message"`.
    RaiseComma,
    /// `<>`.
    Diamond,
    /// `0777`.
    Octal,
    /// `10L`.
    Long,
    /// `ur"…"`.
    UnicodeRaw,
    /// `` `x` ``, which the grammar takes for a string.
    Backticks,
    /// `async` or `await` as a name.
    Keyword,
}

impl Source {
    /// Everything that Python 3 would not accept, in the order of the text.
    pub fn faults(&self) -> Vec<Fault<'_>> {
        self.nodes()
            .filter_map(|node| self.fault(node).map(|kind| Fault { kind, node }))
            .collect()
    }

    /// How many places the grammar could not make sense of. An edit must not make it more.
    pub fn broken(&self) -> usize {
        self.nodes()
            .filter(|node| node.is_error() || node.is_missing())
            .count()
    }

    fn fault(&self, node: Node<'_>) -> Option<FaultKind> {
        if node.is_error() || node.is_missing() {
            return Some(FaultKind::Unparsable);
        }
        match node.kind() {
            "print_statement" => Some(FaultKind::PrintStatement),
            // `exec(code, scope)` is a call in the grammar as well; only the bare form is a statement.
            "exec_statement" => Some(FaultKind::ExecStatement),
            "except_clause" => except_comma(node).then_some(FaultKind::ExceptComma),
            "raise_statement" => node
                .named_child(0)
                .is_some_and(|value| value.kind() == "expression_list")
                .then_some(FaultKind::RaiseComma),
            "<>" => Some(FaultKind::Diamond),
            "integer" => integer(self.slice(node)),
            "string" => self
                .slice(node)
                .starts_with('`')
                .then_some(FaultKind::Backticks),
            "string_start" => {
                let prefix = self.slice(node).to_ascii_lowercase();
                prefix.starts_with("ur").then_some(FaultKind::UnicodeRaw)
            }
            "identifier" => {
                let name = self.slice(node);
                (name == "async" || name == "await").then_some(FaultKind::Keyword)
            }
            _ => None,
        }
    }
}

/// `except A, e:` names two values where Python 3 wants a tuple. (3.14 accepts `except A, B:` again, but means
/// by it what Python 2 did not.)
fn except_comma(clause: Node<'_>) -> bool {
    let mut cursor = clause.walk();
    clause.children_by_field_name("value", &mut cursor).count() > 1
}

fn integer(text: &str) -> Option<FaultKind> {
    if text.ends_with(['l', 'L']) {
        return Some(FaultKind::Long);
    }
    let digits = text.strip_prefix('0')?;
    let octal = !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
        && digits.bytes().any(|b| b != b'0');
    octal.then_some(FaultKind::Octal)
}

/// Whether a node lies inside a place that the grammar could not make sense of.
pub fn inside_error(node: Node<'_>) -> bool {
    node.is_error() || ancestors(node).any(|ancestor| ancestor.is_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<FaultKind> {
        Source::parse(text)
            .unwrap()
            .faults()
            .iter()
            .map(|fault| fault.kind)
            .collect()
    }

    #[test]
    fn each_leftover_of_python_2_is_recognised() {
        assert_eq!(kinds("print x\n"), [FaultKind::PrintStatement]);
        assert_eq!(
            kinds("try:\n    f()\nexcept E, e:\n    pass\n"),
            [FaultKind::ExceptComma]
        );
        assert_eq!(kinds("raise E, 'no'\n"), [FaultKind::RaiseComma]);
        assert_eq!(kinds("a <> b\n"), [FaultKind::Diamond]);
        assert_eq!(kinds("x = 0777\n"), [FaultKind::Octal]);
        assert_eq!(kinds("x = 10L\n"), [FaultKind::Long]);
        assert_eq!(kinds("x = ur'a'\n"), [FaultKind::UnicodeRaw]);
        assert_eq!(kinds("x = `a`\n"), [FaultKind::Backticks]);
        assert_eq!(kinds("exec 'x = 1'\n"), [FaultKind::ExecStatement]);
        assert_eq!(kinds("async = 1\n"), [FaultKind::Keyword]);
    }

    #[test]
    fn python_3_has_no_faults() {
        let text = "import a\n\n\nasync def f(x: int = 0, *, y=0x0F) -> None:\n    print(x, file=y)\n    try:\n        await g()\n    except (A, B) as e:\n        raise C('no') from e\n    exec('x')\n    return 00, 1_000, f'{x!r:>{y}}'\n";
        assert_eq!(kinds(text), []);
    }
}
