//! `maestro completions`: what a shell needs to complete commands and flags.

use clap::Args;
use clap_complete::Shell;

use crate::cli;
use crate::exit::Exit;
use crate::fault::Outcome;
use crate::session::Session;

/// Prints the completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro completions bash > ~/.local/share/bash-completion/completions/maestro
  maestro completions zsh > ~/.zfunc/_maestro
  maestro completions fish > ~/.config/fish/completions/maestro.fish")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut cli::definition(), "maestro", &mut script);
        session.output.raw(&script)?;
        Ok(Exit::Success)
    }
}
