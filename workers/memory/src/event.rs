//! What one result says that is worth remembering.

use maestro_protocol::heal::{HealCompleted, Strategy, Verdict};
use maestro_protocol::validation::Judgement as Word;
use maestro_protocol::{Decoded, Message};

use crate::change::change;

/// A person's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// The patch was taken.
    Accepted,
    /// The patch was turned down.
    Rejected,
}

/// What one result says. `at` is when it came into Redis, in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The failure was reported.
    Reported {
        /// When.
        at: u64,
        /// The message's id.
        id: String,
        /// The failing test.
        test: Option<String>,
    },
    /// A heal came to its verdict.
    Healed {
        /// When.
        at: u64,
        /// The message's id.
        id: String,
        /// The failing test.
        test: Option<String>,
        /// The class of the failure.
        class: String,
        /// The strategy of the first step.
        strategy: Option<Strategy>,
        /// What came of it.
        verdict: Verdict,
        /// What it said of itself.
        confidence: f64,
        /// The identity of the repair; see [`change()`].
        change: String,
        /// Runs that showed the failure, of the runs made.
        shown: (u32, u32),
        /// Runs with the change.
        after: u32,
    },
    /// A person decided.
    Decided {
        /// When.
        at: u64,
        /// The id of the heal that was decided on.
        heal: String,
        /// How.
        judgement: Judgement,
        /// Who.
        by: Option<String>,
        /// Why.
        reason: String,
    },
}

impl Event {
    /// What a result says of which failure; `None` where it names none, or is of another kind.
    pub fn of(decoded: &Decoded<Message>, id: &str, at: u64) -> Option<(String, Self)> {
        match &decoded.payload {
            Message::ErrorTriaged(triaged) => Some((
                triaged.fingerprint.clone(),
                Self::Reported {
                    at,
                    id: id.to_owned(),
                    test: triaged.test.as_ref().map(|test| test.id.clone()),
                },
            )),
            Message::HealCompleted(heal) => Some((
                heal.fingerprint.clone()?,
                Self::healed(heal, id.to_owned(), at),
            )),
            Message::ValidationCompleted(validation) => {
                let judgement = match validation.judgement {
                    Word::Approved => Judgement::Accepted,
                    Word::Rejected => Judgement::Rejected,
                    Word::Upheld | Word::Overturned | Word::Inconclusive => return None,
                };
                Some((
                    validation.fingerprint.clone()?,
                    Self::Decided {
                        at,
                        heal: validation.heal.clone(),
                        judgement,
                        by: validation.by.clone(),
                        reason: validation.reason.clone(),
                    },
                ))
            }
            _ => None,
        }
    }

    fn healed(heal: &HealCompleted, id: String, at: u64) -> Self {
        Self::Healed {
            at,
            id,
            test: heal.test.as_ref().map(|test| test.id.clone()),
            class: heal.evidence.error_class.clone(),
            strategy: heal.strategy,
            verdict: heal.verdict,
            confidence: heal.confidence,
            change: change(heal.patch.as_deref(), heal.runtime_changes.as_ref()),
            shown: counts(&heal.evidence.reproduced),
            after: counts(&heal.evidence.after).1,
        }
    }
}

/// `3/3`; the protocol has checked it.
fn counts(text: &str) -> (u32, u32) {
    let (some, all) = text.split_once('/').unwrap_or(("0", "0"));
    (some.parse().unwrap_or(0), all.parse().unwrap_or(0))
}
