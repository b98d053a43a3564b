//! Everything that is known of one environment, found by its id or the beginning of it.

use std::collections::{BTreeMap, BTreeSet};

use maestro_protocol::Stream;
use maestro_streams::{Admin, DeadEntry, EntryId};

use super::history::{self, Pages, Request};
use super::state::State;
use crate::fault::Fault;
use crate::output::Progress;
use crate::results::Found;

/// One environment.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) id: String,
    /// `None` where the request was trimmed from its stream.
    pub(super) request: Option<Request>,
    /// The dead letter that the request ended as, where nothing was told after that.
    pub(super) dead: Option<DeadEntry>,
    /// What was said of it, oldest first.
    pub(super) results: Vec<Found>,
}

impl Story {
    /// Whether there ever was such an environment, or a request for it: of one that there was not, too, something may be told.
    fn was(&self) -> bool {
        self.request.is_some() || self.dead.is_some() || self.state().phase.is_some()
    }

    pub(super) fn state(&self) -> State {
        let mut state = State::default();
        for found in self.results.iter().rev() {
            if let Ok(decoded) = &found.decoded {
                state.older(found.entry.id, &decoded.payload);
            }
        }
        state
    }

    /// When it was asked for, as far as that is known.
    pub(super) fn begin(&self) -> Option<EntryId> {
        let first = self.results.first().map(|found| found.entry.id);
        let asked = self.request.as_ref().map(|request| request.entry);
        // A request that was published again stands after the first answers.
        asked.into_iter().chain(first).min()
    }
}

/// The environment of exactly this id, as far as it is known.
pub(super) async fn exactly(admin: &Admin, id: &str) -> Result<Option<Story>, Fault> {
    let mut progress = None;
    Ok(search(admin, id, false, &mut progress).await?.exact())
}

/// The environment that `wanted` names: its id, or the beginning of it where only one begins so.
pub(super) async fn named(admin: &Admin, wanted: &str, progress: Progress) -> Result<Story, Fault> {
    if wanted.is_empty() {
        return Err(Fault::usage(
            "`ID`: expected the id of an environment, but found nothing",
        ));
    }
    let mut found = search(admin, wanted, true, &mut Some(progress)).await?;
    if found.ids.contains(wanted) {
        found.ids = BTreeSet::from([wanted.to_owned()]);
    }
    if found.ids.len() > 1 {
        let some: Vec<_> = found.ids.iter().take(5).map(String::as_str).collect();
        let count = found.ids.len();
        return Err(
            Fault::no(format!("`{wanted}` stands for {count} environments"))
                .next(format!("name one of them: {}", some.join(", "))),
        );
    }
    let id = found.ids.first().cloned();
    let story = id.and_then(|id| found.of(&id));
    story.filter(Story::was).ok_or_else(|| {
        Fault::no(format!("no environment is named by `{wanted}`"))
            .next("`maestro env list --all` shows those that there are and were")
    })
}

/// What was found: every id that fits, and what is known of it.
#[derive(Debug, Default)]
struct Search {
    wanted: String,
    ids: BTreeSet<String>,
    results: BTreeMap<String, Vec<Found>>,
    requests: BTreeMap<String, Request>,
    dead: BTreeMap<String, DeadEntry>,
}

impl Search {
    /// Takes note of an id; whether what is said of it is worth keeping.
    fn keeps(&mut self, id: &str) -> bool {
        if !self.ids.contains(id) {
            self.ids.insert(id.to_owned());
        }
        let is_one = self.ids.len() == 1;
        if !is_one {
            // Nobody will see them, unless one has the very id.
            self.results.retain(|known, _| *known == self.wanted);
        }
        is_one || id == self.wanted
    }

    fn exact(self) -> Option<Story> {
        let id = self.wanted.clone();
        self.of(&id)
    }

    fn of(mut self, id: &str) -> Option<Story> {
        if !self.ids.contains(id) {
            return None;
        }
        let mut results = self.results.remove(id).unwrap_or_default();
        results.reverse();
        let last = results.last().map(|found| found.entry.id);
        Some(Story {
            id: id.to_owned(),
            request: self.requests.remove(id),
            dead: self.dead.remove(id).filter(|dead| Some(dead.id) > last),
            results,
        })
    }
}

async fn search(
    admin: &Admin,
    wanted: &str,
    by_prefix: bool,
    progress: &mut Option<Progress>,
) -> Result<Search, Fault> {
    let fits = |id: &str| id == wanted || by_prefix && id.starts_with(wanted);
    let mut search = Search {
        wanted: wanted.to_owned(),
        ..Search::default()
    };
    let mut read = 0;
    let mut pages = Pages::new(admin, Stream::EnvironmentResults, false);
    while let Some(page) = pages.next().await? {
        read += page.len();
        if let Some(progress) = progress {
            progress.say(&format!("{read} results read"));
        }
        for entry in page {
            let found = history::result(entry);
            let Some(id) = history::environment(&found).filter(|id| fits(id)) else {
                continue;
            };
            let id = id.to_owned();
            if search.keeps(&id) {
                search.results.entry(id).or_default().push(found);
            }
        }
    }
    for urgent in [false, true] {
        let mut pages = Pages::new(admin, Stream::Provision, urgent);
        while let Some(page) = pages.next().await? {
            for entry in &page {
                let (id, request) = history::request(entry);
                if fits(&id) && search.keeps(&id) {
                    // The first of them is the one that counted.
                    search.requests.insert(id, request);
                }
            }
        }
    }
    for (id, dead) in history::dead(admin).await? {
        if fits(&id) && search.keeps(&id) {
            search.dead.insert(id, dead);
        }
    }
    Ok(search)
}
