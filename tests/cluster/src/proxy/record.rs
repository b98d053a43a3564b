use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{Method, StatusCode, Uri};

use super::Answer;

/// One request that came by.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// 1 for the first.
    pub number: u64,
    /// `GET`, `POST`, …
    pub method: Method,
    /// `/api/v1/namespaces/…`.
    pub path: String,
    /// What follows the `?`, or nothing.
    pub query: String,
    /// What was answered; `None` until the answer has come, and for ever if it was lost.
    pub status: Option<StatusCode>,
}

/// The moments of a request at which something can be made to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    /// It has come, and the API server has not seen it.
    Before,
    /// The API server has answered, and whoever asked has not heard of it.
    After,
}

/// How it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// As if nothing had been.
    GoOn,
    /// The connection is closed without an answer.
    Lose,
}

pub(super) type Act = Box<dyn FnOnce(&Request) -> Then + Send>;

pub(super) struct Rule {
    pub(super) times: usize,
    pub(super) matches: Box<dyn Fn(&Request) -> bool + Send + Sync>,
    pub(super) answer: Box<dyn Fn() -> Answer + Send + Sync>,
}

/// What has come by, and what is to happen.
#[derive(Default)]
pub(super) struct Script(Mutex<State>);

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    acts: HashMap<(u64, When), Act>,
    rules: Vec<Rule>,
    refuses: bool,
    /// Rises when counting begins anew: what was under way then has no number any more.
    count: u64,
}

/// A request's place in the record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    number: u64,
    count: u64,
}

impl Script {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    pub(super) fn forget(&self) {
        let mut state = self.state();
        state.requests.clear();
        state.count += 1;
    }

    pub(super) fn at(&self, number: u64, when: When, act: Act) {
        self.state().acts.insert((number, when), act);
    }

    pub(super) fn add(&self, rule: Rule) {
        self.state().rules.push(rule);
    }

    pub(super) fn refuse(&self, refuses: bool) {
        self.state().refuses = refuses;
    }

    pub(super) fn refuses(&self) -> bool {
        self.state().refuses
    }

    pub(super) fn enter(&self, method: &Method, uri: &Uri) -> Place {
        let mut state = self.state();
        let number = state.requests.len() as u64 + 1;
        state.requests.push(Request {
            number,
            method: method.clone(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            status: None,
        });
        Place {
            number,
            count: state.count,
        }
    }

    pub(super) fn answered(&self, place: Place, status: StatusCode) {
        if let Some(request) = self.state().find(place) {
            request.status = Some(status);
        }
    }

    /// Does what is to be done at this moment, not holding anything meanwhile.
    pub(super) fn act(&self, place: Place, when: When) -> Then {
        let found = {
            let mut state = self.state();
            let request = state.find(place).cloned();
            request.and_then(|request| Some((state.acts.remove(&(place.number, when))?, request)))
        };
        found.map_or(Then::GoOn, |(act, request)| act(&request))
    }

    /// The answer that was scripted for it.
    pub(super) fn rule(&self, place: Place) -> Option<Answer> {
        let mut state = self.state();
        let request = state.find(place).cloned()?;
        let mut rules = state.rules.iter_mut();
        let rule = rules.find(|rule| rule.times > 0 && (rule.matches)(&request))?;
        rule.times -= 1;
        Some((rule.answer)())
    }
}

impl State {
    fn find(&mut self, place: Place) -> Option<&mut Request> {
        let at = usize::try_from(place.number - 1).ok()?;
        (place.count == self.count).then(|| self.requests.get_mut(at))?
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests", self.state().requests.len())
    }
}
