//! Where the keys are at this moment, and a look at them that survives every fault.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, Pipeline};

/// A way to find the server that a key may be written at.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// One server, always there.
    One(String),
    /// The master that these Sentinels name.
    Watched(Vec<String>),
    /// The nodes of a cluster.
    Spread(Vec<String>),
}

/// Connections straight to the servers, past every proxy; for the suite itself.
#[derive(Debug, Clone)]
pub(crate) struct Eye {
    place: Place,
    connections: HashMap<String, MultiplexedConnection>,
    slots: HashMap<String, u16>,
}

type Shard = (u16, u16, Vec<redis::Value>);

impl Eye {
    pub(crate) fn new(place: Place) -> Self {
        Self {
            place,
            connections: HashMap::new(),
            slots: HashMap::new(),
        }
    }

    /// A connection to the server with this URL, which need not be the one that writes go to.
    pub(crate) async fn at(&mut self, url: &str) -> anyhow::Result<MultiplexedConnection> {
        if let Some(connection) = self.connections.get(url) {
            return Ok(connection.clone());
        }
        let patience = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(1)))
            .set_response_timeout(Some(Duration::from_secs(3)));
        let client = redis::Client::open(url)?;
        let connection = client
            .get_multiplexed_async_connection_with_config(&patience)
            .await?;
        self.connections.insert(url.to_owned(), connection.clone());
        Ok(connection)
    }

    /// Runs one command at the server with this URL.
    pub(crate) async fn ask_at<T: FromRedisValue>(
        &mut self,
        url: &str,
        words: &[&str],
    ) -> anyhow::Result<T> {
        let mut connection = self.at(url).await?;
        let reply = command(words).query_async(&mut connection).await;
        if reply.is_err() {
            self.connections.remove(url);
        }
        reply.with_context(|| words.join(" "))
    }

    /// The URL of the server that takes writes to this key.
    pub(crate) async fn master(&mut self, key: &str) -> anyhow::Result<String> {
        match self.place.clone() {
            Place::One(url) => Ok(url),
            Place::Watched(sentinels) => {
                for sentinel in &sentinels {
                    let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"];
                    let found: anyhow::Result<(String, u16)> = self.ask_at(sentinel, &words).await;
                    if let Ok((host, port)) = found {
                        return Ok(format!("redis://{host}:{port}"));
                    }
                }
                bail!("no Sentinel answers")
            }
            Place::Spread(nodes) => {
                for node in &nodes {
                    if let Ok(url) = self.owner(node, key).await {
                        return Ok(url);
                    }
                }
                bail!("no node knows who has {key}")
            }
        }
    }

    /// The slot of a key in a cluster.
    pub(crate) async fn slot(&mut self, node: &str, key: &str) -> anyhow::Result<u16> {
        if let Some(slot) = self.slots.get(key) {
            return Ok(*slot);
        }
        let slot = self.ask_at(node, &["CLUSTER", "KEYSLOT", key]).await?;
        self.slots.insert(key.to_owned(), slot);
        Ok(slot)
    }

    async fn owner(&mut self, node: &str, key: &str) -> anyhow::Result<String> {
        let slot = self.slot(node, key).await?;
        let shards: Vec<redis::Value> = self.ask_at(node, &["CLUSTER", "SLOTS"]).await?;
        for shard in shards {
            let redis::Value::Array(mut parts) = shard else {
                continue;
            };
            if parts.len() < 3 {
                continue;
            }
            let replicas = parts.split_off(2);
            let (from, to): (u16, u16) = redis::from_redis_value(redis::Value::Array(parts))?;
            let shard: Shard = (from, to, replicas);
            if (shard.0..=shard.1).contains(&slot) {
                let redis::Value::Array(master) = &shard.2[0] else {
                    continue;
                };
                let host_and_port = redis::Value::Array(master.iter().take(2).cloned().collect());
                let (host, port): (String, u16) = redis::from_redis_value(host_and_port)?;
                return Ok(format!("redis://{host}:{port}"));
            }
        }
        bail!("nobody has slot {slot}")
    }

    /// Runs one command, given as words, where this key may be written.
    pub(crate) async fn ask<T: FromRedisValue>(
        &mut self,
        key: &str,
        words: &[&str],
    ) -> anyhow::Result<T> {
        let url = self.master(key).await?;
        self.ask_at(&url, words).await
    }

    /// Runs commands in one round trip, where this key may be written.
    pub(crate) async fn send<T: FromRedisValue>(
        &mut self,
        key: &str,
        pipeline: &Pipeline,
    ) -> anyhow::Result<T> {
        let url = self.master(key).await?;
        let mut connection = self.at(&url).await?;
        let reply = pipeline.query_async(&mut connection).await;
        if reply.is_err() {
            self.connections.remove(&url);
        }
        reply.with_context(|| format!("several commands on {key}"))
    }

    /// As [`Eye::ask`], again and again for a while.
    pub(crate) async fn insist<T: FromRedisValue>(
        &mut self,
        key: &str,
        words: &[&str],
    ) -> anyhow::Result<T> {
        let begun = Instant::now();
        loop {
            match self.ask(key, words).await {
                Err(_) if begun.elapsed() < Duration::from_secs(30) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                reply => return reply,
            }
        }
    }

    /// One number out of `INFO`, added up over all masters that have these keys.
    pub(crate) async fn sum_of(
        &mut self,
        keys: &[&str],
        section: &str,
        field: &str,
    ) -> anyhow::Result<u64> {
        let mut urls = Vec::new();
        for key in keys {
            let url = self.master(key).await?;
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
        let mut sum = 0;
        for url in urls {
            let info: String = self.ask_at(&url, &["INFO", section]).await?;
            let line = info.lines().find_map(|line| line.strip_prefix(field));
            let number = line.and_then(|rest| rest.strip_prefix(':')?.trim().parse::<u64>().ok());
            sum += number.with_context(|| format!("no {field} in INFO {section}"))?;
        }
        Ok(sum)
    }
}

fn command(words: &[&str]) -> Cmd {
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(*word);
    }
    command
}
