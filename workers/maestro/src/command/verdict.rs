//! `maestro verdict`: a person accepts a heal, or turns it down.

use clap::{Args, ValueEnum};
use maestro_protocol::heal::Verdict;
use maestro_protocol::validation::Judgement;
use serde_json::json;

use super::OutputFlag;
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::output::harmless;
use crate::session::Session;
use crate::{decision, lookup};

/// Puts on record that you accept a heal, or turn it down
///
/// The decision stands in the audit trail, and later heals go by it: what was accepted is tried first, what was turned down is not offered again for the
/// same failure, and the confidence follows. The last decision on a heal counts. `maestro apply` accepts by itself.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro verdict 3f2a1c reject --reason 'the text was changed by mistake'
  maestro verdict 3f2a1c accept                   # merged by other means than `maestro apply`")]
pub(crate) struct VerdictCommand {
    /// The heal, named as for `maestro show`
    #[arg(value_name = "ID")]
    id: String,

    /// What you decide
    #[arg(value_enum, value_name = "DECISION")]
    decision: Decision,

    /// Why, one sentence; whoever meets the same failure again is told
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,

    /// Who decides [default: the user's name]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,

    #[command(flatten)]
    output: OutputFlag,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Decision {
    /// It is right
    Accept,
    /// It is wrong, or not wanted
    Reject,
}

impl VerdictCommand {
    pub(crate) async fn run(self, session: Session) -> Outcome {
        let (found, heal) = lookup::heal(&session, &self.id).await?;
        if !matches!(heal.verdict, Verdict::Healed | Verdict::Proposed) {
            let sentence = "this heal offers nothing that could be accepted or turned down";
            return Err(Fault::no(format!("{sentence}: {}", heal.reason)));
        }
        let (judgement, word) = match self.decision {
            Decision::Accept => (Judgement::Approved, "accepted"),
            Decision::Reject => (Judgement::Rejected, "rejected"),
        };
        let by = self.by.unwrap_or_else(decision::somebody);
        let recorded =
            decision::record(&session, &found, &heal, judgement, by.clone(), self.reason).await?;
        let remembered = heal.fingerprint.is_some();
        if self.output.is_json() {
            session.output.json(&json!({
                "id": recorded, "heal": found.id(), "decision": word, "by": by, "remembered": remembered,
            }))?;
        } else {
            let line = format!("{word}  {}  by {}", found.id(), by);
            session.output.line(harmless(&line))?;
            if !remembered {
                session.output.remark(
                    "the heal carries no fingerprint: the decision is on record, but later heals do not go by it",
                );
            }
        }
        Ok(Exit::Success)
    }
}
