//! `maestro top`: the fleet, live, in a terminal.
//!
//! [`sample`] is what is seen at one moment, [`sampler`] reads it, [`state`] keeps it and changes by keys ([`press`]), and [`draw`] makes
//! the picture of a state; only [`screen`] touches the terminal.

mod draw;
#[cfg(test)]
mod fixture;
mod flow;
mod news;
mod press;
mod running;
mod sample;
mod sampler;
mod screen;
mod state;
mod text;
mod words;

use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::Args;

use self::sampler::Sampler;
use self::state::{Answer, State};
use crate::config::Span;
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::fleet::{connection, signals};
use crate::session::Session;

/// Shows the fleet live: streams, workers, what goes on, dead letters
///
/// Made for a terminal of 80 columns and 24 lines, over SSH too; `?` shows the keys. With --once it prints one frame and ends.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro top
  maestro top --redis-url rediss://redis.example.org --interval 5s
  maestro top --once                              # one frame as text, for a script
  maestro top --once --size 120x40 --color always | less -R")]
pub(crate) struct Top {
    /// How often to look
    #[arg(long, value_name = "TIME", default_value = "1s")]
    interval: Span,

    /// Print one frame as text, and end; needs no terminal
    #[arg(long)]
    once: bool,

    /// After how many looks to print the frame; a rate needs two
    #[arg(long, value_name = "N", requires = "once", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1000))]
    samples: u32,

    /// The size of the frame, in columns and lines
    #[arg(long, value_name = "CxL", requires = "once", default_value = "80x24", value_parser = size)]
    size: (u16, u16),
}

impl Top {
    pub(crate) async fn run(self, session: Session) -> Outcome {
        let interval = self.interval.0;
        if interval < Duration::from_millis(100) {
            return Err(Fault::usage(format!(
                "`--interval`: expected at least `100ms`, but found `{}`",
                self.interval
            )));
        }
        let has_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        if !(self.once || has_terminal) {
            return Err(
                Fault::usage("`maestro top` needs a terminal to show the fleet live")
                    .next("`maestro top --once` prints one frame"),
            );
        }
        let shutdown = signals::shutdown()?;
        let mut sampler = Sampler::new(connection::admin(&session)?);
        let mut state = State::new(place(&session)?);
        // Whoever names the wrong Redis is told so on the screen that he has.
        state.learn(Answer::Sample(sampler.sample().await?));
        if !self.once {
            return screen::show(state, sampler, interval, shutdown).await;
        }
        for _ in 1..self.samples {
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = shutdown.cancelled() => return Ok(Exit::Interrupted),
            }
            state.learn(Answer::Sample(sampler.sample().await?));
        }
        for line in text::frame(&state, self.size, session.output.colours()) {
            session.output.line(line)?;
        }
        Ok(Exit::Success)
    }
}

fn place(session: &Session) -> Result<String, Fault> {
    let endpoint = connection::endpoint(session)?.to_string();
    Ok(match session.settings.prefix.value.as_str() {
        "" => endpoint,
        prefix => format!("{endpoint}, prefix {prefix}"),
    })
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let parsed = text.split_once('x').and_then(|(columns, lines)| {
        let (columns, lines) = (columns.parse().ok()?, lines.parse().ok()?);
        let fits = (1..=500).contains(&columns) && (1..=500).contains(&lines);
        fits.then_some((columns, lines))
    });
    parsed.ok_or_else(|| "expected columns and lines such as `80x24`, at most 500 each".to_owned())
}
