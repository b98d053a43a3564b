//! One sentence: how the tests ended, and what is not as it should be with their report.

use std::fmt::Write as _;

use maestro_protocol::environment::TestJob;
use maestro_protocol::heal::Counts;

use super::ending::{Ending, Meaning};
use super::plain::{beginning, plain};

/// The most bytes of a sentence.
const MAX_REASON: usize = 2 * 1024;

/// What the sentence is made of.
pub(super) struct Facts<'a> {
    pub(super) ending: &'a Ending,
    pub(super) test: &'a TestJob,
    pub(super) counts: Option<Counts>,
    /// Why there is no report, if one was asked for.
    pub(super) no_report: Option<String>,
    /// Failures that are not published one by one, though they could be.
    pub(super) unreported: u64,
}

impl Facts<'_> {
    pub(super) fn sentence(&self) -> String {
        let meaning = self.ending.meaning();
        let mut sentence = meaning
            .told(self.test, self.ending.message.as_deref())
            .unwrap_or_else(|| self.exited(&meaning));
        if let Some(why) = &self.no_report {
            sentence.push_str("; ");
            sentence.push_str(why);
        }
        match self.unreported {
            0 => {}
            1 => sentence.push_str("; one more failing test is not reported"),
            many => {
                let _ = write!(sentence, "; {many} more failing tests are not reported");
            }
        }
        beginning(&plain(&sentence).replace('\n', " "), MAX_REASON)
    }

    /// The tests ended by themselves.
    fn exited(&self, meaning: &Meaning<'_>) -> String {
        let code = match meaning {
            Meaning::Exited(code) => *code,
            _ => 0,
        };
        let exited = format!("the tests exited with {code}");
        let Some(counts) = self.counts else {
            return exited;
        };
        let all = total(counts);
        match (code, failing(counts)) {
            (0, 0) if counts.skipped == 0 => format!("{} passed", tests(all)),
            (0, 0) => format!(
                "{} passed, {} skipped",
                tests(counts.passed.into()),
                counts.skipped
            ),
            (0, failing) => format!("{exited}, though {failing} of {} failed", tests(all)),
            (_, 0) => format!("{exited}, though none of {} failed", tests(all)),
            (_, failing) => format!("{failing} of {} failed", tests(all)),
        }
    }
}

fn tests(count: u64) -> String {
    match count {
        1 => "1 test".to_owned(),
        _ => format!("{count} tests"),
    }
}

pub(super) const fn failing(counts: Counts) -> u64 {
    counts.failed as u64 + counts.errors as u64
}

const fn total(counts: Counts) -> u64 {
    failing(counts) + counts.passed as u64 + counts.skipped as u64
}
