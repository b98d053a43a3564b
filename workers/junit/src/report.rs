//! What a report says.

use maestro_protocol::heal::Counts;
use maestro_protocol::project::Framework;

use crate::case::Case;
use crate::failure::Failure;
use crate::files::Files;
use crate::runner;

/// A JUnit report that has been read.
#[derive(Debug, Default)]
pub struct Report {
    pub(crate) counts: Counts,
    /// The runner, where the name of a suite tells it.
    pub(crate) named: Option<Framework>,
    pub(crate) failing: Vec<Case>,
    pub(crate) left_out: usize,
}

impl Report {
    /// How many tests ended how, counted from the cases and not from what the suites say of themselves.
    ///
    /// `failed` are cases with a `<failure>`, `errors` those with an `<error>` (for pytest: collection, set-up,
    /// tear-down), `skipped` those with a `<skipped>`; of several, the first counts, and a skipped one that fails failed.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// How many tests there are.
    pub const fn tests(&self) -> u64 {
        let Counts {
            passed,
            failed,
            errors,
            skipped,
        } = self.counts;
        passed as u64 + failed as u64 + errors as u64 + skipped as u64
    }

    /// How many failing tests came after the most that [`crate::Limits`] allow; they are counted, no more.
    pub const fn left_out(&self) -> usize {
        self.left_out
    }

    /// The runner that wrote it, told by its suites' names, else by what its failing tests look like.
    pub fn framework(&self) -> Option<Framework> {
        self.named
            .or_else(|| self.failing.iter().find_map(runner::of_case))
    }

    /// How many failures are kept.
    pub fn failing(&self) -> usize {
        self.failing.len()
    }

    /// What failed, in the order of the report and in the words of the runner.
    ///
    /// Where the runner is not known, a test is named by its class and its name, which no runner understands.
    pub fn failures(
        &self,
        framework: Option<Framework>,
        files: &dyn Files,
    ) -> impl ExactSizeIterator<Item = Failure> {
        self.failing
            .iter()
            .map(move |case| Failure::of(case, framework, files))
    }
}
