//! `maestro dead show`.

use clap::Args;

use super::super::OutputFlag;
use super::list::as_json;
use super::selection::Filter;
use crate::exit::Exit;
use crate::fault::Outcome;
use crate::fleet::connection;
use crate::output::{Tone, harmless};
use crate::session::Session;

/// Shows one dead letter with all its fields
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro dead show 1718000000000-0
  maestro dead show build-7                       # the message's own id will do
  maestro dead show 1718000000000-0 --output json | jq -r .fields.data | jq .")]
pub(super) struct Show {
    /// The dead letter's id, or its message's
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    output: OutputFlag,
}

impl Show {
    pub(super) async fn run(self, session: &Session) -> Outcome {
        let admin = connection::admin(session)?;
        let letter = self.filter.one(&admin, &self.id).await?;
        let output = session.output;
        if self.output.is_json() {
            output.json(&as_json(&letter))?;
            return Ok(Exit::Success);
        }
        output.line(format!(
            "{}  {}",
            output.paint(Tone::Bad, letter.dead.reason()),
            harmless(letter.dead.detail())
        ))?;
        output.line("")?;
        for (name, value) in letter.dead.entry.fields.iter() {
            let name = String::from_utf8_lossy(name);
            let value = String::from_utf8_lossy(value);
            let value = match serde_json::from_str::<serde_json::Value>(&value) {
                Ok(json) if json.is_object() && name == "data" => {
                    serde_json::to_string_pretty(&json).unwrap_or_else(|_| value.into_owned())
                }
                _ => value.into_owned(),
            };
            output.line(format!("{:<16}{}", harmless(&name), harmless(&value)))?;
        }
        Ok(Exit::Success)
    }
}
