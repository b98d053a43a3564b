//! The project's history as evidence: with which commit a failure began, and which commit changed a text on purpose.

use std::collections::BTreeMap;

/// One commit of the line that leads to the code as it is: first parents only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its whole id.
    pub id: String,
    /// When its author made it, RFC 3339.
    pub authored: String,
    /// The first line of its message.
    pub subject: String,
}

/// Lines that a commit changed in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Relative to the project's directory.
    pub path: String,
    /// The first line of it as the commit left the file, counted from 1.
    pub line: u32,
    /// The lines that were there.
    pub was: Vec<String>,
    /// The lines that are there instead.
    pub now: Vec<String>,
}

/// Files that were different then: their bytes, or `None` where there was no such file. Paths are relative to the project's directory.
pub type Then = BTreeMap<String, Option<Vec<u8>>>;

/// The history of one project. Asking blocks: it may have to be fetched first.
pub trait Past: Send + Sync {
    /// The commits, newest first, the one of the code as it is before all others; bounded. Empty where there is no history.
    fn commits(&self) -> Vec<Commit>;
    /// What was different when a commit was the newest; `None` where that cannot be told or is too much.
    fn then(&self, commit: &Commit) -> Option<Then>;
    /// What a commit changed.
    fn changes(&self, commit: &Commit) -> Vec<Change>;
    /// A commit's whole message.
    fn message(&self, commit: &Commit) -> String;
    /// The commits after which a text stands in fewer places than before, or in more, newest first.
    fn moving(&self, text: &str) -> Vec<Commit>;
}

/// No history.
#[derive(Debug, Clone, Copy)]
pub struct NoPast;

impl Past for NoPast {
    fn commits(&self) -> Vec<Commit> {
        Vec::new()
    }

    fn then(&self, _: &Commit) -> Option<Then> {
        None
    }

    fn changes(&self, _: &Commit) -> Vec<Change> {
        Vec::new()
    }

    fn message(&self, _: &Commit) -> String {
        String::new()
    }

    fn moving(&self, _: &str) -> Vec<Commit> {
        Vec::new()
    }
}
