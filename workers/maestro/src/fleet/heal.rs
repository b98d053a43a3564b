//! The heal worker, made from the settings.

use std::path::{Path, PathBuf};

use maestro_heal::{HealWorker, Healer, SandboxChoice, SetupError};
use maestro_memory::Memory;

use crate::config::Settings;
use crate::config::flags::Sandbox;
use crate::exit::Exit;
use crate::fault::Fault;

/// The heal worker as the settings want it. Fails where the tests of others cannot be confined.
pub(crate) fn worker(settings: &Settings, memory: Memory) -> Result<HealWorker<Memory>, Fault> {
    let wanted = maestro_heal::Settings {
        roots: settings
            .roots
            .value
            .iter()
            .map(|root| absolute(root))
            .collect::<Result<_, _>>()?,
        work: absolute(&settings.work_dir.value)?,
        cache: absolute(&settings.cache_dir.value)?,
        sandbox: match settings.sandbox.value {
            Sandbox::Required => SandboxChoice::Required,
            Sandbox::Off => SandboxChoice::Off,
        },
        index: settings.index.value.clone(),
        time_limit: settings.time_limit.value.0,
        ..maestro_heal::Settings::default()
    };
    if settings.sandbox.value == Sandbox::Off {
        tracing::warn!("no sandbox: whoever can publish a message can run code as this user");
    }
    Healer::new(wanted)
        .map(|healer| HealWorker::new(healer, memory))
        .map_err(|error| fault(&error))
}

fn fault(error: &SetupError) -> Fault {
    let exit = match error {
        SetupError::Sandbox(_) => Exit::Unavailable,
        SetupError::Directory { .. } => Exit::Io,
    };
    let sentence = error.to_string();
    let fault = Fault::new(exit, sentence.clone());
    // Some of these sentences say the way out themselves.
    if exit == Exit::Unavailable && !sentence.contains("--sandbox") {
        fault.next("say --sandbox off to run the tests of others unconfined")
    } else {
        fault
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Fault> {
    std::path::absolute(path).map_err(|error| Fault::io(path, "be found", &error))
}
