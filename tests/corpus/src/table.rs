//! The table of a run: every case, then counts, rates and their intervals of each set.

use std::fmt::Write as _;
use std::time::Duration;

use maestro_protocol::heal::{HealCompleted, Timing, Verdict};
use serde::Serialize;

use crate::case::{Case, Expected, Set};

/// What a case came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The verdict.
    pub(crate) answer: HealCompleted,
    /// Whether the patch turned the test green on a clean tree; `None` where there was no patch.
    pub(crate) green: Option<bool>,
    /// How long the heal took, from the message to the verdict.
    pub(crate) took: Duration,
}

/// One case and what came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) set: Set,
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
    pub(crate) fn new(case: &Case, outcome: Result<Outcome, String>) -> Self {
        let (outcome, failure) = match outcome {
            Ok(outcome) => (Some(outcome), None),
            Err(failure) => (None, Some(failure)),
        };
        let took = outcome.as_ref().map(|outcome| outcome.took);
        let green = outcome.as_ref().and_then(|outcome| outcome.green);
        let answer = outcome.map(|outcome| outcome.answer);
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
        let timing = answer.as_ref().map(|answer| answer.timing_ms);
        let plain = timing
            .and_then(|timing| timing.run)
            .map_or(0.0, milliseconds);
        let multiple = timing
            .zip(took)
            .filter(|_| offered && plain > 0.0)
            .map(|(timing, took)| {
                let elsewhere = milliseconds(timing.checkout + timing.install);
                (took.as_secs_f64() * 1000.0 - elsewhere).max(0.0) / plain
            });
        Self {
            set: case.set,
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

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of minutes fit a float"
)]
fn milliseconds(count: u64) -> f64 {
    count as f64
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
    let sets = [
        Set::Corpus,
        Set::Field,
        Set::Blind,
        Set::Blind2,
        Set::Blind3a,
        Set::Blind3b,
        Set::Own,
        Set::Node,
        Set::Rust,
        Set::Findings,
    ];
    for set in sets {
        let of_set: Vec<&Row> = rows.iter().filter(|row| row.set == set).collect();
        if !of_set.is_empty() {
            let _ = writeln!(text, "\n{set:?}");
            count(&of_set, &mut text);
        }
    }
    text
}

/// What stands below a set's name.
fn count(rows: &[&Row], text: &mut String) {
    let of = |expected: &[&str]| -> Vec<&Row> {
        let rows = rows.iter().copied();
        rows.filter(|row| expected.contains(&row.expected.as_str()))
            .collect()
    };
    let right = |rows: &[&Row]| rows.iter().filter(|row| row.right).count();
    let (heals, refusals, green) = (of(&["heal"]), of(&["refuse", "leave"]), of(&["green"]));
    let false_heals = rows.iter().filter(|row| row.false_heal).count();
    let _ = writeln!(
        text,
        "heal rate        {}",
        rate(right(&heals), heals.len())
    );
    let _ = writeln!(
        text,
        "refused rightly  {}",
        rate(right(&refusals), refusals.len())
    );
    if !green.is_empty() {
        let _ = writeln!(
            text,
            "left green       {}",
            rate(right(&green), green.len())
        );
    }
    let broken = refusals.len() + green.len();
    let _ = writeln!(text, "false heals      {}", rate(false_heals, broken));
    let proven: Vec<&Row> = heals.iter().copied().filter(|row| row.right).collect();
    let flaky = |row: &&&Row| row.strategy == "flaky_test_stabilization";
    for (name, of_them) in [
        (
            "all",
            median(proven.iter().filter_map(|row| row.multiple).collect()),
        ),
        (
            "without the flaky ones",
            median(
                proven
                    .iter()
                    .filter(|row| !flaky(row))
                    .filter_map(|row| row.multiple)
                    .collect(),
            ),
        ),
    ] {
        if let Some(runs) = of_them {
            let _ = writeln!(
                text,
                "time to a proven patch, installation left out: median {runs:.1} plain runs, {name}"
            );
        }
    }
    let times: Vec<Timing> = proven
        .iter()
        .filter_map(|row| row.answer.as_ref())
        .map(|answer| answer.timing_ms)
        .collect();
    let part = |name: &str, of: fn(&Timing) -> u64| {
        let seconds = times.iter().map(|timing| milliseconds(of(timing)) / 1000.0);
        median(seconds.collect()).map(|seconds| format!("{name} {seconds:.1}"))
    };
    let parts = [
        part("checkout", |timing| timing.checkout),
        part("install", |timing| timing.install),
        part("reproduce", |timing| timing.reproduce),
        part("generate", |timing| timing.generate),
        part("validate", |timing| timing.validate),
        part("teeth", |timing| timing.teeth.unwrap_or(0)),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if !parts.is_empty() {
        let _ = writeln!(text, "of which, median seconds: {}", parts.join(", "));
    }
}

/// The middle one; nothing of none.
fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
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
