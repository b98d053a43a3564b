//! One server with an append-only file, behind a proxy for every other worker.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use maestro_redis_server::Server;
use maestro_streams::Endpoint;
use tempfile::TempDir;
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::clock::Clock;
use super::{After, Excuse, Ground, Undo};
use crate::fault::{Dice, Fault};
use crate::names::{GROUP, all_lanes, consumed};
use crate::place::{Eye, Place};
use crate::proxy::{Mode, Proxy};

/// With `appendfsync everysec` Redis puts off writing to its file for up to two seconds while the disk is busy with the last `fsync`
/// (`flushAppendOnlyFile` in `aof.c`), and answers its clients meanwhile. A killed server loses that much too.
const PUT_OFF: Duration = Duration::from_millis(2500);
/// For the next write to the file to happen, with `appendfsync always` in force.
const IN_FORCE: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub(crate) struct Single {
    server: Server,
    proxy: Proxy,
    /// `None` where clocks cannot be set.
    clock: Option<Clock>,
    _directory: TempDir,
}

impl Single {
    pub(crate) async fn start(program: &Path) -> anyhow::Result<Self> {
        let directory = TempDir::new().context("a temporary directory")?;
        let clock = Clock::new(directory.path(), program)?;
        let builder = Server::builder().free_port();
        let (clock, builder) = match clock {
            Some((clock, program)) => (Some(clock), builder.program(program)),
            None => (None, builder.program(program)),
        };
        let server = block_in_place(|| builder.start())?;
        let proxy = Proxy::start(server.port().context("a port")?).await?;
        Ok(Self {
            server,
            proxy,
            clock,
            _directory: directory,
        })
    }

    fn again(&mut self) -> anyhow::Result<()> {
        block_in_place(|| self.server.restart()).context("unable to start Redis again")
    }

    /// Lets a commit in and no reply out. Says whether one came by in time.
    async fn cut_a_commit(&self) -> bool {
        let before = self.proxy.swallowed();
        self.proxy.swallow_a_commit();
        let begun = Instant::now();
        while self.proxy.swallowed() == before && begun.elapsed() < Duration::from_secs(2) {
            sleep(Duration::from_millis(5)).await;
        }
        self.proxy.swallowed() > before
    }

    /// Sets the clock, or imitates what streams see of it: entries from the future, so that new ids no longer follow the clock.
    async fn step_clock(&mut self, back: bool, dice: Dice, eye: &mut Eye) -> anyhow::Result<After> {
        let step = dice.between(Duration::from_millis(500), Duration::from_secs(4));
        let ms = i64::try_from(step.as_millis()).unwrap_or(0);
        match &mut self.clock {
            Some(clock) => clock.step(if back { -ms } else { ms })?,
            None if back => {
                let stream = consumed(false)[dice.of(consumed(false).len())];
                let (seconds, _): (u64, u64) = eye.insist(stream, &["TIME"]).await?;
                let id = format!("{}-0", (seconds + step.as_secs()) * 1000);
                // Refused if the stream has come further already, which is the same.
                let _: anyhow::Result<()> = eye.ask(stream, &["XSETID", stream, &id]).await;
            }
            None => return Ok(After::skipped()),
        }
        Ok(After::default())
    }
}

impl Ground for Single {
    const NAME: &'static str = "server";
    const SETS_CLOCK: bool = true;
    const IS_CLUSTER: bool = false;
    const HAS_REPLICAS: bool = false;
    const CAN_FLUSH: bool = true;
    const FAULTS: &'static [(Fault, u32)] = &[
        (Fault::Kill, 24),
        (Fault::KillHalf, 4),
        (Fault::Freeze, 12),
        (Fault::RollingDeploy, 2),
        (Fault::Scale, 1),
        (Fault::Cut, 8),
        (Fault::HalfOpen, 4),
        (Fault::Slow, 3),
        (Fault::CommitCut, 10),
        (Fault::ClientKill, 6),
        (Fault::ClientPause, 4),
        (Fault::Restart, 3),
        (Fault::KillAlways, 4),
        (Fault::KillEverysec, 4),
        (Fault::GroupDestroyed, 4),
        (Fault::ClockBack, 3),
        (Fault::ClockForward, 3),
        (Fault::OutOfMemory, 4),
    ];

    fn ways(&self) -> Vec<Endpoint> {
        let proxied = format!("redis://127.0.0.1:{}", self.proxy.port());
        [self.server.url(), proxied]
            .iter()
            .filter_map(|url| url.parse().ok())
            .collect()
    }

    fn place(&self) -> Place {
        Place::One(self.server.url())
    }

    async fn inflict(&mut self, fault: Fault, dice: Dice, eye: &mut Eye) -> anyhow::Result<After> {
        let short = dice.between(Duration::from_millis(300), Duration::from_millis(1500));
        match fault {
            Fault::Cut => self.proxy.cut(),
            Fault::HalfOpen => {
                self.proxy.set(Mode::Silent);
                let long = dice.between(Duration::from_millis(500), Duration::from_secs(4));
                return Ok(After::undo(long, Undo::CutAndPass));
            }
            Fault::Slow => {
                let pause = dice.between(Duration::from_millis(5), Duration::from_millis(60));
                self.proxy.set(Mode::Slow(pause));
                return Ok(After::undo(short, Undo::Pass));
            }
            Fault::CommitCut => {
                if !self.cut_a_commit().await {
                    return Ok(After::skipped());
                }
            }
            Fault::ClientKill => {
                let words = ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"];
                let _: u64 = eye.insist("", &words).await?;
            }
            Fault::ClientPause => {
                let kind = ["ALL", "WRITE"][dice.of(2)];
                let ms = short.as_millis().to_string();
                let _: () = eye.insist("", &["CLIENT", "PAUSE", &ms, kind]).await?;
            }
            Fault::Restart => {
                block_in_place(|| self.server.shutdown())?;
                self.again()?;
            }
            Fault::KillAlways => {
                let words = ["CONFIG", "SET", "appendfsync", "always"];
                let _: () = eye.insist("", &words).await?;
                sleep(IN_FORCE).await;
                self.server.kill();
                self.again()?;
            }
            Fault::KillEverysec => {
                let to = Instant::now();
                self.server.kill();
                self.again()?;
                return Ok(After::excuse(Excuse {
                    from: to.checked_sub(PUT_OFF).unwrap_or(to),
                    to: Instant::now(),
                    unless_replicated: false,
                }));
            }
            Fault::GroupDestroyed => {
                let lanes = all_lanes(false);
                let (lane, _) = &lanes[dice.of(lanes.len())];
                let words = ["XGROUP", "DESTROY", lane, GROUP];
                let _: u64 = eye.insist("", &words).await?;
            }
            Fault::ClockBack => return self.step_clock(true, dice, eye).await,
            Fault::ClockForward => return self.step_clock(false, dice, eye).await,
            Fault::OutOfMemory => {
                let _: () = eye.insist("", &["CONFIG", "SET", "maxmemory", "1"]).await?;
                return Ok(After::undo(short, Undo::NoLimit));
            }
            _ => return Ok(After::skipped()),
        }
        Ok(After::default())
    }

    async fn undo(&mut self, undo: &Undo, eye: &mut Eye) -> anyhow::Result<()> {
        match undo {
            Undo::Pass => self.proxy.set(Mode::Pass),
            Undo::CutAndPass => {
                self.proxy.cut();
                self.proxy.set(Mode::Pass);
            }
            Undo::NoLimit => {
                let () = eye.insist("", &["CONFIG", "SET", "maxmemory", "0"]).await?;
            }
            Undo::Thaw(_) => {}
        }
        Ok(())
    }
}
