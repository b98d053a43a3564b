//! `maestro config`: what is in force, and why.

use clap::Args;
use serde_json::json;

use super::OutputFlag;
use crate::config::Shown;
use crate::config::flags::WorkerFlags;
use crate::exit::Exit;
use crate::fault::Outcome;
use crate::fleet::home::Home;
use crate::output::{Table, Tone, harmless};
use crate::session::Session;

/// Prints every setting in force and where its value came from; secrets are masked
///
/// A flag wins over a variable, a variable over the file, the file over the default.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro config
  MAESTRO_LEASE=10s maestro config --config fleet.yaml --heal-concurrency 2
  maestro config --output json | jq -r '.[] | \"\\(.variable)=\\(.value)\"'

The file has one section for the word before each dot:
  redis:
    url: rediss://user:password@redis.example.org
  heal:
    roots: [/srv/checkouts]")]
pub(crate) struct Config {
    #[command(flatten)]
    output: OutputFlag,
    #[command(flatten)]
    pub(crate) flags: WorkerFlags,
}

impl Config {
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let output = session.output;
        let mut shown = session.settings.shown();
        if let Some(found) = Home::of(&session.settings).running(&session.settings)
            && let Some(redis) = shown.first_mut()
        {
            redis.value = found.value;
            redis.origin = found.origin;
        }
        if self.output.is_json() {
            let all: Vec<_> = shown.iter().map(as_json).collect();
            output.json(&all)?;
            return Ok(Exit::Success);
        }
        let mut table = Table::new(&["setting", "value", "from"]);
        for one in &shown {
            let value = if one.value.is_empty() {
                "-"
            } else {
                &one.value
            };
            table.row(vec![
                one.key.path.to_owned(),
                harmless(value).into_owned(),
                one.origin.to_string(),
            ]);
        }
        for (number, line) in table.lines().into_iter().enumerate() {
            let tone = if number == 0 {
                Tone::Faint
            } else {
                tone(shown.get(number - 1))
            };
            output.line(output.paint(tone, &line))?;
        }
        for name in unknown_variables(&shown) {
            output.remark(format!("no setting is named by the variable {name}"));
        }
        Ok(Exit::Success)
    }
}

fn as_json(shown: &Shown) -> serde_json::Value {
    json!({
        "setting": shown.key.path,
        "value": shown.value,
        "from": shown.origin.to_string(),
        "flag": format!("--{}", shown.key.flag),
        "variable": shown.key.variable,
        "meaning": shown.key.meaning,
    })
}

/// What somebody has set stands out from the defaults.
fn tone(shown: Option<&Shown>) -> Tone {
    match shown.map(|shown| &shown.origin) {
        Some(crate::config::Origin::Default) | None => Tone::Plain,
        Some(_) => Tone::Strong,
    }
}

/// A misspelt variable would otherwise be ignored in silence.
fn unknown_variables(shown: &[Shown]) -> Vec<String> {
    let known = |name: &str| {
        matches!(name, "MAESTRO_CONFIG" | "MAESTRO_CONCURRENCY")
            || shown.iter().any(|one| one.key.variable == name)
    };
    std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("MAESTRO_") && !known(name))
        .collect()
}
