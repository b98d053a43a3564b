//! What a report says.

use std::collections::HashSet;

use maestro_protocol::finding::Level;

use crate::bounds::Limits;
use crate::detect::Format;
use crate::finding::Finding;
use crate::json::Unreadable;

/// A report that has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The format; `None` of an empty report, which has no findings in any.
    pub format: Option<Format>,
    /// What was found, in the order of the report, each once.
    pub findings: Vec<Finding>,
    /// What the report has and does not find: counted by reason.
    pub left_out: LeftOut,
}

/// What is in a report without being a finding of today.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Somebody suppressed it, in the source or elsewhere, and nobody objected.
    pub suppressed: usize,
    /// It is in the baseline already, or only there.
    pub in_baseline: usize,
    /// It says that something is as it should be, or that a person should look.
    pub no_failure: usize,
    /// The same stood in the report before: a file that is compiled twice is complained about twice.
    pub repeated: usize,
}

/// A report in the making.
pub(crate) struct Gathering<'l> {
    limits: &'l Limits,
    report: Report,
    seen: HashSet<Finding>,
}

impl<'l> Gathering<'l> {
    pub(crate) fn new(format: Option<Format>, limits: &'l Limits) -> Self {
        Self {
            limits,
            report: Report {
                format,
                findings: Vec::new(),
                left_out: LeftOut::default(),
            },
            seen: HashSet::new(),
        }
    }

    /// Takes a finding.
    pub(crate) fn take(&mut self, finding: Finding) -> Result<(), Unreadable> {
        let finding = finding.normal(self.limits);
        if !self.seen.insert(finding.clone()) {
            self.report.left_out.repeated += 1;
            return Ok(());
        }
        if self.report.findings.len() == self.limits.findings {
            return Err(Unreadable::TooMany(self.limits.findings));
        }
        self.report.findings.push(finding);
        Ok(())
    }

    pub(crate) fn left_out(&mut self) -> &mut LeftOut {
        &mut self.report.left_out
    }

    pub(crate) fn done(self) -> Report {
        self.report
    }
}

impl Report {
    /// Keeps what a tool minds at least so much; gives back how many findings that leaves out. One without a level counts as
    /// a warning.
    pub fn keep(&mut self, least: Level) -> usize {
        let before = self.findings.len();
        self.findings
            .retain(|finding| finding.level.unwrap_or(Level::Warning) >= least);
        before - self.findings.len()
    }
}
