//! Redis, for every command that talks to it.

use std::error::Error as _;

use maestro_streams::{Admin, Endpoint, Error, Publisher};

use super::home::Home;
use crate::config::Origin;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::session::Session;

/// Where Redis is: what is configured, else the fleet that runs in this directory.
pub(crate) fn endpoint(session: &Session) -> Result<Endpoint, Fault> {
    let settings = &session.settings;
    let (url, origin) = match (
        &settings.redis_url.value,
        Home::of(settings).running(settings),
    ) {
        (Some(url), _) => (url.clone(), settings.redis_url.origin.clone()),
        (None, Some(running)) => (running.value, running.origin),
        (None, None) => {
            return Err(Fault::unavailable(format!(
                "no Redis is named, and no fleet runs in `{}`",
                settings.data_dir.value.display()
            ))
            .next("start one with `maestro up`, or name a Redis with --redis-url or MAESTRO_REDIS_URL"));
        }
    };
    url.parse()
        .map_err(|error| Fault::usage(format!("{error} ({})", shown(&origin))))
}

fn shown(origin: &Origin) -> String {
    format!("`redis.url`, {origin}")
}

pub(crate) fn publisher(session: &Session) -> Result<Publisher, Fault> {
    Publisher::new(&endpoint(session)?, session.settings.prefix.value.clone())
        .map_err(|error| fault(&error))
}

pub(crate) fn admin(session: &Session) -> Result<Admin, Fault> {
    let admin = Admin::new(&endpoint(session)?, session.settings.prefix.value.clone())
        .map_err(|error| fault(&error))?;
    Ok(admin.dedup_window(session.settings.delivery.dedup_window.value.0))
}

/// What went wrong with Redis, and what can be done.
pub(crate) fn fault(error: &Error) -> Fault {
    match error {
        Error::Connect { .. } | Error::Pool { .. } => Fault::unavailable(whole(error))
            .next("start a fleet with `maestro up`, or name another Redis with --redis-url"),
        Error::Command { .. } | Error::Answer { .. } => Fault::unavailable(whole(error)),
        Error::TooLarge { .. } | Error::Empty { .. } => Fault::data(whole(error)),
        Error::NoDeadLetter { .. } => Fault::new(Exit::No, whole(error)),
        _ => Fault::usage(whole(error)),
    }
}

/// An error with its causes, as one sentence on one line.
fn whole(error: &Error) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !sentence.contains(&said) {
            sentence = format!("{sentence}: {said}");
        }
        cause = inner.source();
    }
    sentence
        .lines()
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" ")
}
