//! What the machine or the runner's settings lack: variables, directories, modes, a home, a locale, a time zone, a free
//! port, another interpreter. What is set comes from the project itself; what is written is the test's own fixture.
//! A lack that the product may have caused is refused or left to a person.

mod declared;
mod environ;
mod files;
mod interpreter;
mod locale;
#[cfg(test)]
mod tests;
mod variables;

use maestro_protocol::heal::{RuntimeChanges, Strategy};

use crate::case::Tree;
use crate::case::{Candidate, Case, Edit, Finding, Repair};
use crate::classify::subject::{Subject, subject};
use crate::strategies::rank;

pub(crate) use declared::is_secret;

/// A variable with the value that the project states for it.
pub(crate) struct Stated {
    pub(crate) name: String,
    pub(crate) value: String,
    /// The file that says so.
    pub(crate) path: String,
    /// Whether what runs the tests sets it; a document or a template only names it.
    pub(crate) by_runner: bool,
}

/// Every variable whose value the project states; what runs its tests comes first. Secrets are left out.
pub(crate) fn stated(tree: &dyn Tree) -> Vec<Stated> {
    let mut found: Vec<Stated> = declared::variables(tree)
        .into_iter()
        .filter(|variable| !is_secret(&variable.name))
        .filter_map(|variable| {
            let for_tests = variable
                .path
                .rsplit('/')
                .next()
                .is_some_and(|name| name.starts_with(".env.test"));
            Some(Stated {
                value: variable.value?,
                by_runner: variable.authority == declared::Authority::Runner || for_tests,
                name: variable.name,
                path: variable.path,
            })
        })
        .collect();
    found.sort_by_key(|stated| !stated.by_runner);
    found
}

/// See the module.
pub(super) struct EnvironmentHealing;

impl Repair for EnvironmentHealing {
    fn strategy(&self) -> Strategy {
        Strategy::EnvironmentHealing
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        let Some(failure) = case.failures.first() else {
            return Vec::new();
        };
        let (about, said) = subject(failure);
        let mut findings = match &about {
            Subject::VariableMissing(name) => variables::missing(case, failure, name),
            Subject::Assertion => {
                let mut findings = variables::read_by_the_test(case, failure);
                findings.extend(locale::time_zone(case, failure));
                findings.extend(locale::plain(case));
                findings
            }
            Subject::Other if said.message.contains("unsupported locale setting") => {
                locale::unsupported(case, failure)
            }
            Subject::Other if said.exception.starts_with("Unicode") => {
                locale::encoding(case, failure, &said)
            }
            Subject::Other => {
                let mut findings = locale::zones(&said);
                findings.extend(files::mode(case, failure, &said));
                findings.extend(files::port(case, failure, &said));
                if findings.is_empty() {
                    findings.extend(files::directory(case, failure, &said));
                }
                if findings.is_empty() {
                    findings.extend(files::home(case, failure, &said));
                }
                if said.exception == "TypeError" || said.exception == "AttributeError" {
                    findings.extend(variables::read_by_the_test(case, failure));
                }
                findings.extend(locale::plain(case));
                findings
            }
            _ => Vec::new(),
        };
        findings.extend(
            interpreter::others(case, interpreter::explains(case, &about))
                .into_iter()
                .map(Finding::Try),
        );
        findings.extend(interpreter::before_the_removal(case, &about).map(|candidate| {
            Finding::Propose(
                candidate,
                "the project does not say which interpreters it is made for, and a port would last longer"
                    .to_owned(),
            )
        }));
        findings
    }

    fn last_resort(&self, case: &Case<'_>) -> Vec<Finding> {
        let doubt = "nothing in the failure says that the interpreter is what it fails by";
        interpreter::others(case, true)
            .into_iter()
            .map(|candidate| Candidate {
                rank: rank::UNEXPLAINED_INTERPRETER,
                ..candidate
            })
            .map(|candidate| Finding::Propose(candidate, doubt.to_owned()))
            .collect()
    }
}

fn candidate(
    description: String,
    edits: Vec<Edit>,
    runtime: RuntimeChanges,
    rank: u32,
) -> Candidate {
    Candidate {
        strategy: Strategy::EnvironmentHealing,
        description,
        edits,
        runtime,
        rank,
    }
}

fn of_runtime<const N: usize>(variables: [(&str, &str); N]) -> RuntimeChanges {
    RuntimeChanges {
        variables: variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        ..RuntimeChanges::default()
    }
}
