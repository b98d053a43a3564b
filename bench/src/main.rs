//! How fast the runtime moves messages next to a bare pipelined loop: each of them reads N messages of 300 bytes, appends
//! a result of 150 bytes and acknowledges. `cargo run --release --package maestro-bench -- 300000`
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for people"
)]

use std::time::{Duration, Instant};

use maestro_redis_server::Server;
use maestro_streams::{
    CancellationToken, Consumer, ConsumerConfig, Delivery, Endpoint, Entry, Handler, Inspection,
    Outcome, Outgoing, Publisher,
};
use redis::Value;

struct Relay;

impl Handler for Relay {
    fn inspect(&self, entry: &Entry) -> Inspection {
        let id = entry.fields.get_str("id").unwrap_or("");
        Inspection::handle().key(id)
    }

    async fn handle(&self, delivery: Delivery) -> Outcome {
        let fields = &delivery.entry.fields;
        let id = fields.get_str("id").unwrap_or("").to_owned();
        Outcome::Done(vec![
            Outgoing::new("results")
                .field("type", "relay.done.v1")
                .field("id", delivery.entry.id.derive(0))
                .field("causationid", id)
                .field("data", vec![b'y'; 80]),
        ])
    }
}

async fn preload(endpoint: &Endpoint, n: usize) {
    let publisher = Publisher::new(endpoint, "").unwrap();
    for from in (0..n).step_by(1000) {
        let batch: Vec<_> = (from..(from + 1000).min(n))
            .map(|i| {
                Outgoing::new("jobs")
                    .field("type", "relay.requested.v1")
                    .field("id", format!("message-{i}"))
                    .field("data", vec![b'x'; 240])
            })
            .collect();
        publisher.publish(&batch).await.unwrap();
    }
}

async fn bare(url: &str, n: usize) -> Duration {
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let create = redis::cmd("XGROUP")
        .arg(&["CREATE", "jobs", "workers", "0"])
        .exec_async(&mut connection)
        .await;
    create.unwrap();
    let started = Instant::now();
    let mut handled = 0;
    while handled < n {
        let mut read = redis::cmd("XREADGROUP");
        read.arg(&[
            "GROUP", "workers", "me", "COUNT", "256", "STREAMS", "jobs", ">",
        ]);
        let value: Value = read.query_async(&mut connection).await.unwrap();
        let Value::Array(streams) = value else { break };
        let mut pipeline = redis::pipe();
        let mut ids = Vec::new();
        for stream in streams {
            let Value::Array(mut stream) = stream else {
                continue;
            };
            let Some(Value::Array(entries)) = stream.pop() else {
                continue;
            };
            for entry in entries {
                let Value::Array(mut entry) = entry else {
                    continue;
                };
                let Some(Value::Array(fields)) = entry.pop() else {
                    continue;
                };
                let Some(Value::BulkString(id)) = entry.pop() else {
                    continue;
                };
                let Value::BulkString(of) = &fields[3] else {
                    continue;
                };
                pipeline
                    .cmd("XADD")
                    .arg("results")
                    .arg("*")
                    .arg(&["type", "relay.done.v1", "id"])
                    .arg(&id)
                    .arg("causationid")
                    .arg(of)
                    .arg("data")
                    .arg(&[b'y'; 80][..]);
                ids.push(id);
            }
        }
        handled += ids.len();
        pipeline.cmd("XACK").arg("jobs").arg("workers").arg(ids);
        pipeline.exec_async(&mut connection).await.unwrap();
    }
    started.elapsed()
}

async fn runtime(endpoint: &Endpoint, url: &str, n: usize) -> Duration {
    let config = ConsumerConfig {
        concurrency: 512,
        ..ConsumerConfig::new("jobs", "workers")
    };
    let stop = CancellationToken::new();
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let started = Instant::now();
    let consumer = Consumer::new(endpoint.clone(), config, Relay).unwrap();
    let task = tokio::spawn(consumer.run(stop.clone()));
    let took = loop {
        let done: usize = redis::cmd("XLEN")
            .arg("results")
            .query_async(&mut connection)
            .await
            .unwrap();
        if done >= n {
            break started.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    stop.cancel();
    task.await.unwrap().unwrap();
    took
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let n = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(300_000);
    for round in 1..=3 {
        let mut per_second = Vec::new();
        for which in ["bare", "runtime"] {
            let server = Server::builder().append_only(false).start().unwrap();
            let endpoint: Endpoint = server.url().parse().unwrap();
            preload(&endpoint, n).await;
            let took = match which {
                "bare" => bare(&server.url(), n).await,
                _ => runtime(&endpoint, &server.url(), n).await,
            };
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            per_second.push(n as f64 / took.as_secs_f64());
        }
        println!(
            "round {round}: bare {:.0}/s, runtime {:.0}/s, ratio {:.2}",
            per_second[0],
            per_second[1],
            per_second[1] / per_second[0]
        );
    }
}
