//! A thread that sleeps while the clock of the test's own runtime is paused: for nothing that waits by that clock does time
//! go on. The clock is moved by as much instead, as [tokio](https://docs.rs/tokio/latest/tokio/time/fn.advance.html) does it.

use super::Moment;
use super::waits::sleep_before;
use crate::case::Finding;
use crate::source::edit::Splice;
use crate::strategies::rank;

pub(super) fn examine(moment: &Moment<'_>) -> Option<Finding> {
    let sleep = sleep_before(moment).filter(|sleep| !sleep.awaited && is_paused(moment))?;
    let amount = moment.source.slice(sleep.duration);
    // The number that a function of the test's own is given is no duration yet.
    if !amount.contains("Duration::") {
        return None;
    }
    let candidate = moment.candidate(
        &format!("the test moves the paused clock by {amount}, which stands still while its thread sleeps"),
        &[Splice::replace(
            sleep.statement.byte_range(),
            format!("tokio::time::advance({amount}).await;"),
        )],
        rank::FIXTURE,
    )?;
    Some(Finding::Try(candidate))
}

/// Whether the test pauses the clock of its runtime.
pub(super) fn is_paused(moment: &Moment<'_>) -> bool {
    let by_attribute = moment
        .source
        .attributes_of(moment.function)
        .any(|attribute| attribute.contains("start_paused") && attribute.contains("true"));
    by_attribute
        || moment
            .source
            .slice(moment.function)
            .contains("time::pause()")
}
