//! When two findings are the same: rule, file and words, whatever the line.

use std::collections::BTreeMap;

use maestro_findings::Finding;
use maestro_protocol::finding::Level;

use super::Check;

/// What makes a finding the same in another run on another text: numbers in its words may be lines.
pub(super) fn key(finding: &Finding) -> String {
    format!(
        "{}: {} {}",
        finding.file.as_deref().unwrap_or_default(),
        finding.rule.as_deref().unwrap_or_default(),
        words(&finding.message)
    )
}

/// The words without numbers, and without what follows the first line.
fn words(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let mut words = String::new();
    for character in line.trim().chars().take(1000) {
        if !character.is_ascii_digit() {
            words.push(character);
        } else if !words.ends_with('#') {
            words.push('#');
        }
    }
    words
}

/// How often each finding stands in a run. Remarks are none.
pub(super) fn counted(findings: &[Finding]) -> BTreeMap<String, u32> {
    let mut counted = BTreeMap::new();
    for finding in findings.iter().filter(|finding| counts(finding)) {
        *counted.entry(key(finding)).or_default() += 1;
    }
    counted
}

fn counts(finding: &Finding) -> bool {
    finding.level != Some(Level::Note)
}

/// The finding of a run that a message means: the same words, else the same line, else the only one of its rule there.
pub(super) fn meant<'f>(check: &Check, findings: &'f [Finding]) -> Option<&'f Finding> {
    let of_rule: Vec<&Finding> = findings
        .iter()
        .filter(|finding| {
            finding.rule.as_deref() == Some(check.rule.as_str())
                && finding.file.as_deref() == Some(check.file.as_str())
                && counts(finding)
        })
        .collect();
    let said = words(&check.message);
    let distance = |finding: &&&Finding| {
        finding
            .line
            .unwrap_or(0)
            .abs_diff(check.line.unwrap_or_default())
    };
    of_rule
        .iter()
        .filter(|finding| words(&finding.message) == said)
        .min_by_key(distance)
        .or_else(|| {
            of_rule
                .iter()
                .find(|finding| finding.line.is_some() && finding.line == check.line)
        })
        .or_else(|| of_rule.first().filter(|_| of_rule.len() == 1))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::Tool;

    fn finding(rule: &str, line: u32, message: &str) -> Finding {
        Finding {
            tool: "ruff".into(),
            rule: Some(rule.into()),
            file: Some("a.py".into()),
            line: Some(line),
            message: message.into(),
            ..Finding::default()
        }
    }

    fn check(message: &str, line: u32) -> Check {
        Check {
            tool: Tool::Ruff,
            rule: "F401".into(),
            message: message.into(),
            file: "a.py".into(),
            line: Some(line),
            version: None,
            words: None,
        }
    }

    #[test]
    fn a_finding_is_found_again_by_its_words_then_its_line_then_if_it_is_the_only_one() {
        let run = [
            finding("F401", 1, "`os` imported but unused"),
            finding("F401", 2, "`sys` imported but unused"),
            finding("F841", 3, "m"),
        ];
        let line = |message: &str, line: u32, run: &[Finding]| {
            meant(&check(message, line), run).and_then(|found| found.line)
        };
        assert_eq!(line("`sys` imported but unused", 9, &run), Some(2));
        assert_eq!(line("other words", 1, &run), Some(1));
        assert_eq!(line("other words", 9, &run), None);
        assert_eq!(line("other words", 9, &run[1..]), Some(2));
    }

    #[test]
    fn a_line_number_in_the_words_makes_no_other_finding() {
        let one = finding("F811", 4, "Redefinition of unused `f` from line 1");
        let other = finding("F811", 5, "Redefinition of unused `f` from line 12");
        assert_eq!(key(&one), key(&other));
        assert_eq!(counted(&[one, other]).values().copied().max(), Some(2));
    }
}
