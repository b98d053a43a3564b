//! What a finding is, before anything was tried. A type error of product code is the product's, unless what is missing is
//! outside of it: the types of a package, or a module that moved.

use crate::case::Case;
use crate::checker::typed::{self, Lack};
use crate::classify::subject::{Said, Subject};
use crate::classify::{Diagnosis, ErrorClass, Leaning, Site};
use crate::roles::{Role, Roles};

/// Says what the first failure of a case is.
pub(super) fn diagnose(case: &Case<'_>) -> Option<Diagnosis> {
    let failure = case.failures.first()?;
    let said = Said {
        exception: failure.exception.clone().unwrap_or_default(),
        message: failure.message.clone(),
    };
    let diagnosis = |class, site, leaning| Diagnosis {
        class,
        subject: Subject::Other,
        said,
        site,
        leaning,
    };
    let Some(complaint) = failure.complaint.as_deref() else {
        return Some(diagnosis(
            ErrorClass::ConfigError,
            Site::Config,
            Leaning::Open,
        ));
    };
    let finding = &complaint.finding;
    let role = Roles::default().of(finding.file.as_deref().unwrap_or_default());
    let site = match role {
        Role::Test => Site::Test,
        Role::Product => Site::Product,
        Role::Config => Site::Config,
    };
    if !matches!(finding.tool.as_str(), "mypy" | "tsc") {
        return Some(diagnosis(ErrorClass::LintError, site, Leaning::Open));
    }
    Some(match typed::lacks(finding) {
        Some(Lack::Stubs { .. } | Lack::Types { .. }) => {
            diagnosis(ErrorClass::TypeError, Site::Environment, Leaning::Heal)
        }
        Some(Lack::Module { .. } | Lack::Name { .. }) => {
            diagnosis(ErrorClass::TypeError, site, Leaning::Open)
        }
        None if role == Role::Product => {
            let reason = typed::sentence(finding, case.tree);
            diagnosis(ErrorClass::TypeError, site, Leaning::Refuse(reason))
        }
        None => diagnosis(ErrorClass::TypeError, site, Leaning::Open),
    })
}
