//! `maestro schema`: the JSON Schemas of the message types.

use clap::Args;
use maestro_protocol::message::Type;

use super::OutputFlag;
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::message;
use crate::output::Table;
use crate::session::Session;

/// Lists the message types, or prints the JSON Schema of one
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro schema                                  # every type, and the stream that carries it
  maestro schema maestro.error.reported.v1 > error.schema.json
  maestro schema error.reported                   # the short name will do")]
pub(crate) struct Schema {
    /// A message type
    #[arg(value_name = "TYPE")]
    message_type: Option<String>,
    #[command(flatten)]
    output: OutputFlag,
}

impl Schema {
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let output = session.output;
        match &self.message_type {
            Some(wanted) => {
                let known =
                    message::type_named(wanted).ok_or_else(|| message::unknown_type(wanted))?;
                let (_, schema) = maestro_protocol::schemas()
                    .find(|(name, _)| *name == known.name)
                    .ok_or_else(|| Fault::no(format!("`{}` has no schema", known.name)))?;
                output.json(&schema)?;
            }
            None if self.output.is_json() => {
                let all: serde_json::Map<_, _> = maestro_protocol::schemas()
                    .map(|(name, schema)| (name.to_owned(), schema))
                    .collect();
                output.json(&all)?;
            }
            None => {
                let mut table = Table::new(&["type", "stream", "worker"]);
                for known in Type::ALL {
                    table.row(vec![
                        known.name.to_owned(),
                        known.stream.to_string(),
                        known.stream.group().unwrap_or("-").to_owned(),
                    ]);
                }
                for line in table.lines() {
                    output.line(line)?;
                }
            }
        }
        Ok(Exit::Success)
    }
}
