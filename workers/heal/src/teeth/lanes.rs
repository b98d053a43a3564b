//! Runs with planted defects, each on a copy of its own, so that no run finds what another left.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Bites, Defect, NOTICED};
use crate::case::Edit;
use crate::laboratory::AttemptError;
use crate::overlay::Overlay;

/// The least that a run with a defect may take.
const LEAST_OF_A_DEFECT: Duration = Duration::from_secs(1);
/// Runs that take so long are made in two processes.
const WORTH_A_LANE: Duration = Duration::from_millis(250);

/// Runs the tests whose teeth are looked at.
pub(crate) trait Passes: Sync {
    /// Whether they pass on this tree; `None` where that could not be found out. Runs of different lanes can be made at the same time.
    fn passes(
        &self,
        tree: &Overlay,
        lane: u8,
        limit: Duration,
    ) -> impl Future<Output = Result<Option<bool>, AttemptError>> + Send;
}

/// Runs them as they are, then with one defect at a time, in one or two lanes.
pub(crate) async fn bite(
    tests: &impl Passes,
    tree: &Overlay,
    defects: &[Defect],
    within: Duration,
) -> Result<Bites, AttemptError> {
    let began = Instant::now();
    let left = || within.saturating_sub(began.elapsed());
    let passed = tests.passes(tree, 0, left()).await?;
    let mut bites = Bites {
        sound: passed == Some(true),
        caught: vec![None; defects.len()],
        run: began.elapsed(),
    };
    if !bites.sound {
        return Ok(bites);
    }
    // A defect that makes a run endless is noticed by a person.
    let limit = LEAST_OF_A_DEFECT.max(bites.run * 5);
    let noticed = AtomicUsize::new(0);
    let bite = async |lane: u8, defects: Vec<(usize, &Defect)>| {
        let mut caught = Vec::new();
        for (number, defect) in defects {
            if left().is_zero() || noticed.load(Ordering::Relaxed) >= NOTICED {
                break;
            }
            let with = tree.with(&[Edit {
                path: defect.path.clone(),
                text: defect.text.clone(),
            }]);
            let passed = tests.passes(&with, lane, limit.min(left())).await?;
            noticed.fetch_add(usize::from(passed == Some(false)), Ordering::Relaxed);
            caught.push((number, passed.map(|passed| !passed)));
        }
        Ok::<_, AttemptError>(caught)
    };
    // Another process is started where that is less than what it saves.
    let lanes = if bites.run > WORTH_A_LANE { 2 } else { 1 };
    let (one, other): (Vec<_>, Vec<_>) = defects
        .iter()
        .enumerate()
        .partition(|(number, _)| number % lanes == 0);
    let (one, other) = tokio::try_join!(bite(0, one), bite(1, other))?;
    for (number, caught) in one.into_iter().chain(other) {
        bites.caught[number] = caught;
    }
    bites.run = began.elapsed();
    Ok(bites)
}
