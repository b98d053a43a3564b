//! The heal worker, made from the settings.

use maestro_worker::Worker;

use crate::config::Settings;
use crate::exit::Exit;
use crate::fault::Fault;

/// The heal worker as the settings want it. Fails where the tests of others cannot be confined.
pub(crate) fn worker(settings: &Settings) -> Result<Pending, Fault> {
    let _ = settings;
    Ok(Pending)
}

pub(crate) struct Pending;
impl Worker for Pending {
    type Message = maestro_protocol::heal::HealRequested;
    const NAME: &'static str = "heal";
    async fn handle(
        &self,
        _: maestro_protocol::Decoded<Self::Message>,
        _: maestro_worker::Context,
    ) -> maestro_worker::Outcome {
        let _ = Exit::No;
        maestro_worker::Outcome::Refuse {
            detail: "not built in".into(),
        }
    }
}
