//! A master, its replica, and three Sentinels.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use maestro_redis_server::Server;
use maestro_streams::Endpoint;
use tempfile::TempDir;
use tokio::task::block_in_place;

use super::nodes::{kill, restart, start, until};
use super::{After, Excuse, Ground, Undo};
use crate::fault::{Dice, Fault};
use crate::names::{GROUP, all_lanes};
use crate::place::{Eye, Place};

#[derive(Debug)]
pub(crate) struct Watched {
    servers: [Server; 2],
    sentinels: Vec<Server>,
    _configurations: TempDir,
}

/// A master without its replica takes no writes: whoever still believes in it can do little harm.
const SERVER: [&str; 6] = [
    "--min-replicas-to-write",
    "1",
    "--min-replicas-max-lag",
    "3",
    "--repl-diskless-sync-delay",
    "0",
];

impl Watched {
    pub(crate) async fn start(program: &Path) -> anyhow::Result<Self> {
        let configurations = TempDir::new().context("a temporary directory")?;
        let server = || Server::builder().program(program).free_port();
        let master = start(server(), &SERVER)?;
        let port = master.port().context("a port")?.to_string();
        let follow = [&SERVER[..], &["--replicaof", "127.0.0.1", &port]].concat();
        let replica = start(server(), &follow)?;
        let mut sentinels = Vec::new();
        for n in 0..3 {
            let file = configurations.path().join(format!("{n}.conf"));
            let text = format!(
                "sentinel monitor main 127.0.0.1 {port} 2\n\
                 sentinel down-after-milliseconds main 1500\n\
                 sentinel failover-timeout main 3000\n"
            );
            fs::write(&file, text).context("a Sentinel's file")?;
            let builder = server().append_only(false);
            sentinels.push(start(builder.config_file(file), &["--sentinel"])?);
        }
        let watched = Self {
            servers: [master, replica],
            sentinels,
            _configurations: configurations,
        };
        let mut eye = Eye::new(watched.place());
        for sentinel in &watched.sentinels {
            let url = sentinel.url();
            until("a Sentinel that knows all others", async || {
                let info: anyhow::Result<String> = eye.ask_at(&url, &["INFO", "sentinel"]).await;
                info.is_ok_and(|info| info.contains("slaves=1,sentinels=3"))
            })
            .await?;
        }
        watched.wait_for_replica(&mut eye).await?;
        Ok(watched)
    }

    /// Which of the two all Sentinels take for the master; `None` while they do not agree.
    async fn master(&self, eye: &mut Eye) -> Option<usize> {
        let mut found = None;
        for sentinel in &self.sentinels {
            let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"];
            let said: anyhow::Result<(String, u16)> = eye.ask_at(&sentinel.url(), &words).await;
            let (_, port) = said.ok()?;
            if found.is_some_and(|other| other != port) {
                return None;
            }
            found = Some(port);
        }
        let is_it = |server: &Server| server.port() == found;
        self.servers.iter().position(is_it)
    }

    async fn agreed(&self, eye: &mut Eye) -> anyhow::Result<usize> {
        let mut master = None;
        until("Sentinels that agree", async || {
            master = self.master(eye).await;
            master.is_some()
        })
        .await?;
        master.context("a master")
    }

    /// Waits until another one than this is the master.
    async fn replaced(&self, old: usize, eye: &mut Eye) -> anyhow::Result<()> {
        until("another master", async || {
            self.master(eye).await.is_some_and(|now| now != old)
        })
        .await
    }

    /// Waits until the master has a replica that follows, without which the next failover would find none.
    async fn wait_for_replica(&self, eye: &mut Eye) -> anyhow::Result<()> {
        until("a replica that follows", async || {
            let Some(master) = self.master(eye).await else {
                return false;
            };
            let url = self.servers[master].url();
            let info: anyhow::Result<String> = eye.ask_at(&url, &["INFO", "replication"]).await;
            info.is_ok_and(|info| info.contains("role:master") && info.contains("state=online"))
        })
        .await
    }

    /// What was published without `WAIT` since the last failover may be missing.
    fn after_failover(began: Instant) -> After {
        After::excuse(Excuse {
            from: began.checked_sub(REACH).unwrap_or(began),
            to: Instant::now(),
            unless_replicated: true,
        })
    }
}

/// A replica follows within a second, or counts as gone.
const REACH: std::time::Duration = std::time::Duration::from_secs(5);

impl Ground for Watched {
    const NAME: &'static str = "sentinel";
    const SETS_CLOCK: bool = false;
    const IS_CLUSTER: bool = false;
    const HAS_REPLICAS: bool = true;
    const CAN_FLUSH: bool = false;
    const FAULTS: &'static [(Fault, u32)] = &[
        (Fault::Kill, 20),
        (Fault::KillHalf, 3),
        (Fault::Freeze, 8),
        (Fault::RollingDeploy, 1),
        (Fault::ClientKill, 8),
        (Fault::GroupDestroyed, 3),
        (Fault::Handover, 4),
        (Fault::MasterKilled, 3),
        (Fault::MasterFrozen, 2),
    ];

    fn ways(&self) -> Vec<Endpoint> {
        let hosts: Vec<_> = self
            .sentinels
            .iter()
            .filter_map(Server::port)
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        let url = format!("redis+sentinel://{}/main", hosts.join(","));
        url.parse().into_iter().collect()
    }

    fn place(&self) -> Place {
        Place::Watched(self.sentinels.iter().map(Server::url).collect())
    }

    async fn inflict(&mut self, fault: Fault, dice: Dice, eye: &mut Eye) -> anyhow::Result<After> {
        let began = Instant::now();
        match fault {
            Fault::ClientKill => {
                let words = ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"];
                let _: u64 = eye.insist("", &words).await?;
                return Ok(After::default());
            }
            Fault::GroupDestroyed => {
                let lanes = all_lanes(false);
                let (lane, _) = &lanes[dice.of(lanes.len())];
                let words = ["XGROUP", "DESTROY", lane, GROUP];
                let _: u64 = eye.insist("", &words).await?;
                return Ok(After::default());
            }
            Fault::Handover => {
                let old = self.agreed(eye).await?;
                let sentinel = self.sentinels[dice.of(3)].url();
                until("a failover that begins", async || {
                    let words = ["SENTINEL", "FAILOVER", "main"];
                    let said: anyhow::Result<()> = eye.ask_at(&sentinel, &words).await;
                    said.is_ok()
                })
                .await?;
                self.replaced(old, eye).await?;
            }
            Fault::MasterKilled => {
                let old = self.agreed(eye).await?;
                kill(&mut self.servers[old]);
                self.replaced(old, eye).await?;
                // It begins as the master that it was, or as a replica of whoever it began with, and is told better.
                restart(&mut self.servers[old])?;
            }
            Fault::MasterFrozen => {
                let old = self.agreed(eye).await?;
                self.servers[old].pause()?;
                let outcome = self.replaced(old, eye).await;
                block_in_place(|| self.servers[old].resume())?;
                outcome?;
            }
            _ => return Ok(After::skipped()),
        }
        self.wait_for_replica(eye).await?;
        Ok(Self::after_failover(began))
    }

    async fn undo(&mut self, _: &Undo, _: &mut Eye) -> anyhow::Result<()> {
        Ok(())
    }
}
