//! A project, an environment and an index that tests make up.

use std::collections::BTreeMap;

use crate::case::{Case, Finding, Form, Installed, PackageIndex, Release, Repair, Tree};
use crate::failure::{Failure, Frame, Phase};
use crate::past::NoPast;

/// A project of a few files.
pub(crate) struct Files {
    paths: Vec<String>,
    texts: BTreeMap<String, String>,
}

impl Files {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let texts: BTreeMap<String, String> = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect();
        Self {
            paths: texts.keys().cloned().collect(),
            texts,
        }
    }
}

impl Tree for Files {
    fn paths(&self) -> &[String] {
        &self.paths
    }

    fn read(&self, path: &str) -> Option<String> {
        self.texts.get(path).cloned()
    }
}

/// An index of a few distributions.
#[derive(Default)]
pub(crate) struct Index {
    versions: BTreeMap<String, Vec<String>>,
    releases: BTreeMap<String, Vec<Release>>,
}

impl Index {
    pub(crate) fn new(distributions: &[(&str, &[&str])]) -> Self {
        let listed = |(name, versions): &(&str, &[&str])| {
            let versions = versions.iter().map(|version| (*version).to_owned());
            ((*name).to_owned(), versions.collect())
        };
        Self {
            versions: distributions.iter().map(listed).collect(),
            releases: BTreeMap::new(),
        }
    }

    /// The same with releases: distribution, and version and day of each, newest first.
    pub(crate) fn dated(distributions: &[(&str, &[(&str, &str)])]) -> Self {
        let release = |(version, published): &(&str, &str)| Release {
            version: (*version).to_owned(),
            published: (*published).to_owned(),
            form: Form::Pure,
            fits: true,
        };
        let listed = |(name, releases): &(&str, &[(&str, &str)])| {
            let releases = releases.iter().map(release);
            ((*name).to_owned(), releases.collect())
        };
        Self {
            versions: BTreeMap::new(),
            releases: distributions.iter().map(listed).collect(),
        }
    }
}

impl PackageIndex for Index {
    fn versions(&self, distribution: &str) -> Vec<String> {
        self.versions
            .get(&distribution.to_lowercase().replace(['_', '.'], "-"))
            .cloned()
            .unwrap_or_default()
    }

    fn releases(&self, distributions: &[String]) -> BTreeMap<String, Vec<Release>> {
        let mut known = self.releases.clone();
        known.retain(|name, _| distributions.contains(name));
        known
    }
}

/// A failure with its innermost frames last.
pub(crate) fn failure(
    test: Option<&str>,
    phase: Phase,
    line: &str,
    frames: &[(&str, u32)],
) -> Failure {
    let (exception, message) = line
        .split_once(": ")
        .filter(|(name, _)| !name.contains(' '))
        .unwrap_or(("", line));
    Failure {
        test: test.map(str::to_owned),
        phase,
        exception: (!exception.is_empty()).then(|| exception.to_owned()),
        message: message.to_owned(),
        frames: frames
            .iter()
            .map(|(path, line)| Frame {
                path: (*path).to_owned(),
                line: *line,
                function: "f".to_owned(),
            })
            .collect(),
        text: String::new(),
        ..Failure::default()
    }
}

/// A case of these parts, on an environment.
pub(crate) fn case<'c>(
    failures: &'c [Failure],
    tree: &'c Files,
    installed: &'c Installed,
    index: &'c Index,
) -> Case<'c> {
    Case {
        failures,
        tree,
        installed,
        index,
        past: &NoPast,
        unsteady: None,
    }
}

/// What a strategy answers, in short: the last file of each candidate as it would be, or the reason.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Tried(String),
    Proposed(String),
    Refused(String),
}

impl Answer {
    pub(crate) fn of(strategy: &dyn Repair, case: &Case<'_>) -> Vec<Self> {
        let answer = |finding| match finding {
            Finding::Try(mut candidate) => Some(Self::Tried(candidate.edits.pop()?.text)),
            Finding::Propose(mut candidate, _) => Some(Self::Proposed(candidate.edits.pop()?.text)),
            Finding::Refuse(reason) | Finding::Lacking(reason) => Some(Self::Refused(reason)),
        };
        strategy
            .examine(case)
            .into_iter()
            .filter_map(answer)
            .collect()
    }
}

/// That the only answer is a refusal for this reason.
#[track_caller]
pub(crate) fn refused(found: &[Answer], why: &str) {
    assert!(
        matches!(found, [Answer::Refused(reason)] if reason.contains(why)),
        "{why}: {found:?}"
    );
}
