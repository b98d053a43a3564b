//! `maestro show`: one heal at length.

use clap::Args;

use super::{OutputFlag, watch};
use crate::exit::Exit;
use crate::fault::Outcome;
use crate::session::Session;
use crate::{lookup, verdict};

/// Shows one heal: the verdict, the steps, the evidence, the time it took, and the diff
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro show 3f2a1c                             # the beginning of the id that `publish` printed will do
  maestro show build-7                            # or the correlation id, if it has one heal
  maestro show 3f2a1c --output json | jq -r .data.patch > heal.diff")]
pub(crate) struct Show {
    /// The heal's id or the beginning of it, the id of the message that led to it, or the flow's correlation id
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    output: OutputFlag,
}

impl Show {
    pub(crate) async fn run(self, session: Session) -> Outcome {
        let (found, heal) = lookup::heal(&session, &self.id).await?;
        if self.output.is_json() {
            session.output.json(&watch::as_json(&found))?;
        } else {
            session
                .output
                .raw(verdict::whole(&found, &heal, session.output).as_bytes())?;
        }
        Ok(Exit::Success)
    }
}
