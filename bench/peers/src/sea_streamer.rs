//! sea-streamer-redis, as fast as its documentation says it goes.
//!
//! - A consumer group (`ConsumerMode::LoadBalanced`), as the relay has replicas.
//! - `AutoCommit::Rolling`, "the recommended option for achieving 'at-least-once' semantics"
//!   (<https://docs.rs/sea-streamer-redis/latest/sea_streamer_redis/enum.AutoCommit.html>); it fetches the next page ahead and
//!   acknowledges in the background, at its default interval of a second.
//! - `batch_size` 256, its default being 10 ("a larger N would reduce the number of roundtrips").
//! - Results go through its producer, which puts what waits into one pipeline. A message is acknowledged when the receipt of its
//!   result has come, as in its example `resumable`, which waits for each receipt in turn; here the next messages are
//!   handled meanwhile, which is several times as fast and promises the same.
//! - `#[tokio::main]`, as in all of its examples: as many threads as there are cores. On one thread (`sea-streamer-1`) it is much
//!   faster, since a page is handed over message by message.
//!
//! What it promises so: at least once. What was published and not yet acknowledged is published again after a crash.

use anyhow::Context as _;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use sea_streamer_redis::{
    AutoCommit, AutoStreamReset, RedisConsumer, RedisConsumerOptions, RedisProducer, RedisStreamer,
};
use sea_streamer_types::{
    Buffer as _, Consumer as _, ConsumerGroup, ConsumerMode, ConsumerOptions as _, Message as _,
    Producer as _, SharedMessage, StreamKey, Streamer as _,
};
use tokio::sync::oneshot;

use crate::event::Event;
use crate::{BATCH, JOBS, RESULTS};

/// What the name of the one field takes, of the bytes that a message may have.
const NAME: usize = "msg".len();

/// Appends the messages from 0 to `n`.
pub async fn load(url: &str, n: usize) -> anyhow::Result<()> {
    let streamer = RedisStreamer::connect(url.parse()?, Default::default()).await?;
    let producer = streamer.create_generic_producer(Default::default()).await?;
    let jobs = StreamKey::new(JOBS)?;
    for from in (0..n).step_by(1000) {
        let mut receipts = Vec::new();
        for n in from..(from + 1000).min(n) {
            let event = Event::new(n, 300 - NAME)?;
            receipts.push(producer.send_to(&jobs, serde_json::to_string(&event)?)?);
        }
        for receipt in receipts {
            receipt.await?;
        }
    }
    Ok(())
}

/// Relays until `stop` resolves, and commits what has been acknowledged.
pub async fn work(url: &str, stop: oneshot::Receiver<()>) -> anyhow::Result<()> {
    let streamer = RedisStreamer::connect(url.parse()?, Default::default()).await?;
    let mut options = RedisConsumerOptions::new(ConsumerMode::LoadBalanced);
    options.set_consumer_group(ConsumerGroup::new("workers"))?;
    options.set_auto_stream_reset(AutoStreamReset::Earliest);
    options.set_auto_commit(AutoCommit::Rolling);
    options.set_batch_size(BATCH);
    let consumer = streamer
        .create_consumer(&[StreamKey::new(JOBS)?], options)
        .await?;
    let mut producer = streamer
        .create_producer(StreamKey::new(RESULTS)?, Default::default())
        .await?;
    tokio::select! {
        ended = relay(&consumer, &producer) => ended,
        _ = stop => Ok(()),
    }?;
    producer.flush().await?;
    consumer.end().await?;
    Ok(())
}

async fn relay(consumer: &RedisConsumer, producer: &RedisProducer) -> anyhow::Result<()> {
    let mut unconfirmed = FuturesOrdered::new();
    loop {
        tokio::select! {
            biased;
            Some(confirmed) = unconfirmed.next() => consumer.ack(&confirmed?)?,
            message = consumer.next(), if unconfirmed.len() < 2 * BATCH => {
                let message: SharedMessage = message?;
                let event: Event = serde_json::from_slice(message.message().as_bytes())?;
                let result = result(&event, &message).context("a message of another kind")?;
                let receipt = producer.send(result)?;
                unconfirmed.push_back(async move { receipt.await.map(|_| message) });
            }
        }
    }
}

/// As much as the others publish, in one JSON object.
fn result(event: &Event, message: &SharedMessage) -> Option<String> {
    let (id, cause) = (message.sequence(), &event.id);
    (event.kind == "relay.requested.v1").then_some(())?;
    let head =
        format!(r#"{{"type":"relay.done.v1","id":"{id}/0","causationid":"{cause}","data":""#);
    let room = 150_usize.saturating_sub(NAME + head.len() + r#""}"#.len());
    let data = event.data.log.get(..room.min(event.data.log.len()))?;
    Some(head + data + "\"}")
}
