//! What shows that a text of the product was changed on purpose, whatever its language: the project's own changelog, or the
//! commit that changed it and says so. The failing assertion itself never does.

mod changelog;
mod commit;
mod wording;

use crate::case::Case;
use crate::roles::Roles;

pub(crate) use wording::difference;

/// One text in place of another, and what shows that this was meant.
pub(crate) struct Drift {
    pub(crate) was: String,
    pub(crate) now: String,
    pub(crate) evidence: String,
}

/// The drift of a text that the product writes: `expected` was said once, `actual` is said now. `says` tells whether a text
/// stands in the product's source: the new words have to, and the old must not any more.
pub(crate) fn drift(
    case: &Case<'_>,
    roles: &Roles,
    says: &dyn Fn(&str) -> bool,
    expected: &str,
    actual: &str,
) -> Option<Drift> {
    let (was, now) = difference(expected, actual)?;
    if !says(&now) || says(&was) {
        return None;
    }
    // History may have to be fetched: it is asked last.
    let evidence = changelog::evidence(case, actual, &was, &now)
        .or_else(|| commit::evidence(case, roles, actual, &was, &now))?;
    Some(Drift {
        was: expected.to_owned(),
        now: actual.to_owned(),
        evidence,
    })
}

/// Why an expectation that is changed on such evidence is a person's to judge.
pub(crate) fn doubt(evidence: &str) -> String {
    format!("an expectation is changed; what speaks for it: {evidence}")
}
