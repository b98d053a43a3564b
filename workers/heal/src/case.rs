//! What a strategy sees of a failing test, and what it may answer. Nothing here touches the world: the
//! tree, the environment and the package index come in through narrow traits.

use std::collections::BTreeMap;
use std::path::PathBuf;

use maestro_protocol::heal::{RuntimeChanges, Strategy};

use crate::failure::Failure;
use crate::past::Past;
use crate::unsteady::Unsteady;

/// The project's files as they are now.
pub trait Tree {
    /// Every file's path, relative to the project's directory, sorted.
    fn paths(&self) -> &[String];
    /// A file's text; `None` where there is none, or it is not UTF-8, or too large to be source.
    fn read(&self, path: &str) -> Option<String>;
}

/// What a package index knows of one distribution.
pub trait PackageIndex {
    /// Its versions, newest first; empty where it has none, or cannot be reached.
    fn versions(&self, distribution: &str) -> Vec<String>;

    /// The releases of some distributions, newest first, by their names as asked for. What there are none of is left out, and so is what the
    /// index does not tell the times of.
    fn releases(&self, _distributions: &[String]) -> BTreeMap<String, Vec<Release>> {
        BTreeMap::new()
    }
}

/// One release of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Release {
    /// Its version.
    pub version: String,
    /// The day on which its first file was published, `2018-09-28`.
    pub published: String,
    /// How it comes.
    pub form: Form,
    /// Whether it says that it is for the interpreter of the run.
    pub fits: bool,
}

/// How a release comes, the best of its files that can be used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Ready to be used on any machine.
    Pure,
    /// Compiled for machines like this one.
    Compiled,
    /// To be built.
    Source,
}

/// The environment that the tests ran in.
#[derive(Debug, Clone, Default)]
pub struct Installed {
    /// `major.minor` of the interpreter.
    pub python: (u8, u8),
    /// Where its packages lie; read to see where a name is defined now.
    pub site_packages: PathBuf,
    /// Where its standard library lies.
    pub standard_library: PathBuf,
    /// Every distribution installed, normalised name and version.
    pub distributions: Vec<(String, String)>,
    /// The requirements that were asked for.
    pub requested: Vec<String>,
    /// The environment variables that the run of tests was given, over those of every run.
    pub variables: BTreeMap<String, String>,
    /// Other interpreters that could be used, `major.minor`.
    pub interpreters: Vec<(u8, u8)>,
    /// Major and minor version of Node, where the tests are its.
    pub node: (u32, u32),
    /// Major and minor version of Rust, where the tests are its.
    pub rust: (u32, u32),
    /// The packages of the project's own workspace, where the tests are Rust's: name, and directory relative to the
    /// project's.
    pub members: Vec<(String, String)>,
    /// The package that the tests are run by and that is not installed, where that is so.
    pub runner_missing: Option<String>,
    /// The lock file that goes with what is installed.
    pub lock: Option<Lock>,
}

/// A lock file as the package manager has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The name of the files that it is made from, `Cargo.toml`.
    pub of: &'static str,
    /// The file: with the repair of a manifest goes this text of it.
    pub edit: Edit,
}

/// One failing run, as a strategy sees it.
pub struct Case<'a> {
    /// What failed; the first is the one to explain, the others came with it in the same run.
    pub failures: &'a [Failure],
    /// The project's files as they are now, earlier steps of this heal applied.
    pub tree: &'a dyn Tree,
    /// The environment of the run.
    pub installed: &'a Installed,
    /// The package index.
    pub index: &'a dyn PackageIndex,
    /// The project's history.
    pub past: &'a dyn Past,
    /// What is known of the test where it is flaky; the run was made under the conditions in which it fails.
    pub unsteady: Option<&'a Unsteady>,
}

/// A new text for one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Relative to the project's directory.
    pub path: String,
    /// The file's whole new text.
    pub text: String,
}

/// One way to repair the case, not yet tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The strategy that made it.
    pub strategy: Strategy,
    /// What is changed and why, one sentence.
    pub description: String,
    /// Changed files.
    pub edits: Vec<Edit>,
    /// Changes to the environment.
    pub runtime: RuntimeChanges,
    /// Order of trial within a case: lower is cheaper and safer.
    pub rank: u32,
}

/// What a strategy makes of a case.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// A candidate to try.
    Try(Candidate),
    /// A candidate that a person has to judge even where it works; and why, one clause.
    Propose(Candidate, String),
    /// A reason why nobody but a person may decide this, one sentence.
    Refuse(String),
    /// What is lacking and cannot be known from the project, by its name: neither a candidate nor a fault of the
    /// product; one sentence.
    Lacking(String),
}

/// One of the seven strategies.
pub trait Repair: Send + Sync {
    /// Which one.
    fn strategy(&self) -> Strategy;
    /// Looks at the case; empty where it has nothing to offer.
    fn examine(&self, case: &Case<'_>) -> Vec<Finding>;
    /// What is dear to find or to try, asked for only after everything else has failed.
    fn last_resort(&self, _case: &Case<'_>) -> Vec<Finding> {
        Vec::new()
    }
}
