//! Types of packages that are not installed: by the distribution that the checker itself names for them, in the version that
//! belongs to what is installed. Nothing else is installed by this.

use maestro_protocol::heal::{RuntimeChanges, Strategy};

use crate::case::{Candidate, Case, Finding, Repair};
use crate::checker::typed::{Lack, lacks};
use crate::strategies::rank;

/// See the module.
pub(super) struct DependencyFix;

impl Repair for DependencyFix {
    fn strategy(&self) -> Strategy {
        Strategy::DependencyFix
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        let Some(complaint) = case
            .failures
            .first()
            .and_then(|failure| failure.complaint.as_deref())
        else {
            return Vec::new();
        };
        match lacks(&complaint.finding) {
            Some(Lack::Stubs { module, named }) => stubs(case, &module, &named),
            Some(Lack::Types { about, named }) => {
                let mut found = types(case, &about, &named);
                if complaint
                    .finding
                    .message
                    .contains("types field in your tsconfig")
                {
                    found.push(Finding::Lacking(format!(
                        "TypeScript takes the types of `{about}` only where `types` of tsconfig.json names them, which is the project's to configure"
                    )));
                }
                found
            }
            Some(Lack::Module { .. } | Lack::Name { .. }) | None => Vec::new(),
        }
    }
}

fn stubs(case: &Case<'_>, module: &str, named: &[String]) -> Vec<Finding> {
    if named.is_empty() {
        return vec![Finding::Lacking(format!(
            "`{module}` brings no types (no `py.typed`), and mypy knows of no distribution with them"
        ))];
    }
    // Stubs have the first two numbers of the version that they describe.
    let described = named
        .iter()
        .filter_map(|name| {
            let of = name
                .strip_prefix("types-")
                .or_else(|| name.strip_suffix("-stubs"))?;
            let version = version_of(case, &of.to_lowercase())?;
            let fits = case
                .index
                .versions(name)
                .iter()
                .any(|stubs| two(stubs) == two(&version));
            fits.then(|| format!("{name}=={}.*", two(&version)))
        })
        .collect::<Vec<_>>();
    let mut found = Vec::new();
    if described.len() == named.len() {
        found.push(install(module, described, rank::KNOWN_DISTRIBUTION));
    }
    found.push(install(
        module,
        named.to_vec(),
        rank::KNOWN_DISTRIBUTION + 1,
    ));
    found
}

fn types(case: &Case<'_>, about: &str, named: &[String]) -> Vec<Finding> {
    if named.is_empty() {
        return vec![Finding::Lacking(format!(
            "`{about}` brings no types, and TypeScript names no package with them"
        ))];
    }
    // Of several that would do, the one whose subject is installed: jest's types where jest is.
    let mut named: Vec<&String> = named.iter().collect();
    named.sort_by_key(|name| {
        let of = name.strip_prefix("@types/").unwrap_or(name);
        version_of(case, of).is_none()
    });
    let asks = |about: &str| (about == "node").then_some(case.installed.node.0);
    named
        .into_iter()
        .zip(0..)
        .map(|(name, at)| {
            let of = name.strip_prefix("@types/").unwrap_or(name);
            // Types have the first number of the version that they describe.
            let major = asks(of).or_else(|| version_of(case, of)?.split('.').next()?.parse().ok());
            let fits = major.filter(|major| {
                case.index
                    .versions(name)
                    .iter()
                    .any(|version| version.starts_with(&format!("{major}.")))
            });
            let requirement = match fits {
                Some(major) => format!("{name}@{major}"),
                None => name.clone(),
            };
            install(about, vec![requirement], rank::KNOWN_DISTRIBUTION + at)
        })
        .collect()
}

fn install(about: &str, requirements: Vec<String>, rank: u32) -> Finding {
    Finding::Try(Candidate {
        strategy: Strategy::DependencyFix,
        description: format!(
            "installs `{}`, the types that the checker asks for of `{about}`",
            requirements.join("`, `")
        ),
        edits: Vec::new(),
        runtime: RuntimeChanges {
            install: requirements,
            ..RuntimeChanges::default()
        },
        rank,
    })
}

fn version_of(case: &Case<'_>, name: &str) -> Option<String> {
    case.installed
        .distributions
        .iter()
        .find(|(installed, _)| installed.to_lowercase() == name)
        .map(|(_, version)| version.clone())
}

fn two(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Installed;
    use crate::checker::Complaint;
    use crate::failure::Failure;
    use crate::strategies::fake::{Files, Index};

    fn wanted(
        tool: &str,
        rule: &str,
        message: &str,
        hint: &str,
        installed: &[(&str, &str)],
    ) -> Vec<Vec<String>> {
        let failure = Failure {
            complaint: Some(Box::new(Complaint {
                finding: maestro_findings::Finding {
                    tool: tool.into(),
                    rule: Some(rule.into()),
                    message: message.into(),
                    hint: Some(hint.into()),
                    ..maestro_findings::Finding::default()
                },
                offers: Vec::new(),
            })),
            ..Failure::default()
        };
        let index = Index::new(&[
            ("types-requests", &["2.32.4.1", "2.31.0.6"]),
            ("@types/node", &["24.1.0", "20.4.0"]),
        ]);
        let case = Case {
            failures: &[failure],
            tree: &Files::new(&[]),
            installed: &Installed {
                distributions: installed
                    .iter()
                    .map(|(name, version)| ((*name).to_owned(), (*version).to_owned()))
                    .collect(),
                node: (20, 4),
                ..Installed::default()
            },
            index: &index,
            past: &crate::past::NoPast,
            unsteady: None,
        };
        DependencyFix
            .examine(&case)
            .into_iter()
            .map(|finding| match finding {
                Finding::Try(candidate) => candidate.runtime.install,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn the_types_are_those_of_the_version_that_is_installed_where_there_are_such() {
        let stubs = |installed: &[(&str, &str)]| {
            wanted(
                "mypy",
                "import-untyped",
                "Library stubs not installed for \"requests\"",
                "Hint: \"python3 -m pip install types-requests\"",
                installed,
            )
        };
        assert_eq!(
            stubs(&[("requests", "2.31.0")]),
            [["types-requests==2.31.*"], ["types-requests"]]
        );
        assert_eq!(stubs(&[("requests", "2.9.1")]), [["types-requests"]]);
        let names = "Cannot find name 'process'. Do you need to install type definitions for node? Try `npm i --save-dev @types/node`.";
        assert_eq!(
            wanted("tsc", "TS2580", names, "", &[]),
            [["@types/node@20"]]
        );
        let runner = "Cannot find name 'describe'. Try `npm i --save-dev @types/jest` or `npm i --save-dev @types/mocha`.";
        assert_eq!(
            wanted("tsc", "TS2582", runner, "", &[("mocha", "10.0.0")]),
            [["@types/mocha"], ["@types/jest"]]
        );
    }
}
