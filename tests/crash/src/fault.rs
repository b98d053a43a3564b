//! What is done to the fleet and to Redis, and in which order: a function of the seed alone.

use std::time::Duration;

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// SIGKILL to one worker.
    Kill,
    /// SIGKILL to every other worker at once.
    KillHalf,
    /// SIGSTOP to one worker for one and a half to four leases, then SIGCONT.
    Freeze,
    /// SIGTERM to one after another, with a new one started for each.
    RollingDeploy,
    /// Down to one worker, up to ten, down to two.
    Scale,
    /// Connections through the proxy are cut, all at once.
    Cut,
    /// The proxy goes silent and keeps its connections, then cuts them.
    HalfOpen,
    /// The proxy is slow.
    Slow,
    /// The proxy cuts a connection after a commit has reached Redis and before its reply.
    CommitCut,
    /// `CLIENT KILL TYPE normal`.
    ClientKill,
    /// `CLIENT PAUSE`.
    ClientPause,
    /// Redis is shut down and started again.
    Restart,
    /// Redis is killed while it has `appendfsync always`.
    KillAlways,
    /// Redis is killed while it has `appendfsync everysec`.
    KillEverysec,
    /// `XGROUP DESTROY`.
    GroupDestroyed,
    /// The server's clock jumps back.
    ClockBack,
    /// The server's clock jumps forward.
    ClockForward,
    /// The limit of memory is reached for a while.
    OutOfMemory,
    /// The master is asked to hand over to its replica.
    Handover,
    /// The master is killed, its replica takes over, and it comes back as a replica.
    MasterKilled,
    /// The master freezes until its replica has taken over, and then finds that it is none any more.
    MasterFrozen,
    /// A slot, with a stream and all that belongs to it, moves to another master.
    SlotMoved,
}

impl Fault {
    /// For tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "worker killed",
            Self::KillHalf => "half of the workers killed",
            Self::Freeze => "worker frozen",
            Self::RollingDeploy => "rolling deploy",
            Self::Scale => "replicas 1, 10, 2",
            Self::Cut => "connections cut",
            Self::HalfOpen => "connections half-open",
            Self::Slow => "connections slow",
            Self::CommitCut => "cut inside a commit",
            Self::ClientKill => "CLIENT KILL",
            Self::ClientPause => "CLIENT PAUSE",
            Self::Restart => "Redis restarted",
            Self::KillAlways => "Redis killed, fsync always",
            Self::KillEverysec => "Redis killed, fsync everysec",
            Self::GroupDestroyed => "group destroyed",
            Self::ClockBack => "clock back",
            Self::ClockForward => "clock forward",
            Self::OutOfMemory => "memory full",
            Self::Handover => "handed over to the replica",
            Self::MasterKilled => "master killed, failed over",
            Self::MasterFrozen => "master frozen, failed over",
            Self::SlotMoved => "slot moved",
        }
    }
}

/// A fault, and what comes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// After this long.
    pub(crate) pause: Duration,
    pub(crate) fault: Fault,
    /// Decides what the fault leaves open: which worker, how long.
    pub(crate) dice: Dice,
}

/// A number that was thrown when the schedule was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dice(u32);

impl Dice {
    /// One of so many; 0 if there is nothing to choose from.
    pub(crate) fn of(self, many: usize) -> usize {
        usize::try_from(self.0).unwrap_or(0) % many.max(1)
    }

    /// Between these.
    pub(crate) fn between(self, least: Duration, most: Duration) -> Duration {
        least + most.saturating_sub(least) * (self.0 % 1000) / 1000
    }
}

/// The endless sequence of faults of a seed.
#[derive(Debug)]
pub(crate) struct Schedule {
    random: fastrand::Rng,
    weights: &'static [(Fault, u32)],
}

impl Schedule {
    /// Faults in proportion to their weights.
    pub(crate) fn new(seed: u64, weights: &'static [(Fault, u32)]) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            weights,
        }
    }
}

impl Iterator for Schedule {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let sum = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut left = self.random.u32(0..sum);
        let (fault, _) = self.weights.iter().find(|(_, weight)| {
            let found = left < *weight;
            left = left.saturating_sub(*weight);
            found
        })?;
        Some(Step {
            pause: Duration::from_millis(self.random.u64(50..700)),
            fault: *fault,
            dice: Dice(self.random.u32(..)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEIGHTS: &[(Fault, u32)] = &[(Fault::Kill, 3), (Fault::Cut, 1), (Fault::Slow, 0)];

    #[test]
    fn the_same_seed_gives_the_same_faults_and_pauses() {
        let all = |seed| Schedule::new(seed, WEIGHTS).take(200).collect::<Vec<_>>();
        assert_eq!(all(7), all(7));
        assert_ne!(all(7), all(8));
    }

    #[test]
    fn faults_come_in_proportion_to_their_weights() {
        let count = |fault| {
            let steps = Schedule::new(1, WEIGHTS).take(4000);
            steps.filter(|step| step.fault == fault).count()
        };
        assert!((2800..3200).contains(&count(Fault::Kill)));
        assert!((800..1200).contains(&count(Fault::Cut)));
        assert_eq!(count(Fault::Slow), 0);
    }
}
