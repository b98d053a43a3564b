//! apalis-redis, as fast as its documentation says it goes.
//!
//! - `batch_size` 256 ("larger batches can improve throughput", <https://docs.rs/apalis-redis/latest/apalis_redis/struct.Config.html>).
//! - `lock_tasks(false)`, which the same page allows for tasks that are shorter than a heartbeat, and `emit_events(false)`.
//! - `persist_results` stays on, because without it nothing is ever acknowledged.
//! - `concurrency` 512 (<https://docs.rs/apalis/latest/apalis/layers/trait.WorkerBuilderExt.html>), so that the results of many handlers
//!   leave through one multiplexed connection together; no `parallelize`, since there is one core.
//!
//! What it promises so: at least once. The result is published before the acknowledgement and not together with it, so a
//! crash in between publishes it again; pushing is deduplicated by an idempotency key only if asked for, which it is not here.

use anyhow::anyhow;
use apalis::layers::WorkerBuilderExt as _;
use apalis::prelude::{BoxDynError, Data, TaskId, TaskSink as _, WorkerBuilder};
use apalis_redis::{Config, ConnectionManager, RedisStorage, connect};
use tokio::sync::oneshot;

use crate::event::Event;
use crate::message::Job;
use crate::{BATCH, JOBS, RESULTS};

fn config() -> Config {
    Config::default()
        .queue(JOBS)
        .batch_size(BATCH)
        .lock_tasks(false)
        .emit_events(false)
}

/// Pushes the messages from 0 to `n`.
///
/// Version 1.0.0 puts whatever is pushed among the scheduled tasks, and the script of its first fetch hands over all that are due in one
/// call, which Lua refuses beyond about 8,000 ("too many results to unpack"). So this hands them over as that script would, in portions.
pub async fn load(url: &str, n: usize) -> anyhow::Result<()> {
    let mut connection = connect(url).await?;
    let mut storage = RedisStorage::new(connection.clone()).with_config(config());
    for from in (0..n).step_by(BATCH) {
        let jobs = (from..(from + BATCH).min(n)).map(|n| Event::new(n, 300));
        let jobs: Vec<Event> = jobs.collect::<anyhow::Result<_>>()?;
        storage
            .push_bulk(jobs)
            .await
            .map_err(|error| anyhow!("{error}"))?;
        let due: Vec<(String, f64)> = redis::cmd("ZPOPMIN")
            .arg(config().scheduled_jobs_set())
            .arg(BATCH)
            .query_async(&mut connection)
            .await?;
        redis::cmd("RPUSH")
            .arg(config().active_jobs_list())
            .arg(due.iter().map(|(id, _)| id).collect::<Vec<_>>())
            .exec_async(&mut connection)
            .await?;
    }
    Ok(())
}

/// Relays until `stop` resolves.
pub async fn work(url: &str, stop: oneshot::Receiver<()>) -> anyhow::Result<()> {
    let storage = RedisStorage::new(connect(url).await?).with_config(config());
    let worker = WorkerBuilder::new("relay")
        .backend(storage)
        .data(connect(url).await?)
        .concurrency(2 * BATCH)
        .build(relay);
    tokio::select! {
        ended = worker.run() => ended.map_err(|error| anyhow!("{error}")),
        _ = stop => Ok(()),
    }
}

async fn relay(
    event: Event,
    task: TaskId,
    connection: Data<ConnectionManager>,
) -> Result<(), BoxDynError> {
    let job = Job {
        id: &event.id,
        data: event.data.log.as_bytes(),
        sent: None,
    };
    let mut add = redis::cmd("XADD");
    add.arg(RESULTS).arg("*");
    job.result(
        &task.to_string(),
        || 0,
        |name, value| {
            add.arg(name).arg(value);
        },
    );
    let mut connection = (*connection).clone();
    add.exec_async(&mut connection).await?;
    Ok(())
}
