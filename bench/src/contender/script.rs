//! The bare loop made exactly-once for as long as nothing fails: one script a batch publishes, acknowledges and remembers.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisResult, Script, Value};

use super::bare::{connect, create_group, read_batch, read_command};
use super::{GROUP, JOBS, RESULTS};
use crate::message::Job;
use crate::reply::Entry;
use crate::worker::now;

/// As long as the runtime remembers by default.
const WINDOW_MS: u64 = 24 * 60 * 60 * 1000;

/// Relays for ever, on one connection.
pub async fn run(url: &str) -> anyhow::Result<()> {
    let mut connection = connect(url).await?;
    create_group(&mut connection).await?;
    let relay = load(&mut connection).await?;
    let read = read_command();
    loop {
        let entries = read_batch(&read, &mut connection).await?;
        commit(&relay, &entries, &mut connection).await?;
    }
}

/// Relays for ever, and reads the next batch on one connection while the last one commits on the other.
pub async fn run_two(url: &str) -> anyhow::Result<()> {
    let mut reading = connect(url).await?;
    let mut writing = connect(url).await?;
    create_group(&mut reading).await?;
    let relay = load(&mut writing).await?;
    let read = read_command();
    let mut entries = read_batch(&read, &mut reading).await?;
    loop {
        let (next, committed) = tokio::join!(
            read_batch(&read, &mut reading),
            commit(&relay, &entries, &mut writing)
        );
        committed?;
        entries = next?;
    }
}

async fn load(connection: &mut MultiplexedConnection) -> RedisResult<Script> {
    let script = Script::new(include_str!("relay.lua"));
    script.load_async(connection).await?;
    Ok(script)
}

async fn commit(
    relay: &Script,
    entries: &[Entry],
    connection: &mut MultiplexedConnection,
) -> RedisResult<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut call = Cmd::with_capacity(8 + entries.len() * 12, entries.len() * 320);
    call.arg("EVALSHA")
        .arg(relay.get_hash())
        .arg(2)
        .arg(JOBS)
        .arg(RESULTS)
        .arg(GROUP)
        .arg(WINDOW_MS);
    for entry in entries {
        let Some(job) = Job::read(entry.fields()) else {
            continue;
        };
        call.arg(&entry.id).arg(job.id);
        call.arg(if job.sent.is_some() { 12 } else { 8 });
        job.result(entry.id(), now, |name, value| {
            call.arg(name).arg(value);
        });
    }
    call.query_async::<Value>(connection).await.map(drop)
}
