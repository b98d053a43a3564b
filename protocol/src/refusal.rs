//! Why a message is not handled: the reason on its dead letter, and one sentence for a person.

use std::fmt;
use std::str::FromStr;

use crate::violation::Violation;

/// The reasons for which a message goes to the dead-letter stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeadReason {
    /// A field is not UTF-8, or `data` is not JSON.
    Undecodable,
    /// A field or a member is missing, ill-typed or out of range, or stands on the wrong stream.
    Invalid,
    /// The type, or this version of it, is not known.
    UnknownType,
    /// It was read after its `expirytime`.
    Expired,
    /// It was delivered as often as a message may be, and never handled.
    Exhausted,
    /// Its worker will not handle it, however often it is delivered.
    Refused,
    /// It is longer than [`crate::MAX_MESSAGE_BYTES`].
    Oversized,
}

impl DeadReason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Undecodable,
        Self::Invalid,
        Self::UnknownType,
        Self::Expired,
        Self::Exhausted,
        Self::Refused,
        Self::Oversized,
    ];

    /// The value of the field `deadreason`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Invalid => "invalid",
            Self::UnknownType => "unknown_type",
            Self::Expired => "expired",
            Self::Exhausted => "exhausted",
            Self::Refused => "refused",
            Self::Oversized => "oversized",
        }
    }
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no reason of a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown reason `{0}` of a dead letter")]
pub struct UnknownReason(pub String);

impl FromStr for DeadReason {
    type Err = UnknownReason;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.name() == name)
            .ok_or_else(|| UnknownReason(name.to_owned()))
    }
}

/// A message that is not handled, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// The reason on the dead letter.
    pub reason: DeadReason,
    /// One sentence that names the field or the JSON path, what was expected there, and what was found.
    pub detail: String,
}

impl Refusal {
    /// A refusal for a reason, with its sentence.
    pub fn new(reason: DeadReason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }

    /// A field of the envelope that is missing or wrong.
    pub(crate) fn field(name: &str, expected: &str, found: impl fmt::Display) -> Self {
        Self::new(
            DeadReason::Invalid,
            format!("field `{name}`: expected {expected}, but found {found}"),
        )
    }

    /// A message longer than [`crate::MAX_MESSAGE_BYTES`].
    pub(crate) fn oversized(bytes: usize) -> Self {
        Self::new(
            DeadReason::Oversized,
            format!(
                "the message has {bytes} bytes in its fields, but at most {} are allowed",
                crate::MAX_MESSAGE_BYTES
            ),
        )
    }
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        Self::new(DeadReason::Invalid, violation.to_string())
    }
}
