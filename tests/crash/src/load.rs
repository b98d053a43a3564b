//! What is published, how its handler behaves, and what must have become of it in the end.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How the handler of a message behaves. Each kind has a stream of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Done at once. One in eight goes through a second group before it counts.
    Fast,
    /// Tens of milliseconds.
    Slow,
    /// One to three leases.
    Long,
    /// Asks for another delivery once, twice or three times, then is done.
    Retry,
    /// One in three is refused for good.
    Dead,
    /// Panics the first time; one in five every time.
    Panic,
    /// Ends its whole process the first time; one in four every time.
    Fatal,
    /// Never ends the first time; done at once by whoever takes it over. For measuring.
    Hold,
    /// Twenty leases. For measuring.
    Marathon,
    /// Half a lease. For measuring.
    Nap,
}

/// What must have become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// One effect.
    Effect,
    /// A dead letter with this reason, and no effect.
    Dead(&'static str),
}

impl Kind {
    /// Those of a scenario's load.
    pub(crate) const LOAD: [Self; 7] = [
        Self::Fast,
        Self::Slow,
        Self::Long,
        Self::Retry,
        Self::Dead,
        Self::Panic,
        Self::Fatal,
    ];
    /// Those of the measurements.
    pub(crate) const MEASURED: [Self; 3] = [Self::Hold, Self::Marathon, Self::Nap];

    /// Its name, within ids.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Slow => "slow",
            Self::Long => "long",
            Self::Retry => "retry",
            Self::Dead => "dead",
            Self::Panic => "panic",
            Self::Fatal => "fatal",
            Self::Hold => "hold",
            Self::Marathon => "marathon",
            Self::Nap => "nap",
        }
    }

    /// The stream that it is published to.
    pub(crate) fn stream(self) -> &'static str {
        match self {
            Self::Fast => "jobs:fast",
            Self::Slow => "jobs:slow",
            Self::Long => "jobs:long",
            Self::Retry => "jobs:retry",
            Self::Dead => "jobs:dead",
            Self::Panic => "jobs:panic",
            Self::Fatal => "jobs:fatal",
            Self::Hold => "jobs:hold",
            Self::Marathon => "jobs:marathon",
            Self::Nap => "jobs:nap",
        }
    }

    /// Its place in [`Kind::LOAD`].
    pub(crate) fn place(self) -> Option<usize> {
        Self::LOAD.iter().position(|kind| *kind == self)
    }
}

/// One message, from which its id and everything that happens to it follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Job {
    /// In which round it was published.
    pub(crate) round: u32,
    /// How it behaves.
    pub(crate) kind: Kind,
    /// From 0, for each kind and round.
    pub(crate) n: u32,
}

impl Job {
    /// Whether it goes through a second group.
    pub(crate) fn is_chained(self) -> bool {
        self.kind == Kind::Fast && self.n.is_multiple_of(8)
    }

    /// Whether its handler says a word along the way, in each of its deliveries, which is to be said once.
    pub(crate) fn speaks(self) -> bool {
        matches!(self.kind, Kind::Slow | Kind::Long | Kind::Retry)
    }

    /// What must become of it.
    pub(crate) fn fate(self) -> Fate {
        match self.kind {
            Kind::Dead if self.n.is_multiple_of(3) => Fate::Dead("refused"),
            Kind::Panic if self.n.is_multiple_of(5) => Fate::Dead("exhausted"),
            Kind::Fatal if self.n.is_multiple_of(4) => Fate::Dead("exhausted"),
            _ => Fate::Effect,
        }
    }

    /// How long its handler sleeps, at least.
    pub(crate) fn nap(self, lease: Duration) -> Duration {
        match self.kind {
            Kind::Slow => Duration::from_millis(u64::from(10 + self.n % 5 * 10)),
            Kind::Long => lease * (12 + self.n % 3 * 8) / 10,
            Kind::Marathon => lease * 20,
            Kind::Nap => lease / 2,
            _ => Duration::ZERO,
        }
    }

    /// How often it asks to be delivered again.
    pub(crate) fn retries(self) -> u32 {
        1 + self.n % 3
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.round, self.kind.name(), self.n)
    }
}

/// A text that is no id of a [`Job`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoJob;

impl FromStr for Job {
    type Err = NoJob;

    fn from_str(id: &str) -> Result<Self, NoJob> {
        let mut parts = id.split('.');
        let mut next = || parts.next().ok_or(NoJob);
        let (round, name, n) = (next()?, next()?, next()?);
        let kind = Kind::LOAD
            .iter()
            .chain(&Kind::MEASURED)
            .find(|kind| kind.name() == name);
        Ok(Self {
            round: round.parse().map_err(|_| NoJob)?,
            kind: *kind.ok_or(NoJob)?,
            n: n.parse().map_err(|_| NoJob)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_everything_about_its_message() {
        for kind in Kind::LOAD.into_iter().chain(Kind::MEASURED) {
            let job = Job {
                round: 3,
                kind,
                n: 15,
            };
            assert_eq!(job.to_string().parse(), Ok(job));
        }
        assert_eq!("3.fast".parse::<Job>(), Err(NoJob));
        assert_eq!("3.other.1".parse::<Job>(), Err(NoJob));
    }
}
