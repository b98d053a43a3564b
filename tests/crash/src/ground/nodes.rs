//! What several servers together need.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use maestro_redis_server::{Builder, Server};
use tokio::task::block_in_place;
use tokio::time::sleep;

/// A port of 127.0.0.1 that nobody has this moment.
pub(super) fn free_port() -> anyhow::Result<u16> {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a free port")?;
    Ok(probe.local_addr().context("a free port")?.port())
}

/// Starts a server with these further arguments.
pub(super) fn start(builder: Builder, words: &[&str]) -> anyhow::Result<Server> {
    let builder = words.iter().fold(builder, |all, word| all.arg(*word));
    Ok(block_in_place(|| builder.start())?)
}

/// Waits until something is so.
pub(super) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !is_so().await {
        if begun.elapsed() > Duration::from_mins(1) {
            bail!("not within a minute: {what}");
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Kills it.
pub(super) fn kill(server: &mut Server) {
    block_in_place(|| server.kill());
}

/// Starts it again.
pub(super) fn restart(server: &mut Server) -> anyhow::Result<()> {
    block_in_place(|| server.restart()).context("unable to start Redis again")
}
