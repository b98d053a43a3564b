//! One scenario: rounds of publishing under faults, each followed by quiet and a check of what stands in Redis.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use maestro_streams::{Admin, CancellationToken, GroupStatus, StreamStatus};
use tokio::task::JoinHandle;
use tokio::time::{sleep, sleep_until};

use crate::check::{Round, check};
use crate::fault::{Dice, Fault, Schedule, Step};
use crate::fleet::{Fleet, Setting};
use crate::ground::{Excuse, Ground, Undo};
use crate::leftovers::Standing;
use crate::load::{Job, Kind};
use crate::names::{
    EFFECTS, GROUP, HOP, LEASE, all_lanes, config, consumed, has_urgent_lane, lanes,
};
use crate::place::Eye;
use crate::producer::{self, Order, Published, Way};
use crate::report::Scenario;

/// How many workers there are unless a fault changes it.
const WORKERS: usize = 4;
/// How long it may take until all is quiet after the last fault.
const PATIENCE: Duration = Duration::from_mins(2);
/// What a server may hold more after a round than before the first.
const LEFT: u64 = 3 << 19;

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) duration: Duration,
    /// How long one round publishes.
    pub(crate) round: Duration,
    /// Fast messages a second.
    pub(crate) rate: u32,
    pub(crate) logs: Option<PathBuf>,
}

/// A scenario while it runs.
struct Campaign<G> {
    ground: G,
    eye: Eye,
    admin: Admin,
    fleet: Fleet,
    schedule: Schedule,
    streams: Vec<&'static str>,
    undos: Vec<(Instant, Undo)>,
    excuses: Vec<Excuse>,
    report: Scenario,
}

/// Runs it. The report has the violations; an error is one of the suite itself.
pub(crate) async fn run<G: Ground>(ground: G, plan: &Plan) -> anyhow::Result<Scenario> {
    let begun = Instant::now();
    let ways = ground.ways();
    let streams = consumed(G::IS_CLUSTER);
    let direct = ways.first().context("no way to Redis")?;
    let fleet = Fleet::new(Setting {
        urls: ways.iter().map(ToString::to_string).collect(),
        streams: streams.clone(),
        lease: LEASE,
        holds: None,
        logs: plan.logs.as_ref().map(|logs| logs.join(G::NAME)),
    });
    let mut campaign = Campaign {
        eye: Eye::new(ground.place()),
        admin: Admin::new(direct, "")?,
        fleet,
        schedule: Schedule::new(plan.seed, G::FAULTS),
        undos: Vec::new(),
        excuses: Vec::new(),
        report: Scenario {
            name: G::NAME,
            ..Scenario::default()
        },
        streams,
        ground,
    };
    let groups: Vec<_> = campaign.streams.iter().map(|name| (*name, GROUP)).collect();
    campaign.admin.ensure_groups(&groups).await?;
    let urgent = groups.iter().filter(|(name, _)| has_urgent_lane(name));
    let urgent: Vec<_> = urgent.copied().collect();
    campaign.admin.ensure_urgent_groups(&urgent).await?;
    let before = campaign.memory().await?;
    while begun.elapsed() < plan.duration && campaign.report.violations.is_empty() {
        let left = plan.duration.saturating_sub(begun.elapsed());
        campaign.round(plan, left.min(plan.round), before).await?;
    }
    campaign.report.seconds = begun.elapsed().as_secs();
    Ok(campaign.report)
}

impl<G: Ground> Campaign<G> {
    async fn round(&mut self, plan: &Plan, length: Duration, before: u64) -> anyhow::Result<()> {
        let round = self.report.rounds;
        self.report.rounds += 1;
        self.excuses.clear();
        self.fleet.scale(WORKERS).await?;
        if G::CAN_FLUSH && round % 3 == 1 {
            self.flush(round).await?;
        }
        let published = Arc::new(Published::default());
        let stop = CancellationToken::new();
        let order = Order {
            seed: plan.seed,
            round,
            rate: plan.rate,
            way: if G::HAS_REPLICAS {
                Way::Waiting(self.ground.place())
            } else {
                Way::Publisher(self.ground.ways().pop().context("no way to Redis")?)
            },
        };
        let producing = tokio::spawn(producer::run(order, published.clone(), stop.clone()));
        let watching = self.watch(published.clone());
        self.faults(Instant::now() + length).await?;
        stop.cancel();
        producing.await.context("the producer")??;
        watching.abort();
        self.fleet.scale(WORKERS).await?;

        let quiet = Instant::now();
        let settled = self.settle().await?;
        let took = u64::try_from(quiet.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.report.settled_ms = self.report.settled_ms.max(took);
        let batches = published.batches();
        let asked = Round {
            seed: plan.seed,
            number: round,
            is_cluster: G::IS_CLUSTER,
            server_clock_stands: !G::SETS_CLOCK,
            batches: &batches,
            excuses: &self.excuses,
        };
        let verdict = check(&mut self.eye, asked).await?;
        let line = format!(
            "{}: round {round}, {} messages, {} faults so far, quiet after {took} ms, lost {}, doubled {}",
            G::NAME,
            verdict.messages,
            self.report.all_faults(),
            verdict.lost,
            verdict.doubled
        );
        say(&line);
        // At once: what comes after may end the run.
        verdict
            .violations
            .iter()
            .for_each(|violation| say(violation));
        self.report.add(verdict);
        if !settled {
            let status = self.admin.status(&self.streams).await;
            self.complain(&format!("not quiet after {PATIENCE:?}: {status:?}"));
            return Ok(());
        }
        self.leave_no_trace(before).await
    }

    fn complain(&mut self, what: &str) {
        let round = self.report.rounds - 1;
        let what = format!("round {round}: {what}");
        say(&what);
        self.report.violations.push(what);
    }

    /// Lets the faults of the schedule happen until then, and puts an end to all of them.
    async fn faults(&mut self, end: Instant) -> anyhow::Result<()> {
        let mut next = self.schedule.next().context("an endless schedule")?;
        let mut at = Instant::now() + next.pause;
        loop {
            let died = self.fleet.replace_dead()? as u64;
            if died > 0 {
                self.report.count("worker ended by a message", died);
            }
            let now = Instant::now();
            if now >= end {
                break;
            }
            self.undo_until(now).await?;
            if now >= at {
                self.inflict(next).await?;
                next = self.schedule.next().context("an endless schedule")?;
                at = Instant::now() + next.pause;
            }
            let soon = now + Duration::from_millis(50);
            sleep_until(at.min(end).min(soon).into()).await;
        }
        while let Some(last) = self.undos.iter().map(|(at, _)| *at).max() {
            sleep_until(last.into()).await;
            self.undo_until(last).await?;
        }
        Ok(())
    }

    async fn undo_until(&mut self, now: Instant) -> anyhow::Result<()> {
        self.undos.sort_by_key(|(at, _)| *at);
        while self.undos.first().is_some_and(|(at, _)| *at <= now) {
            let (_, undo) = self.undos.remove(0);
            match &undo {
                Undo::Thaw(name) => self.fleet.thaw(name),
                _ => self.ground.undo(&undo, &mut self.eye).await?,
            }
        }
        Ok(())
    }

    async fn inflict(&mut self, Step { fault, dice, .. }: Step) -> anyhow::Result<()> {
        if self.inflict_on_workers(fault, dice).await? {
            self.report.count(fault.name(), 1);
            return Ok(());
        }
        let after = self.ground.inflict(fault, dice, &mut self.eye).await;
        let after = after.with_context(|| format!("the fault \"{}\"", fault.name()))?;
        if !after.skipped {
            self.report.count(fault.name(), 1);
        }
        let undo = after.undo.into_iter();
        self.undos
            .extend(undo.map(|(after, undo)| (Instant::now() + after, undo)));
        self.excuses.extend(after.excuse);
        Ok(())
    }

    /// Whether this was one for them.
    async fn inflict_on_workers(&mut self, fault: Fault, dice: Dice) -> anyhow::Result<bool> {
        let victim = dice.of(self.fleet.len());
        match fault {
            Fault::Kill => {
                self.fleet.kill(victim).await?;
                self.fleet.spawn()?;
            }
            Fault::KillHalf => {
                for at in (0..self.fleet.len()).rev().step_by(2) {
                    self.fleet.kill(at).await?;
                }
                self.fleet.scale(WORKERS).await?;
            }
            Fault::Freeze => {
                let name = self.fleet.freeze(victim);
                let until = Instant::now() + dice.between(LEASE * 3 / 2, LEASE * 4);
                self.undos.push((until, Undo::Thaw(name)));
            }
            Fault::RollingDeploy => {
                for _ in 0..self.fleet.len() {
                    self.fleet.spawn()?;
                    self.fleet.terminate(0).await?;
                }
            }
            Fault::Scale => {
                for size in [1, 10, 2] {
                    self.fleet.scale(size).await?;
                    sleep(dice.between(LEASE / 2, LEASE * 2)).await;
                }
                self.fleet.scale(WORKERS).await?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `FLUSHALL` under a living fleet: what was there is gone, as one has to expect, and what comes afterwards is handled.
    async fn flush(&mut self, round: u32) -> anyhow::Result<()> {
        let stream = Kind::Fast.stream();
        let mut pipeline = redis::pipe();
        for n in 0..2000 {
            let kind = Kind::Fast;
            let id = Job {
                round: round + 1_000_000,
                kind,
                n,
            }
            .to_string();
            pipeline.cmd("XADD").arg(stream).arg("*");
            pipeline.arg("id").arg(&id).arg("of").arg(&id).ignore();
        }
        let () = self.eye.send(stream, &pipeline).await?;
        let () = self.eye.insist(stream, &["FLUSHALL"]).await?;
        self.report.count("FLUSHALL", 1);
        Ok(())
    }

    /// Tells the producer how far the workers are.
    fn watch(&self, published: Arc<Published>) -> JoinHandle<()> {
        let mut eye = Eye::new(self.ground.place());
        let ledger = ledger(G::IS_CLUSTER);
        tokio::spawn(async move {
            loop {
                if let Ok(n) = eye.ask(&ledger, &["XLEN", &ledger]).await {
                    published.set_effects(n);
                }
                sleep(Duration::from_millis(200)).await;
            }
        })
    }

    /// Waits until nothing is waiting, pending or delayed, and only the living are in the groups. `false` if it takes too long.
    async fn settle(&mut self) -> anyhow::Result<bool> {
        let begun = Instant::now();
        let mut quiet = 0;
        while quiet < 3 {
            if begun.elapsed() > PATIENCE {
                return Ok(false);
            }
            self.fleet.replace_dead()?;
            sleep(Duration::from_millis(150)).await;
            let names = self.fleet.names();
            let is_well = |delayed: u64, groups: &[GroupStatus]| {
                let members = |group: &GroupStatus| {
                    group.consumers.iter().all(|one| names.contains(&one.name))
                };
                delayed == 0
                    && groups.len() == 1
                    && groups
                        .iter()
                        .all(|group| group.backlog() == Some(0) && members(group))
            };
            let is_quiet = |status: &StreamStatus| {
                let urgent = status.urgent.as_ref();
                is_well(status.delayed, &status.groups)
                    && urgent.is_none_or(|lane| is_well(lane.delayed, &lane.groups))
            };
            let status = self.admin.status(&self.streams).await;
            if !self.are_registered(&names).await? {
                quiet = 0;
                continue;
            }
            // One look is not enough: a retry is between its stream and the delayed set for no time, but two commands see it so.
            quiet = match status {
                Ok(all) if all.iter().all(is_quiet) => quiet + 1,
                _ => 0,
            };
        }
        Ok(true)
    }

    /// Whether nobody else says that it is alive; the dead are found out after three leases.
    async fn are_registered(&mut self, names: &[String]) -> anyhow::Result<bool> {
        for (_, prefix) in all_lanes(G::IS_CLUSTER) {
            let registry = format!("{prefix}workers");
            let all: Vec<String> = self.eye.insist(&registry, &["HKEYS", &registry]).await?;
            let name = |field: &str| field.trim_start_matches("workers/").to_owned();
            if !all.iter().all(|field| names.contains(&name(field))) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Stops the workers, and looks for what they have left behind.
    async fn leave_no_trace(&mut self, before: u64) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut untrimmed = Vec::new();
        // Trimming goes by the server's clock, which may have gone back by some seconds.
        while begun.elapsed() < Duration::from_mins(1) {
            let status = self.admin.status(&self.streams).await?;
            let lengths = status.iter().flat_map(|one| {
                let urgent = one.urgent.as_ref().map_or(0, |lane| lane.length);
                [(&one.stream, one.length), (&one.stream, urgent)]
            });
            // Effects are kept for the check.
            let long = lengths.filter(|(stream, length)| *stream != EFFECTS && *length > 1);
            untrimmed = long
                .map(|(stream, length)| format!("{stream} ({length})"))
                .collect();
            if untrimmed.is_empty() {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        if !untrimmed.is_empty() {
            self.complain(&format!("not trimmed: {}", untrimmed.join(", ")));
        }
        self.fleet.stop().await?;
        for stream in self.streams.clone() {
            let status = self.admin.status(&[stream]).await?;
            let urgent = status.iter().filter_map(|one| one.urgent.as_ref());
            let urgent = urgent.flat_map(|lane| &lane.groups);
            let groups = status.iter().flat_map(|one| &one.groups).chain(urgent);
            let left: Vec<_> = groups.flat_map(|group| &group.consumers).collect();
            if !left.is_empty() {
                let what = format!("consumers of {stream} that nobody stands behind: {left:?}");
                self.complain(&what);
            }
            for lane in lanes(stream) {
                let registry = format!("{}workers", lane.1);
                let registered: Vec<String> =
                    self.eye.insist(&registry, &["HKEYS", &registry]).await?;
                if !registered.is_empty() {
                    self.complain(&format!("registered for {}: {registered:?}", lane.0));
                }
                for what in Standing::of(&mut self.eye, &lane).await?.complaints() {
                    self.complain(&what);
                }
            }
        }
        self.clear().await?;
        let begun = Instant::now();
        let mut left = u64::MAX;
        // Redis frees large keys beside its other work.
        let most = if G::IS_CLUSTER { LEFT * 3 } else { LEFT };
        while left > most && begun.elapsed() < Duration::from_secs(10) {
            left = self.memory().await?.saturating_sub(before);
            sleep(Duration::from_millis(50)).await;
        }
        self.report.left_bytes = self.report.left_bytes.max(left);
        if left > most {
            self.complain(&format!("Redis holds {left} bytes more than before"));
        }
        Ok(())
    }

    /// Deletes what is to be there after a round: effects, dead letters, and the marks of their window.
    async fn clear(&mut self) -> anyhow::Result<()> {
        let window = config(HOP, LEASE).dedup_window.as_secs();
        let (now, _): (u64, u64) = self.eye.insist(HOP, &["TIME"]).await?;
        let mut keys = vec![EFFECTS.to_owned()];
        if G::IS_CLUSTER {
            // A stream with a group, which stays.
            keys.clear();
            let words = ["XTRIM", EFFECTS, "MAXLEN", "0"];
            let _: u64 = self.eye.insist(EFFECTS, &words).await?;
        }
        for stream in &self.streams {
            keys.push(format!("{{{stream}}}:dead"));
            // They live for three windows, and a clock that went back has left some in the future.
            let windows = now / window - 4..=now / window + 4;
            keys.extend(windows.map(|number| format!("{{{stream}}}:seen:{number}")));
        }
        for key in keys {
            let _: u64 = self.eye.insist(&key, &["DEL", &key]).await?;
        }
        Ok(())
    }

    /// What the keys of all servers need, in bytes.
    async fn memory(&mut self) -> anyhow::Result<u64> {
        let streams = self.streams.clone();
        let begun = Instant::now();
        loop {
            let sum = self
                .eye
                .sum_of(&streams, "memory", "used_memory_dataset")
                .await;
            match sum {
                Err(_) if begun.elapsed() < Duration::from_secs(10) => {
                    sleep(Duration::from_millis(50)).await;
                }
                sum => return sum,
            }
        }
    }
}

/// The stream that has one entry for each effect.
fn ledger(is_cluster: bool) -> String {
    if is_cluster {
        format!("{{{EFFECTS}}}:dead")
    } else {
        EFFECTS.to_owned()
    }
}

/// One line about how it goes.
pub(crate) fn say(line: &str) {
    // Whoever reads it may have gone.
    let _ = writeln!(std::io::stderr(), "{line}");
}
