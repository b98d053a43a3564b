//! What a checker found: a linter, a type checker or a compiler, in its own names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::constraint::{given, name, positive};
use crate::violation::{Violation, Within};

/// How much a checker minds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It only remarks.
    Note,
    /// It warns.
    Warning,
    /// It fails.
    Error,
}

/// One thing that a checker found. Where it stands and what is said of it are members of the message: `file`, `line`,
/// `message`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The checker's name in small letters: `ruff`, `eslint`, `mypy`, `tsc`, `rustc`, `clippy`.
    #[schemars(length(min = 1, max = 4096))]
    pub tool: String,
    /// Its version, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub tool_version: Option<String>,
    /// The rule or the code, as the checker writes it: `F401`, `no-var`, `arg-type`, `TS2322`, `E0308`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub rule: Option<String>,
    /// How much the checker minds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// The column, counted from 1 in the checker's own units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub column: Option<u32>,
    /// What of the code it is about, where the checker names it: a name, or a qualified one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub symbol: Option<String>,
}

impl Finding {
    /// What a finding must satisfy beyond its type.
    pub fn check(&self) -> Result<(), Violation> {
        name(&self.tool).member("tool")?;
        given(self.tool_version.as_deref(), name).member("tool_version")?;
        given(self.rule.as_deref(), name).member("rule")?;
        given(self.column.as_ref(), |&column| positive(column)).member("column")?;
        given(self.symbol.as_deref(), name).member("symbol")
    }

    /// The finding in a few words: `ruff F401 in pkg/a.py`.
    pub fn title(&self, file: Option<&str>) -> String {
        let mut title = self.tool.clone();
        for (before, word) in [(" ", self.rule.as_deref()), (" in ", file)] {
            if let Some(word) = word {
                title.push_str(before);
                title.push_str(word);
            }
        }
        title
    }
}
