//! The runs of the teeth check: one copy of the project, in which defects are planted, all in one build where that can be, else one after
//! the other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use maestro_protocol::heal::RuntimeChanges;

use super::bench::{Change, RustBench};
use super::freshness::Freshness;
use super::report::Read;
use super::switch::{self, switched};
use crate::case::Tree as _;
use crate::edge::{Finished, RustEnvironment, WorkCopy};
use crate::laboratory::AttemptError;
use crate::overlay::Overlay;
use crate::teeth::{Bites, Defect, NOTICED};

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
        let mut by_file: BTreeMap<&str, Vec<(usize, &Defect)>> = BTreeMap::new();
        for (number, defect) in defects.iter().enumerate() {
            by_file
                .entry(&defect.path)
                .or_default()
                .push((number, defect));
        }
        let mut texts = BTreeMap::new();
        let mut together = BTreeSet::new();
        for (path, of_file) in by_file {
            if let Some((text, numbers)) = switched(&self.whole(path), &of_file) {
                texts.insert(path, text);
                together.extend(numbers);
            }
        }
        if together.len() < 2 {
            return Ok(false);
        }
        for (path, text) in &texts {
            self.write(files, path, text)?;
        }
        let (read, finished) = self.run(change).await?;
        let sound = read.built && finished.ended.succeeded();
        if sound {
            bites.sound = true;
            for number in together.iter().copied() {
                if !self.goes_on(change, bites, finished.elapsed) {
                    break;
                }
                change
                    .variables
                    .push((switch::VARIABLE, number.to_string()));
                let (_, finished) = self.run(change).await?;
                change.variables.pop();
                // What takes too long is noticed by a person.
                bites.caught[number] = Some(!finished.ended.succeeded());
            }
        }
        for path in texts.keys() {
            self.write(files, path, &self.whole(path))?;
        }
        if sound {
            let rest = |number: &usize| !together.contains(number);
            self.each(files, change, defects, rest, finished.elapsed, bites)
                .await?;
        }
        Ok(sound)
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
