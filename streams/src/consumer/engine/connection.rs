//! The connection that everything but the blocking read uses.

use redis::RedisError;
use tokio::time::Instant;

use super::{Engine, Recovery, is_refusal};
use crate::Handler;
use crate::consumer::control;
use crate::link::Link;

impl<H: Handler> Engine<H> {
    pub(super) fn link_failed(&mut self, error: &RedisError) {
        if self.endpoint.is_watched() && error.code() == Some("NOREPLICAS") {
            self.ask_for_another_master(error);
        } else if is_refusal(error) {
            tracing::error!(stream = %self.keys.name(), endpoint = %self.endpoint, %error, "Redis refused a command");
        } else if self.drop_link() {
            tracing::warn!(stream = %self.keys.name(), endpoint = %self.endpoint, %error, "a command failed; reconnecting");
        }
    }

    /// A master without replicas may be one that was replaced and does not know it yet.
    fn ask_for_another_master(&mut self, error: &RedisError) {
        if self.drop_link() && self.connecting.is_none() {
            tracing::warn!(stream = %self.keys.name(), endpoint = %self.endpoint, %error, "the master takes no writes; asking the Sentinels again");
            let again = self.reopen();
            self.connecting = Some(Box::pin(async move {
                tokio::time::sleep(control::BETWEEN_MASTERS).await;
                again.await
            }));
        }
    }

    fn drop_link(&mut self) -> bool {
        self.links.send_replace(None);
        self.link.take().is_some()
    }

    pub(super) fn reconnect(&mut self) {
        if self.link.is_none() && self.connecting.is_none() {
            self.connecting = Some(Box::pin(self.reopen()));
        }
    }

    fn reopen(&self) -> impl Future<Output = (Link, Option<String>)> + Send + use<H> {
        control::reopen(
            self.endpoint.clone(),
            self.config.clone(),
            self.keys.clone(),
        )
    }

    pub(super) fn connected(&mut self, link: Link, created: Option<String>) {
        self.links.send_replace(Some(link.clone()));
        self.link = Some(link);
        self.meters.reconnects.increment(1);
        if let Some(from) = created {
            self.meters.groups_recreated.increment(1);
            tracing::warn!(stream = %self.keys.name(), group = %self.config.group, %from, "the consumer group was lost and is created again");
        }
        // Whoever is at its other end may have come back, or taken over, without the last of what it had answered: the token with which
        // it was given is then good for what it no longer knows.
        self.fence.renew();
        // Renew at once, it may have taken a while; and find what a lost reply had taken over.
        self.recover.get_or_insert(Recovery {
            counts: false,
            go_on: None,
        });
        self.next_tend = Instant::now();
    }
}
