//! A pipelined loop over the redis crate, as one would write it for speed alone.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, RedisResult};

use super::{BATCH, GROUP, JOBS, RESULTS};
use crate::message::Job;
use crate::reply::{self, Entry};
use crate::worker::now;

/// Relays for ever.
pub async fn run(url: &str) -> anyhow::Result<()> {
    let mut connection = connect(url).await?;
    create_group(&mut connection).await?;
    let read = read_command();
    loop {
        let entries = read_batch(&read, &mut connection).await?;
        if entries.is_empty() {
            continue;
        }
        let mut pipeline = Pipeline::with_capacity(entries.len() + 1);
        for entry in &entries {
            let Some(job) = Job::read(entry.fields()) else {
                continue;
            };
            let add = pipeline.cmd("XADD").arg(RESULTS).arg("*");
            job.result(entry.id(), now, |name, value| {
                add.arg(name).arg(value);
            });
            pipeline.ignore();
        }
        let ack = pipeline.cmd("XACK").arg(JOBS).arg(GROUP);
        for entry in &entries {
            ack.arg(&entry.id);
        }
        pipeline.exec_async(&mut connection).await?;
    }
}

/// A connection whose blocking reads are not cut short.
pub(super) async fn connect(url: &str) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    Client::open(url)?
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

pub(super) async fn create_group(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    redis::cmd("XGROUP")
        .arg(&["CREATE", JOBS, GROUP, "0", "MKSTREAM"])
        .exec_async(connection)
        .await
}

/// Reads a batch, and waits for a second if there is none.
pub(super) fn read_command() -> Cmd {
    let mut read = redis::cmd("XREADGROUP");
    read.arg(&["GROUP", GROUP, "me", "COUNT"])
        .arg(BATCH)
        .arg(&["BLOCK", "1000", "STREAMS", JOBS, ">"]);
    read
}

pub(super) async fn read_batch(
    read: &Cmd,
    connection: &mut MultiplexedConnection,
) -> RedisResult<Vec<Entry>> {
    Ok(reply::entries(read.query_async(connection).await?))
}
