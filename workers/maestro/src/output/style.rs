//! Tones of text, and their colours on a terminal.

use anstyle::{AnsiColor, Style};

/// What a piece of text means to its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Of the usual weight.
    Plain,
    /// Good news; an added line.
    Good,
    /// Needs a person.
    Warn,
    /// Bad news; a removed line.
    Bad,
    /// Of less weight.
    Faint,
    /// A heading.
    Strong,
    /// A hunk's header.
    Place,
}

impl Tone {
    const fn style(self) -> Style {
        let plain = Style::new();
        match self {
            Self::Plain => plain,
            Self::Good => AnsiColor::Green.on_default(),
            Self::Warn => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Faint => plain.dimmed(),
            Self::Strong => plain.bold(),
            Self::Place => AnsiColor::Cyan.on_default(),
        }
    }
}

pub(super) fn paint(colour: bool, tone: Tone, text: &str) -> String {
    if colour && tone != Tone::Plain {
        let style = tone.style();
        format!("{style}{text}{style:#}")
    } else {
        text.to_owned()
    }
}
