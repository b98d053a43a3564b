//! What a checker says about one place, and what it offers to do about it.

use std::fmt::Write as _;

use maestro_findings::Finding;

/// A finding as the checker reports it here, with the checker's own fixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// What it says.
    pub finding: Finding,
    /// Its own fixes for this rule in this file, the safest first.
    pub offers: Vec<Offer>,
}

/// A checker's own fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Whether the checker calls it safe: it keeps what the code means.
    pub safe: bool,
    /// How the checker made it: `ruff check --fix --select=F401`.
    pub how: String,
    /// The file's whole text with it.
    pub text: String,
}

impl Complaint {
    /// Place and words, as the checker prints them.
    pub(crate) fn line(&self) -> String {
        let finding = &self.finding;
        let mut place = finding.file.clone().unwrap_or_default();
        for number in [finding.line, finding.column].into_iter().flatten() {
            let _ = write!(place, ":{number}");
        }
        format!(
            "{place}: {} [{} {}]",
            finding.message,
            finding.tool,
            finding.rule.as_deref().unwrap_or_default()
        )
    }
}
