//! `maestro-entry`: what a test container is started with. See [`maestro_entry`].
//!
//! [`arguments`] is the command line; [`install`] and [`run`] are the two things it does.

mod arguments;
mod children;
mod install;
mod report;
mod run;

use std::io::Write as _;
use std::process::ExitCode;

use arguments::{Asked, HELP};

/// The exit code of what this program itself could not do; what shells, `env` and `timeout` use likewise.
const OWN_FAILURE: u8 = 125;

fn main() -> ExitCode {
    match arguments::parse(std::env::args_os().skip(1)) {
        Ok(Asked::Help) => print(HELP),
        Ok(Asked::Version) => print(concat!("maestro-entry ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Asked::Install(path)) => match install::install(&path) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => complain(&error, OWN_FAILURE),
        },
        Ok(Asked::Run(run)) => run::run(&run),
        Err(error) => complain(&error, OWN_FAILURE),
    }
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(OWN_FAILURE),
    }
}

/// One sentence on standard error; who has closed it does without.
fn complain(what: &dyn std::fmt::Display, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "maestro-entry: {what}");
    ExitCode::from(code)
}
