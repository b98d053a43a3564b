//! `maestro dead list`.

use clap::Args;
use serde_json::json;

use super::super::OutputFlag;
use super::selection::{Filter, Letter};
use crate::exit::Exit;
use crate::fault::Outcome;
use crate::fleet::connection;
use crate::output::{Table, Tone, harmless};
use crate::session::Session;

/// Lists dead letters, oldest first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro dead list
  maestro dead list --stream automation:errors --reason invalid
  maestro dead list --output json | jq -r .detail")]
pub(super) struct List {
    #[command(flatten)]
    filter: Filter,

    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,

    #[command(flatten)]
    output: OutputFlag,
}

impl List {
    pub(super) async fn run(self, session: &Session) -> Outcome {
        let admin = connection::admin(session)?;
        let letters = self.filter.letters(&admin, self.limit).await?;
        let output = session.output;
        if self.output.is_json() {
            for letter in &letters {
                output.json_line(&as_json(letter))?;
            }
            return Ok(Exit::Success);
        }
        if letters.is_empty() {
            output.remark("there are no dead letters");
            return Ok(Exit::Success);
        }
        let mut table = Table::new(&["id", "stream", "reason", "message", "detail"]);
        for letter in &letters {
            let shown = |text: &str| harmless(text.lines().next().unwrap_or("")).into_owned();
            let id = match letter.message_id() {
                "" => "-",
                id => id,
            };
            table.row(vec![
                letter.dead.id.to_string(),
                letter.stream.to_string(),
                shown(letter.dead.reason()),
                shown(id),
                shown(letter.dead.detail()),
            ]);
        }
        for (number, line) in table.lines().into_iter().enumerate() {
            let tone = if number == 0 {
                Tone::Faint
            } else {
                Tone::Plain
            };
            output.line(output.paint(tone, &line))?;
        }
        if letters.len() == self.limit {
            output.remark(format!("only the first {}; --limit shows more", self.limit));
        }
        Ok(Exit::Success)
    }
}

pub(super) fn as_json(letter: &Letter) -> serde_json::Value {
    let fields: serde_json::Map<String, serde_json::Value> = letter
        .dead
        .entry
        .fields
        .iter()
        .map(|(name, value)| {
            let name = String::from_utf8_lossy(name).into_owned();
            (name, String::from_utf8_lossy(value).as_ref().into())
        })
        .collect();
    json!({
        "id": letter.dead.id.to_string(),
        "stream": letter.stream.name(),
        "reason": letter.dead.reason(),
        "detail": letter.dead.detail(),
        "fields": fields,
    })
}
