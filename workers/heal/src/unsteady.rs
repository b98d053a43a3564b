//! A test that passes and fails on the same code: under which conditions it fails, and what decides. The words are
//! those of the literature: the *victim* fails after its *polluter*, or without its *setter*
//! (Shi, Lam, Oei, Xie, Marinov: [iFixFlakies](https://doi.org/10.1145/3338906.3338925), 2019).

use std::collections::{BTreeMap, BTreeSet};

use crate::conditions::Conditions;
use crate::failure::Change;

/// What is known of a flaky test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsteady {
    /// The test, by id.
    pub victim: String,
    /// The fewest conditions under which it fails, again and again.
    pub failing: Conditions,
    /// What decides.
    pub cause: Cause,
    /// By file: the lines that it runs where it fails.
    pub lines: BTreeMap<String, BTreeSet<u32>>,
}

/// What decides whether a test passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// It fails where one of these ran before it: what each leaves otherwise than it found it.
    Polluted(Vec<Left>),
    /// It fails unless one of these ran before it; empty where those that did fail themselves.
    Unset(Vec<Left>),
    /// It fails where these run at the same time.
    Together(Vec<Left>),
    /// The order in which a set of strings is walked through.
    HashSeed,
    /// The order of a directory's entries.
    Listing,
    /// What is drawn at random.
    Randomness,
}

/// What a test leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The test, by id.
    pub test: String,
    /// Whether it passes itself.
    pub passed: bool,
    /// What is otherwise than before it.
    pub changes: Vec<Change>,
}

/// For people: `fails after tests/test_a.py::test_x`.
impl std::fmt::Display for Unsteady {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = |tests: &[Left]| {
            tests
                .iter()
                .map(|left| left.test.as_str())
                .collect::<Vec<_>>()
                .join(" and ")
        };
        let victim = &self.victim;
        match &self.cause {
            Cause::Polluted(by) => write!(f, "{victim} passes alone and fails after {}", names(by)),
            Cause::Unset(by) if by.is_empty() => write!(
                f,
                "{victim} fails alone, and passes only behind tests that fail themselves"
            ),
            Cause::Unset(by) => write!(f, "{victim} fails unless {} ran before it", names(by)),
            Cause::Together(with) => {
                write!(f, "{victim} passes alone and fails beside {}", names(with))
            }
            Cause::HashSeed => write!(
                f,
                "{victim} passes or fails with the order of a set ({})",
                self.failing
            ),
            Cause::Listing => write!(
                f,
                "{victim} passes or fails with the order of a directory's entries ({})",
                self.failing
            ),
            Cause::Randomness => write!(
                f,
                "{victim} passes or fails with what is drawn at random ({})",
                self.failing
            ),
        }
    }
}
