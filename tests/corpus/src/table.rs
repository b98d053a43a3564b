//! The table of a run: counts, rates and their intervals.

use std::fmt::Write as _;

use maestro_protocol::heal::{HealCompleted, Verdict};
use serde::Serialize;

use crate::case::{Case, Expected};

/// One case and what came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) strategy: String,
    pub(crate) expected: String,
    pub(crate) right: bool,
    pub(crate) false_heal: bool,
    pub(crate) green: Option<bool>,
    pub(crate) plain_run_ms: f64,
    pub(crate) multiple: Option<f64>,
    pub(crate) answer: Option<HealCompleted>,
    pub(crate) failure: Option<String>,
}

impl Row {
    pub(crate) fn new(case: &Case, answer: Result<(HealCompleted, Option<bool>), String>) -> Self {
        let (answer, green, failure) = match answer {
            Ok((answer, green)) => (Some(answer), green, None),
            Err(failure) => (None, None, Some(failure)),
        };
        let verdict = answer.as_ref().map(|answer| answer.verdict);
        let offered = matches!(verdict, Some(Verdict::Healed | Verdict::Proposed));
        let right = match case.verdict {
            Expected::Heal => offered && green == Some(true),
            Expected::Refuse => verdict == Some(Verdict::Refused),
            Expected::Green => verdict == Some(Verdict::NotReproduced),
            Expected::Leave => matches!(verdict, Some(Verdict::Refused | Verdict::NoFix)),
        };
        let false_heal = match case.verdict {
            Expected::Heal => false,
            Expected::Leave => offered,
            Expected::Refuse | Expected::Green => verdict == Some(Verdict::Healed),
        };
        let runs = answer.as_ref().and_then(|answer| {
            answer
                .evidence
                .reproduced
                .split('/')
                .nth(1)?
                .parse::<f64>()
                .ok()
        });
        let timing = answer.as_ref().map(|answer| answer.timing_ms);
        let plain = match (timing, runs) {
            #[expect(
                clippy::cast_precision_loss,
                reason = "milliseconds of minutes fit a float"
            )]
            (Some(timing), Some(runs)) if runs > 0.0 => timing.reproduce as f64 / runs,
            _ => 0.0,
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of minutes fit a float"
        )]
        let multiple = timing.filter(|_| offered && plain > 0.0).map(|timing| {
            (timing.reproduce + timing.generate + timing.validate + timing.teeth.unwrap_or(0))
                as f64
                / plain
        });
        Self {
            id: case.id.clone(),
            strategy: case.strategy.clone(),
            expected: format!("{:?}", case.verdict).to_lowercase(),
            right,
            false_heal,
            green,
            plain_run_ms: plain,
            multiple,
            answer,
            failure,
        }
    }
}

/// The table as text.
pub(crate) fn render(rows: &[Row]) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:<30} {:<26} {:<8} {:<15} {:<6} {:>6}  reason",
        "case", "strategy", "expected", "verdict", "green", "x run"
    );
    for row in rows {
        let verdict = row.answer.as_ref().map_or_else(
            || "error".to_owned(),
            |answer| format!("{:?}", answer.verdict),
        );
        let reason = row
            .answer
            .as_ref()
            .map(|answer| answer.reason.as_str())
            .or(row.failure.as_deref())
            .unwrap_or_default();
        let _ = writeln!(
            text,
            "{} {:<28} {:<26} {:<8} {:<15} {:<6} {:>6}  {}",
            if row.right { "+" } else { "-" },
            row.id,
            row.strategy,
            row.expected,
            verdict,
            row.green
                .map_or("", |green| if green { "yes" } else { "no" }),
            row.multiple
                .map_or_else(String::new, |multiple| format!("{multiple:.1}")),
            reason.chars().take(150).collect::<String>(),
        );
    }
    let heals: Vec<&Row> = rows.iter().filter(|row| row.expected == "heal").collect();
    let healed = heals.iter().filter(|row| row.right).count();
    let refusals: Vec<&Row> = rows
        .iter()
        .filter(|row| matches!(row.expected.as_str(), "refuse" | "leave"))
        .collect();
    let refused = refusals.iter().filter(|row| row.right).count();
    let false_heals = rows.iter().filter(|row| row.false_heal).count();
    let mut multiples: Vec<f64> = rows
        .iter()
        .filter(|row| row.right)
        .filter_map(|row| row.multiple)
        .collect();
    multiples.sort_by(f64::total_cmp);
    let _ = writeln!(text, "\nheal rate        {}", rate(healed, heals.len()));
    let _ = writeln!(text, "refused rightly  {}", rate(refused, refusals.len()));
    let _ = writeln!(
        text,
        "false heals      {}",
        rate(false_heals, refusals.len())
    );
    if let Some(median) = multiples.get(multiples.len() / 2) {
        let _ = writeln!(
            text,
            "time to a validated patch, without installation: median {median:.1} plain runs"
        );
    }
    text
}

/// `k of n (p %, 95 % between a % and b %)`, by Wilson's score interval.
fn rate(k: usize, n: usize) -> String {
    if n == 0 {
        return "no such case".to_owned();
    }
    #[expect(clippy::cast_precision_loss, reason = "cases are few")]
    let (k_of, n_of, z) = (k as f64, n as f64, 1.96_f64);
    let p = k_of / n_of;
    let centre = (p + z * z / (2.0 * n_of)) / (1.0 + z * z / n_of);
    let half =
        z / (1.0 + z * z / n_of) * (p * (1.0 - p) / n_of + z * z / (4.0 * n_of * n_of)).sqrt();
    format!(
        "{k} of {n} ({:.0} %, 95 % between {:.0} % and {:.0} %)",
        p * 100.0,
        (centre - half).max(0.0) * 100.0,
        (centre + half).min(1.0) * 100.0
    )
}
