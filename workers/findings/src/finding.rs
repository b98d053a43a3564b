//! One finding, in the words of its tool.

use maestro_protocol::error::{ErrorKind, ErrorReported};
use maestro_protocol::finding::{Finding as Said, Level};
use maestro_protocol::project::{Project, Runtime};

use crate::bounds::{Limits, cut, named};
use crate::tools;

/// One thing that a tool found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Finding {
    /// The tool's name in small letters.
    pub tool: String,
    /// Its version, where the report says so.
    pub tool_version: Option<String>,
    /// The rule or the code.
    pub rule: Option<String>,
    /// How much the tool minds.
    pub level: Option<Level>,
    /// What it says.
    pub message: String,
    /// What it advises beside.
    pub hint: Option<String>,
    /// The file: relative to the project's directory where it lies inside, absolute elsewhere.
    pub file: Option<String>,
    /// The line, counted from 1.
    pub line: Option<u32>,
    /// The column, counted from 1 in the tool's own units.
    pub column: Option<u32>,
    /// What of the code it is about.
    pub symbol: Option<String>,
    /// What the tool prints about it for people, where the report has that.
    pub text: Option<String>,
}

impl Finding {
    /// What kind of error it is: by its tool, and for Rust's compiler by its code.
    pub fn kind(&self) -> ErrorKind {
        tools::kind(&self.tool, self.rule.as_deref())
    }

    /// Makes it fit for a message: names are cut, the symbol is looked for in the message, what is empty is left out.
    pub(crate) fn normal(mut self, limits: &Limits) -> Self {
        self.tool = named(&self.tool.to_lowercase()).unwrap_or_else(|| "unknown".to_owned());
        for name in [
            &mut self.tool_version,
            &mut self.rule,
            &mut self.file,
            &mut self.symbol,
        ] {
            *name = name.as_deref().and_then(named);
        }
        let message = cut(self.message.trim(), limits.message).to_owned();
        self.message = if message.is_empty() {
            format!("{} says nothing about it", self.tool)
        } else {
            message
        };
        self.text = self.text.map(|text| cut(&text, limits.text).to_owned());
        self.line = self.line.filter(|line| *line > 0);
        self.column = self.column.filter(|column| *column > 0);
        if self.symbol.is_none() {
            self.symbol = quoted(&self.message).and_then(named);
        }
        self
    }

    /// The message that reports it.
    pub fn into_error(self, project: Project, runtime: Option<Runtime>) -> ErrorReported {
        ErrorReported {
            project,
            kind: self.kind(),
            message: match &self.hint {
                Some(hint) => format!("{}\n{hint}", self.message),
                None => self.message,
            },
            severity: None,
            stack_trace: self.text.filter(|text| !text.trim().is_empty()),
            file: self.file,
            line: self.line,
            finding: Some(Said {
                tool: self.tool,
                tool_version: self.tool_version,
                rule: self.rule,
                level: self.level,
                column: self.column,
                symbol: self.symbol,
            }),
            test: None,
            runtime,
            environment: None,
        }
    }
}

/// The first name between quotation marks of one kind: `os` of "`os` imported but unused".
fn quoted(message: &str) -> Option<&str> {
    let from = message.find(['`', '\'', '"'])?;
    let mark = message[from..].chars().next()?;
    let rest = &message[from + 1..];
    let name = &rest[..rest.find(mark)?];
    let is_name = name.len() <= 200
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || "_.$:/@-#[]".contains(c))
        && name.chars().any(char::is_alphanumeric);
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_a_message_quotes_is_its_symbol() {
        for (message, name) in [
            ("`os` imported but unused", Some("os")),
            ("'q' is assigned a value but never used.", Some("q")),
            ("Cannot find module '@a/b-c' or its types", Some("@a/b-c")),
            ("Argument 1 to \"f\" has incompatible type", Some("f")),
            ("Don't do that", None),
            ("Expected '===' and instead saw '=='.", None),
            ("Line too long (101 > 88)", None),
        ] {
            assert_eq!(quoted(message), name, "{message}");
        }
    }

    #[test]
    fn what_a_message_may_not_carry_is_cut_or_left_out() {
        let finding = Finding {
            tool: "RUFF".into(),
            rule: Some("  ".into()),
            message: "x".repeat(20_000),
            line: Some(0),
            ..Finding::default()
        };
        let finding = finding.normal(&Limits::default());
        assert_eq!(finding.tool, "ruff");
        assert_eq!((finding.rule, finding.line), (None, None));
        assert_eq!(finding.message.len(), 8 * 1024);
    }
}
