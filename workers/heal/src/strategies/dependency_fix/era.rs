//! The versions of the project's own time. A project that stood still while what it builds on went on runs with what it was
//! written with; which versions those were, the index tells, which knows when every release was published.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::declared::Declared;
use super::{install, versions};
use crate::case::{Candidate, Case, Form, Installed, Release, Tree};
use crate::distribution::{distribution, normalised};
use crate::strategies::rank;

/// How many sets of versions are worth an environment and a run.
const MOST: usize = 4;
/// What runs the tests and what builds: of today, for the interpreter of today.
const TOOLS: [&str; 7] = [
    "coverage",
    "hypothesis",
    "pip",
    "pytest",
    "setuptools",
    "tox",
    "wheel",
];

/// When the project was as it is.
struct Time {
    /// `2018-09-28`.
    day: String,
    /// What happened then, a clause.
    what: String,
}

/// How a version is chosen for a time: the last of the series that was current then, as what was put right in it since is no
/// less of its time.
struct Choice {
    /// How many numbers make a series: one, and `1.1.4` stands for `1.0.2`; two, and `1.0.4` does.
    numbers: usize,
    /// Years later, for what had a new beginning just then.
    years: u32,
    /// In words.
    what: &'static str,
}

const CHOICES: [Choice; 3] = [
    Choice {
        numbers: 1,
        years: 0,
        what: "the last of each major version",
    },
    Choice {
        numbers: 2,
        years: 0,
        what: "the last of each minor version",
    },
    Choice {
        numbers: 1,
        years: 2,
        what: "the last of each major version of two years later",
    },
];

/// Environments of the project's time, the likeliest first.
pub(super) fn of_its_time(case: &Case<'_>, declared: &Declared) -> Vec<Candidate> {
    let names = dependencies(case.installed, declared);
    if names.is_empty() {
        return Vec::new();
    }
    let asked: Vec<String> = declared.own.iter().chain(&names).cloned().collect();
    let releases = case.index.releases(&asked);
    let mut found: Vec<Candidate> = Vec::new();
    for time in times(case, declared, &releases) {
        for choice in &CHOICES {
            let pins: Vec<String> = names
                .iter()
                .filter_map(|name| {
                    let chosen = chosen(releases.get(name)?, &time.day, choice)?;
                    let installed = version_of(case.installed, name)?;
                    let older = versions::release(&chosen.version) < versions::release(installed);
                    older.then(|| format!("{name}=={}", chosen.version))
                })
                .collect();
            let is_new = found.iter().all(|other| other.runtime.install != pins);
            if pins.is_empty() || !is_new || found.len() == MOST {
                continue;
            }
            let description = format!(
                "installs what there was when {} ({}), {}: {}",
                time.what,
                time.day,
                choice.what,
                pins.join(", ")
            );
            let rank = rank::OF_ITS_TIME + u32::try_from(found.len()).unwrap_or(u32::MAX);
            found.push(install(pins, description, rank));
        }
    }
    found
}

/// The release that stands for the one that was current on a day.
fn chosen<'r>(releases: &'r [Release], day: &str, choice: &Choice) -> Option<&'r Release> {
    let day = years_after(day, choice.years)?;
    // Newest first; pre-releases are nobody's dependency.
    let usable: Vec<(Vec<u64>, &Release)> = releases
        .iter()
        .filter(|release| release.fits)
        .filter_map(|release| Some((versions::release(&release.version)?, release)))
        .collect();
    let series = |number: &[u64]| {
        number
            .iter()
            .take(choice.numbers)
            .copied()
            .collect::<Vec<_>>()
    };
    let (current, _) = usable
        .iter()
        .find(|(_, release)| release.published <= day)?;
    let current = series(current);
    let is_of_it = |(number, _): &(Vec<u64>, &Release)| series(number) == current;
    let last = usable.iter().position(is_of_it)?;
    let is_compiled = usable
        .iter()
        .any(|(_, release)| release.form == Form::Compiled);
    // What is compiled takes long to build, and old sources rarely do: the nearest that comes ready.
    let ready = |release: &&Release| !is_compiled || release.form != Form::Source;
    let (newer, others) = usable.split_at(last);
    let of_the_series = others.iter().take_while(|entry| is_of_it(entry));
    of_the_series
        .chain(newer.iter().rev())
        .map(|(_, release)| *release)
        .find(ready)
}

fn years_after(day: &str, years: u32) -> Option<String> {
    let (year, rest) = day.split_once('-')?;
    Some(format!("{:04}-{rest}", year.parse::<u32>().ok()? + years))
}

/// When the project was as it is: at its last commit, and when the version that it says it is was published.
fn times(
    case: &Case<'_>,
    declared: &Declared,
    releases: &BTreeMap<String, Vec<Release>>,
) -> Vec<Time> {
    let commits = case.past.commits();
    let committed = commits.first().and_then(|commit| {
        let day = commit.authored.get(..10)?.to_owned();
        Some(Time {
            day,
            what: "its last commit was made".to_owned(),
        })
    });
    let published = declared.own.iter().find_map(|own| {
        let version = stated_version(case.tree, declared)?;
        let number = versions::release(&version);
        let release = releases.get(own)?.iter().find(|release| {
            release.version == version
                || (number.is_some() && versions::release(&release.version) == number)
        })?;
        Some(Time {
            day: release.published.clone(),
            what: format!("{own} {} was published", release.version),
        })
    });
    committed.into_iter().chain(published).collect()
}

/// The version that the project says it is.
fn stated_version(tree: &dyn Tree, declared: &Declared) -> Option<String> {
    let own = declared
        .modules
        .iter()
        .flat_map(|module| ["", "src/"].map(|below| format!("{below}{module}")))
        .flat_map(|module| {
            ["/__init__.py", "/__version__.py", "/_version.py", ".py"]
                .map(|file| format!("{module}{file}"))
        });
    ["PKG-INFO", "pyproject.toml", "setup.cfg", "setup.py"]
        .map(str::to_owned)
        .into_iter()
        .chain(own)
        .find_map(|path| tree.read(&path)?.lines().find_map(version_in))
}

/// `version = "1.2"`, `__version__ = '1.2'`, `Version: 1.2`.
fn version_in(line: &str) -> Option<String> {
    let (key, value) = line.split_once(['=', ':'])?;
    if !matches!(
        key.trim(),
        "version" | "Version" | "__version__" | "VERSION"
    ) {
        return None;
    }
    let value = value.trim().trim_end_matches(',').trim_matches(['"', '\'']);
    let starts = value.starts_with(|c: char| c.is_ascii_digit());
    let is_one = value
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+' | b'!'));
    (starts && is_one).then(|| value.to_owned())
}

fn version_of<'i>(installed: &'i Installed, name: &str) -> Option<&'i str> {
    let known = |(other, _): &&(String, String)| other == name;
    let found = installed.distributions.iter().find(known);
    found.map(|(_, version)| version.as_str())
}

/// What is installed for the project's sake: what it or the request asks for, and what that needs.
fn dependencies(installed: &Installed, declared: &Declared) -> BTreeSet<String> {
    let asked = installed.requested.iter().map(|text| distribution(text));
    let stated = declared.requirements.iter().map(|r| r.name.clone());
    let mut open: Vec<String> = asked.chain(stated).collect();
    let mut found = BTreeSet::new();
    while let Some(name) = open.pop() {
        let is_tool = TOOLS.contains(&name.as_str()) || name.starts_with("pytest-");
        if is_tool || declared.own.contains(&name) || version_of(installed, &name).is_none() {
            continue;
        }
        if found.insert(name.clone()) {
            open.extend(needs(installed, &name));
        }
    }
    found
}

/// What an installed distribution says that it needs, without its extras
/// (<https://packaging.python.org/en/latest/specifications/core-metadata/#requires-dist-multiple-use>).
fn needs(installed: &Installed, name: &str) -> Vec<String> {
    let entries = fs::read_dir(&installed.site_packages).into_iter().flatten();
    let is_its = |file: &str| {
        file.strip_suffix(".dist-info")
            .and_then(|stem| stem.rsplit_once('-'))
            .is_some_and(|(stem, _)| normalised(stem) == name)
    };
    let metadata = entries
        .flatten()
        .find(|entry| entry.file_name().to_str().is_some_and(is_its))
        .and_then(|entry| fs::read_to_string(entry.path().join("METADATA")).ok());
    metadata
        .unwrap_or_default()
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("Requires-Dist: "))
        .filter(|requirement| !requirement.contains("extra =="))
        .map(distribution)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies::fake::{Files, Index, case};

    fn release(version: &str, published: &str, form: Form) -> Release {
        Release {
            version: version.to_owned(),
            published: published.to_owned(),
            form,
            fits: true,
        }
    }

    fn chosen_on(releases: &[Release]) -> [Option<&str>; 3] {
        [0, 1, 2].map(|choice| {
            let release = chosen(releases, "2018-09-28", &CHOICES[choice])?;
            Some(release.version.as_str())
        })
    }

    #[test]
    fn the_last_of_the_series_that_was_current_is_chosen() {
        let releases = [
            release("3.0", "2023-09-30", Form::Pure),
            release("2.0.1", "2020-05-21", Form::Pure),
            release("1.1.4", "2021-05-14", Form::Pure),
            release("1.0.4", "2019-07-04", Form::Pure),
            release("1.1.0rc1", "2018-09-01", Form::Pure),
            release("1.0.2", "2018-05-02", Form::Pure),
            release("0.12", "2016-12-21", Form::Pure),
        ];
        assert_eq!(
            chosen_on(&releases),
            [Some("1.1.4"), Some("1.0.4"), Some("2.0.1")]
        );
        assert_eq!(chosen_on(&releases[..3]), [None, None, Some("2.0.1")]);
    }

    #[test]
    fn of_what_is_compiled_the_nearest_that_comes_ready_is_chosen() {
        let releases = [
            release("2.2", "2023-01-01", Form::Compiled),
            release("1.26.1", "2022-09-01", Form::Source),
            release("1.26.0", "2022-07-01", Form::Compiled),
            release("1.16", "2019-01-01", Form::Source),
            release("1.15", "2018-01-01", Form::Source),
        ];
        assert_eq!(chosen_on(&releases), [Some("1.26.0"); 3]);
        let late = [
            release("3.0", "2024-01-01", Form::Compiled),
            release("2.2", "2023-01-01", Form::Compiled),
            release("1.15", "2018-01-01", Form::Source),
        ];
        assert_eq!(chosen_on(&late), [Some("2.2"); 3]);
    }

    #[test]
    fn a_version_is_read_from_where_projects_state_it() {
        for (line, version) in [
            ("Version: 3.13.1", Some("3.13.1")),
            ("    version='1.2.0',", Some("1.2.0")),
            ("__version__ = \"0.4b1\"", Some("0.4b1")),
            ("version = attr: pkg.__version__", None),
            ("Metadata-Version: 2.1", None),
            ("python_version = 3.6", None),
        ] {
            assert_eq!(version_in(line).as_deref(), version, "{line}");
        }
    }

    #[test]
    fn a_project_that_stood_still_is_offered_what_there_was_when_it_was_published() {
        let site = tempfile::tempdir().unwrap();
        let metadata = site.path().join("Flask-3.1.0.dist-info");
        fs::create_dir(&metadata).unwrap();
        let needs = "Name: Flask\nRequires-Dist: Werkzeug>=3\nRequires-Dist: asgiref; extra == 'async'\n\nRequires-Dist: text";
        fs::write(metadata.join("METADATA"), needs).unwrap();
        let distributions = [
            ("flask", "3.1.0"),
            ("werkzeug", "3.1.3"),
            ("asgiref", "3.8.0"),
            ("pytest", "9.0.0"),
            ("six", "1.17.0"),
        ];
        let installed = Installed {
            site_packages: site.path().to_owned(),
            distributions: distributions.map(|(n, v)| (n.into(), v.into())).into(),
            requested: vec!["pytest".into(), "Flask".into(), "six".into()],
            ..Installed::default()
        };
        let index = Index::dated(&[
            ("shop", &[("1.4", "2018-09-28"), ("1.3", "2017-01-01")]),
            (
                "flask",
                &[
                    ("3.1.0", "2024-11-13"),
                    ("1.1.4", "2021-05-14"),
                    ("1.0.4", "2019-07-04"),
                    ("1.0.2", "2018-05-02"),
                ],
            ),
            (
                "werkzeug",
                &[
                    ("3.1.3", "2024-11-08"),
                    ("1.0.1", "2020-03-31"),
                    ("0.16.1", "2020-01-27"),
                    ("0.14.1", "2017-12-31"),
                ],
            ),
            (
                "asgiref",
                &[("3.8.0", "2024-03-22"), ("2.3.2", "2018-05-23")],
            ),
            (
                "pytest",
                &[("9.0.0", "2025-11-08"), ("3.8.1", "2018-09-22")],
            ),
            ("six", &[("1.17.0", "2024-12-04"), ("1.11.0", "2017-09-17")]),
        ]);
        let offered = |about: &str| {
            let files = Files::new(&[("PKG-INFO", about), ("shop.py", "")]);
            let failures = [];
            let case = case(&failures, &files, &installed, &index);
            of_its_time(&case, &Declared::read(&files))
        };
        let found = offered("Metadata-Version: 1.1\nName: shop\nVersion: 1.4\n");
        let installs: Vec<_> = found.iter().map(|found| &found.runtime.install).collect();
        assert_eq!(
            installs,
            [
                &vec!["flask==1.1.4", "werkzeug==0.16.1"],
                &vec!["flask==1.0.4", "six==1.11.0", "werkzeug==0.14.1"],
                &vec!["flask==1.1.4", "werkzeug==1.0.1"],
            ]
        );
        let said = &found[0].description;
        assert!(
            said.contains("shop 1.4 was published (2018-09-28)"),
            "{said}"
        );
        // Somebody else's project may have the name, but hardly the version.
        assert_eq!(offered("Name: shop\nVersion: 7.0\n"), []);
        assert_eq!(offered("Name: other\nVersion: 1.4\n"), []);
    }
}
