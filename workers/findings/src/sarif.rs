//! SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>): what failed, by the rules of the format
//! for levels (3.27.10), kinds (3.27.9), suppressions (3.27.23), baselines (3.27.24), messages (3.11) and files (3.4).

mod artifact;
mod document;
mod text;

use maestro_protocol::finding::Level;

use self::document::{Baseline, Component, Kind, Location, Log, Outcome, Rule, Run, SarifLevel};
use crate::finding::Finding;
use crate::json::{Unreadable, counted, typed};
use crate::place::Place;
use crate::report::Gathering;
use crate::tools;

const VERSION: &str = "2.1.0";

pub(crate) fn read(text: &str, place: &Place, into: &mut Gathering<'_>) -> Result<(), Unreadable> {
    let log: Log = typed(text, None)?;
    if log.version != VERSION {
        return Err(Unreadable::Member {
            place: "`$.version`".to_owned(),
            problem: format!("expected {VERSION:?}, but found {:?}", log.version),
        });
    }
    for run in &log.runs {
        for outcome in &run.results {
            let rule = Ruled::of(run, outcome);
            let left_out = into.left_out();
            if !matches!(outcome.kind, None | Some(Kind::Fail)) || rule.level.is_none() {
                left_out.no_failure += 1;
            } else if is_suppressed(outcome) {
                left_out.suppressed += 1;
            } else if matches!(
                outcome.baseline_state,
                Some(Baseline::Unchanged | Baseline::Absent)
            ) {
                left_out.in_baseline += 1;
            } else {
                into.take(finding(run, outcome, &rule, place))?;
            }
        }
    }
    Ok(())
}

/// Suppressed is what has suppressions of which none was rejected and none waits for a review.
fn is_suppressed(outcome: &Outcome) -> bool {
    let stands = |status: Option<&str>| !matches!(status, Some("rejected" | "underReview"));
    !outcome.suppressions.is_empty()
        && outcome
            .suppressions
            .iter()
            .all(|suppression| stands(suppression.status.as_deref()))
}

/// The rule of a result, and what follows from it.
struct Ruled<'r> {
    component: &'r Component,
    rule: Option<&'r Rule>,
    id: Option<&'r str>,
    level: Option<Level>,
}

impl<'r> Ruled<'r> {
    fn of(run: &'r Run, outcome: &'r Outcome) -> Self {
        let reference = outcome.rule.as_ref();
        let component = reference
            .and_then(|reference| reference.tool_component.as_ref()?.index)
            .and_then(|index| run.tool.extensions.get(usize::try_from(index).ok()?))
            .unwrap_or(&run.tool.driver);
        let id = outcome
            .rule_id
            .as_deref()
            .or_else(|| reference?.id.as_deref());
        let index = outcome.rule_index.or_else(|| reference?.index);
        let rule = index
            .and_then(|index| component.rules.get(usize::try_from(index).ok()?))
            .or_else(|| component.rule(id?));
        let configured = rule
            .and_then(|rule| rule.default_configuration.as_ref())
            .and_then(|configuration| configuration.level);
        let level = match outcome.level.or(configured) {
            Some(SarifLevel::None) => None,
            Some(SarifLevel::Note) => Some(Level::Note),
            Some(SarifLevel::Warning) | None => Some(Level::Warning),
            Some(SarifLevel::Error) => Some(Level::Error),
        };
        Self {
            component,
            rule,
            id: id.or(rule.map(|rule| rule.id.as_str())),
            level,
        }
    }
}

fn finding(run: &Run, outcome: &Outcome, rule: &Ruled<'_>, place: &Place) -> Finding {
    let location = outcome.locations.first();
    let physical = location.and_then(|location| location.physical_location.as_ref());
    let region = physical.and_then(|physical| physical.region.as_ref());
    let driver = &run.tool.driver;
    Finding {
        tool: tools::name(&driver.name),
        tool_version: driver
            .semantic_version
            .clone()
            .or_else(|| driver.version.clone()),
        rule: rule.id.map(str::to_owned),
        level: rule.level,
        message: text::message(&outcome.message, rule.rule, rule.component),
        file: physical
            .and_then(|physical| artifact::file(physical.artifact_location.as_ref()?, run, place)),
        line: counted(region.and_then(|region| region.start_line)),
        column: counted(region.and_then(|region| region.start_column)),
        symbol: location.and_then(symbol),
        ..Finding::default()
    }
}

fn symbol(location: &Location) -> Option<String> {
    let logical = location.logical_locations.first()?;
    logical
        .fully_qualified_name
        .clone()
        .or_else(|| logical.name.clone())
}
