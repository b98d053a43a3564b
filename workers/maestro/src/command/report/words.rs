//! The report, for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::figures::Share;
use super::gathered::{Rates, Summary};
use crate::output::{Output, Table, Tone, duration, harmless};
use crate::verdict::name;

pub(super) fn json(summary: &Summary, since: Timestamp) -> Value {
    let days = summary.days.iter().map(|(date, day)| {
        json!({
            "day": date.to_string(), "errors": day.errors, "repeats": day.repeats, "healed": day.healed,
            "proposed": day.proposed, "refused": day.refused, "no_fix": day.no_fix,
            "not_reproduced": day.not_reproduced, "accepted": day.accepted, "rejected": day.rejected,
        })
    });
    let tests = summary.tests.iter().map(|(test, sight)| {
        json!({ "test": test, "flips": sight.flips, "failed": sight.failed, "passed": sight.passed })
    });
    let rates = summary.rates.iter().map(|(strategy, rates)| {
        json!({
            "strategy": strategy, "healed": rates.healed, "proposed": rates.proposed,
            "accepted": rates.accepted, "rejected": rates.rejected, "failed_again": rates.failed_again,
            "right": right(rates),
        })
    });
    let phases = summary
        .phases
        .iter()
        .map(|(phase, median, p95)| json!({ "phase": phase, "median_ms": median, "p95_ms": p95 }));
    json!({
        "since": since.to_string(),
        "results": summary.read,
        "unreadable": summary.unreadable,
        "days": days.collect::<Value>(),
        "flaky_tests": tests.collect::<Value>(),
        "tests_left_out": summary.left_out,
        "strategies": rates.collect::<Value>(),
        "calibration": {
            "decisions": summary.calibration.all(),
            "brier": summary.calibration.brier(),
            "brier_of_the_average": summary.calibration.base(),
            "reliability": summary.calibration.reliability(),
            "decisions_on_older_heals": summary.undated,
        },
        "time_to_patch": { "patches": summary.patches, "phases": phases.collect::<Value>() },
    })
}

fn right(rates: &Rates) -> Share {
    let all = rates.accepted + rates.rejected + rates.failed_again;
    Share::new(rates.accepted, all)
}

pub(super) fn text(summary: &Summary, since: Timestamp, output: Output) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{} results since {since}", summary.read);
    if summary.unreadable > 0 {
        let _ = writeln!(text, "{} of them cannot be read", summary.unreadable);
    }
    let mut section = |heading: &str, lines: Vec<String>| {
        let _ = writeln!(text, "\n{}", output.paint(Tone::Strong, heading));
        for line in lines {
            let _ = writeln!(text, "  {}", harmless(&line));
        }
    };
    section("By day", days(summary));
    section("Flakiest tests", tests(summary));
    section("Strategies", strategies(summary));
    section("Confidence", calibration(summary));
    section("Time to a patch", phases(summary));
    text
}

fn days(summary: &Summary) -> Vec<String> {
    let mut table = Table::new(&[
        "day",
        "errors",
        "repeats",
        "healed",
        "proposed",
        "refused",
        "no fix",
        "not reproduced",
        "accepted",
        "rejected",
    ]);
    for (date, day) in &summary.days {
        let mut row = vec![date.to_string()];
        row.extend(
            [
                day.errors,
                day.repeats,
                day.healed,
                day.proposed,
                day.refused,
                day.no_fix,
                day.not_reproduced,
                day.accepted,
                day.rejected,
            ]
            .map(|count| count.to_string()),
        );
        table.row(row);
    }
    table.lines()
}

fn tests(summary: &Summary) -> Vec<String> {
    if summary.tests.is_empty() {
        return vec!["no test was seen to pass and to fail by turns".to_owned()];
    }
    let mut table = Table::new(&["flips", "failed", "passed", "test"]);
    for (test, sight) in &summary.tests {
        table.row(vec![
            sight.flips.to_string(),
            sight.failed.to_string(),
            sight.passed.to_string(),
            test.clone(),
        ]);
    }
    let mut lines = table.lines();
    if summary.left_out > 0 {
        lines.push(format!(
            "there are too many tests: {} sights of further ones were not counted",
            summary.left_out
        ));
    }
    lines
}

fn strategies(summary: &Summary) -> Vec<String> {
    let mut table = Table::new(&[
        "strategy",
        "healed",
        "proposed",
        "accepted",
        "rejected",
        "failed again",
        "right",
    ]);
    for (strategy, rates) in &summary.rates {
        table.row(vec![
            name(strategy),
            rates.healed.to_string(),
            rates.proposed.to_string(),
            rates.accepted.to_string(),
            rates.rejected.to_string(),
            rates.failed_again.to_string(),
            share(&right(rates)),
        ]);
    }
    table.lines()
}

fn calibration(summary: &Summary) -> Vec<String> {
    let calibration = &summary.calibration;
    let (Some(brier), Some(base)) = (calibration.brier(), calibration.base()) else {
        return vec![
            "nobody has decided on a heal of this time: `maestro apply` and `maestro verdict` do"
                .to_owned(),
        ];
    };
    let mut lines = vec![format!(
        "Brier score {brier:.3} over {} decisions (0 is perfect; always saying the average gives {base:.3})",
        calibration.all()
    )];
    let mut table = Table::new(&["said", "on average", "decisions", "right"]);
    for line in calibration.reliability() {
        table.row(vec![
            format!("{:.0}-{:.0} %", line.from * 100.0, line.to * 100.0),
            format!("{:.0} %", line.said * 100.0),
            line.right.all.to_string(),
            share(&line.right),
        ]);
    }
    lines.extend(table.lines());
    lines
}

fn phases(summary: &Summary) -> Vec<String> {
    let mut lines = vec![format!("{} heals with a patch", summary.patches)];
    if summary.patches == 0 {
        return lines;
    }
    let mut table = Table::new(&["phase", "median", "95 %"]);
    let shown = |ms: u64| duration(Duration::from_millis(ms));
    for (phase, median, p95) in &summary.phases {
        table.row(vec![(*phase).to_owned(), shown(*median), shown(*p95)]);
    }
    lines.extend(table.lines());
    lines
}

/// A share with its interval.
#[expect(
    clippy::cast_precision_loss,
    reason = "nobody counts to 2^52 decisions"
)]
fn share(share: &Share) -> String {
    if share.all == 0 {
        return "-".to_owned();
    }
    format!(
        "{:.0} % ({:.0}-{:.0} %)",
        share.of as f64 / share.all as f64 * 100.0,
        share.low * 100.0,
        share.high * 100.0
    )
}
