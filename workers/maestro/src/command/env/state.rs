//! Where an environment stands, from what was told of it, the newest first.

use maestro_protocol::Message;
use maestro_protocol::environment::{DeletionCause, EnvironmentRequested, Phase, TestOutcome};
use maestro_streams::EntryId;

use super::words;

/// What the results say of one environment.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) namespace: Option<String>,
    /// The newest phase; `None` until a worker took the request.
    pub(super) phase: Option<Phase>,
    /// When that began.
    pub(super) since: EntryId,
    /// The oldest result of it.
    pub(super) oldest: EntryId,
    pub(super) reason: Option<String>,
    pub(super) detail: Option<String>,
    pub(super) expires_at: Option<String>,
    pub(super) outcome: Option<TestOutcome>,
    pub(super) cause: Option<DeletionCause>,
    /// It was told to be something else than deleted.
    has_lived: bool,
    /// What is older yet belongs to an earlier environment of the same id.
    is_whole: bool,
}

impl State {
    /// Adds a result that is older than those before.
    pub(super) fn older(&mut self, entry: EntryId, message: &Message) {
        if self.is_whole {
            return;
        }
        match message {
            Message::EnvironmentStatus(status) => {
                if status.phase == Phase::Deleted && self.is_later() {
                    self.is_whole = true;
                    return;
                }
                self.has_lived |= status.phase != Phase::Deleted;
                if status.phase == Phase::Failed && self.reason.is_none() {
                    self.reason.clone_from(&status.reason);
                }
                if self.is_first(entry, status.phase) {
                    self.reason.clone_from(&status.reason);
                    self.detail.clone_from(&status.detail);
                }
                self.expires_at = self.expires_at.take().or(status.expires_at.clone());
                self.is_in(&status.namespace);
            }
            Message::EnvironmentTested(tested) => {
                if self.is_first(entry, Phase::Tested) {
                    self.detail.clone_from(&tested.reason);
                }
                self.outcome = self.outcome.or(Some(tested.outcome));
                self.is_in(&tested.namespace);
            }
            Message::EnvironmentExtended(extended) => {
                // Of an environment that there is not, it says only that.
                self.expires_at = self.expires_at.take().or(extended.expires_at.clone());
                return;
            }
            Message::EnvironmentDeleted(deleted) if deleted.dry_run != Some(true) => {
                if self.is_later() {
                    self.is_whole = true;
                    return;
                }
                if self.is_first(entry, Phase::Deleted) {
                    self.detail.clone_from(&deleted.detail);
                }
                self.cause = self.cause.or(Some(deleted.cause));
                self.is_in(&deleted.namespace);
            }
            _ => return,
        }
        self.oldest = entry;
    }

    /// Whether this is an environment after the one that an older result says is gone.
    fn is_later(&self) -> bool {
        self.has_lived || self.phase.is_some_and(|newest| newest != Phase::Deleted)
    }

    fn is_first(&mut self, entry: EntryId, phase: Phase) -> bool {
        if self.phase.is_some() {
            return false;
        }
        self.phase = Some(phase);
        self.since = entry;
        true
    }

    fn is_in(&mut self, namespace: &str) {
        self.namespace.get_or_insert_with(|| namespace.to_owned());
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.phase == Some(Phase::Deleted)
    }

    /// Why it is where it is, in a word or a line.
    pub(super) fn why(&self) -> String {
        let mut parts = Vec::new();
        if let Some(cause) = self.cause {
            parts.push(words::wire(&cause));
        }
        if let Some(outcome) = self.outcome {
            parts.push(format!("tests {}", words::outcome(outcome)));
        }
        parts.extend(self.reason.clone());
        if parts.is_empty() {
            parts.extend(self.detail.clone());
        }
        parts.join(", ")
    }
}

/// What an environment holds, in a line.
pub(super) fn what(request: &EnvironmentRequested) -> String {
    let mut parts = Vec::new();
    if request.app.is_some() {
        parts.push("app".to_owned());
    }
    if let Some(database) = request.database {
        let name = words::wire(&database);
        let version = request.database_version.as_deref();
        parts.push(version.map_or(name.clone(), |version| format!("{name} {version}")));
    }
    if request.redis == Some(true) {
        parts.push("redis".to_owned());
    }
    parts.extend(request.templates.iter().flatten().cloned());
    if request.test.is_some() {
        parts.push("tests".to_owned());
    }
    if parts.is_empty() {
        parts.push("nothing".to_owned());
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use maestro_protocol::environment::{EnvironmentDeleted, EnvironmentStatus};

    use super::*;

    fn status(phase: Phase, expires_at: Option<&str>) -> Message {
        EnvironmentStatus {
            environment: "a".into(),
            namespace: "n".into(),
            phase,
            reason: None,
            detail: None,
            failure: None,
            endpoints: None,
            secret: None,
            expires_at: expires_at.map(str::to_owned),
            worker_version: None,
        }
        .into()
    }

    fn deleted(dry_run: bool) -> Message {
        EnvironmentDeleted {
            environment: "a".into(),
            namespace: "n".into(),
            cause: DeletionCause::Expired,
            detail: None,
            lived_s: None,
            dry_run: Some(dry_run),
            worker_version: None,
        }
        .into()
    }

    fn of(newest_first: &[Message]) -> State {
        let mut state = State::default();
        for (age, message) in newest_first.iter().enumerate() {
            let ms = 100 - age as u64;
            state.older(EntryId { ms, seq: 0 }, message);
        }
        state
    }

    #[test]
    fn the_newest_word_counts_and_a_rehearsed_deletion_does_not() {
        let state = of(&[
            deleted(true),
            status(Phase::Ready, None),
            status(Phase::Accepted, Some("then")),
        ]);
        assert_eq!(state.phase, Some(Phase::Ready));
        assert_eq!(state.expires_at.as_deref(), Some("then"));
        assert_eq!((state.since.ms, state.oldest.ms), (99, 98));
    }

    #[test]
    fn an_environment_has_nothing_of_an_earlier_one_of_the_same_id() {
        let state = of(&[
            status(Phase::Accepted, None),
            deleted(false),
            status(Phase::Deleted, None),
            status(Phase::Ready, Some("then")),
        ]);
        assert_eq!(state.phase, Some(Phase::Accepted));
        assert_eq!((state.expires_at, state.cause), (None, None));
        let gone = of(&[
            status(Phase::Deleted, None),
            deleted(false),
            status(Phase::Ready, None),
        ]);
        assert!(gone.is_deleted());
        assert_eq!(
            (gone.cause, gone.oldest.ms),
            (Some(DeletionCause::Expired), 98)
        );
    }
}
