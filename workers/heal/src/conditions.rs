//! What a run is made under, where it is not the plain one: which tests, in which order, with which seeds, and what
//! is recorded of them. A test whose outcome these decide is flaky; naming them makes it fail again.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

/// The conditions of one run; the default is the plain run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Conditions {
    /// The tests to run, by id; whatever lies in one of them runs too. Empty: all of the command.
    pub only: Vec<String>,
    /// Whether files in which none of [`Self::only`] lie are left unread: what importing them does to others is not asked about.
    pub narrow: bool,
    /// Their order.
    pub order: Order,
    /// [`PYTHONHASHSEED`](https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED), which decides the order
    /// in which a set of strings is walked through.
    #[serde(skip)]
    pub hash_seed: Option<u32>,
    /// What `random` (and numpy's) is seeded with before each test. `None`: not seeded.
    pub seed: Option<u32>,
    /// The seed of another order of every directory listing; 0 sorts it. `None`: as the file system has it.
    pub listing: Option<u32>,
    /// Whether to record what each test leaves otherwise than it found it.
    pub watch: bool,
    /// The tests whose lines are recorded.
    pub trace: Vec<String>,
    /// Whether the run has to have a process that was started for it alone.
    #[serde(skip)]
    pub apart: bool,
}

/// What of chance a laboratory can decide by a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chances {
    /// The order in which a set is walked through: [`Conditions::hash_seed`].
    pub hashes: bool,
    /// What is drawn at random: [`Conditions::seed`].
    pub draws: bool,
    /// The order of a directory's entries: [`Conditions::listing`].
    pub listings: bool,
}

impl Chances {
    /// Python's: everything.
    pub const ALL: Self = Self {
        hashes: true,
        draws: true,
        listings: true,
    };
    /// Node's: sets keep the order in which they were filled, and listings come sorted.
    pub const DRAWS: Self = Self {
        hashes: false,
        draws: true,
        listings: false,
    };
    /// Rust's: each process draws the keys of its hash maps anew, and nothing of it can be set from outside.
    pub const NONE: Self = Self {
        hashes: false,
        draws: false,
        listings: false,
    };
}

/// The order of the tests of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The runner's own.
    #[default]
    Given,
    /// The runner's own, backwards.
    Reversed,
    /// Shuffled with this seed.
    Shuffled(u32),
    /// That of [`Conditions::only`].
    Listed,
    /// None: all at the same time, again and again until one fails or the rounds are over.
    AtOnce,
}

impl Conditions {
    /// The plain run, in a process that is started for it alone.
    pub fn apart() -> Self {
        Self {
            apart: true,
            ..Self::default()
        }
    }

    /// Everything else than the tests themselves fixed by one number: a lawful run that can be made again.
    pub fn seeded(number: u32, chances: Chances) -> Self {
        Self {
            hash_seed: chances.hashes.then_some(number),
            seed: chances.draws.then_some(number),
            listing: chances.listings.then_some(number),
            ..Self::default()
        }
    }

    /// The same with the tests shuffled too.
    pub fn shuffled(number: u32, chances: Chances) -> Self {
        Self {
            order: Order::Shuffled(number),
            ..Self::seeded(number, chances)
        }
    }

    /// Whether they say which tests run, in which order, or by which draws.
    pub fn arranges(&self) -> bool {
        !self.only.is_empty() || self.order != Order::Given || self.seed.is_some()
    }

    /// These conditions for these tests alone, one after the other as listed; at the same time where that is what they
    /// say.
    #[must_use]
    pub fn listing_tests(&self, tests: &[String]) -> Self {
        Self {
            only: tests.to_vec(),
            order: match self.order {
                Order::AtOnce => Order::AtOnce,
                _ => Order::Listed,
            },
            ..self.clone()
        }
    }

    /// What the probe reads; `None` where there is nothing to read.
    pub fn plan(&self) -> Option<String> {
        let of_the_probe = Self {
            hash_seed: None,
            apart: false,
            ..self.clone()
        };
        (of_the_probe != Self::default())
            .then(|| serde_json::to_string(self).ok())
            .flatten()
    }

    /// The variables that they take.
    pub fn variables(&self) -> BTreeMap<String, String> {
        self.hash_seed
            .iter()
            .map(|seed| ("PYTHONHASHSEED".to_owned(), seed.to_string()))
            .collect()
    }
}

/// For people: `tests reversed, PYTHONHASHSEED=3`.
impl std::fmt::Display for Conditions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut said = match (self.order, self.only.as_slice()) {
            (Order::Given, []) => "tests as given".to_owned(),
            (Order::AtOnce, []) => "tests at the same time".to_owned(),
            (Order::AtOnce, several) => several.join(" beside "),
            (Order::Reversed, _) => "tests reversed".to_owned(),
            (Order::Shuffled(seed), _) => format!("tests shuffled with seed {seed}"),
            (_, [only]) => format!("{only} alone"),
            (_, several) => several.join(", then "),
        };
        for (name, seed) in [
            ("PYTHONHASHSEED", self.hash_seed),
            ("seed of random", self.seed),
            ("seed of directory listings", self.listing),
        ] {
            if let Some(seed) = seed {
                let _ = write!(said, ", {name}={seed}");
            }
        }
        f.write_str(&said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_run_has_no_plan_and_a_hash_seed_alone_is_a_variable() {
        assert_eq!(Conditions::default().plan(), None);
        let hashed = Conditions {
            hash_seed: Some(7),
            ..Conditions::default()
        };
        assert_eq!(hashed.plan(), None);
        assert_eq!(hashed.variables()["PYTHONHASHSEED"], "7");
    }

    #[test]
    fn the_plan_is_what_the_probe_reads() {
        let plan = Conditions::shuffled(3, Chances::ALL).plan().unwrap();
        let read: serde_json::Value = serde_json::from_str(&plan).unwrap();
        assert_eq!(read["order"], serde_json::json!({"shuffled": 3}));
        assert_eq!(read["listing"], 3);
        let alone = Conditions::default().listing_tests(&["t.py::a".to_owned()]);
        assert!(alone.plan().unwrap().contains("\"order\":\"listed\""));
    }
}
