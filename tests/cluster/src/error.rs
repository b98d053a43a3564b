use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why there is no control plane, or why it did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The script that builds Kubernetes could not; it has said why.
    #[error(
        "no control plane: {script:?} could not provide one (its words stand above); name a cluster in MAESTRO_TEST_KUBECONFIG, or set MAESTRO_TEST_CLUSTER=off to leave these tests out"
    )]
    NotBuilt {
        /// The script.
        script: PathBuf,
    },
    /// A program could not be started at all.
    #[error("unable to start {program:?}")]
    Spawn {
        /// Which one.
        program: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// What a program printed is not what was expected of it.
    #[error("unable to read a version from {text:?}")]
    Version {
        /// What was read.
        text: String,
    },
    /// A file or directory of the control plane's own cannot be used.
    #[error("unable to use {path:?}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The system has no free port of 127.0.0.1.
    #[error("unable to find a free port")]
    Port(#[source] io::Error),
    /// A program ended when it should have run.
    #[error("{program} ended before it was ready; its log says:\n{log}")]
    Ended {
        /// Its name.
        program: &'static str,
        /// The last lines of its log.
        log: String,
    },
    /// Something did not come about in time.
    #[error("{what} did not come about within {waited:?}; the logs say:\n{log}")]
    NotReady {
        /// What was waited for.
        what: String,
        /// For how long.
        waited: Duration,
        /// The last lines of the logs.
        log: String,
    },
    /// The cluster is not ours: its processes cannot be stopped.
    #[error("unable to {action}: the cluster of MAESTRO_TEST_KUBECONFIG is not this process's own")]
    NotOurs {
        /// What was asked.
        action: &'static str,
    },
    /// No hollow node without kubemark, which no release's archive carries.
    #[error("no kubemark beside kube-apiserver, so there is no hollow node")]
    NoKubemark,
    /// A kubeconfig cannot be used.
    #[error("unable to use the kubeconfig {path:?}")]
    Kubeconfig {
        /// Which one.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Box<kube::config::KubeconfigError>,
    },
    /// The API server refused, or could not be reached.
    #[error("unable to {action}")]
    Api {
        /// What was asked of it.
        action: String,
        /// Why not.
        #[source]
        source: Box<kube::Error>,
    },
    /// The runtime in the background is not there.
    #[error("unable to run in the background")]
    Runtime(#[source] io::Error),
}

impl Error {
    /// For `map_err`, after a call to the API server.
    pub(crate) fn api(action: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let action = action.into();
        move |source| Self::Api {
            action,
            source: Box::new(source),
        }
    }

    /// For `map_err`, after the use of a file.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}

/// The error and its causes, as one sentence.
pub fn sentence(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |sentence, cause| {
        format!("{sentence}: {cause}")
    })
}
