//! The first signal asks for an orderly end, the second is obeyed at once.

use maestro_streams::CancellationToken;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;
use crate::fault::Fault;

/// What a shell reports of a program that SIGINT ended.
const INTERRUPTED: i32 = 130;

/// Fires at the first SIGTERM or SIGINT; the second ends the process.
pub(crate) fn shutdown() -> Result<CancellationToken, Fault> {
    let listen = |kind| {
        signal(kind).map_err(|error| {
            Fault::new(Exit::Io, format!("signals cannot be listened for: {error}"))
        })
    };
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let fired = token.clone();
    tokio::spawn(async move {
        next(&mut terminate, &mut interrupt).await;
        tracing::info!("shutting down: finishing what is in hand; a second signal ends at once");
        fired.cancel();
        next(&mut terminate, &mut interrupt).await;
        std::process::exit(INTERRUPTED);
    });
    Ok(token)
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
