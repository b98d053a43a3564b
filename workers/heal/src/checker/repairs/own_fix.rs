//! The checker's own fix of the rule, in the file that the finding stands in, and nowhere else.

use maestro_protocol::heal::{RuntimeChanges, Strategy};

use crate::case::{Candidate, Case, Edit, Finding, Repair};
use crate::checker::Complaint;
use crate::strategies::rank;

/// Fixes of rules about how code is written.
pub(super) struct SyntaxRepair;

/// Fixes of rules about calls that are out of date.
pub(super) struct ApiContractAdaptation;

impl Repair for SyntaxRepair {
    fn strategy(&self) -> Strategy {
        Strategy::SyntaxRepair
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        examine(case, self.strategy())
    }
}

impl Repair for ApiContractAdaptation {
    fn strategy(&self) -> Strategy {
        Strategy::ApiContractAdaptation
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        examine(case, self.strategy())
    }
}

/// Rules by which a linter ports calls: pyupgrade's, numpy's, pandas', Airflow's, and those that say so in their name.
fn is_port(rule: &str) -> bool {
    let digits = |prefix: &str| {
        rule.strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    ["UP", "NPY", "PD", "AIR"].into_iter().any(digits)
        || rule.contains("deprecat")
        || rule.ends_with("no-buffer-constructor")
}

fn examine(case: &Case<'_>, strategy: Strategy) -> Vec<Finding> {
    let Some(complaint) = case
        .failures
        .first()
        .and_then(|failure| failure.complaint.as_deref())
    else {
        return Vec::new();
    };
    let rule = complaint.finding.rule.as_deref().unwrap_or_default();
    let own = if is_port(rule) {
        Strategy::ApiContractAdaptation
    } else {
        Strategy::SyntaxRepair
    };
    if own != strategy || matches!(complaint.finding.tool.as_str(), "mypy" | "tsc") {
        return Vec::new();
    }
    if complaint.offers.is_empty() {
        return vec![Finding::Lacking(lacking(complaint))];
    }
    let file = complaint.finding.file.clone().unwrap_or_default();
    let tool = &complaint.finding.tool;
    complaint
        .offers
        .iter()
        .zip(0..)
        .map(|(offer, at)| {
            let candidate = Candidate {
                strategy,
                description: format!(
                    "applies {} to {file}: {}",
                    offer.how,
                    complaint.finding.message.lines().next().unwrap_or_default()
                ),
                edits: vec![Edit {
                    path: file.clone(),
                    text: offer.text.clone(),
                }],
                runtime: RuntimeChanges::default(),
                rank: if offer.safe {
                    rank::EXACT_RULE
                } else {
                    rank::APPROXIMATE_RULE + at
                },
            };
            if offer.safe {
                Finding::Try(candidate)
            } else if tool == "eslint" {
                Finding::Propose(
                    candidate,
                    "eslint only suggests it, which is unsafe: it may change what the code does"
                        .to_owned(),
                )
            } else {
                Finding::Propose(
                    candidate,
                    format!("{tool} calls this fix unsafe: it may change what the code does"),
                )
            }
        })
        .collect()
}

fn lacking(complaint: &Complaint) -> String {
    let finding = &complaint.finding;
    let place = match (finding.file.as_deref(), finding.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (file, _) => file.unwrap_or_default().to_owned(),
    };
    format!(
        "{} has no fix of its own for {} in {place}: {}",
        finding.tool,
        finding.rule.as_deref().unwrap_or_default(),
        finding.message.lines().next().unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Installed;
    use crate::checker::Offer;
    use crate::failure::Failure;
    use crate::strategies::fake::{Files, Index};

    fn examined(rule: &str, offers: &[(bool, &str)], strategy: Strategy) -> Vec<Finding> {
        let failure = Failure {
            complaint: Some(Box::new(Complaint {
                finding: maestro_findings::Finding {
                    tool: "ruff".into(),
                    rule: Some(rule.into()),
                    file: Some("a.py".into()),
                    message: "m".into(),
                    ..maestro_findings::Finding::default()
                },
                offers: offers
                    .iter()
                    .map(|(safe, text)| Offer {
                        safe: *safe,
                        how: "ruff check --fix".into(),
                        text: (*text).into(),
                    })
                    .collect(),
            })),
            ..Failure::default()
        };
        examine(
            &Case {
                failures: &[failure],
                tree: &Files::new(&[("a.py", "x\n")]),
                installed: &Installed::default(),
                index: &Index::default(),
                past: &crate::past::NoPast,
                unsteady: None,
            },
            strategy,
        )
    }

    #[test]
    fn a_safe_fix_is_tried_before_an_unsafe_one_which_a_person_judges() {
        let found = examined(
            "F401",
            &[(true, "y\n"), (false, "z\n")],
            Strategy::SyntaxRepair,
        );
        let [Finding::Try(safe), Finding::Propose(unsafe_, doubt)] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert!(safe.rank < unsafe_.rank);
        assert!(doubt.contains("unsafe"), "{doubt}");
    }

    #[test]
    fn each_rule_is_of_one_strategy_and_one_without_a_fix_is_told() {
        for (rule, strategy, other) in [
            (
                "UP006",
                Strategy::ApiContractAdaptation,
                Strategy::SyntaxRepair,
            ),
            (
                "F401",
                Strategy::SyntaxRepair,
                Strategy::ApiContractAdaptation,
            ),
        ] {
            assert!(examined(rule, &[(true, "y\n")], other).is_empty());
            assert!(matches!(
                examined(rule, &[], strategy).as_slice(),
                [Finding::Lacking(reason)] if reason.contains(rule)
            ));
        }
    }
}
