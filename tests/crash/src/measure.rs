//! How long a take-over takes, how long a hand-over, and whose message is stolen: with workers that are killed, stopped and frozen,
//! and no other faults. All times are the server's: those of its clock, and of the ids that it gave to effects.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use maestro_redis_server::Server;
use maestro_streams::{Admin, Endpoint, EntryId, Publisher};
use tempfile::TempDir;
use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::fleet::{Fleet, Setting};
use crate::ground::Clock;
use crate::load::{Job, Kind};
use crate::names::{EFFECTS, GROUP, LEASE};
use crate::place::{Eye, Place};
use crate::report::{Measured, Spread};

/// For anything that is waited for here.
const PATIENCE: Duration = Duration::from_mins(1);
/// Messages that are in hand when their worker is killed or stopped, each time.
const AT_ONCE: u32 = 12;
/// What must hold, in leases at the 99th percentile.
const TAKEOVER: f64 = 1.5;
/// How far the clock goes back while a holder is dead, and how many leases the take-over may take then: a look by the housekeeping
/// comes first.
const SET_BACK: Duration = Duration::from_hours(1);
const TAKEOVER_SET_BACK: f64 = 3.0;
/// And in milliseconds.
const HANDOVER: f64 = 1000.0;

/// Everything, at the same time, each on a server of its own.
pub(crate) async fn measure(
    program: &Path,
    slack: f64,
    logs: Option<&PathBuf>,
) -> anyhow::Result<Measured> {
    let bench = |name: &'static str, lease| {
        let logs = logs.map(|logs| logs.join(name));
        Bench::new(program, lease, logs)
    };
    let (takeovers, handovers, marathon, thawed, set_back) = tokio::try_join!(
        async { bench("takeover", LEASE).await?.takeovers().await },
        // A lease so long that nobody would wait for it.
        async { bench("handover", LEASE * 10).await?.handovers().await },
        async { bench("marathon", LEASE).await?.marathon().await },
        async { bench("frozen", LEASE).await?.frozen().await },
        async { bench("set-back", LEASE).await?.set_back().await },
    )?;
    let mut measured = Measured {
        takeover: Spread::of(takeovers),
        handover_ms: Spread::of(handovers),
        longest_handler_leases: 20,
        takeover_set_back: set_back,
        thawed: thawed.0,
        violations: [marathon, thawed.1].concat(),
    };
    let (take, hand) = (measured.takeover.p99, measured.handover_ms.p99);
    if take >= TAKEOVER * slack {
        let what = format!("a take-over took {take:.2} leases at the 99th percentile");
        measured.violations.push(what);
    }
    if set_back.is_some_and(|leases| leases >= TAKEOVER_SET_BACK * slack) {
        let what = format!("a take-over took {set_back:?} leases after the clock was set back");
        measured.violations.push(what);
    }
    if hand >= HANDOVER * slack {
        let what = format!("a hand-over took {hand:.0} ms at the 99th percentile");
        measured.violations.push(what);
    }
    Ok(measured)
}

/// A server with a small fleet.
struct Bench {
    eye: Eye,
    publisher: Publisher,
    fleet: Fleet,
    lease: Duration,
    next: u32,
    /// `None` where clocks cannot be set.
    clock: Option<Clock>,
    _server: Server,
    directory: TempDir,
}

/// Who has a message in hand, and the how-manieth delivery it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Holder {
    name: String,
    deliveries: u64,
}

/// What stands in Redis of an effect.
#[derive(Debug, Clone)]
struct Effect {
    ms: u64,
    by: String,
    deliveries: String,
}

type Entries = Vec<(String, Vec<(String, String)>)>;

impl Bench {
    async fn new(program: &Path, lease: Duration, logs: Option<PathBuf>) -> anyhow::Result<Self> {
        let directory = TempDir::new().context("a temporary directory")?;
        let (clock, program) = match Clock::new(directory.path(), program)? {
            Some((clock, program)) => (Some(clock), program),
            None => (None, program.to_path_buf()),
        };
        let server = Server::builder().program(program).free_port();
        let server = block_in_place(|| server.start())?;
        let endpoint: Endpoint = server.url().parse()?;
        let streams: Vec<_> = Kind::MEASURED.iter().map(|kind| kind.stream()).collect();
        let groups: Vec<_> = streams.iter().map(|stream| (*stream, GROUP)).collect();
        Admin::new(&endpoint, "")?.ensure_groups(&groups).await?;
        let mut fleet = Fleet::new(Setting {
            urls: vec![server.url()],
            streams,
            lease,
            holds: Some(directory.path().to_path_buf()),
            logs,
        });
        fleet.scale(3).await?;
        Ok(Self {
            eye: Eye::new(Place::One(server.url())),
            publisher: Publisher::new(&endpoint, "")?,
            fleet,
            lease,
            next: 0,
            clock,
            _server: server,
            directory,
        })
    }

    /// Publishes so many. Returns them with their entry ids.
    async fn publish(&mut self, kind: Kind, n: u32) -> anyhow::Result<(Vec<Job>, Vec<EntryId>)> {
        let numbers = self.next..self.next + n;
        self.next += n;
        let jobs: Vec<_> = numbers.map(|n| Job { round: 0, kind, n }).collect();
        let messages: Vec<_> = jobs.iter().map(crate::producer::message).collect();
        let ids = self.publisher.publish(&messages).await?;
        Ok((jobs, ids))
    }

    /// Publishes so many that take long, and waits until all are in hand. Returns them, each with its holder.
    async fn give(&mut self, kind: Kind, n: u32) -> anyhow::Result<Vec<(Job, String)>> {
        let (jobs, ids) = self.publish(kind, n).await?;
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let held = self.held(kind).await?;
            let found: Vec<_> = ids
                .iter()
                .filter_map(|id| held.get(&id.to_string()))
                .collect();
            // Delivered is not yet begun, and only what was begun is held by nobody else.
            let trace = |job: &Job| self.directory.path().join(job.to_string());
            let are_begun = kind != Kind::Hold || jobs.iter().all(|job| trace(job).exists());
            if found.len() == jobs.len() && are_begun {
                let names = found.into_iter().map(|holder| holder.name.clone());
                return Ok(jobs.into_iter().zip(names).collect());
            }
            sleep(Duration::from_millis(5)).await;
        }
        bail!("not in hand after {PATIENCE:?}")
    }

    /// What is in hand, by entry id.
    async fn held(&mut self, kind: Kind) -> anyhow::Result<HashMap<String, Holder>> {
        let words = ["XPENDING", kind.stream(), GROUP, "-", "+", "1000"];
        let rows: Vec<(String, String, u64, u64)> = self.eye.ask("", &words).await?;
        let rows = rows
            .into_iter()
            .map(|(id, name, _, deliveries)| (id, Holder { name, deliveries }));
        Ok(rows.collect())
    }

    /// All effects, by the published id.
    async fn effects(&mut self) -> anyhow::Result<HashMap<String, Vec<Effect>>> {
        let entries: Entries = self.eye.ask("", &["XRANGE", EFFECTS, "-", "+"]).await?;
        let mut effects: HashMap<String, Vec<Effect>> = HashMap::new();
        for (id, fields) in entries {
            let get = |name: &str| {
                let field = fields.iter().find(|(field, _)| field == name);
                field.map(|(_, value)| value.clone()).unwrap_or_default()
            };
            effects.entry(get("of")).or_default().push(Effect {
                ms: id.parse::<EntryId>()?.ms,
                by: get("by"),
                deliveries: get("deliveries"),
            });
        }
        Ok(effects)
    }

    /// Waits for the effects of these.
    async fn await_effects(
        &mut self,
        jobs: &[Job],
    ) -> anyhow::Result<HashMap<String, Vec<Effect>>> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let effects = self.effects().await?;
            if jobs
                .iter()
                .all(|job| effects.contains_key(&job.to_string()))
            {
                return Ok(effects);
            }
            sleep(Duration::from_millis(10)).await;
        }
        bail!("no effects of {jobs:?} after {PATIENCE:?}")
    }

    /// Milliseconds since 1970, as the server has it.
    async fn now(&mut self) -> anyhow::Result<u64> {
        let (seconds, micros): (u64, u64) = self.eye.ask("", &["TIME"]).await?;
        Ok(seconds * 1000 + micros / 1000)
    }

    /// From the end of each holder to the effects of what it held, in milliseconds. `kill` tells how it ends.
    async fn ends(&mut self, times: usize, kill: bool) -> anyhow::Result<Vec<f64>> {
        let mut took = Vec::new();
        while took.len() < times {
            // One has everything and the other nothing: what was lost is handled alone, so whoever takes it over first finishes
            // what it has itself, and what is held here is never finished.
            self.fleet.scale(1).await?;
            let given = self.give(Kind::Hold, AT_ONCE).await?;
            let holder = given[0].1.clone();
            let jobs: Vec<_> = given.iter().map(|(job, _)| *job).collect();
            self.fleet.spawn()?;
            self.await_readers(2).await?;
            let at = self.fleet.find(&holder).context("the holder")?;
            let from = self.now().await?;
            if kill {
                self.fleet.kill(at).await?;
            } else {
                self.fleet.terminate(at).await?;
            }
            let effects = self.await_effects(&jobs).await?;
            for job in jobs {
                let first = &effects[&job.to_string()][0];
                if first.by == holder {
                    bail!("{job} was finished by {holder}, which was to end");
                }
                let ms = first.ms.saturating_sub(from);
                took.push(f64::from(u32::try_from(ms)?));
            }
        }
        Ok(took)
    }

    /// SIGKILL to the effect by another, in leases.
    async fn takeovers(mut self) -> anyhow::Result<Vec<f64>> {
        let lease = self.lease.as_secs_f64() * 1000.0;
        let took = self.ends(150, true).await?;
        Ok(took.into_iter().map(|ms| ms / lease).collect())
    }

    /// As [`Bench::takeovers`], with a clock that is set back at the same moment. The longest; `None` where clocks cannot be set.
    async fn set_back(mut self) -> anyhow::Result<Option<f64>> {
        self.fleet.scale(1).await?;
        let given = self.give(Kind::Hold, AT_ONCE).await?;
        let victim = given[0].1.clone();
        let own: Vec<_> = given.iter().map(|(job, _)| *job).collect();
        self.fleet.spawn()?;
        self.await_readers(2).await?;
        let Some(clock) = &mut self.clock else {
            return Ok(None);
        };
        let at = self.fleet.find(&victim).context("the holder")?;
        let begun = Instant::now();
        self.fleet.kill(at).await?;
        clock.step(-i64::try_from(SET_BACK.as_millis())?)?;
        self.await_effects(&own).await?;
        Ok(Some(
            begun.elapsed().as_secs_f64() / self.lease.as_secs_f64(),
        ))
    }

    /// SIGTERM to the effect by another, in milliseconds.
    async fn handovers(mut self) -> anyhow::Result<Vec<f64>> {
        self.ends(100, false).await
    }

    /// Handlers of twenty leases keep what they have. Returns what is wrong.
    async fn marathon(mut self) -> anyhow::Result<Vec<String>> {
        let given = self.give(Kind::Marathon, 4).await?;
        let first = self.held(Kind::Marathon).await?;
        let mut violations = Vec::new();
        loop {
            let held = self.held(Kind::Marathon).await?;
            if held.is_empty() {
                break;
            }
            for (id, holder) in held {
                if first.get(&id) != Some(&holder) {
                    violations.push(format!("a handler of 20 leases lost {id} to {holder:?}"));
                    return Ok(violations);
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
        let effects = self.effects().await?;
        for (job, holder) in given {
            let of_it = effects.get(&job.to_string()).map_or(&[][..], Vec::as_slice);
            let is_right = matches!(of_it, [one] if one.by == holder && one.deliveries == "1");
            if !is_right {
                violations.push(format!("{job} ran 20 leases at {holder} and has {of_it:?}"));
            }
        }
        Ok(violations)
    }

    /// What a frozen worker has in hand goes to another, and what it does after its thaw changes nothing. Returns how many messages
    /// that were, and what is wrong.
    async fn frozen(mut self) -> anyhow::Result<(u64, Vec<String>)> {
        let (mut thawed, mut violations) = (0, Vec::new());
        // As often as it takes to have frozen a few with their hands full.
        while thawed < 12 && violations.is_empty() {
            let (jobs, _) = self.publish(Kind::Nap, 6).await?;
            let victim = self.any_holder(Kind::Nap).await?;
            let at = self.fleet.find(&victim).context("the victim")?;
            self.fleet.freeze(at);
            // What is still in hand now cannot be finished by it any more; the freeze was too late for the rest.
            let held = self.held(Kind::Nap).await?;
            let own = held.values().filter(|holder| holder.name == victim).count();
            self.await_effects(&jobs).await?;
            self.fleet.thaw(&victim);
            self.await_sign_of(&victim).await?;
            let effects = self.effects().await?;
            thawed += own as u64;
            let mut by_others = 0;
            for job in &jobs {
                let of_it = &effects[&job.to_string()];
                if of_it.len() != 1 {
                    violations.push(format!("{job} has {of_it:?} after the thaw of {victim}"));
                }
                by_others += usize::from(of_it[0].by != victim && of_it[0].deliveries != "1");
            }
            if by_others < own {
                violations.push(format!("{victim} was frozen and kept some of {jobs:?}"));
            }
        }
        Ok((thawed, violations))
    }

    /// Waits until so many wait for messages of [`Kind::Hold`].
    async fn await_readers(&mut self, n: usize) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            // A consumer that waits is not in the group before it has read something.
            let registry = format!("{{{}}}:workers", Kind::Hold.stream());
            let readers: Vec<String> = self.eye.ask("", &["HKEYS", &registry]).await?;
            let names = self.fleet.names();
            let fields = names.iter().map(|name| format!("{GROUP}/{name}"));
            let living = fields.filter(|field| readers.contains(field));
            if living.count() >= n {
                return Ok(());
            }
            sleep(Duration::from_millis(5)).await;
        }
        bail!("fewer than {n} read after {PATIENCE:?}")
    }

    /// Waits until somebody has one of these in hand.
    async fn any_holder(&mut self, kind: Kind) -> anyhow::Result<String> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(holder) = self.held(kind).await?.into_values().next() {
                return Ok(holder.name);
            }
            sleep(Duration::from_millis(2)).await;
        }
        bail!("nothing in hand after {PATIENCE:?}")
    }

    /// Waits until this worker has done something new, so that all it still had to say has been said.
    async fn await_sign_of(&mut self, name: &str) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let (jobs, _) = self.publish(Kind::Nap, 6).await?;
            let effects = self.await_effects(&jobs).await?;
            let by_it = |job: &Job| effects[&job.to_string()][0].by == name;
            if jobs.iter().any(by_it) {
                return Ok(());
            }
        }
        bail!("{name} does nothing after its thaw")
    }
}
