//! The edge: a text in the exposition format goes to its target, and is taken back from it.

mod directory;
mod forgotten;
pub(crate) mod request;
mod trust;

use std::time::Duration;

use http::{Method, StatusCode, Uri};

use crate::names::{Names, Whose};
use crate::target::Target;
use crate::telemetry::{Settings, SetupError};
use directory::Directory;
use request::{Body, Http, Reach};

/// The media type of the exposition format.
const EXPOSITION: &str = "text/plain; version=0.0.4";

/// How much is read of what a Pushgateway has: that of some hundred replicas.
const MOST_GROUPS: usize = 32 * 1024 * 1024;

/// Why a push did not arrive. None of these sentences holds a credential.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The request cannot be made at all.
    #[error("the request cannot be made: {0}")]
    Request(#[from] http::Error),
    /// There was no answer in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The target cannot be reached, or what it says is not HTTP.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// The target says no.
    #[error("it was answered with {status}: {said}")]
    Refused {
        /// The status of the answer.
        status: StatusCode,
        /// The first words of the answer.
        said: String,
    },
    /// The file cannot be written or removed.
    #[error("`{path}` cannot be written: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// A target, reached.
#[derive(Debug)]
pub(crate) enum Sink {
    Pushgateway { http: Http, base: String },
    Import(Http, Uri),
    Directory(Directory),
}

impl Sink {
    pub(crate) fn new(settings: &Settings) -> Result<Self, SetupError> {
        let reach = Reach {
            timeout: settings.timeout,
            gzip: settings.gzip,
            authorities: settings.authorities.as_deref(),
        };
        match &settings.target {
            Target::Pushgateway(address) => {
                let base = address.uri.to_string().trim_end_matches('/').to_owned();
                let http = Http::new(address, reach)?;
                Ok(Self::Pushgateway { http, base })
            }
            Target::Import(address) => {
                let http = Http::new(address, reach)?;
                Ok(Self::Import(http, address.uri.clone()))
            }
            Target::Directory(path) => Ok(Self::Directory(Directory::new(path.clone()))),
        }
    }

    /// Replaces what stands there by this.
    pub(crate) async fn put(
        &self,
        names: &Names,
        whose: Whose,
        text: String,
    ) -> Result<(), PushError> {
        let body = |text| {
            let kind = EXPOSITION;
            Some(Body { kind, text })
        };
        match self {
            Self::Pushgateway { http, base } => {
                let uri = format!("{base}{}", names.group(whose));
                http.send(Method::PUT, &uri, body(text)).await
            }
            Self::Import(http, uri) => http.send(Method::POST, &uri.to_string(), body(text)).await,
            Self::Directory(directory) => directory.put(&names.file(whose), text).await,
        }
    }

    /// Takes it all back, so that no series is left which nobody updates. An import endpoint takes nothing back: there a series ends
    /// by itself when nothing more comes.
    pub(crate) async fn delete(&self, names: &Names, whose: Whose) -> Result<(), PushError> {
        match self {
            Self::Pushgateway { http, base } => {
                let uri = format!("{base}{}", names.group(whose));
                http.send(Method::DELETE, &uri, None).await
            }
            Self::Import(..) => Ok(()),
            Self::Directory(directory) => directory.delete(&names.file(whose)).await,
        }
    }

    /// Takes away what replicas left behind that did not end in order: groups of the same job whose last push is this much older than the
    /// newest one. Says whose they were. A replica that is alive after all is back with its next push. Only a Pushgateway keeps
    /// what nobody brings up to date.
    pub(crate) async fn forget(
        &self,
        names: &Names,
        older: Duration,
    ) -> Result<Vec<String>, PushError> {
        let Self::Pushgateway { http, base } = self else {
            return Ok(Vec::new());
        };
        let groups = format!("{base}/api/v1/metrics");
        let groups = http.get(&groups, MOST_GROUPS).await?;
        let left = forgotten::instances(&groups, &names.job, older);
        for instance in &left {
            let of = Names {
                instance: instance.clone(),
                ..names.clone()
            };
            let uri = format!("{base}{}", of.group(Whose::Replica));
            http.send(Method::DELETE, &uri, None).await?;
        }
        Ok(left)
    }

    /// Leaves it to another replica, which has written over it by now: what only this one could have written is taken away.
    pub(crate) async fn leave(&self, names: &Names, whose: Whose) -> Result<(), PushError> {
        match self {
            Self::Pushgateway { .. } | Self::Import(..) => Ok(()),
            Self::Directory(directory) => directory.delete_own(&names.file(whose)).await,
        }
    }
}

#[cfg(test)]
mod tests;
