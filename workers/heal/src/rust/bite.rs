//! The runs of the teeth check: one copy of the project, in which defects are planted, all in one build where that can be, else one after
//! the other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use maestro_protocol::heal::RuntimeChanges;

use super::bench::RustBench;
use super::call::Change;
use super::freshness::Freshness;
use super::report::Read;
use super::switch::{Switched, switched};
use crate::case::Tree as _;
use crate::edge::{Finished, RustEnvironment, WorkCopy};
use crate::failure::Report;
use crate::laboratory::AttemptError;
use crate::overlay::Overlay;
use crate::teeth::{Bites, Defect, NOTICED};

/// The variable by which the driver of test programs is told which defects to switch on.
const DEFECTS: &str = "MAESTRO_CARGO_DEFECTS";

/// Builds with fewer and fewer defects, until the compiler takes them all.
const MOST_BUILDS: u32 = 4;

/// One copy of a tree, to be run with defects in it.
pub(super) struct Biting<'a> {
    pub(super) bench: &'a RustBench,
    pub(super) tree: &'a Overlay,
    pub(super) copy: &'a WorkCopy,
    pub(super) environment: &'a RustEnvironment,
    pub(super) changes: &'a RuntimeChanges,
    pub(super) until: Instant,
    pub(super) within: Duration,
}

impl Biting<'_> {
    /// Builds those defects that can be switched once, and runs them one after the other, then those that cannot. `false` where that is not
    /// how it can be done: nothing is known then.
    pub(super) async fn at_once(
        &self,
        files: &mut Freshness,
        change: &mut Change,
        defects: &[Defect],
        bites: &mut Bites,
    ) -> Result<bool, AttemptError> {
        let mut refused = BTreeSet::new();
        for _ in 0..MOST_BUILDS {
            let switched = self.switched(defects, &refused);
            if switched
                .iter()
                .map(|(_, file)| file.turns.len())
                .sum::<usize>()
                < 2
            {
                return Ok(false);
            }
            let numbers: Vec<String> = turns(&switched).map(|number| number.to_string()).collect();
            for (path, file) in &switched {
                self.write(files, path, &file.text)?;
            }
            change.variables.push((DEFECTS, numbers.join(" ")));
            let (read, finished) = self.run(change).await?;
            change.variables.pop();
            for (path, _) in &switched {
                self.write(files, path, &self.whole(path))?;
            }
            if !read.built {
                let more = blamed(&switched, &read.report);
                if more.is_empty() {
                    return Ok(false);
                }
                // By itself it would not be built either.
                refused.extend(more);
                continue;
            }
            bites.sound = finished.ended.succeeded();
            if bites.sound {
                let together: BTreeSet<usize> = turns(&switched).collect();
                for (number, noticed) in read.noticed {
                    // A test may have written there what it likes.
                    if together.contains(&number) {
                        bites.caught[number] = Some(noticed);
                    }
                }
                let rest = |number: &usize| !together.contains(number) && !refused.contains(number);
                self.each(files, change, defects, rest, finished.elapsed, bites)
                    .await?;
            }
            return Ok(bites.sound);
        }
        Ok(false)
    }

    /// The files with those defects in them that can be switched and are not refused.
    fn switched(&self, defects: &[Defect], refused: &BTreeSet<usize>) -> Vec<(String, Switched)> {
        let mut by_file: BTreeMap<&str, Vec<(usize, &Defect)>> = BTreeMap::new();
        for (number, defect) in defects.iter().enumerate() {
            if !refused.contains(&number) {
                by_file
                    .entry(&defect.path)
                    .or_default()
                    .push((number, defect));
            }
        }
        by_file
            .into_iter()
            .filter_map(|(path, defects)| {
                Some((path.to_owned(), switched(&self.whole(path), &defects)?))
            })
            .collect()
    }

    /// Builds and runs each defect by itself.
    pub(super) async fn one_by_one(
        &self,
        files: &mut Freshness,
        change: &mut Change,
        defects: &[Defect],
        bites: &mut Bites,
    ) -> Result<(), AttemptError> {
        let (read, finished) = self.run(change).await?;
        bites.sound = read.built && finished.ended.succeeded();
        if bites.sound {
            self.each(files, change, defects, |_| true, finished.elapsed, bites)
                .await?;
        }
        Ok(())
    }

    async fn each(
        &self,
        files: &mut Freshness,
        change: &mut Change,
        defects: &[Defect],
        of: impl Fn(&usize) -> bool,
        takes: Duration,
        bites: &mut Bites,
    ) -> Result<(), AttemptError> {
        for number in (0..defects.len()).filter(of) {
            if !self.goes_on(change, bites, takes) {
                break;
            }
            let defect = &defects[number];
            self.write(files, &defect.path, &defect.text)?;
            let (read, finished) = self.run(change).await?;
            self.write(files, &defect.path, &self.whole(&defect.path))?;
            // What is not built says nothing about the tests.
            bites.caught[number] = read.built.then(|| !finished.ended.succeeded());
        }
        Ok(())
    }

    /// Whether another run is wanted, and there is time for it.
    fn goes_on(&self, change: &mut Change, bites: &Bites, takes: Duration) -> bool {
        let left = self.until.saturating_duration_since(Instant::now());
        change.within = Some((self.within / 2).min(left));
        let noticed = bites.caught.iter().filter(|caught| **caught == Some(true));
        left >= takes && noticed.count() < NOTICED
    }

    async fn run(&self, change: &Change) -> Result<(Read, Finished), AttemptError> {
        self.bench
            .cargo(self.environment, self.copy, self.changes, change)
            .await
    }

    fn whole(&self, path: &str) -> String {
        self.tree.read(path).unwrap_or_default()
    }

    fn write(&self, files: &mut Freshness, path: &str, text: &str) -> Result<(), AttemptError> {
        files.forget(path);
        self.copy.write(path, text.as_bytes()).map_err(|error| {
            AttemptError::Machine(format!("unable to write {path} of the copy: {error}"))
        })
    }
}

fn turns(switched: &[(String, Switched)]) -> impl Iterator<Item = usize> {
    switched
        .iter()
        .flat_map(|(_, file)| file.turns.iter().map(|(number, _)| *number))
}

/// The defects in which the compiler found an error.
fn blamed(switched: &[(String, Switched)], report: &Report) -> BTreeSet<usize> {
    let places = report
        .failures
        .iter()
        .filter_map(|failure| failure.compiled.as_ref())
        .flat_map(|compiled| &compiled.spans);
    let at = |(path, start): (&str, usize)| {
        let (_, file) = switched.iter().find(|(of, _)| of == path)?;
        // Of those that hold it the innermost.
        let holding = file
            .turns
            .iter()
            .filter(|(_, range)| range.contains(&start));
        let (number, _) = holding.min_by_key(|(_, range)| range.len())?;
        Some(*number)
    };
    places
        .filter_map(|span| at((&span.path, span.bytes.start)))
        .collect()
}
