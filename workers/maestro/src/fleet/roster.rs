//! The replicas of the fleet, judged: who lives, who fell silent with messages in hand, and whether all are of one version.

use std::collections::BTreeMap;
use std::time::Duration;

use maestro_protocol::Stream;
use maestro_streams::{Admin, Replica};

use super::connection;
use crate::fault::Fault;
use crate::output::{duration, harmless};

/// Without a sign of life for so long, a replica counts as silent; each gives one every five seconds.
pub(crate) const SILENT: Duration = Duration::from_secs(30);

/// How a replica is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It says so.
    Alive,
    /// It said so once: it was killed, hangs, or is cut off.
    Silent,
    /// It has ended, and what it handed back waits for another one.
    Left,
    /// It reads in a group and never registered: not one of ours.
    Foreign,
}

impl State {
    pub(crate) fn of(replica: &Replica) -> Self {
        match replica.beat {
            Some(beat) if beat < SILENT => Self::Alive,
            Some(_) => Self::Silent,
            None if replica.has_left => Self::Left,
            None => Self::Foreign,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Silent => "silent",
            Self::Left => "left",
            Self::Foreign => "foreign",
        }
    }
}

/// Every replica that is known, in the order of the streams.
pub(crate) async fn read(admin: &Admin) -> Result<Vec<Replica>, Fault> {
    let all = admin.replicas(&Stream::ALL.map(Stream::name)).await;
    all.map_err(|error| connection::fault(&error))
}

/// The versions of the living, and how many replicas of which kind have each.
pub(crate) fn versions(replicas: &[Replica]) -> BTreeMap<&str, BTreeMap<&str, usize>> {
    let mut all = BTreeMap::<_, BTreeMap<_, _>>::new();
    for one in replicas {
        if State::of(one) == State::Alive {
            let kinds = all.entry(one.version.as_str()).or_default();
            *kinds.entry(one.group.as_str()).or_default() += 1;
        }
    }
    all
}

/// The one sentence about versions, if there are several.
pub(crate) fn skew(replicas: &[Replica]) -> Option<String> {
    let versions = versions(replicas);
    if versions.len() < 2 {
        return None;
    }
    let each = versions.iter().map(|(version, kinds)| {
        let version = if version.is_empty() { "none" } else { version };
        let kinds: Vec<_> = kinds
            .iter()
            .map(|(kind, count)| format!("{count} {}", harmless(kind)))
            .collect();
        format!("{} ({})", harmless(version), kinds.join(", "))
    });
    let each: Vec<_> = each.collect();
    Some(format!("versions differ: {}", each.join("; ")))
}

/// One sentence for each replica that is not well.
pub(crate) fn troubles(replicas: &[Replica]) -> Vec<String> {
    let troubled = replicas.iter().filter_map(|one| trouble(one, replicas));
    troubled.collect()
}

fn trouble(one: &Replica, all: &[Replica]) -> Option<String> {
    let name = format!("{} {}", harmless(&one.group), harmless(&one.name));
    let what = match State::of(one) {
        State::Alive => return None,
        State::Foreign if one.pending == 0 => return None,
        State::Silent => {
            let beat = one.beat.unwrap_or_default();
            format!("{name} has given no sign of life for {}", duration(beat))
        }
        State::Left => format!("{name} has ended"),
        State::Foreign => format!("{name} is not registered"),
    };
    if one.pending == 0 {
        return Some(format!("{what}; it holds nothing"));
    }
    let is_heir = |other: &&Replica| other.group == one.group && State::of(other) == State::Alive;
    let after = if all.iter().any(|other| is_heir(&other)) {
        "another one takes them over"
    } else {
        "nobody is alive to take them over"
    };
    Some(format!("{what} and holds {}; {after}", held(one)))
}

/// What a replica holds: `3 messages, the oldest for 5 min 3 s: 1718000000000-0, …`.
pub(crate) fn held(one: &Replica) -> String {
    let count = match one.pending {
        1 => "1 message".to_owned(),
        count => format!("{count} messages"),
    };
    let Some(oldest) = one.held.iter().map(|held| held.age).max() else {
        return count;
    };
    let ids: Vec<_> = one.held.iter().map(|held| held.entry.to_string()).collect();
    let more = u64::try_from(ids.len()).is_ok_and(|told| told < one.pending);
    let more = if more { ", …" } else { "" };
    let ids = ids.join(", ");
    format!("{count}, the oldest {} old: {ids}{more}", duration(oldest))
}

#[cfg(test)]
mod tests {
    use maestro_streams::{EntryId, Held};

    use super::*;

    fn replica(group: &str, name: &str, version: &str, beat: Option<u64>) -> Replica {
        Replica {
            group: group.to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            beat: beat.map(Duration::from_secs),
            ..Replica::default()
        }
    }

    fn holding(mut one: Replica, pending: u64) -> Replica {
        one.pending = pending;
        one.held = vec![Held {
            entry: EntryId { ms: 7, seq: 0 },
            urgent: false,
            age: Duration::from_secs(303),
            idle: Duration::ZERO,
            deliveries: 1,
        }];
        one
    }

    #[test]
    fn versions_are_those_of_the_living() {
        let mut all = vec![
            replica("heal", "a", "2", Some(1)),
            replica("triage", "b", "2", Some(1)),
            replica("triage", "c", "1", Some(100)),
        ];
        assert_eq!(skew(&all), None);
        all[2].beat = Some(Duration::from_secs(1));
        all.push(replica("triage", "d", "2", Some(1)));
        assert_eq!(
            skew(&all).as_deref(),
            Some("versions differ: 1 (1 triage); 2 (1 heal, 2 triage)")
        );
    }

    #[test]
    fn who_fell_silent_is_named_with_what_it_holds_and_whether_somebody_takes_it() {
        let silent = holding(replica("heal", "a", "2", Some(90)), 3);
        let mut all = vec![silent, replica("triage", "b", "2", Some(1))];
        let begin = "heal a has given no sign of life for 1 min 30 s and holds 3 messages, the oldest 5 min 3 s old: 7-0, …; ";
        let nobody = format!("{begin}nobody is alive to take them over");
        assert_eq!(troubles(&all), [nobody]);
        all.push(replica("heal", "c", "2", Some(1)));
        let another = format!("{begin}another one takes them over");
        assert_eq!(troubles(&all), [another]);
    }

    #[test]
    fn who_has_ended_or_never_registered_is_told_apart() {
        let left = Replica {
            has_left: true,
            ..holding(replica("heal", "a", "", None), 1)
        };
        let all = vec![left, replica("own", "b", "", None)];
        assert_eq!(
            troubles(&all),
            [
                "heal a has ended and holds 1 message, the oldest 5 min 3 s old: 7-0; nobody is alive to take them over"
            ]
        );
        assert_eq!(State::of(&all[1]), State::Foreign);
    }
}
