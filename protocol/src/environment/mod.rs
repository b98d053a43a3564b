//! `maestro.environment.*`: ephemeral environments on Kubernetes, from the request to the last trace of them.
//!
//! An environment's id is the `id` of the message that requested it.

mod cleanup;
mod request;
mod results;

pub use cleanup::{CleanupInbound, CleanupRequested, ExtensionRequested};
pub use request::{
    App, Database, Egress, EnvironmentRequested, Network, Quota, Resources, TestJob,
};
pub use results::{
    DeletionCause, EnvironmentDeleted, EnvironmentExtended, EnvironmentStatus, EnvironmentTested,
    FailedTest, Failure, Log, Phase, TestOutcome,
};
