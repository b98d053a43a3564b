//! The command line as a whole.

use clap::{CommandFactory, Parser};

use crate::command::Command;
use crate::config::flags::GlobalFlags;
use crate::exit;

/// A fleet of workers on Redis Streams that triages and heals failing tests.
#[derive(Debug, Parser)]
#[command(
    name = "maestro",
    version,
    propagate_version = true,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  maestro up                                    # a whole fleet, with a Redis of its own
  pytest --junitxml=report.xml; maestro publish --junit report.xml
  maestro watch --follow
  maestro show ID && maestro apply ID"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalFlags,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The command line, with the table of exit codes at the end of every help.
pub(crate) fn definition() -> clap::Command {
    with_exit_codes(Cli::command())
}

fn with_exit_codes(command: clap::Command) -> clap::Command {
    let help = match command.get_after_help() {
        Some(examples) => format!("{examples}\n\n{}", exit::TABLE),
        None => exit::TABLE.to_owned(),
    };
    command.after_help(help).mut_subcommands(with_exit_codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        definition().debug_assert();
    }

    #[test]
    fn every_command_has_an_example_and_the_exit_codes_in_its_help() {
        fn check(command: &mut clap::Command) {
            let help = command.render_help().to_string();
            let name = command.get_name().to_owned();
            assert!(help.contains("Example"), "{name}: no example");
            assert!(
                help.contains("maestro "),
                "{name}: the example calls nothing"
            );
            assert!(help.contains("Exit codes:"), "{name}: no exit codes");
            assert!(
                command.get_about().is_some(),
                "{name}: nothing says what it does"
            );
            for inner in command.get_subcommands_mut() {
                check(inner);
            }
        }
        check(&mut definition());
    }
}
