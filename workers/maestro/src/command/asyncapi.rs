//! `maestro asyncapi`: the whole contract as one document.

use clap::Args;

use crate::exit::Exit;
use crate::fault::Outcome;
use crate::session::Session;

/// Prints the AsyncAPI 3.0 document: every stream, every message type, every schema
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro asyncapi > asyncapi.json
  maestro asyncapi | jq '.channels | keys'")]
pub(crate) struct Asyncapi {}

impl Asyncapi {
    #[expect(clippy::unused_self, reason = "every command is run alike")]
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        session.output.json(&maestro_protocol::asyncapi())?;
        Ok(Exit::Success)
    }
}
