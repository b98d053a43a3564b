use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use k8s_openapi::api::core::v1::Pod;

use super::container::image;

/// What a container does on a played node. Without one it runs and is ready; as a Job's or as an init container it ends with 0.
#[derive(Clone, PartialEq)]
pub struct Play {
    pub(crate) act: Act,
    pub(crate) log: Bytes,
    pub(crate) refuses_to_end: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Act {
    Runs,
    NeverReady,
    StaysCreating,
    Exits { code: i32 },
    CrashLoops { code: i32, times: i32 },
    ImagePullFails { message: String },
    ConfigError { message: String },
}

impl Play {
    /// Runs, and is ready at once.
    pub fn runs() -> Self {
        Self::of(Act::Runs)
    }

    /// Runs, and its readiness probe fails for ever.
    pub fn never_ready() -> Self {
        Self::of(Act::NeverReady)
    }

    /// Waits as `ContainerCreating` for ever, as with an image that takes very long or a volume that is not there.
    pub fn stays_creating() -> Self {
        Self::of(Act::StaysCreating)
    }

    /// Runs, and ends with this exit code. Where the pod's restart policy asks for a restart, it is a crash loop.
    pub fn exits(code: i32) -> Self {
        Self::of(Act::Exits { code })
    }

    /// Ends with this exit code each time it runs, until it was restarted so many times and waits as `CrashLoopBackOff`.
    pub fn crash_loops(code: i32, restarts: i32) -> Self {
        let times = restarts;
        Self::of(Act::CrashLoops { code, times })
    }

    /// Waits as `ErrImagePull` with this message, then as `ImagePullBackOff`.
    pub fn image_pull_fails(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::of(Act::ImagePullFails { message })
    }

    /// Waits as `CreateContainerConfigError` with this message, as where a Secret is missing.
    pub fn config_error(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::of(Act::ConfigError { message })
    }

    /// Its log, all there from the moment it runs. Whoever follows it gets the end when the container ends.
    #[must_use]
    pub fn printing(mut self, log: impl Into<Bytes>) -> Self {
        self.log = log.into();
        self
    }

    /// A deleted pod stays, until another play is set.
    #[must_use]
    pub fn refusing_to_end(mut self) -> Self {
        self.refuses_to_end = true;
        self
    }

    fn of(act: Act) -> Self {
        Self {
            act,
            log: Bytes::new(),
            refuses_to_end: false,
        }
    }
}

impl fmt::Debug for Play {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A log may be megabytes.
        write!(f, "{:?}, printing {} bytes", self.act, self.log.len())
    }
}

/// Every play that was set, for whoever has a clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Playbook(Arc<Mutex<Vec<Entry>>>);

#[derive(Debug)]
struct Entry {
    namespace: Option<String>,
    image: String,
    play: Play,
}

impl Playbook {
    pub(crate) fn set(&self, namespace: Option<&str>, image: &str, play: Play) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| !(entry.image == image && entry.namespace.as_deref() == namespace));
        entries.push(Entry {
            namespace: namespace.map(ToOwned::to_owned),
            image: image.to_owned(),
            play,
        });
    }

    /// What was set for the image in this namespace, or else everywhere.
    pub(crate) fn find(&self, namespace: &str, image: &str) -> Option<Play> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |wanted: Option<&str>| {
            entries
                .iter()
                .find(|entry| entry.image == image && entry.namespace.as_deref() == wanted)
        };
        let found = of(Some(namespace)).or_else(|| of(None))?;
        Some(found.play.clone())
    }

    /// Whether a container of this pod has to outlive its deletion.
    pub(crate) fn refuses(&self, namespace: &str, pod: &Pod) -> bool {
        let spec = pod.spec.iter();
        let mut containers = spec.flat_map(|spec| {
            let init = spec.init_containers.iter().flatten();
            init.chain(&spec.containers)
        });
        containers.any(|container| {
            let play = self.find(namespace, image(container));
            play.is_some_and(|play| play.refuses_to_end)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_for_a_namespace_wins_and_the_last_word_counts() {
        let book = Playbook::default();
        assert_eq!(book.find("a", "x"), None);
        book.set(None, "x", Play::runs());
        book.set(Some("a"), "x", Play::exits(1));
        book.set(Some("a"), "x", Play::exits(2));
        assert_eq!(book.find("a", "x"), Some(Play::exits(2)));
        assert_eq!(book.find("b", "x"), Some(Play::runs()));
        assert_eq!(book.find("b", "y"), None);
    }
}
