//! What goes on: heals in the hands of workers, environments that stand, and the last verdicts.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use maestro_protocol::environment::Phase;
use maestro_protocol::{Message, Stream};
use maestro_streams::{Admin, Entry, EntryId, Held, Replica};

use super::news::News;
use super::sample::{Detail, Work};
use crate::command::env::history::environment;
use crate::fault::Fault;
use crate::fleet::connection;
use crate::fleet::roster::State;
use crate::output::Tone;
use crate::results::Found;
use crate::verdict;

/// How far back environments and verdicts are looked for.
const HISTORY: usize = 2000;
/// How many verdicts stay in sight.
const VERDICTS: usize = 8;
/// More rows than anybody scrolls through.
const ENVIRONMENTS: usize = 200;

/// Everything that goes on, kept from one look to the next.
#[derive(Debug)]
pub(super) struct Running {
    results: News,
    environments: News,
    standing: BTreeMap<String, Found>,
    verdicts: VecDeque<Found>,
    /// The messages of the heals in hand.
    requests: HashMap<(bool, EntryId), Option<Arc<Found>>>,
}

impl Running {
    pub(super) fn new() -> Self {
        Self {
            results: News::new(Stream::Results, false, HISTORY),
            environments: News::new(Stream::EnvironmentResults, false, HISTORY),
            standing: BTreeMap::new(),
            verdicts: VecDeque::new(),
            requests: HashMap::new(),
        }
    }

    pub(super) async fn look(
        &mut self,
        admin: &Admin,
        replicas: &[Replica],
    ) -> Result<Vec<Work>, Fault> {
        for entry in self.environments.next(admin).await? {
            self.environment(found(Stream::EnvironmentResults, entry));
        }
        for entry in self.results.next(admin).await? {
            let found = found(Stream::Results, entry);
            if matches!(payload(&found), Some(Message::HealCompleted(_))) {
                self.verdicts.push_front(found);
                self.verdicts.truncate(VERDICTS);
            }
        }
        let mut work = self.heals(admin, replicas).await?;
        let mut standing: Vec<_> = self.standing.iter().collect();
        standing.sort_by_key(|(_, found)| std::cmp::Reverse(found.entry.id));
        let standing = standing.into_iter().take(ENVIRONMENTS);
        work.extend(standing.map(|(id, found)| told("environment", found, Some(id))));
        work.extend(
            self.verdicts
                .iter()
                .map(|found| told("verdict", found, None)),
        );
        Ok(work)
    }

    /// The newest word of an environment counts, until it is gone.
    fn environment(&mut self, found: Found) {
        let Some(id) = environment(&found).map(str::to_owned) else {
            return;
        };
        let is_gone = match payload(&found) {
            Some(Message::EnvironmentDeleted(deleted)) if deleted.dry_run == Some(true) => return,
            Some(Message::EnvironmentDeleted(_)) => true,
            Some(Message::EnvironmentStatus(status)) => status.phase == Phase::Deleted,
            _ => false,
        };
        if is_gone {
            self.standing.remove(&id);
        } else {
            self.standing.insert(id, found);
        }
    }

    async fn heals(&mut self, admin: &Admin, replicas: &[Replica]) -> Result<Vec<Work>, Fault> {
        let stream = Stream::Heal;
        let healers = replicas
            .iter()
            .filter(|one| Some(one.group.as_str()) == stream.group());
        let held: Vec<_> = healers
            .flat_map(|one| one.held.iter().map(move |held| (one, held)))
            .collect();
        let is_held = |key: &(bool, EntryId)| {
            held.iter()
                .any(|(_, held)| *key == (held.urgent, held.entry))
        };
        self.requests.retain(|key, _| is_held(key));
        let mut work = Vec::new();
        for (replica, held) in held {
            let key = (held.urgent, held.entry);
            let request = if let Some(known) = self.requests.get(&key) {
                known.clone()
            } else {
                let found = entry(admin, stream, held.urgent, held.entry).await?;
                let found = found.map(|entry| Arc::new(self::found(stream, entry)));
                self.requests.insert(key, found.clone());
                found
            };
            work.push(heal(replica, held, request.as_deref()));
        }
        work.sort_by_key(|work| std::cmp::Reverse(work.age));
        Ok(work)
    }
}

fn found(stream: Stream, entry: Entry) -> Found {
    Found::new(Arc::from(stream.name()), entry)
}

fn payload(found: &Found) -> Option<&Message> {
    found.decoded.as_ref().ok().map(|decoded| &decoded.payload)
}

/// One entry of a stream; `None` if it is no longer there.
async fn entry(
    admin: &Admin,
    stream: Stream,
    urgent: bool,
    id: EntryId,
) -> Result<Option<Entry>, Fault> {
    let after = EntryId {
        ms: id.ms,
        seq: id.seq.saturating_add(1),
    };
    let newest = admin.newest(stream.name(), urgent, Some(after), 1).await;
    let newest = newest.map_err(|error| connection::fault(&error))?;
    Ok(newest.into_iter().find(|entry| entry.id == id))
}

fn heal(replica: &Replica, held: &Held, request: Option<&Found>) -> Work {
    let test = match request.and_then(payload) {
        Some(Message::HealRequested(heal)) => heal.test.as_ref().map(|test| test.id.clone()),
        _ => None,
    };
    let subject = test
        .or_else(|| request.map(Found::id))
        .unwrap_or_else(|| held.entry.to_string());
    let (state, tone) = match State::of(replica) {
        State::Alive if held.deliveries > 1 => (format!("try {}", held.deliveries), Tone::Warn),
        State::Alive => ("in hand".to_owned(), Tone::Good),
        _ => ("worker silent".to_owned(), Tone::Bad),
    };
    let title = format!(
        "{} {}, in the hands of {}",
        Stream::Heal,
        held.entry,
        replica.name
    );
    Work {
        what: "heal",
        state,
        tone,
        age: held.age,
        subject,
        detail: request.map_or_else(
            || Detail {
                title: title.clone(),
                lines: vec!["the message is no longer in the stream".to_owned()],
                ..Detail::default()
            },
            |found| Detail::of_message(title.clone(), &found.entry.fields),
        ),
    }
}

fn told(what: &'static str, found: &Found, name: Option<&str>) -> Work {
    let (tone, state, text) = verdict::line(found);
    let title = format!("{} {}", found.stream, found.entry.id);
    Work {
        what,
        state,
        tone,
        age: since(found.entry.id),
        subject: match name {
            Some(name) if !text.starts_with(name) => format!("{name}: {text}"),
            _ => text,
        },
        detail: Detail::of_message(title, &found.entry.fields),
    }
}

/// How old an entry is, by the clock of this machine.
pub(super) fn since(id: EntryId) -> Duration {
    let now = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0);
    Duration::from_millis(now.saturating_sub(id.ms))
}
