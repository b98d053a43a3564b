//! Crates, features and versions that a manifest lacks. What only tests need goes among what is there for tests; what the
//! product needs a person decides.
//!
//! A crate must be vouched for: by another manifest of the project, by its lock file, or, last, by a crate of exactly the
//! name that the code has. The project's own name is never taken from the registry.

use maestro_protocol::heal::Strategy;

use super::{is_steady, rewrite};
use crate::case::{Candidate, Case, Edit, Finding, Repair};
use crate::edge::cargo_index::is_crate_name;
use crate::failure::Failure;
use crate::rust::classify::{in_test, is_own};
use crate::rust::manifest::{Manifest, identifier};
use crate::rust::subject::{Subject, subject};
use crate::strategies::rank;

/// How many versions are worth a run.
const MOST_VERSIONS: usize = 4;
/// What is said where the product's own manifest is changed.
const OF_THE_PRODUCT: &str = "what the product itself depends on is changed";

/// See the module.
pub(super) struct DependencyFix;

impl Repair for DependencyFix {
    fn strategy(&self) -> Strategy {
        Strategy::DependencyFix
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        let Some(failure) = case.failures.first().filter(|_| is_steady(case)) else {
            return Vec::new();
        };
        match subject(failure) {
            Subject::CratesMissing(_) => missing(case),
            Subject::FeatureMissing { of, feature } => {
                gated(case, failure, of.as_deref(), &feature)
            }
            Subject::RequirementUnmet { name, requirement } => unmet(case, &name, &requirement),
            Subject::NameMissing { of: Some(of), name } if !is_own(case, &of) => {
                older(case, &of, &format!("it has no `{name}`"))
            }
            _ => Vec::new(),
        }
    }
}

/// One crate that is missing, and what is written for it.
struct Missing {
    /// The manifest's path.
    manifest: String,
    /// The line's table.
    table: &'static str,
    /// The lines to choose from, the best first, each with who vouches for it.
    lines: Vec<(String, String)>,
    guessed: bool,
}

/// Where a failing place lies, in a test or in the product, and the manifest that counts there.
fn place(case: &Case<'_>, failure: &Failure) -> Option<(Manifest, bool)> {
    let frame = failure.innermost_own()?;
    let manifest = Manifest::governing(case.tree, &frame.path)?;
    Some((manifest, in_test(case, failure, frame)))
}

/// All crates that are missing at once: the compiler names them all.
fn missing(case: &Case<'_>) -> Vec<Finding> {
    let manifests = Manifest::all(case.tree);
    let mut lacking: Vec<(String, Missing)> = Vec::new();
    for failure in case.failures {
        let Subject::CratesMissing(names) = subject(failure) else {
            continue;
        };
        let Some((manifest, is_test)) = place(case, failure) else {
            continue;
        };
        for name in names {
            let table = if is_test {
                "dev-dependencies"
            } else {
                "dependencies"
            };
            if let Some((_, known)) = lacking
                .iter_mut()
                .find(|(other, known)| *other == name && known.manifest == manifest.path)
            {
                // What the product needs as well is no matter of tests.
                if !is_test {
                    known.table = table;
                }
                continue;
            }
            let Some(found) = vouched(case, &manifests, &manifest, &name, table) else {
                return Vec::new();
            };
            lacking.push((name, found));
        }
    }
    let Some(longest) = lacking.iter().map(|(_, of)| of.lines.len()).max() else {
        return Vec::new();
    };
    let guessed = lacking.iter().any(|(_, of)| of.guessed);
    let rank = if guessed {
        rank::GUESSED_DISTRIBUTION
    } else {
        rank::KNOWN_DISTRIBUTION
    };
    let product = lacking.iter().any(|(_, of)| of.table == "dependencies");
    (0_u32..)
        .zip(0..longest.min(MOST_VERSIONS))
        .filter_map(|(step, choice)| {
            let mut edits: Vec<Edit> = Vec::new();
            let mut said = Vec::new();
            for (_, of) in &lacking {
                let (line, why) = of.lines.get(choice).or(of.lines.last())?;
                let text = edits
                    .iter()
                    .find(|edit| edit.path == of.manifest)
                    .map(|edit| edit.text.clone())
                    .or_else(|| case.tree.read(&of.manifest))?;
                let text = Manifest::parse(&of.manifest, text).with_line(of.table, line);
                edits.retain(|edit| edit.path != of.manifest);
                edits.push(Edit {
                    path: of.manifest.clone(),
                    text,
                });
                said.push(format!(
                    "`{line}` to the {} of {}: {why}",
                    of.table, of.manifest
                ));
            }
            let description = format!("adds {}", said.join(", and "));
            let candidate = rewrite(Strategy::DependencyFix, description, edits, rank + step);
            Some(by_role(candidate, !product))
        })
        .collect()
}

fn by_role(candidate: Candidate, only_tests: bool) -> Finding {
    if only_tests {
        Finding::Try(candidate)
    } else {
        Finding::Propose(candidate, OF_THE_PRODUCT.to_owned())
    }
}

/// What could be written for a crate; `None` where nobody vouches for any.
fn vouched(
    case: &Case<'_>,
    manifests: &[Manifest],
    manifest: &Manifest,
    name: &str,
    table: &'static str,
) -> Option<Missing> {
    if !is_crate_name(name) || identifier(&manifest.package) == name {
        return None;
    }
    let mut lines: Vec<(String, String)> = Vec::new();
    // A part of the project: a crate of that name from a registry would be somebody else's.
    if let Some((package, directory)) = member(case, manifests, name) {
        let depth = manifest.path.matches('/').count();
        let to = format!("{}{directory}", "../".repeat(depth));
        let line = format!("{package} = {{ path = \"{}\" }}", to.trim_end_matches('/'));
        lines.push((line, "it is a part of the project".to_owned()));
        return Some(Missing {
            manifest: manifest.path.clone(),
            table,
            lines,
            guessed: false,
        });
    }
    for other in manifests {
        for asked in &other.asked {
            if identifier(&asked.name) != name {
                continue;
            }
            if asked.table == "workspace.dependencies" {
                lines.insert(
                    0,
                    (
                        format!("{}.workspace = true", asked.name),
                        "the workspace says which version".to_owned(),
                    ),
                );
            } else if let Some(requirement) = &asked.requirement
                && asked.package.is_none()
            {
                lines.push((
                    format!("{} = \"{requirement}\"", asked.name),
                    format!("{} asks for that", other.path),
                ));
            }
        }
    }
    let locked = case
        .installed
        .distributions
        .iter()
        .rev()
        .find(|(known, _)| identifier(known) == name);
    if let Some((known, version)) = locked {
        lines.push((
            format!("{known} = \"{version}\""),
            "another crate of the project's needs that version".to_owned(),
        ));
    }
    let guessed = lines.is_empty();
    if guessed {
        // A registry has one crate for both spellings.
        let spellings = [name.to_owned(), name.replace('_', "-")];
        let (spelling, versions) = spellings
            .into_iter()
            .map(|spelling| {
                let versions = case.index.versions(&spelling);
                (spelling, versions)
            })
            .find(|(_, versions)| !versions.is_empty())?;
        for version in newest_of_each(&versions).into_iter().take(MOST_VERSIONS) {
            lines.push((
                format!("{spelling} = \"{version}\""),
                "it is used and nobody asks for it".to_owned(),
            ));
        }
    }
    lines.dedup();
    Some(Missing {
        manifest: manifest.path.clone(),
        table,
        lines,
        guessed,
    })
}

/// The project's own package of a name: as it calls itself, and its directory relative to the project's.
fn member(case: &Case<'_>, manifests: &[Manifest], name: &str) -> Option<(String, String)> {
    let of_workspace = case.installed.members.iter().cloned();
    let of_tree = manifests.iter().map(|manifest| {
        let directory = manifest.path.rsplit_once('/').map_or("", |(up, _)| up);
        (manifest.package.clone(), directory.to_owned())
    });
    of_workspace
        .chain(of_tree)
        .find(|(package, _)| !package.is_empty() && identifier(package) == name)
}

/// The newest version of each line of compatible ones (<https://doc.rust-lang.org/cargo/reference/semver.html>), the newest
/// line first.
fn newest_of_each(versions: &[String]) -> Vec<&str> {
    let mut seen: Vec<String> = Vec::new();
    let mut found = Vec::new();
    for version in versions {
        let line = compatible(version);
        if !seen.contains(&line) {
            seen.push(line);
            found.push(version.as_str());
        }
    }
    found
}

/// What two compatible versions have in common: `1`, `0.4`.
fn compatible(version: &str) -> String {
    let mut parts = version.split('.');
    match (parts.next(), parts.next()) {
        (Some("0"), Some(minor)) => format!("0.{minor}"),
        (Some(major), _) => major.to_owned(),
        _ => String::new(),
    }
}

/// Something that is only there with a feature.
fn gated(case: &Case<'_>, failure: &Failure, of: Option<&str>, feature: &str) -> Vec<Finding> {
    let Some((manifest, is_test)) = place(case, failure) else {
        return Vec::new();
    };
    let Some(of) = of else { return Vec::new() };
    if is_own(case, of) {
        return vec![Finding::Lacking(format!(
            "the test needs the feature `{feature}` of the project, which its command does not turn on"
        ))];
    }
    let Some(asked) = manifest.entry(of) else {
        return Vec::new();
    };
    let (text, table) = if is_test && !asked.is_for_tests() {
        let said = match (&asked.requirement, asked.of_workspace) {
            (_, true) => "workspace = true".to_owned(),
            (Some(requirement), false) => format!("version = \"{requirement}\""),
            (None, false) => return Vec::new(),
        };
        let package = asked.package.as_ref().map_or(String::new(), |package| {
            format!(", package = \"{package}\"")
        });
        let line = format!(
            "{} = {{ {said}{package}, features = [\"{feature}\"] }}",
            asked.name
        );
        (
            Some(manifest.with_line("dev-dependencies", &line)),
            "dev-dependencies",
        )
    } else {
        (manifest.with_feature(asked, feature), asked.table.as_str())
    };
    let Some(text) = text else { return Vec::new() };
    let candidate = rewrite(
        Strategy::DependencyFix,
        format!(
            "turns on the feature `{feature}` of `{}` in the {table} of {}: what is used is only there with it",
            asked.name, manifest.path
        ),
        vec![Edit {
            path: manifest.path.clone(),
            text,
        }],
        rank::KNOWN_DISTRIBUTION,
    );
    vec![by_role(candidate, is_test)]
}

/// A requirement that no version meets: the newest versions that there are.
fn unmet(case: &Case<'_>, name: &str, requirement: &str) -> Vec<Finding> {
    let plain = |text: &str| text.trim_start_matches(['^', '=', ' ']).to_owned();
    let versions = case.index.versions(name);
    let mut findings = Vec::new();
    for manifest in Manifest::all(case.tree) {
        for asked in &manifest.asked {
            let meant = asked.registry_name() == name
                && asked
                    .requirement
                    .as_deref()
                    .is_some_and(|asked| plain(asked) == plain(requirement));
            if !meant {
                continue;
            }
            for (step, version) in (0_u32..).zip(newest_of_each(&versions)).take(MOST_VERSIONS) {
                let Some(text) = manifest.with_requirement(asked, version) else {
                    continue;
                };
                let candidate = rewrite(
                    Strategy::DependencyFix,
                    format!(
                        "asks for `{name}` {version} in {}: there is no version `{requirement}`",
                        manifest.path
                    ),
                    vec![Edit {
                        path: manifest.path.clone(),
                        text,
                    }],
                    rank::OLDER_VERSION + step,
                );
                findings.push(by_role(candidate, asked.is_for_tests()));
            }
        }
    }
    findings
}

/// Older versions of a crate that is only there for tests, the newest first.
fn older(case: &Case<'_>, of: &str, why: &str) -> Vec<Finding> {
    let Some((manifest, true)) = case
        .failures
        .first()
        .and_then(|failure| place(case, failure))
    else {
        return Vec::new();
    };
    let Some(asked) = manifest.entry(of).filter(|asked| asked.is_for_tests()) else {
        return Vec::new();
    };
    let name = asked.registry_name();
    let Some((_, installed)) = case
        .installed
        .distributions
        .iter()
        .rev()
        .find(|(known, _)| known == name)
    else {
        return Vec::new();
    };
    let versions = case.index.versions(name);
    let current = compatible(installed);
    newest_of_each(&versions)
        .into_iter()
        .skip_while(|version| compatible(version) != current)
        .skip(1)
        .take(MOST_VERSIONS)
        .zip(0_u32..)
        .filter_map(|(version, step)| {
            let candidate = rewrite(
                Strategy::DependencyFix,
                format!("asks for `{name}` {version} in place of {installed}: {why}"),
                vec![Edit {
                    path: manifest.path.clone(),
                    text: manifest.with_requirement(asked, version)?,
                }],
                rank::OLDER_VERSION + step,
            );
            Some(by_role(candidate, true))
        })
        .collect()
}

#[cfg(test)]
#[path = "dependency_fix_tests.rs"]
mod tests;
