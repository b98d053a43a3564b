//! Modules and names that moved or are missing. To the strategies of tests a type checker's words say what an interpreter would
//! say when the line runs; they decide, by their own tables, what it means.

use maestro_protocol::heal::Strategy;

use crate::adapter::{Adapter, Python};
use crate::case::{Case, Finding, Repair};
use crate::checker::typed::{Lack, lacks, sentence};
use crate::failure::{Failure, Phase};
use crate::node::Node;
use crate::roles::{Role, Roles};

/// See the module.
pub(super) struct Moved;

impl Repair for Moved {
    fn strategy(&self) -> Strategy {
        Strategy::ApiContractAdaptation
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        let Some((failure, lack)) = case.failures.first().and_then(|failure| {
            let finding = &failure.complaint.as_deref()?.finding;
            Some((failure, lacks(finding)?))
        }) else {
            return Vec::new();
        };
        let (exception, message, code) = match &lack {
            Lack::Module { module } if failure_is_nodes(failure) => (
                "Error",
                format!("Cannot find module '{module}'"),
                Some("MODULE_NOT_FOUND".to_owned()),
            ),
            Lack::Module { module } => (
                "ModuleNotFoundError",
                format!("No module named '{module}'"),
                None,
            ),
            Lack::Name { module, name } => (
                "ImportError",
                format!("cannot import name '{name}' from '{module}'"),
                None,
            ),
            Lack::Stubs { .. } | Lack::Types { .. } => return Vec::new(),
        };
        let as_it_would_run = Failure {
            test: None,
            phase: Phase::Collection,
            exception: Some(exception.to_owned()),
            text: format!("{exception}: {message}"),
            message,
            code,
            frames: failure.frames.clone(),
            ..Failure::default()
        };
        let inner: &dyn Adapter = if failure_is_nodes(failure) {
            &Node
        } else {
            &Python
        };
        let failures = [as_it_would_run];
        let asked = Case {
            failures: &failures,
            ..*case
        };
        let mut found: Vec<Finding> = inner
            .repairs()
            .iter()
            .filter(|repair| {
                matches!(
                    repair.strategy(),
                    Strategy::DependencyFix | Strategy::ApiContractAdaptation
                )
            })
            .flat_map(|repair| repair.examine(&asked))
            .collect();
        if found.is_empty() {
            found.extend(unexplained(failure, case));
        }
        found
    }
}

fn failure_is_nodes(failure: &Failure) -> bool {
    failure
        .complaint
        .as_deref()
        .is_some_and(|complaint| complaint.finding.tool == "tsc")
}

/// A module or a name that no table knows: of product code only its author can say what is meant.
fn unexplained(failure: &Failure, case: &Case<'_>) -> Option<Finding> {
    let finding = &failure.complaint.as_deref()?.finding;
    let reason = sentence(finding, case.tree);
    let role = Roles::default().of(finding.file.as_deref()?);
    Some(if role == Role::Product {
        Finding::Refuse(reason)
    } else {
        Finding::Lacking(reason)
    })
}
