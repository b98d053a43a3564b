//! `maestro env list`.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use clap::Args;
use maestro_protocol::Stream;
use maestro_streams::{Admin, DeadEntry, EntryId};
use serde_json::{Value, json};

use super::super::OutputFlag;
use super::super::status::print;
use super::history::{self, Pages, Request};
use super::state::{State, what};
use super::words::{self, Left};
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::fleet::connection;
use crate::output::{Table, duration, harmless};
use crate::session::Session;

/// Lists environments, the newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro env list
  maestro env list --all                          # those that are gone, and requests that were set aside, as well
  maestro env list --output json | jq -r 'select(.phase == \"failed\").id'

A request that no worker has taken yet is `requested`.")]
pub(super) struct List {
    /// Also those that are deleted, and those that never came to be
    #[arg(long, short)]
    all: bool,

    /// At most this many, those of which something was heard last
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,

    #[command(flatten)]
    output: OutputFlag,
}

/// One environment as it is listed.
#[derive(Debug, Default)]
struct Row {
    state: State,
    request: Option<Request>,
    dead: Option<DeadEntry>,
}

/// All environments, folded from the streams' ends.
#[derive(Debug, Default)]
struct Fold {
    rows: HashMap<String, Row>,
    /// Those that are not listed, as hashes: a long stream has many.
    left_out: HashSet<u64>,
    /// Those of them that only the limit keeps out.
    beyond: usize,
    hashes: RandomState,
}

impl List {
    pub(super) async fn run(self, session: &Session) -> Outcome {
        let admin = connection::admin(session)?;
        let mut fold = self.fold(&admin, session).await?;
        let mut rows: Vec<_> = fold.rows.drain().collect();
        rows.sort_by_key(|(id, row)| (std::cmp::Reverse(row.begin()), id.clone()));
        if self.output.is_json() {
            for (id, row) in &rows {
                session.output.json_line(&row.as_json(id))?;
            }
        } else if rows.is_empty() {
            session.output.remark("there are no environments");
        } else {
            let mut table = Table::new(&["id", "phase", "age", "expires", "what", "reason"]);
            for (id, row) in &rows {
                table.row(row.cells(id));
            }
            print(session, &table)?;
        }
        if fold.beyond > 0 {
            session
                .output
                .remark(format!("… and {} more; --limit shows them", fold.beyond));
        }
        Ok(Exit::Success)
    }

    async fn fold(&self, admin: &Admin, session: &Session) -> Result<Fold, Fault> {
        let mut fold = Fold::default();
        let mut progress = session.output.progress();
        let mut read = 0;
        let mut pages = Pages::new(admin, Stream::EnvironmentResults, false);
        while let Some(page) = pages.next().await? {
            read += page.len();
            progress.say(&format!("{read} results read"));
            for entry in page {
                let found = history::result(entry);
                if let (Some(id), Ok(decoded)) = (history::environment(&found), &found.decoded) {
                    self.result(&mut fold, id, found.entry.id, &decoded.payload);
                }
            }
        }
        let mut dead = history::dead(admin).await?;
        for urgent in [false, true] {
            let mut pages = Pages::new(admin, Stream::Provision, urgent);
            while let Some(page) = pages.next().await? {
                for entry in &page {
                    let (id, request) = history::request(entry);
                    self.request(&mut fold, id, request, &dead);
                }
            }
        }
        for (id, row) in &mut fold.rows {
            row.dead = dead.remove(id).filter(|dead| dead.id > row.state.since);
        }
        Ok(fold)
    }

    fn result(
        &self,
        fold: &mut Fold,
        id: &str,
        entry: EntryId,
        message: &maestro_protocol::Message,
    ) {
        if let Some(row) = fold.rows.get_mut(id) {
            row.state.older(entry, message);
            return;
        }
        let hash = fold.hashes.hash_one(id);
        if fold.left_out.contains(&hash) {
            return;
        }
        let mut state = State::default();
        state.older(entry, message);
        if state.phase.is_none() {
            // Of an environment that is told of only like this there is nothing to list, unless more is told of it.
            if state.expires_at.is_none() {
                return;
            }
        } else if state.is_deleted() && !self.all {
            fold.left_out.insert(hash);
            return;
        }
        if fold.rows.len() >= self.limit {
            fold.left_out.insert(hash);
            fold.beyond += 1;
            return;
        }
        let row = Row {
            state,
            ..Row::default()
        };
        fold.rows.insert(id.to_owned(), row);
    }

    fn request(
        &self,
        fold: &mut Fold,
        id: String,
        request: Request,
        dead: &std::collections::BTreeMap<String, DeadEntry>,
    ) {
        if let Some(row) = fold.rows.get_mut(&id) {
            // The first of them is the one that counted, unless it is of an earlier life.
            row.request = Some(request);
            return;
        }
        let hash = fold.hashes.hash_one(&id);
        let is_set_aside = dead.contains_key(&id) && !self.all;
        if is_set_aside || fold.left_out.contains(&hash) {
            return;
        }
        if fold.rows.len() >= self.limit {
            fold.left_out.insert(hash);
            fold.beyond += 1;
            return;
        }
        let row = Row {
            request: Some(request),
            ..Row::default()
        };
        fold.rows.insert(id, row);
    }
}

impl Row {
    /// When it was asked for, as far as that is known.
    fn begin(&self) -> EntryId {
        let oldest = Some(self.state.oldest).filter(|oldest| *oldest != EntryId::ZERO);
        let asked = self.request.as_ref().map(|request| request.entry);
        oldest.into_iter().chain(asked).min().unwrap_or_default()
    }

    fn phase(&self) -> String {
        match (&self.dead, self.state.phase) {
            (Some(_), _) => "dead letter".to_owned(),
            (None, Some(phase)) => words::wire(&phase),
            (None, None) => "requested".to_owned(),
        }
    }

    fn why(&self) -> String {
        match &self.dead {
            Some(dead) => format!("{}: {}", dead.reason(), dead.detail()),
            None => self.state.why(),
        }
    }

    fn what(&self) -> Option<String> {
        Some(what(self.request.as_ref()?.payload.as_ref()?))
    }

    fn cells(&self, id: &str) -> Vec<String> {
        let shown = |text: &str| harmless(text.lines().next().unwrap_or_default()).into_owned();
        let end = self.state.expires_at.as_deref();
        let end = end.filter(|_| !self.state.is_deleted());
        let expires = match end.and_then(words::left) {
            Some(Left::In(span)) => format!("in {}", duration(span)),
            Some(Left::Over(span)) => format!("{} ago", duration(span)),
            None => "-".to_owned(),
        };
        vec![
            shown(id),
            self.phase(),
            duration(words::age(self.begin())),
            expires,
            shown(self.what().as_deref().unwrap_or("-")),
            shown(&self.why()),
        ]
    }

    fn as_json(&self, id: &str) -> Value {
        let state = &self.state;
        let phase = state.phase.map(|phase| words::wire(&phase));
        json!({
            "id": id,
            "namespace": state.namespace,
            "phase": if self.dead.is_some() { "dead_letter".to_owned() } else { phase.unwrap_or_else(|| "requested".to_owned()) },
            "requested_at": words::time(self.begin()).map(|time| time.to_string()),
            "since": state.phase.and(words::time(state.since)).map(|time| time.to_string()),
            "expires_at": state.expires_at,
            "what": self.what(),
            "reason": state.reason,
            "detail": self.dead.as_ref().map_or(state.detail.as_deref(), |dead| Some(dead.detail())),
            "tests": state.outcome.map(|outcome| words::wire(&outcome)),
            "cause": state.cause.map(|cause| words::wire(&cause)),
        })
    }
}
