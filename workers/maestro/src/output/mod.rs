//! The one place that writes to the terminal: results to standard output, remarks to standard error,
//! colour only where a terminal reads it.

mod progress;
mod style;
mod table;
mod text;

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;

pub(crate) use progress::Progress;
pub(crate) use style::Tone;
pub(crate) use table::Table;
pub(crate) use text::{duration, harmless};

use crate::exit::Exit;
use crate::fault::Fault;

/// What standard output carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Lines for a person
    #[default]
    Text,
    /// JSON for a program: one document, or one a line where there are many
    Json,
}

/// When to colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Colour {
    fn wanted(self, terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                terminal
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                    && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }
}

/// Standard output and standard error of one command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    colour_out: bool,
    colour_err: bool,
    progress: bool,
}

#[expect(
    clippy::unused_self,
    reason = "who writes needs an `Output`, also where the line is not coloured"
)]
impl Output {
    pub(crate) fn new(colour: Colour) -> Self {
        let terminal_err = io::stderr().is_terminal();
        Self {
            colour_out: colour.wanted(io::stdout().is_terminal()),
            colour_err: colour.wanted(terminal_err),
            progress: terminal_err,
        }
    }

    /// Whether standard output is coloured.
    pub(crate) const fn colours(self) -> bool {
        self.colour_out
    }

    /// Whether log lines may be coloured.
    pub(crate) const fn colours_logs(self) -> bool {
        self.colour_err
    }

    /// One line of a result.
    pub(crate) fn line(self, text: impl AsRef<str>) -> Result<(), Fault> {
        write_out(text.as_ref().as_bytes(), true)
    }

    /// A result as it is, without a line's end.
    pub(crate) fn raw(self, bytes: &[u8]) -> Result<(), Fault> {
        write_out(bytes, false)
    }

    /// One JSON document on one line.
    pub(crate) fn json_line(self, value: &impl Serialize) -> Result<(), Fault> {
        let text = serde_json::to_string(value).map_err(|error| unprintable(&error))?;
        self.line(text)
    }

    /// One JSON document, indented.
    pub(crate) fn json(self, value: &impl Serialize) -> Result<(), Fault> {
        let text = serde_json::to_string_pretty(value).map_err(|error| unprintable(&error))?;
        self.line(text)
    }

    /// A remark for a person; never part of the result.
    pub(crate) fn remark(self, text: impl AsRef<str>) {
        // Nobody can be told that standard error is closed.
        let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
    }

    /// The sentence of a fault.
    pub(crate) fn fault(self, fault: &Fault) {
        let name = style::paint(self.colour_err, Tone::Bad, "maestro:");
        self.remark(format!("{name} {}", harmless(&fault.to_string())));
    }

    /// Text in a tone, where standard output is coloured.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        style::paint(self.colour_out, tone, text)
    }

    /// A line that tells how far a long command is; silent unless standard error is a terminal.
    pub(crate) fn progress(self) -> Progress {
        Progress::new(self.progress)
    }
}

fn write_out(bytes: &[u8], end: bool) -> Result<(), Fault> {
    let mut out = io::stdout().lock();
    let written = out
        .write_all(bytes)
        .and_then(|()| if end { out.write_all(b"\n") } else { Ok(()) })
        .and_then(|()| out.flush());
    match written {
        Ok(()) => Ok(()),
        // The reader has seen enough (`maestro watch | head`): no failure of ours.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Fault::new(
            Exit::Io,
            format!("standard output cannot be written: {error}"),
        )),
    }
}

fn unprintable(error: &serde_json::Error) -> Fault {
    Fault::new(
        Exit::Io,
        format!("the result cannot be written as JSON: {error}"),
    )
}
