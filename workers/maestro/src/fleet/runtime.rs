//! The threads that a command runs on.

use tokio::runtime::{Builder, Runtime};

use crate::exit::Exit;
use crate::fault::Fault;

/// For workers: two threads carry any number of waiting tasks, and what computes runs beside them.
pub(crate) fn of_workers() -> Result<Runtime, Fault> {
    started(
        Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("maestro"),
    )
}

/// For a command that asks and answers.
pub(crate) fn of_one_command() -> Result<Runtime, Fault> {
    started(&mut Builder::new_current_thread())
}

fn started(builder: &mut Builder) -> Result<Runtime, Fault> {
    builder.enable_all().build().map_err(|error| {
        Fault::new(
            Exit::Io,
            format!("the system gives no threads or timers: {error}"),
        )
    })
}
