//! What a call that failed means for the message in hand.

use maestro_worker::Outcome;

use crate::cluster::ApiError;

/// The cluster, as the circuit breaker calls it.
const DEPENDENCY: &str = "kubernetes";

impl From<ApiError> for Outcome {
    /// A cluster that does not answer, or does not let this worker do its work, is no fault of the message: it waits without
    /// spending a delivery. A refusal that nobody expected may be another's doing, and is tried again.
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Unavailable { .. } | ApiError::Denied { .. } => Self::Unavailable {
                dependency: DEPENDENCY.to_owned(),
                detail: error.to_string(),
            },
            ApiError::Refused { .. } => Self::Retry {
                reason: error.to_string(),
            },
        }
    }
}
