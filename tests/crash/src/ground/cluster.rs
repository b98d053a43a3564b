//! A cluster of three masters with a replica each.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use maestro_redis_server::Server;
use maestro_streams::Endpoint;

use super::nodes::{free_port, kill, restart, start, until};
use super::{After, Excuse, Ground, Undo};
use crate::fault::{Dice, Fault};
use crate::names::consumed;
use crate::place::{Eye, Place};

const MASTERS: u16 = 3;
const NODES: usize = 6;
const SLOTS: u16 = 16384;
/// What a worker has told one master and acknowledged at another, and that the first one's replica did not have yet, is lost. By
/// then it may have waited for a while.
const REACH: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(crate) struct Cluster {
    nodes: Vec<Server>,
}

/// What one node says about another, or about itself.
#[derive(Debug, Clone)]
struct Node {
    id: String,
    port: u16,
    is_master: bool,
    is_well: bool,
    /// Of a replica.
    master: String,
    slots: bool,
}

fn node(program: &Path) -> anyhow::Result<(Server, u16)> {
    let mut last = None;
    // Another process may be faster at the port of the bus.
    for _ in 0..8 {
        let bus = free_port()?;
        let port = bus.to_string();
        let words = [
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "2000",
            "--cluster-replica-validity-factor",
            "0",
            "--min-replicas-to-write",
            "1",
            "--min-replicas-max-lag",
            "3",
            "--repl-diskless-sync-delay",
            "0",
            "--cluster-port",
            &port,
        ];
        match start(Server::builder().program(program).free_port(), &words) {
            Ok(server) => return Ok((server, bus)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.context("a node")?)
}

fn first_slot(master: u16) -> u16 {
    if master == MASTERS {
        SLOTS
    } else {
        master * (SLOTS / MASTERS)
    }
}

impl Cluster {
    pub(crate) async fn start(program: &Path) -> anyhow::Result<Self> {
        let mut nodes = Vec::new();
        for _ in 0..NODES {
            nodes.push(node(program)?);
        }
        let mut eye = Eye::new(Place::Spread(Vec::new()));
        for (at, (server, _)) in (0..MASTERS).zip(&nodes) {
            let from = first_slot(at).to_string();
            let to = (first_slot(at + 1) - 1).to_string();
            let epoch = (at + 1).to_string();
            let own = ["CLUSTER", "SET-CONFIG-EPOCH", &epoch];
            let () = eye.ask_at(&server.url(), &own).await?;
            let slots = ["CLUSTER", "ADDSLOTSRANGE", &from, &to];
            let () = eye.ask_at(&server.url(), &slots).await?;
        }
        let first = nodes[0].0.url();
        for (server, bus) in &nodes[1..] {
            let port = server.port().context("a port")?.to_string();
            let words = ["CLUSTER", "MEET", "127.0.0.1", &port, &bus.to_string()];
            let () = eye.ask_at(&first, &words).await?;
        }
        let cluster = Self {
            nodes: nodes.into_iter().map(|(server, _)| server).collect(),
        };
        until("nodes that know each other", async || {
            for node in &cluster.nodes {
                let known = cluster.seen_by(node, &mut eye).await;
                if !known.is_ok_and(|all| all.len() == NODES && all.iter().all(|one| one.is_well)) {
                    return false;
                }
            }
            true
        })
        .await?;
        for at in 0..usize::from(MASTERS) {
            let id = cluster.id(at, &mut eye).await?;
            let replica = cluster.nodes[at + usize::from(MASTERS)].url();
            let words = ["CLUSTER", "REPLICATE", &id];
            let () = eye.ask_at(&replica, &words).await?;
        }
        cluster.settle(&mut eye).await?;
        Ok(cluster)
    }

    async fn id(&self, at: usize, eye: &mut Eye) -> anyhow::Result<String> {
        let url = self.nodes[at].url();
        eye.ask_at(&url, &["CLUSTER", "MYID"]).await
    }

    /// All nodes, as this one sees them.
    async fn seen_by(&self, node: &Server, eye: &mut Eye) -> anyhow::Result<Vec<Node>> {
        let text: String = eye.ask_at(&node.url(), &["CLUSTER", "NODES"]).await?;
        let nodes = text.lines().filter_map(|line| {
            let words: Vec<_> = line.split(' ').collect();
            let (address, _) = words.get(1)?.split_once('@')?;
            let flags = words.get(2)?;
            Some(Node {
                id: (*words.first()?).to_owned(),
                port: address.rsplit_once(':')?.1.parse().ok()?,
                is_master: flags.contains("master"),
                is_well: !flags.contains("fail") && !flags.contains("handshake"),
                master: (*words.get(3)?).to_owned(),
                slots: words.len() > 8,
            })
        });
        Ok(nodes.collect())
    }

    /// Whether all nodes see three masters with slots and a replica each, all well, and the replicas follow.
    async fn is_whole(&self, eye: &mut Eye) -> bool {
        for node in &self.nodes {
            let Ok(all) = self.seen_by(node, eye).await else {
                return false;
            };
            let mut replicas: BTreeMap<&str, usize> = BTreeMap::new();
            for replica in all.iter().filter(|one| !one.is_master) {
                *replicas.entry(&replica.master).or_default() += 1;
            }
            let masters: Vec<_> = all.iter().filter(|one| one.is_master).collect();
            let is_whole = all.len() == NODES
                && all.iter().all(|one| one.is_well)
                && masters.len() == usize::from(MASTERS)
                && masters
                    .iter()
                    .all(|one| one.slots && replicas.contains_key(one.id.as_str()));
            let info: anyhow::Result<String> =
                eye.ask_at(&node.url(), &["INFO", "replication"]).await;
            let follows = info.is_ok_and(|info| {
                info.contains("state=online") || info.contains("master_link_status:up")
            });
            let state: anyhow::Result<String> = eye.ask_at(&node.url(), &["CLUSTER", "INFO"]).await;
            let is_up = state.is_ok_and(|state| state.contains("cluster_state:ok"));
            if !is_whole || !follows || !is_up {
                return false;
            }
        }
        true
    }

    async fn settle(&self, eye: &mut Eye) -> anyhow::Result<()> {
        until("a whole cluster", async || self.is_whole(eye).await).await
    }

    /// One of the masters and its replica, by their places.
    async fn pair(&self, dice: Dice, eye: &mut Eye) -> anyhow::Result<(usize, usize)> {
        let all = self.seen_by(&self.nodes[0], eye).await?;
        let place = |port: u16| {
            let place = self.nodes.iter().position(|one| one.port() == Some(port));
            place.context("a node that is none of ours")
        };
        // By place, so that the same seed means the same one for as long as the same ones are masters.
        let mut masters = Vec::new();
        for master in all.iter().filter(|one| one.is_master) {
            let replica = all.iter().find(|one| one.master == master.id);
            let replica = replica.context("a master without a replica")?;
            masters.push((place(master.port)?, place(replica.port)?));
        }
        masters.sort_unstable();
        Ok(masters[dice.of(masters.len())])
    }

    /// Waits until this replica is the master.
    async fn promoted(&self, replica: usize, eye: &mut Eye) -> anyhow::Result<()> {
        let url = self.nodes[replica].url();
        until("a replica that takes over", async || {
            let info: anyhow::Result<String> = eye.ask_at(&url, &["INFO", "replication"]).await;
            info.is_ok_and(|info| info.contains("role:master"))
        })
        .await
    }

    /// Moves the slot of a stream, with the stream and all that belongs to it, to the next master.
    async fn move_slot(&self, dice: Dice, eye: &mut Eye) -> anyhow::Result<()> {
        let streams = consumed(true);
        let stream = streams[dice.of(streams.len())];
        let slot = eye.slot(&self.nodes[0].url(), stream).await?.to_string();
        let from = eye.master(stream).await?;
        let all = self.seen_by(&self.nodes[0], eye).await?;
        let mut masters: Vec<_> = all.iter().filter(|one| one.is_master).collect();
        masters.sort_by_key(|one| one.port);
        let at = masters
            .iter()
            .position(|one| from.ends_with(&format!(":{}", one.port)));
        let at = at.context("the stream's master")?;
        let (source, target) = (masters[at], masters[(at + 1) % masters.len()]);
        let to = format!("redis://127.0.0.1:{}", target.port);
        let set = ["CLUSTER", "SETSLOT", &slot];
        let () = eye
            .ask_at(&to, &[&set[..], &["IMPORTING", &source.id]].concat())
            .await?;
        let () = eye
            .ask_at(&from, &[&set[..], &["MIGRATING", &target.id]].concat())
            .await?;
        let port = target.port.to_string();
        until("an empty slot", async || {
            let find = ["CLUSTER", "GETKEYSINSLOT", &slot, "100"];
            let keys: anyhow::Result<Vec<String>> = eye.ask_at(&from, &find).await;
            let Ok(keys) = keys else { return false };
            let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            words.extend(keys.iter().map(String::as_str));
            if !keys.is_empty() {
                // What did not move is found again.
                let _: anyhow::Result<redis::Value> = eye.ask_at(&from, &words).await;
            }
            keys.is_empty()
        })
        .await?;
        let node = [&set[..], &["NODE", &target.id]].concat();
        let () = eye.ask_at(&to, &node).await?;
        let () = eye.ask_at(&from, &node).await?;
        for other in masters
            .iter()
            .filter(|one| ![source.id.as_str(), &target.id].contains(&one.id.as_str()))
        {
            let url = format!("redis://127.0.0.1:{}", other.port);
            let () = eye.ask_at(&url, &node).await?;
        }
        Ok(())
    }

    /// What the master had and the replica had not is lost.
    fn after_failover(began: Instant) -> After {
        After::excuse(Excuse {
            from: began.checked_sub(REACH).unwrap_or(began),
            to: Instant::now(),
            unless_replicated: false,
        })
    }
}

impl Ground for Cluster {
    const NAME: &'static str = "cluster";
    const SETS_CLOCK: bool = false;
    const IS_CLUSTER: bool = true;
    const HAS_REPLICAS: bool = true;
    const CAN_FLUSH: bool = false;
    const FAULTS: &'static [(Fault, u32)] = &[
        (Fault::Kill, 20),
        (Fault::KillHalf, 3),
        (Fault::Freeze, 8),
        (Fault::RollingDeploy, 1),
        (Fault::ClientKill, 8),
        (Fault::Handover, 5),
        (Fault::SlotMoved, 6),
        (Fault::MasterKilled, 3),
        (Fault::MasterFrozen, 2),
    ];

    fn ways(&self) -> Vec<Endpoint> {
        let hosts: Vec<_> = self
            .nodes
            .iter()
            .filter_map(Server::port)
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        let url = format!("redis+cluster://{}", hosts.join(","));
        url.parse().into_iter().collect()
    }

    fn place(&self) -> Place {
        Place::Spread(self.nodes.iter().map(Server::url).collect())
    }

    async fn inflict(&mut self, fault: Fault, dice: Dice, eye: &mut Eye) -> anyhow::Result<After> {
        let began = Instant::now();
        let after = match fault {
            Fault::ClientKill => {
                for node in &self.nodes {
                    let words = ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"];
                    let _: anyhow::Result<u64> = eye.ask_at(&node.url(), &words).await;
                }
                return Ok(After::default());
            }
            Fault::Handover => {
                let (_, replica) = self.pair(dice, eye).await?;
                let url = self.nodes[replica].url();
                let () = eye.ask_at(&url, &["CLUSTER", "FAILOVER"]).await?;
                self.promoted(replica, eye).await?;
                // The master waits until its replica has everything, so nothing may be missing.
                After::default()
            }
            Fault::SlotMoved => {
                self.move_slot(dice, eye).await?;
                After::default()
            }
            Fault::MasterKilled => {
                let (master, replica) = self.pair(dice, eye).await?;
                kill(&mut self.nodes[master]);
                self.promoted(replica, eye).await?;
                restart(&mut self.nodes[master])?;
                Self::after_failover(began)
            }
            Fault::MasterFrozen => {
                let (master, replica) = self.pair(dice, eye).await?;
                self.nodes[master].pause()?;
                let promoted = self.promoted(replica, eye).await;
                self.nodes[master].resume()?;
                promoted?;
                Self::after_failover(began)
            }
            _ => return Ok(After::skipped()),
        };
        self.settle(eye).await?;
        Ok(after)
    }

    async fn undo(&mut self, _: &Undo, _: &mut Eye) -> anyhow::Result<()> {
        Ok(())
    }
}
