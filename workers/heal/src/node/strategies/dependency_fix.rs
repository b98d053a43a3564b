//! Packages and versions that the environment lacks. Only the environment of the run is changed: the project's files
//! stay as they are.
//!
//! What is installed must be vouched for: by the project's own manifest, by a package that names it as its peer, by the
//! table of forks, or, last, by a package of exactly the name that a file of the project imports. The project's own name is
//! never taken from the registry.

use std::collections::BTreeSet;

use maestro_protocol::heal::Strategy;
use serde_json::Value;

use super::{install, own_tests};
use crate::case::{Candidate, Case, Finding, Repair};
use crate::node::bench::asked;
use crate::node::classify::is_built;
use crate::node::manifest::Package;
use crate::node::rules;
use crate::node::source::{Source, is_builtin, package_of};
use crate::node::subject::{Subject, package_in, subject};
use crate::strategies::rank;

/// How many older major versions are worth a run.
const MOST_MAJORS: usize = 4;
/// How many packages are installed in one step because tests import them and the manifest asks for them.
const MOST_TOGETHER: usize = 24;

/// See the module.
pub(super) struct DependencyFix;

impl Repair for DependencyFix {
    fn strategy(&self) -> Strategy {
        Strategy::DependencyFix
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        let Some(failure) = case.failures.first() else {
            return Vec::new();
        };
        let search = Search {
            case,
            package: Package::read(case.tree),
        };
        let candidates = match subject(failure) {
            Subject::ModuleMissing(module) => match search.lacking(&module) {
                Some(lacking) => return vec![Finding::Lacking(lacking)],
                None => search.missing(&module),
            },
            Subject::RequireOfModule(package) => {
                search.older(&package, "it can only be imported since, and is required")
            }
            Subject::PathNotExported { package, subpath } => {
                search.older(&package, &format!("it no longer gives out `{subpath}`"))
            }
            Subject::NameNotExported { module, name } => match package_of(&module) {
                Some(package) if !is_builtin(&module) => {
                    search.older(package, &format!("it no longer exports `{name}`"))
                }
                _ => Vec::new(),
            },
            Subject::NotCallable(called) => search.of_call(&called),
            _ => Vec::new(),
        };
        let mut findings: Vec<Finding> = candidates.into_iter().map(Finding::Try).collect();
        if findings.is_empty() {
            findings.extend(search.least_versions());
            findings.extend(search.tools_of_the_manifest());
        }
        findings
    }
}

struct Search<'c> {
    case: &'c Case<'c>,
    package: Package,
}

impl Search<'_> {
    /// What no package brings.
    fn lacking(&self, module: &str) -> Option<String> {
        if is_builtin(module) {
            let (major, minor) = self.case.installed.node;
            return Some(format!(
                "Node {major}.{minor} has no module `{module}`: a newer one has to run these tests"
            ));
        }
        if module.starts_with(['.', '/']) && is_built(module) {
            return Some(format!(
                "`{module}` is made by a build of the project, which is not run here"
            ));
        }
        None
    }

    fn missing(&self, module: &str) -> Vec<Candidate> {
        let Some(name) = package_of(module) else {
            return Vec::new();
        };
        if name == self.package.name {
            return Vec::new();
        }
        let mut found = Vec::new();
        if self.case.installed.runner_missing.as_deref() == Some(name) {
            let wanted = self.wanted(name);
            let description = format!("installs `{wanted}`, by which the tests are run");
            found.push(install(vec![wanted], description, rank::KNOWN_DISTRIBUTION));
            return found;
        }
        if let Some(version) = self.version_of(name) {
            // It is there, and not this part of it.
            return self.older(name, &format!("version {version} has no `{module}`"));
        }
        if let Some(fork) = rules::forks().iter().find(|fork| fork.module == name) {
            let description = format!(
                "installs `{}` in place of `{name}`: {}",
                fork.install, fork.because
            );
            found.push(install(vec![fork.install.clone()], description, rank::FORK));
        }
        if let Some(range) = self.wanted_by_a_peer(name) {
            let requirement = format!("{name}@{range}");
            let description =
                format!("installs `{requirement}`, which an installed package names as its peer");
            found.push(install(
                vec![requirement],
                description,
                rank::KNOWN_DISTRIBUTION,
            ));
        }
        if self.package.asked.contains_key(name) {
            let mut together: Vec<String> = self.imported_and_asked();
            let wanted = self.wanted(name);
            if !together.contains(&wanted) {
                together.insert(0, wanted.clone());
            }
            if together.len() > 1 {
                let description = format!(
                    "installs what the tests need and the project's manifest asks for: {}",
                    together.join(", ")
                );
                found.push(install(together, description, rank::KNOWN_DISTRIBUTION));
            }
            let description = format!(
                "installs `{wanted}`, which the project itself asks for: `{module}` is missing"
            );
            found.push(install(
                vec![wanted],
                description,
                rank::KNOWN_DISTRIBUTION + 1,
            ));
        } else {
            found.extend(self.companion(name));
            found.extend(self.guessed(name, module));
        }
        found
    }

    /// A part of a runner that is released with it: the version that fits is the runner's.
    fn companion(&self, name: &str) -> Option<Candidate> {
        let of_jest =
            name.starts_with("jest-") || name.starts_with("@jest/") || name == "babel-jest";
        let runner = if of_jest || name == "ts-jest" {
            "jest"
        } else if name.starts_with("@vitest/") {
            "vitest"
        } else {
            return None;
        };
        let version = self.version_of(runner)?;
        let wanted = if runner == "vitest" {
            version.to_owned()
        } else {
            version.split('.').next()?.to_owned()
        };
        let requirement = format!("{name}@{wanted}");
        Some(install(
            vec![requirement.clone()],
            format!("installs `{requirement}`, the part of {runner} {version} that is missing"),
            rank::KNOWN_DISTRIBUTION,
        ))
    }

    /// A package of the very name that the project imports, and behind it the majors before the newest: it may have
    /// outgrown the project.
    fn guessed(&self, name: &str, module: &str) -> Vec<Candidate> {
        let versions = self.case.index.versions(name);
        if versions.is_empty() {
            return Vec::new();
        }
        let mut found = vec![install(
            vec![name.to_owned()],
            format!("installs `{name}`: `{module}` is missing"),
            rank::GUESSED_DISTRIBUTION,
        )];
        for (step, major) in (1_u32..).zip(majors(&versions).into_iter().skip(1).take(2)) {
            let requirement = format!("{name}@{major}");
            let description = format!(
                "installs `{requirement}`: `{module}` is missing, and its newest version does not fit"
            );
            found.push(install(
                vec![requirement],
                description,
                rank::GUESSED_DISTRIBUTION + step,
            ));
        }
        found
    }

    /// Older versions of a package that is installed, the newest first.
    fn older(&self, name: &str, why: &str) -> Vec<Candidate> {
        let Some(installed) = self.version_of(name) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let mut rank = rank::OLDER_VERSION;
        let stated = self.package.asked.get(name).map(|_| self.wanted(name));
        if let Some(stated) =
            stated.filter(|stated| !self.case.installed.requested.contains(stated))
        {
            let description =
                format!("installs `{stated}`, as the project asks: {name} {installed}: {why}");
            found.push(install(vec![stated], description, rank));
            rank += 1;
        }
        let current = major_of(installed);
        let known = self.case.index.versions(name);
        for major in majors(&known)
            .into_iter()
            .filter(|major| Some(*major) < current)
            .take(MOST_MAJORS)
        {
            let requirement = format!("{name}@{major}");
            let description = format!("installs `{requirement}` in place of {installed}: {why}");
            found.push(install(vec![requirement], description, rank));
            rank += 1;
        }
        found
    }

    /// A function that is gone from an installed package: an older one had it.
    fn of_call(&self, called: &str) -> Vec<Candidate> {
        let object = called.split(['.', '(', '[']).next().unwrap_or(called);
        let Some(module) = crate::node::classify::bound_module(self.case, object) else {
            return Vec::new();
        };
        match package_of(&module) {
            Some(name) if !is_builtin(&module) => {
                self.older(name, &format!("`{called}` is no function there"))
            }
            _ => Vec::new(),
        }
    }

    /// The packages of the product in the least versions that the manifest allows, which are those that it was written
    /// against: where a newer one changed what the product passes on, that shows. Whether the product should go along
    /// with the newer one a person decides.
    fn least_versions(&self) -> Option<Finding> {
        let least: Vec<String> = self
            .package
            .asked
            .iter()
            .filter(|(_, asked)| asked.by == "dependencies")
            .filter_map(|(name, asked)| {
                let least = asked.range.strip_prefix(['^', '~'])?;
                let whole = least.split('.').count() == 3
                    && least.split('.').all(|part| part.parse::<u64>().is_ok());
                let installed = self.version_of(name)?;
                (whole && installed != least && major_of(installed) == major_of(least))
                    .then(|| format!("{name}@{least}"))
            })
            .take(MOST_TOGETHER)
            .collect();
        if least.is_empty() {
            return None;
        }
        let description = format!(
            "installs the versions that the manifest names and not newer ones: {}",
            least.join(", ")
        );
        Some(Finding::Propose(
            install(least, description, rank::OLDER_VERSION),
            "a newer version of a package that the product uses behaves otherwise".to_owned(),
        ))
    }

    /// What runs the tests and what they assert by, in the versions that the manifest asks for, where later ones are
    /// installed than it allows: those look at more, or read the same words otherwise. Whether the tests should go along
    /// with them a person decides.
    fn tools_of_the_manifest(&self) -> Option<Finding> {
        let imported: BTreeSet<String> = own_tests(self.case)
            .take(400)
            .filter_map(|path| Source::parse(path, self.case.tree.read(path)?))
            .flat_map(|source| {
                source
                    .modules()
                    .into_iter()
                    .filter_map(|(_, module)| package_of(module).map(str::to_owned))
                    .collect::<Vec<_>>()
            })
            .collect();
        let tools: Vec<String> = self
            .package
            .asked
            .iter()
            .filter(|(name, asked)| {
                asked.by == "devDependencies"
                    && imported.contains(*name)
                    && most_major(&asked.range) < self.version_of(name).and_then(major_of)
                    && most_major(&asked.range).is_some()
            })
            .map(|(name, _)| self.wanted(name))
            .filter(|wanted| !self.case.installed.requested.contains(wanted))
            .take(MOST_TOGETHER)
            .collect();
        if tools.is_empty() {
            return None;
        }
        let description = format!(
            "installs what the tests assert by in the version that the manifest asks for: {}",
            tools.join(", ")
        );
        Some(Finding::Propose(
            install(tools, description, rank::OLDER_VERSION + 1),
            "a later version of what the tests assert by judges otherwise".to_owned(),
        ))
    }

    /// What the manifest asks for of a package, in npm's notation.
    fn wanted(&self, name: &str) -> String {
        asked(&self.package, name)
    }

    fn version_of(&self, name: &str) -> Option<&str> {
        self.case
            .installed
            .distributions
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, version)| version.as_str())
    }

    /// The packages that are not there and that the manifest asks for: those of the product, and those that tests import.
    fn imported_and_asked(&self) -> Vec<String> {
        let mut names: Vec<String> = own_tests(self.case)
            .take(400)
            .filter_map(|path| Source::parse(path, self.case.tree.read(path)?))
            .flat_map(|source| {
                source
                    .modules()
                    .into_iter()
                    .filter_map(|(_, module)| package_of(module))
                    .filter(|name| {
                        self.package.asked.contains_key(*name) && self.version_of(name).is_none()
                    })
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .collect();
        // What the product needs is needed by its tests, whether they import it or not.
        let of_product =
            self.package.asked.iter().filter(|(name, asked)| {
                asked.by == "dependencies" && self.version_of(name).is_none()
            });
        names.extend(of_product.map(|(name, _)| name.clone()));
        names.sort();
        names.dedup();
        names.truncate(MOST_TOGETHER);
        names.iter().map(|name| self.wanted(name)).collect()
    }

    /// The range that the package which asked for it names, in whose file the failure arose.
    fn wanted_by_a_peer(&self, name: &str) -> Option<String> {
        let failure = self.case.failures.first()?;
        let asks = failure
            .frames
            .iter()
            .rev()
            .find_map(|frame| package_in(&frame.path))?;
        let file = self
            .case
            .installed
            .site_packages
            .join(asks)
            .join("package.json");
        let of = file.symlink_metadata().ok()?;
        if !of.is_file() || of.len() > 1 << 20 {
            return None;
        }
        let manifest: Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
        let range = ["peerDependencies", "dependencies", "optionalDependencies"]
            .iter()
            .find_map(|kind| manifest.get(kind)?.get(name)?.as_str())?;
        crate::edge::is_npm_requirement(&format!("{name}@{range}")).then(|| range.to_owned())
    }
}

fn major_of(version: &str) -> Option<u64> {
    version.split('.').next()?.parse().ok()
}

/// The last major version that a range allows, where it is `^1.2`, `~1.2`, `1.2.3`, `1.x` or ends by `<2`.
fn most_major(range: &str) -> Option<u64> {
    let last = range.split("||").last()?.trim();
    if let Some((_, bound)) = last.split_once('<') {
        let (bound, open) = match bound.strip_prefix('=') {
            Some(bound) => (bound.trim(), false),
            None => (bound.trim(), true),
        };
        let rest = bound.split('.').skip(1).all(|part| part == "0");
        let major = major_of(bound)?;
        return if open && rest {
            major.checked_sub(1)
        } else {
            Some(major)
        };
    }
    major_of(last.trim_start_matches(['^', '~', '=', 'v', ' ']))
}

/// The major versions there are, that of the version called the latest first, then downwards.
fn majors(versions: &[String]) -> Vec<u64> {
    let Some(latest) = versions.first().and_then(|version| major_of(version)) else {
        return Vec::new();
    };
    let mut found: Vec<u64> = versions
        .iter()
        .filter_map(|version| major_of(version))
        .filter(|major| *major <= latest)
        .collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.dedup();
    found
}

#[cfg(test)]
#[path = "dependency_fix_tests.rs"]
mod tests;
