//! A `<testcase>` that failed, as the report has it.

use std::sync::Arc;

/// One failing `<testcase>`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Case {
    pub(crate) classname: String,
    pub(crate) name: String,
    pub(crate) file: Option<String>,
    /// The innermost suite around it.
    pub(crate) suite: Option<Arc<Suite>>,
    pub(crate) seconds: Option<f64>,
    pub(crate) problem: Problem,
}

/// A `<testsuite>`. Its cases share it: a long name in a small report would else be copied as often as there are cases.
#[derive(Debug, Default)]
pub(crate) struct Suite {
    pub(crate) name: String,
    pub(crate) file: Option<String>,
    pub(crate) around: Option<Arc<Suite>>,
}

/// The `<failure>` or `<error>` of a case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Problem {
    /// The `type` attribute: often the exception's class.
    pub(crate) class: String,
    pub(crate) message: String,
    pub(crate) text: String,
}

impl Case {
    /// The suites around it, innermost first.
    fn around(&self) -> impl Iterator<Item = &Suite> {
        std::iter::successors(self.suite.as_deref(), |suite| suite.around.as_deref())
    }

    /// The `file` or `filepath` attribute of the innermost suite that has one.
    pub(crate) fn suite_file(&self) -> Option<&str> {
        self.around().find_map(|suite| suite.file.as_deref())
    }

    /// The names of the suites around it, outermost first.
    pub(crate) fn suites(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.around().map(|suite| suite.name.as_str()).collect();
        names.reverse();
        names
    }
}
