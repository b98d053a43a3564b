//! Another interpreter, where the project says that it is not made for the one of the run. A bound that the project
//! states (`requires-python`) is a fact; a list of tested versions (classifiers, tox) is a hint, followed only where
//! the failure itself shows that something of the interpreter is gone.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use maestro_protocol::heal::RuntimeChanges;
use regex::Regex;

use super::candidate;
use crate::case::{Candidate, Case, Tree};
use crate::classify::subject::Subject;
use crate::strategies::rank;

type Version = (u8, u8);

/// What the project says of the interpreters that it is made for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Range {
    /// The specifiers of `requires-python`, and the file.
    stated: Option<(String, String)>,
    /// The versions of classifiers and of tox's environments.
    listed: BTreeSet<Version>,
}

/// How many other interpreters are worth an installation.
const MOST: usize = 2;

/// Modules that left the standard library, and with which version.
const REMOVED: &[(&str, Version)] = &[
    ("macpath", (3, 8)),
    ("dummy_threading", (3, 9)),
    ("formatter", (3, 10)),
    ("parser", (3, 10)),
    ("symbol", (3, 10)),
    ("binhex", (3, 11)),
    ("asynchat", (3, 12)),
    ("asyncore", (3, 12)),
    ("distutils", (3, 12)),
    ("imp", (3, 12)),
    ("smtpd", (3, 12)),
    ("aifc", (3, 13)),
    ("audioop", (3, 13)),
    ("cgi", (3, 13)),
    ("cgitb", (3, 13)),
    ("chunk", (3, 13)),
    ("crypt", (3, 13)),
    ("imghdr", (3, 13)),
    ("lib2to3", (3, 13)),
    ("mailcap", (3, 13)),
    ("nis", (3, 13)),
    ("nntplib", (3, 13)),
    ("pipes", (3, 13)),
    ("sndhdr", (3, 13)),
    ("spwd", (3, 13)),
    ("sunau", (3, 13)),
    ("telnetlib", (3, 13)),
    ("uu", (3, 13)),
    ("xdrlib", (3, 13)),
];

/// Whether the interpreter itself explains a failure: a module or a name of its standard library is gone, or a file
/// does not parse on it.
pub(super) fn explains(case: &Case<'_>, about: &Subject) -> bool {
    let top = |module: &str| module.split('.').next().unwrap_or(module).to_owned();
    match about {
        Subject::Syntax { .. } => true,
        Subject::ModuleMissing(module) => REMOVED
            .iter()
            .any(|(removed, since)| *removed == top(module) && *since <= case.installed.python),
        Subject::NameMissing { module, .. } => {
            let library = &case.installed.standard_library;
            let top = top(module);
            !top.is_empty()
                && (library.join(format!("{top}.py")).is_file() || library.join(&top).is_dir())
        }
        _ => false,
    }
}

/// Other interpreters of this host that the project says it is made for, the newest first. `explained`: the failure
/// shows that the interpreter is what it fails by.
pub(super) fn others(case: &Case<'_>, explained: bool) -> Vec<Candidate> {
    let now = case.installed.python;
    let range = Range::read(case.tree);
    let mut there: Vec<Version> = case.installed.interpreters.clone();
    there.sort_unstable_by(|a, b| b.cmp(a));
    let mut reason = String::new();
    let mut fitting: Vec<Version> = Vec::new();
    if let Some((specifiers, path)) = &range.stated
        && !allows(specifiers, now)
    {
        reason = format!("{path} says `{specifiers}`");
        fitting = there
            .iter()
            .copied()
            .filter(|version| allows(specifiers, *version))
            .collect();
    } else if explained && range.listed.last().is_some_and(|newest| *newest < now) {
        "it is the newest that the project names as tested".clone_into(&mut reason);
        fitting = there
            .iter()
            .copied()
            .filter(|version| range.listed.contains(version))
            .take(1)
            .collect();
    }
    fitting
        .into_iter()
        .filter(|version| *version != now)
        .take(MOST)
        .zip(0..)
        .map(|((major, minor), place)| {
            candidate(
                format!(
                    "run on Python {major}.{minor} in place of {}.{}: {reason}",
                    now.0, now.1
                ),
                Vec::new(),
                RuntimeChanges {
                    python: Some(format!("{major}.{minor}")),
                    ..RuntimeChanges::default()
                },
                rank::OTHER_INTERPRETER + place,
            )
        })
        .collect()
}

/// The newest interpreter of this host that still has a module of the standard library which the newer ones lack, for a
/// project that does not say which interpreters it is made for.
pub(super) fn before_the_removal(case: &Case<'_>, about: &Subject) -> Option<Candidate> {
    let Subject::ModuleMissing(module) = about else {
        return None;
    };
    let (module, since) = REMOVED
        .iter()
        .find(|(removed, _)| module.split('.').next() == Some(removed))?;
    let range = Range::read(case.tree);
    let allowed = |version: Version| {
        range
            .stated
            .as_ref()
            .is_none_or(|(specifiers, _)| allows(specifiers, version))
    };
    let now = case.installed.python;
    let (major, minor) = case
        .installed
        .interpreters
        .iter()
        .copied()
        .filter(|version| {
            version.0 == now.0 && version < since && *since <= now && allowed(*version)
        })
        .max()?;
    Some(candidate(
        format!(
            "run on Python {major}.{minor} in place of {}.{}: `{module}` left the standard library with {}.{}",
            now.0, now.1, since.0, since.1
        ),
        Vec::new(),
        RuntimeChanges {
            python: Some(format!("{major}.{minor}")),
            ..RuntimeChanges::default()
        },
        rank::OTHER_INTERPRETER + 10,
    ))
}

impl Range {
    fn read(tree: &dyn Tree) -> Self {
        static STATED: LazyLock<Option<Regex>> = LazyLock::new(|| {
            Regex::new(
                r#"(?m)^\s*(?:requires-python|python_requires|python)\s*=\s*["']?\s*([<>=!~^*0-9][^"'\n#]*)"#,
            )
            .ok()
        });
        static CLASSIFIER: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r"Programming Language :: Python :: ([23])\.(\d+)").ok());
        static TOX: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r"\bpy([23])\.?(\d{1,2})\b").ok());
        let mut range = Self::default();
        for path in ["pyproject.toml", "setup.cfg", "setup.py"] {
            let Some(text) = tree.read(path) else {
                continue;
            };
            let stated = STATED
                .as_ref()
                .and_then(|stated| stated.captures(&text)?.get(1));
            if let Some(stated) = stated
                && range.stated.is_none()
            {
                range.stated = Some((stated.as_str().trim().to_owned(), path.to_owned()));
            }
            range.note(CLASSIFIER.as_ref(), &text);
        }
        if let Some(text) = tree.read("tox.ini") {
            let listed: String = envlist(&text);
            range.note(TOX.as_ref(), &expanded(&listed));
        }
        range
    }

    fn note(&mut self, wording: Option<&Regex>, text: &str) {
        let Some(wording) = wording else { return };
        self.listed.extend(
            wording
                .captures_iter(text)
                .filter_map(|found| Some((found[1].parse().ok()?, found[2].parse().ok()?))),
        );
    }
}

/// The lines of tox's `envlist`.
fn envlist(text: &str) -> String {
    let mut inside = false;
    let mut listed = String::new();
    for line in text.lines() {
        let key = line.split('=').next().unwrap_or_default().trim();
        if matches!(key, "envlist" | "env_list") {
            inside = true;
        } else if !line.starts_with([' ', '\t']) {
            inside = false;
        }
        if inside {
            listed.push_str(line);
            listed.push('\n');
        }
    }
    listed
}

/// `py{27,36}` as `py27 py36`.
fn expanded(text: &str) -> String {
    let mut result = text.to_owned();
    for (before, rest) in text
        .match_indices("py{")
        .filter_map(|(at, _)| Some((at, text[at + 3..].split('}').next()?)))
    {
        let _ = before;
        for version in rest.split(',') {
            result.push_str(" py");
            result.push_str(version.trim());
        }
    }
    result
}

/// Whether specifiers (`>=3.8,<3.12`, Poetry's `^3.8`) allow a version of two numbers.
fn allows(specifiers: &str, version: Version) -> bool {
    specifiers.split(',').map(str::trim).all(|one| {
        let at = one.find(|c: char| c.is_ascii_digit()).unwrap_or(one.len());
        let (operator, number) = one.split_at(at);
        let wildcard = number.contains('*');
        let mut parts = number.split('.');
        let Some(major) = parts.next().and_then(|part| part.trim().parse::<u8>().ok()) else {
            return true;
        };
        let minor = parts.next().and_then(|part| part.trim().parse::<u8>().ok());
        let patch = parts.next().and_then(|part| part.trim().parse::<u8>().ok());
        let bound = (major, minor.unwrap_or(0));
        match operator.trim() {
            ">=" | ">" => version >= bound,
            // `<3.12.4` still allows earlier 3.12s.
            "<" if patch.is_some_and(|patch| patch > 0) => version <= bound,
            "<" => version < bound,
            "<=" if minor.is_none() => version.0 <= major,
            "<=" => version <= bound,
            "==" | "" if minor.is_none() => version.0 == major,
            "!=" if wildcard && minor.is_some() => version != bound,
            "^" => version.0 == major && version >= bound,
            "~=" if patch.is_none() => version.0 == major && version >= bound,
            "==" | "" | "~=" | "~" => version == bound,
            _ => true,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Installed;
    use crate::strategies::fake::{Files, Index, case};

    fn offered(files: &[(&str, &str)], now: Version, explained: bool) -> Vec<String> {
        let files = Files::new(files);
        let installed = Installed {
            python: now,
            interpreters: vec![(2, 7), (3, 8), (3, 9), (3, 10), (3, 11), (3, 12), (3, 13)],
            ..Installed::default()
        };
        let index = Index::default();
        others(&case(&[], &files, &installed, &index), explained)
            .into_iter()
            .filter_map(|candidate| candidate.runtime.python)
            .collect()
    }

    #[test]
    fn a_stated_bound_is_kept_wherever_it_stands() {
        for (path, text) in [
            (
                "pyproject.toml",
                "[project]\nrequires-python = \">=3.8,<3.11\"\n",
            ),
            (
                "pyproject.toml",
                "[tool.poetry.dependencies]\npython = '>=3.8, <3.11'\n",
            ),
            ("setup.cfg", "[options]\npython_requires = >=3.8, <3.11\n"),
            (
                "setup.py",
                "setup(\n    python_requires='>=3.8,<3.11',\n)\n",
            ),
        ] {
            assert_eq!(
                offered(&[(path, text)], (3, 12), false),
                ["3.10", "3.9"],
                "{path}"
            );
            assert_eq!(
                offered(&[(path, text)], (3, 10), true),
                [] as [&str; 0],
                "{path}"
            );
        }
    }

    #[test]
    fn a_list_of_tested_versions_is_a_hint_that_explains_only_what_the_interpreter_explains() {
        let classifiers = [(
            "setup.py",
            "'Programming Language :: Python :: 3.8', 'Programming Language :: Python :: 3.9'",
        )];
        assert_eq!(offered(&classifiers, (3, 12), true), ["3.9"]);
        assert_eq!(offered(&classifiers, (3, 12), false), [] as [&str; 0]);
        assert_eq!(offered(&classifiers, (3, 9), true), [] as [&str; 0]);
        let tox = [("tox.ini", "[tox]\nenvlist = py{27,38}, py310\n[testenv]\n")];
        assert_eq!(offered(&tox, (3, 12), true), ["3.10"]);
    }

    #[test]
    fn a_module_that_left_the_standard_library_is_found_on_the_last_interpreter_that_has_it() {
        let files = Files::new(&[("setup.py", "setup()\n")]);
        let installed = Installed {
            python: (3, 13),
            interpreters: vec![(2, 7), (3, 9), (3, 11), (3, 12), (3, 13)],
            ..Installed::default()
        };
        let index = Index::default();
        let python = |module: &str| {
            let about = Subject::ModuleMissing(module.to_owned());
            before_the_removal(&case(&[], &files, &installed, &index), &about)?
                .runtime
                .python
        };
        assert_eq!(python("imp").as_deref(), Some("3.11"));
        assert_eq!(python("telnetlib").as_deref(), Some("3.12"));
        assert_eq!(python("requests"), None);
    }

    #[test]
    fn a_project_that_says_nothing_gets_the_interpreter_that_was_asked_for() {
        assert_eq!(offered(&[], (3, 13), true), [] as [&str; 0]);
        assert!(allows("^3.8", (3, 12)) && !allows("~3.8", (3, 9)) && !allows("==3.8.*", (3, 9)));
    }
}
