//! What a run of tests reported: outcomes by test, and each failure with its exception and its frames.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::checker::Complaint;

/// Where in a run a failure arose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The runner refused its own options; nothing was collected.
    Usage,
    /// A configuration file, a plugin or a `conftest.py` failed; nothing was collected.
    Configuration,
    /// A test file could not be collected.
    Collection,
    /// A fixture or `setUp` failed.
    Setup,
    /// The test itself failed.
    #[default]
    Call,
    /// A fixture's or `tearDown`'s end failed.
    Teardown,
}

/// One frame of a traceback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Relative to the project's directory where it lies inside, absolute elsewhere.
    pub path: String,
    /// Counted from 1.
    pub line: u32,
    /// The function's name, `<module>` at the top level; empty where the runner did not say.
    pub function: String,
}

/// One failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failure {
    /// The runner's id of the test; of the file where collection failed; `None` where nothing was collected.
    pub test: Option<String>,
    /// Where in the run it arose.
    pub phase: Phase,
    /// The exception's class, qualified by its module unless that is `builtins`.
    pub exception: Option<String>,
    /// The exception's own text, or the runner's.
    pub message: String,
    /// The traceback, outermost frame first.
    pub frames: Vec<Frame>,
    /// What the runner printed of it, bounded.
    pub text: String,
    /// The error's own code where it has one, as Node's have: `ERR_MODULE_NOT_FOUND`.
    pub code: Option<String>,
    /// What an assertion compared, as the runner prints it, where it says so as data.
    pub compared: Option<Compared>,
    /// What a compiler said beside its message, where one refused the code.
    pub compiled: Option<Compiled>,
    /// What a checker found, where the failure is one of a checker.
    pub complaint: Option<Box<Complaint>>,
}

/// What a compiler says about a file that it refuses, as data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compiled {
    /// The places that the error is about, the first one first, and behind them those of its notes.
    pub spans: Vec<Span>,
    /// What it adds: notes and helps, without those that are fixes.
    pub notes: Vec<String>,
    /// What it says would be right, each a whole change.
    pub fixes: Vec<Fix>,
}

/// A part of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Span {
    /// Relative to the project's directory where it lies inside, absolute elsewhere.
    pub path: String,
    /// Bytes of the file.
    pub bytes: std::ops::Range<usize>,
    /// Counted from 1.
    pub line: u32,
    /// What stands there.
    pub text: String,
    /// What the compiler says of it.
    pub label: String,
}

/// A change that a compiler offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fix {
    /// What it does, in the compiler's words.
    pub message: String,
    /// Whether the compiler vouches for it; it does not for those that may not be meant or do not compile.
    pub certain: bool,
    /// Places, and what is to stand there.
    pub parts: Vec<(Span, String)>,
}

/// The two sides of an assertion that does not hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// What there was.
    pub actual: String,
    /// What the test wants.
    pub expected: String,
    /// The assertion's own name, where the runner gives it: `toMatchSnapshot`.
    pub by: String,
}

impl Change {
    /// Whether it is about the same thing as another.
    pub fn same_thing(&self, other: &Self) -> bool {
        (&self.kind, &self.owner, &self.name) == (&other.kind, &other.owner, &other.name)
    }

    /// What people call it: `settings.DEBUG`, the environment variable `TZ`.
    pub fn called(&self) -> String {
        let name = &self.name;
        match self.kind.as_str() {
            "attribute" => format!("`{}.{name}`", self.owner),
            "cache" => format!("the cache of `{}.{name}`", self.owner),
            "variable" => format!("the environment variable `{name}`"),
            "directory" => "the working directory".to_owned(),
            "path" | "arguments" => format!("`sys.{name}`"),
            "module" => format!("the imported module `{name}`"),
            "file" => format!("the file `{name}`"),
            "zone" => "the time zone".to_owned(),
            "locale" => "the locale".to_owned(),
            "mask" => "the file mode mask".to_owned(),
            "level" if name.is_empty() => "the level of the root logger".to_owned(),
            "level" => format!("the level of the logger `{name}`"),
            "disabled" => "`logging.disable`".to_owned(),
            "garbage" => "what it leaves to the garbage collector".to_owned(),
            kind => format!("the {kind} of `{}`", self.owner),
        }
    }
}

impl Failure {
    /// The exception's class without its module: `ModuleNotFoundError`.
    pub fn exception_name(&self) -> Option<&str> {
        self.exception
            .as_deref()
            .map(|qualified| qualified.rsplit('.').next().unwrap_or(qualified))
    }

    /// The innermost frame that lies inside the project.
    pub fn innermost_own(&self) -> Option<&Frame> {
        self.frames
            .iter()
            .rev()
            .find(|frame| !frame.path.starts_with('/'))
    }
}

/// How one test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TestOutcome {
    /// It passed.
    Passed,
    /// Its body failed.
    Failed,
    /// Something around it failed: collection, a fixture.
    Error,
    /// It was skipped, or failed as it was expected to.
    Skipped,
}

impl TestOutcome {
    /// Whether it failed, in its body or around it.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::Error)
    }
}

/// What one run reported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// By test id, in the runner's notation; a file that could not be collected stands here as an error.
    pub outcomes: BTreeMap<String, TestOutcome>,
    /// In the order in which they arose.
    pub failures: Vec<Failure>,
    /// The tests in the order in which they were to run.
    pub order: Vec<String>,
    /// By test: what of the process it left otherwise than it found it. Empty unless the run was asked to watch.
    pub changes: BTreeMap<String, Vec<Change>>,
    /// By file: the lines that the traced tests ran. Empty unless the run was asked to trace.
    pub lines: BTreeMap<String, BTreeSet<u32>>,
    /// The skipped tests that a line of the project's own code skipped, as it ran.
    pub own_skips: BTreeSet<String>,
    /// By finding: how often a checker reports it. Empty unless a checker was run.
    pub complaints: BTreeMap<String, u32>,
}

/// One thing that outlives a test and that the test left otherwise than it found it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(default)]
pub struct Change {
    /// What sort of thing: `attribute`, `variable` (of the environment), `directory`, `module`, `file`, `cache`, …
    pub kind: String,
    /// The module that it belongs to.
    pub owner: String,
    /// Its name there: `REGISTRY`, `Settings.debug`.
    pub name: String,
    /// `added`, `removed`, `rebound` (another object) or `changed` (the same object, other contents).
    pub how: String,
    /// What it is, where that matters for giving it back: `dict`, `list`, `set`, `object`, or a class's name.
    pub shape: String,
    /// The method that gives up what the new value holds (`close`), where it holds anything.
    pub closer: String,
    /// The file of the owning module, relative to the project's directory; empty where it lies outside.
    pub path: String,
}

/// The first line that says something, cut to 200 characters.
pub(crate) fn first_line(text: &str) -> String {
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    if line.chars().count() <= 200 {
        line.to_owned()
    } else {
        format!("{}…", line.chars().take(200).collect::<String>())
    }
}
