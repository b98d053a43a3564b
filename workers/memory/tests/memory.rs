//! The memory against a real redis-server: every result is taken in once, whoever does it and whoever dies meanwhile.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use maestro_memory::{Judgement, Known, Memory, Recall};
use maestro_protocol::error::ErrorTriaged;
use maestro_protocol::heal::{HealCompleted, Strategy};
use maestro_protocol::validation::ValidationCompleted;
use maestro_protocol::{Envelope, Message, encode};
use maestro_redis_server::Server;
use maestro_streams::{Endpoint, Outgoing, Publisher};
use serde_json::{Value, json};

const FINGERPRINT: &str = "0123456789abcdef0123456789abcdef";
const STREAM: &str = "automation:results";
const PATCH: &str =
    "--- a/t.py\n+++ b/t.py\n@@ -1 +1 @@\n-import mock\n+from unittest import mock\n";

struct Place {
    // Held for its life.
    _server: Server,
    endpoint: Endpoint,
}

impl Place {
    fn new() -> Self {
        let server = Server::builder().append_only(false).start().unwrap();
        let endpoint = server.url().parse().unwrap();
        Self {
            _server: server,
            endpoint,
        }
    }

    fn memory(&self) -> Memory {
        Memory::new(&self.endpoint, "").unwrap()
    }

    async fn publish(&self, messages: &[(&str, Message)]) {
        let publisher = Publisher::new(&self.endpoint, "").unwrap();
        let outgoing: Vec<Outgoing> = messages
            .iter()
            .map(|(id, message)| {
                let envelope = Envelope {
                    id: Some((*id).to_owned()),
                    ..Envelope::default()
                };
                let fields = encode(&envelope, message).unwrap();
                fields
                    .into_iter()
                    .fold(Outgoing::new(STREAM), |out, (name, value)| {
                        out.field(name, value)
                    })
            })
            .collect();
        publisher.publish(&outgoing).await.unwrap();
    }

    async fn known(&self) -> Known {
        self.memory().recall(FINGERPRINT).await.unwrap()
    }
}

fn triaged() -> Message {
    let triaged: ErrorTriaged = serde_json::from_value(json!({
        "project": { "repository": "r" }, "test": { "id": "t.py::t", "framework": "pytest" },
        "kind": "import_error", "severity": "high", "fingerprint": FINGERPRINT,
        "decision": "heal", "reason": "r", "occurrences": 1, "first": "a", "worker_version": "0"
    }))
    .unwrap();
    triaged.into()
}

fn healed() -> Message {
    let counts = json!({ "passed": 1, "failed": 0, "errors": 0, "skipped": 0 });
    let both = |value: Value| json!({ "before": value, "after": value });
    let healed: HealCompleted = serde_json::from_value(json!({
        "project": { "repository": "r" }, "test": { "id": "t.py::t", "framework": "pytest" },
        "verdict": "healed", "strategy": "dependency_fix",
        "steps": [{ "strategy": "dependency_fix", "description": "d" }],
        "patch": PATCH, "touches": ["test"], "confidence": 0.9, "reason": "r",
        "evidence": { "reproduced": "2/2", "after": "3/3", "neighbours": both(counts),
            "collected": both(json!(1)), "assertions": both(json!(1)), "error_class": "import_error", "excerpt": "e" },
        "timing_ms": { "checkout": 1, "install": 1, "reproduce": 1, "generate": 1, "validate": 1 },
        "worker_version": "0", "fingerprint": FINGERPRINT
    }))
    .unwrap();
    healed.into()
}

fn judged(judgement: &str) -> Message {
    let judged: ValidationCompleted = serde_json::from_value(json!({
        "heal": "a/1/0", "judgement": judgement, "reason": "a person decided", "by": "ada",
        "worker_version": "0", "fingerprint": FINGERPRINT
    }))
    .unwrap();
    judged.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_known_at_once_and_what_was_rejected_is_recognised() {
    let place = Place::new();
    assert_eq!(place.known().await, Known::default());
    place
        .publish(&[("a/0", triaged()), ("a/1/0", healed())])
        .await;
    let known = place.known().await;
    assert_eq!((known.history.reported, known.history.heals), (1, 1));
    assert_eq!(known.turn(Strategy::DependencyFix, "import_error"), 2);

    place.publish(&[("v1", judged("approved"))]).await;
    let known = place.known().await;
    assert_eq!(known.turn(Strategy::DependencyFix, "import_error"), 0);
    assert!(known.turned_down(Some(PATCH), None).is_none());
    let (more, experience) = known.confidence(0.8, Strategy::DependencyFix, "import_error");
    assert!(
        more > 0.8 && experience.alike.accepted == 1,
        "{experience:?}"
    );

    place.publish(&[("v2", judged("rejected"))]).await;
    let known = place.known().await;
    let tried = known.turned_down(Some(PATCH), None).unwrap();
    assert_eq!(tried.judgement, Some(Judgement::Rejected));
    assert_eq!(tried.by.as_deref(), Some("ada"));
    assert!(known.turned_down(Some("+another\n"), None).is_none());
    assert_eq!(known.turn(Strategy::DependencyFix, "import_error"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_take_each_result_in_once() {
    let place = Place::new();
    let ids: Vec<String> = (0..950).map(|n| format!("m{n}")).collect();
    let messages: Vec<(&str, Message)> = ids.iter().map(|id| (id.as_str(), triaged())).collect();
    place.publish(&messages).await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let memory = place.memory();
            tokio::spawn(async move { while !memory.catch_up(3).await.unwrap() {} })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(place.known().await.history.reported, 950);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_given_up_in_the_middle_has_taken_in_a_result_once_or_not_at_all() {
    let place = Place::new();
    for n in 0..200_u32 {
        place.publish(&[(&format!("m{n}"), triaged())]).await;
        let memory = place.memory();
        let given_up = tokio::spawn(async move { memory.catch_up(1).await });
        // Wherever it is by now.
        for _ in 0..n % 40 {
            tokio::task::yield_now().await;
        }
        given_up.abort();
        let _ = given_up.await;
        assert_eq!(place.known().await.history.reported, n + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_stands_there_twice_counts_once_and_what_cannot_be_read_is_passed_over() {
    let place = Place::new();
    place
        .publish(&[("a/0", triaged()), ("a/0", triaged())])
        .await;
    let publisher = Publisher::new(&place.endpoint, "").unwrap();
    let odd = Outgoing::new(STREAM).field("type", "maestro.error.triaged.v1");
    publisher
        .publish(&[odd.field("data", "{half")])
        .await
        .unwrap();
    place.publish(&[("a/1/0", healed())]).await;
    let known = place.known().await;
    assert_eq!((known.history.reported, known.history.heals), (1, 1));
}
