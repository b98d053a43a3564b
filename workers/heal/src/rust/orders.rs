//! Runs of one module's tests in orders of our own: several in one call of cargo, which builds them once, each in a process of its own.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use maestro_protocol::heal::RuntimeChanges;

use super::arrange::{self, Module};
use super::bench::RustBench;
use super::call::Change;
use super::compiler::Places;
use super::place::{installed, lock, places};
use super::{reach, report};
use crate::bench::{read_records, stopped};
use crate::case::Installed;
use crate::conditions::Conditions;
use crate::edge::Confinement;
use crate::laboratory::{Attempt, AttemptError, Laboratory as _};
use crate::overlay::Overlay;
use crate::prove::together;

/// The most orders in one call.
pub(super) const MOST_ORDERS: u32 = 20;

impl RustBench {
    /// Whether several orders can be run in one call of cargo: nothing else ends what one leaves running.
    pub(super) fn takes_several(&self) -> bool {
        !self.by_itself.load(Ordering::Relaxed)
            && self.bench.facilities.sandbox.confinement() == Confinement::Bubblewrap
    }

    /// A run in an order of its own.
    pub(super) async fn in_order(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        conditions: &Conditions,
    ) -> Result<Attempt, AttemptError> {
        let one = std::slice::from_ref(conditions);
        let mut runs = self.call(tree, changes, one).await?;
        Ok(runs.pop().unwrap_or_else(|| nothing(Duration::ZERO)))
    }

    /// Runs in several orders, up to the first in which a test fails.
    pub(super) async fn in_orders(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        conditions: &[Conditions],
    ) -> Result<Vec<Attempt>, AttemptError> {
        let of_one_module = |of: &Conditions| {
            let target = self.plan.target.as_ref();
            of.arranges() && of.only.iter().all(|test| Some(test) == target)
        };
        if conditions.len() > 1 && self.takes_several() && conditions.iter().all(of_one_module) {
            let attempts = self.call(tree, changes, conditions).await?;
            if !attempts.is_empty() {
                return Ok(attempts);
            }
            tracing::debug!(
                "several orders in one call were ended before the first was; from now on each has a call of its own"
            );
            self.by_itself.store(true, Ordering::Relaxed);
        }
        together(
            conditions
                .iter()
                .map(|of| self.attempt_under(tree, changes, of)),
        )
        .await
    }

    /// Builds the module with a test that runs the others, and runs that once for each of these conditions, up to the first in which
    /// a test fails. None where the last was ended before it could say anything.
    async fn call(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        conditions: &[Conditions],
    ) -> Result<Vec<Attempt>, AttemptError> {
        let began = Instant::now();
        let known = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        // The victim stands last among those that are listed.
        let listed = conditions.iter().find_map(|of| of.only.last());
        let test = listed.or(self.plan.target.as_ref());
        let module = test.and_then(|test| arrange::module_of(tree, &known, test));
        let change = test.and_then(|test| self.only(std::slice::from_ref(test)));
        let (Some(module), Some(mut change)) = (module, change) else {
            return Ok(vec![nothing(began.elapsed())]);
        };
        let with = tree.with(std::slice::from_ref(&module.edit));
        let mut place = self.place.lock().await;
        let copy = self.copy(&with, &mut place.files).await?;
        let Ok(environment) = self.prepared(&copy).await? else {
            return Ok(vec![nothing(began.elapsed())]);
        };
        let install = began.elapsed();
        lock(&copy, &environment, &mut place.lock)?;
        let records = self.bench.records()?;
        tell(
            &mut change,
            &module,
            conditions,
            &copy.root(),
            records.path(),
        )?;
        let command = self.command(&environment, &copy, changes, &change, records.path())?;
        let finished = self.bench.run(&command).await?;
        let stopped = stopped(&finished, &self.limits());
        let installed = Arc::new(installed(&copy, &environment));
        let places = places(&environment, &copy);
        let read = Reading {
            module: &module,
            records: records.path(),
            places: &places,
        };
        let count = if conditions.len() > 1 {
            read.ended().min(conditions.len())
        } else {
            1
        };
        let share = finished.elapsed / u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        Ok((1..=count)
            .zip(conditions)
            .map(|(number, of)| {
                let mut report = read.order(number);
                if !of.trace.is_empty() {
                    report.lines = reach::lines(tree, &of.trace, &known);
                }
                Attempt {
                    report,
                    installed: Arc::clone(&installed),
                    install,
                    run: share,
                    stopped: stopped.clone().filter(|_| conditions.len() == 1),
                    forked: conditions.len() > 1,
                }
            })
            .collect())
    }
}

/// Tells the driver of test programs the orders.
fn tell(
    change: &mut Change,
    module: &Module,
    conditions: &[Conditions],
    tree: &Path,
    records: &Path,
) -> Result<(), AttemptError> {
    change.arguments = Some(vec![
        "--exact".to_owned(),
        "--nocapture".to_owned(),
        module.conductor.clone(),
    ]);
    let mut orders = String::new();
    for of in conditions {
        let told = arrange::told(module, of);
        let _ = writeln!(orders, "{} {}", told.rounds, told.order);
    }
    let file = records.join("told");
    std::fs::write(&file, orders).map_err(|error| {
        AttemptError::Machine(format!("unable to write {}: {error}", file.display()))
    })?;
    change.variables.extend([
        ("MAESTRO_CARGO_ORDERS", file.display().to_string()),
        ("MAESTRO_CARGO_TREE", tree.display().to_string()),
    ]);
    Ok(())
}

/// What the orders left.
struct Reading<'a> {
    module: &'a Module,
    records: &'a Path,
    places: &'a Places,
}

impl Reading<'_> {
    /// How many orders came to an end.
    fn ended(&self) -> usize {
        let text = read_records(&self.records.join("orders"));
        String::from_utf8_lossy(&text).lines().count()
    }

    fn order(&self, number: usize) -> crate::failure::Report {
        report::of_order(
            &self.module.tests,
            &self.records.join(format!("{number}.order")),
            &self.records.join(format!("{number}.err")),
            self.places,
        )
    }
}

/// A run that could not be arranged: nothing is known of it.
fn nothing(install: Duration) -> Attempt {
    Attempt {
        report: crate::failure::Report::default(),
        installed: Arc::new(Installed::default()),
        install,
        run: Duration::ZERO,
        stopped: Some("the test's module cannot be run in another order".to_owned()),
        forked: false,
    }
}
