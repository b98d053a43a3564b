//! Where no rule knows a name that is gone: where the installed package defines it now.

use crate::case::{Candidate, Case};
use crate::classify::subject::Subject;

/// Candidates from the installed package itself.
pub fn candidates(_case: &Case<'_>, _about: &Subject) -> Vec<Candidate> {
    Vec::new()
}
