//! Waiting in tests: by a watch, and not for ever.

use std::fmt::Debug;
use std::time::Duration;

use kube::runtime::wait::await_condition;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

/// A machine that compiles meanwhile is slow.
const PATIENCE: Duration = Duration::from_mins(2);

/// Waits until the object is there and `holds` says yes of it, and returns it as it was then.
///
/// # Panics
///
/// After two minutes, or when the API server refuses.
pub async fn until<K>(api: &Api<K>, name: &str, holds: impl Fn(&K) -> bool) -> K
where
    K: Resource + Clone + Debug + Send + DeserializeOwned + 'static,
{
    let seen = wait(api, name, |object| object.is_some_and(&holds)).await;
    #[expect(
        clippy::expect_used,
        reason = "the condition holds of no object that is not there"
    )]
    seen.expect("an object is there")
}

/// Waits until there is no object of this name.
///
/// # Panics
///
/// After two minutes, or when the API server refuses.
pub async fn until_gone<K>(api: &Api<K>, name: &str)
where
    K: Resource + Clone + Debug + Send + DeserializeOwned + 'static,
{
    wait(api, name, |object| object.is_none()).await;
}

#[expect(clippy::panic, reason = "a test that waits in vain has failed")]
async fn wait<K>(api: &Api<K>, name: &str, holds: impl Fn(Option<&K>) -> bool) -> Option<K>
where
    K: Resource + Clone + Debug + Send + DeserializeOwned + 'static,
{
    let watching = await_condition(api.clone(), name, holds);
    match tokio::time::timeout(PATIENCE, watching).await {
        Ok(Ok(object)) => object,
        Ok(Err(error)) => panic!("unable to watch {name}: {error}"),
        Err(late) => panic!(
            "{name} is not as it should be after {PATIENCE:?} ({late}), but {:?}",
            api.get(name).await
        ),
    }
}
