//! What a worker says along the way, through the runtime and a real redis-server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use maestro_protocol::error::ErrorReported;
use maestro_protocol::heal::{HealApproved, HealDecision};
use maestro_protocol::{Decoded, Message, Stream, decode_on};
use maestro_redis_server::Server;
use maestro_streams::{
    Admin, CancellationToken, Consumer, ConsumerConfig, Endpoint, Outgoing, Publisher, Tail,
    TailFrom,
};
use maestro_worker::{Context, Outcome, Reply, Typed, Unsaid, Worker};
use tokio::sync::Notify;

const DEADLINE: Duration = Duration::from_secs(40);

/// Says two things of its own and one of all, then ends as the message asks for.
struct Talkative {
    said: Arc<AtomicUsize>,
    release: Arc<Notify>,
}

fn word(text: &str) -> Reply {
    Reply::new(HealApproved(HealDecision {
        heal: text.to_owned(),
        by: "ada".to_owned(),
        reason: None,
    }))
}

impl Talkative {
    async fn talk(&self, context: &Context) -> Result<(), Unsaid> {
        context.say("begun", word("begun")).await?;
        let parts = vec![word("one"), word("two")];
        context.say_all("parts", parts).await?;
        context.say_once("uid 7", word("gone")).await
    }
}

impl Worker for Talkative {
    type Message = ErrorReported;
    const NAME: &'static str = "triage";

    async fn handle(&self, message: Decoded<ErrorReported>, context: Context) -> Outcome {
        if let Err(unsaid) = self.talk(&context).await {
            return unsaid.into();
        }
        self.said.fetch_add(1, Ordering::SeqCst);
        match message.payload.message.as_str() {
            "wait" => {
                self.release.notified().await;
                Outcome::Done(vec![word("end")])
            }
            "retry" if context.deliveries() == 1 => Outcome::Retry {
                reason: "once more".to_owned(),
            },
            "refuse" => Outcome::Refuse {
                detail: "never".to_owned(),
                also: vec![word("no")],
            },
            _ => Outcome::Done(vec![word("end")]),
        }
    }
}

struct Rig {
    _server: Server,
    endpoint: Endpoint,
    said: Arc<AtomicUsize>,
    release: Arc<Notify>,
    stop: CancellationToken,
    worker: tokio::task::JoinHandle<Result<(), maestro_streams::Error>>,
    tail: Tail,
}

impl Rig {
    async fn new() -> Self {
        let server = Server::builder().append_only(false).start();
        let server = server.expect("a redis-server");
        let endpoint: Endpoint = server.url().parse().expect("its URL is one");
        let stop = CancellationToken::new();
        let (said, release) = (Arc::default(), Arc::new(Notify::new()));
        let handler = Typed::new(Talkative {
            said: Arc::clone(&said),
            release: Arc::clone(&release),
        });
        let config = ConsumerConfig {
            retry_base: Duration::from_millis(5),
            upkeep: Duration::from_millis(50),
            ..ConsumerConfig::new(Stream::Errors.name(), "triage")
        };
        let consumer = Consumer::new(endpoint.clone(), config, handler).expect("a consumer");
        let replies = [Stream::Validation.name()];
        let tail = Tail::open(&endpoint, "", &replies, TailFrom::Beginning).await;
        Self {
            _server: server,
            said,
            release,
            worker: tokio::spawn(consumer.run(stop.clone())),
            stop,
            tail: tail.expect("a tail"),
            endpoint,
        }
    }

    async fn report(&self, id: &str, message: &str) {
        let data = format!(
            r#"{{"project":{{"repository":"r"}},"kind":"test_failure","message":"{message}"}}"#
        );
        let report = Outgoing::new(Stream::Errors.name())
            .field("type", "maestro.error.reported.v1")
            .field("id", id.to_owned())
            .field("source", "ci")
            .field("data", data);
        let publisher = Publisher::new(&self.endpoint, "").expect("a publisher");
        publisher.publish(&[report]).await.expect("published");
    }

    /// The ids of the next replies, each of which a reader takes.
    async fn ids(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        while ids.len() < count {
            let next = tokio::time::timeout(DEADLINE, self.tail.next()).await;
            let (_, entry) = next.expect("in time").expect("an entry");
            let fields = entry.fields.iter();
            let fields = fields.map(|(name, value)| (name.as_ref(), value.as_ref()));
            let reply: Decoded<Message> =
                decode_on(Stream::Validation, fields).expect("a reply that a reader takes");
            ids.push(reply.envelope.id.expect("an id"));
        }
        ids
    }

    /// Nothing else was published than what the test has seen.
    async fn end(&mut self, published: u64) {
        self.stop.cancel();
        let ended = tokio::time::timeout(DEADLINE, &mut self.worker).await;
        ended
            .expect("in time")
            .expect("no panic")
            .expect("in order");
        let admin = Admin::new(&self.endpoint, "").expect("an admin");
        let status = admin.status(&[Stream::Validation.name()]).await;
        assert_eq!(status.expect("a status")[0].length, published);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_stands_in_its_stream_before_the_worker_is_done() {
    let mut rig = Rig::new().await;
    rig.report("a", "wait").await;
    let said = rig.ids(4).await;
    assert_eq!(said, ["a/begun", "a/parts.0", "a/parts.1", "uid 7"]);
    rig.release.notify_one();
    assert_eq!(rig.ids(1).await, ["a/0"]);
    Box::pin(rig.end(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_again_says_nothing_twice() {
    let mut rig = Rig::new().await;
    rig.report("a", "retry").await;
    let said = rig.ids(5).await;
    assert_eq!(said[..4], ["a/begun", "a/parts.0", "a/parts.1", "uid 7"]);
    assert_eq!(said[4], "a/0");
    assert_eq!(rig.said.load(Ordering::SeqCst), 2);
    Box::pin(rig.end(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_all_is_said_with_the_message_that_comes_upon_it_first() {
    let mut rig = Rig::new().await;
    rig.report("a", "fine").await;
    rig.ids(5).await;
    rig.report("b", "fine").await;
    let said = rig.ids(4).await;
    assert_eq!(said, ["b/begun", "b/parts.0", "b/parts.1", "b/0"]);
    Box::pin(rig.end(9)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_message_can_publish_a_result() {
    let mut rig = Rig::new().await;
    rig.report("a", "refuse").await;
    assert_eq!(rig.ids(5).await[4], "a/refused.0");
    let admin = Admin::new(&rig.endpoint, "").expect("an admin");
    let letters = admin.dead_letters(Stream::Errors.name(), None, 10).await;
    assert_eq!(letters.expect("an answer")[0].detail(), "never");
    Box::pin(rig.end(5)).await;
}
