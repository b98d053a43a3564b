//! What both workers tell, and how they write it.

use jiff::{SignedDuration, Timestamp};
use maestro_protocol::environment::{EnvironmentStatus, Phase};
use maestro_worker::Outcome;

/// An environment in a phase, with nothing else to say of it.
pub(crate) fn status(environment: &str, namespace: &str, phase: Phase) -> EnvironmentStatus {
    EnvironmentStatus {
        environment: environment.to_owned(),
        namespace: namespace.to_owned(),
        phase,
        reason: None,
        detail: None,
        failure: None,
        endpoints: None,
        secret: None,
        expires_at: None,
        worker_version: Some(version()),
    }
}

/// How the version of the worker is told in results.
pub(crate) fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// A time as messages have it, to the second.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second())
        .unwrap_or(time)
        .to_string()
}

/// So much later, and the end of all times at the latest: neither an annotation nor a setting ends a worker.
pub(crate) fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// Nobody hears it: the message is another worker's by now, or goes back.
pub(crate) fn stopped() -> Outcome {
    Outcome::Retry {
        reason: "the worker was asked to stop".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_span_is_too_long_to_be_added() {
        let now: Timestamp = "2026-07-01T12:00:00Z".parse().unwrap();
        let hour = SignedDuration::from_hours(1);
        assert_eq!(later(now, hour).to_string(), "2026-07-01T13:00:00Z");
        assert_eq!(later(now, SignedDuration::MAX), Timestamp::MAX);
        assert_eq!(later(Timestamp::MAX, hour), Timestamp::MAX);
    }
}
