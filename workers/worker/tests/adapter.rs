//! A worker behind the adapter, without a server.

use std::sync::Arc;

use jiff::Timestamp;
use maestro_protocol::error::{ErrorReported, ErrorTriaged};
use maestro_protocol::heal::{HealApproved, HealDecision};
use maestro_protocol::{Decoded, Message, Stream, decode_on};
use maestro_streams::{CancellationToken, Delivery, Entry, EntryId, Handler, Inspection, Progress};
use maestro_worker::{Context, Outcome, Reply, Typed, Worker};

/// Does what the reported message says.
struct Obedient;

impl Worker for Obedient {
    type Message = ErrorReported;
    const NAME: &'static str = "triage";

    async fn handle(&self, message: Decoded<ErrorReported>, _: Context) -> Outcome {
        let decision = |reason: String| {
            HealApproved(HealDecision {
                heal: "h".into(),
                by: "ada".into(),
                reason: Some(reason),
            })
        };
        match message.payload.message.as_str() {
            "panic" => panic!("as asked"),
            "retry" => Outcome::Retry {
                reason: "busy".into(),
            },
            "refuse" => Outcome::Refuse {
                detail: "never".into(),
                also: vec![Reply::new(decision("no".into()))],
            },
            "unavailable" => Outcome::Unavailable {
                dependency: "git".into(),
                detail: "no route".into(),
            },
            "long" => Outcome::Done(vec![Reply::new(decision("x".repeat(2_000_000)))]),
            _ => Outcome::Done(vec![
                Reply::new(decision("one".into())),
                Reply::new(decision("two".into()))
                    .subject("else")
                    .forwarding(message.members),
            ]),
        }
    }
}

fn now() -> Timestamp {
    "2026-07-01T12:00:00Z".parse().expect("a time")
}

fn adapter() -> Typed<Obedient> {
    Typed::with_clock(Obedient, Arc::new(now()))
}

fn entry(message: &str, fields: &[(&'static str, &'static str)]) -> Entry {
    let data = format!(
        r#"{{"project":{{"repository":"r"}},"kind":"test_failure","message":"{message}","team":"x"}}"#
    );
    let own = [
        ("type", "maestro.error.reported.v1".to_owned()),
        ("data", data),
    ];
    let given = fields.iter().map(|&(name, value)| (name, value.to_owned()));
    Entry {
        id: EntryId { ms: 17, seq: 3 },
        fields: own.into_iter().chain(given).collect(),
    }
}

async fn handle(
    message: &str,
    fields: &[(&'static str, &'static str)],
) -> maestro_streams::Outcome {
    let delivery = Delivery {
        stream: "automation:errors".into(),
        urgent: false,
        entry: entry(message, fields),
        deliveries: 2,
        cancelled: CancellationToken::new(),
        progress: Progress::recording(),
    };
    adapter().handle(delivery).await
}

fn replies(outcome: maestro_streams::Outcome) -> Vec<Decoded<Message>> {
    let maestro_streams::Outcome::Done(outgoing) = outcome else {
        panic!("{outcome:?}")
    };
    outgoing
        .iter()
        .map(|outgoing| {
            assert_eq!(outgoing.stream, "automation:validation");
            let fields = outgoing
                .fields
                .iter()
                .map(|(name, value)| (name.as_ref(), value.as_ref()));
            decode_on(Stream::Validation, fields).expect("a reply that a reader takes")
        })
        .collect()
}

#[tokio::test]
async fn replies_are_put_into_envelopes_derived_from_their_cause() {
    let given = [
        ("id", "a"),
        ("source", "ci"),
        ("correlationid", "flow"),
        ("subject", "s"),
        ("x-team", "shop"),
    ];
    let replies = replies(handle("fine", &given).await);
    let [one, two] = replies.as_slice() else {
        panic!("{replies:?}")
    };
    assert_eq!(one.envelope.id.as_deref(), Some("a/0"));
    assert_eq!(two.envelope.id.as_deref(), Some("a/1"));
    assert_eq!(one.envelope.causationid.as_deref(), Some("a"));
    assert_eq!(one.envelope.correlationid.as_deref(), Some("flow"));
    assert_eq!(one.envelope.subject.as_deref(), Some("s"));
    assert_eq!(two.envelope.subject.as_deref(), Some("else"));
    assert_eq!(one.envelope.time, Some(now()));
    assert!(
        one.envelope
            .source
            .as_deref()
            .is_some_and(|source| source.starts_with("maestro/triage"))
    );
    assert_eq!(
        one.envelope.extra,
        [("x-team".to_owned(), "shop".to_owned())]
    );
    assert_eq!(one.members.get("team"), None);
    assert_eq!(two.members["team"], "x");
}

#[tokio::test]
async fn the_entry_id_stands_in_for_an_id_that_was_not_given() {
    let replies = replies(handle("fine", &[]).await);
    assert_eq!(replies[0].envelope.id.as_deref(), Some("17-3/0"));
    assert_eq!(replies[0].envelope.correlationid.as_deref(), Some("17-3"));
}

#[tokio::test]
async fn a_panic_is_a_retry_with_its_message() {
    let maestro_streams::Outcome::Retry {
        reason,
        after: None,
    } = handle("panic", &[]).await
    else {
        panic!("no retry")
    };
    assert_eq!(reason, "the triage worker panicked: as asked");
}

#[tokio::test]
async fn every_outcome_has_its_counterpart() {
    use maestro_streams::Outcome as Runtime;
    assert!(
        matches!(handle("retry", &[]).await, Runtime::Retry { reason, .. } if reason == "busy")
    );
    assert!(
        matches!(handle("refuse", &[]).await, Runtime::Dead(letter) if letter.reason == "refused" && letter.detail == "never")
    );
    assert!(
        matches!(handle("unavailable", &[]).await, Runtime::Unavailable { dependency, .. } if dependency == "git")
    );
}

#[tokio::test]
async fn a_reply_that_no_reader_would_take_makes_a_dead_letter() {
    let maestro_streams::Outcome::Dead(letter) = handle("long", &[]).await else {
        panic!("published")
    };
    assert_eq!(letter.reason, "refused");
    assert!(
        letter
            .detail
            .starts_with("the triage worker's answer cannot be published: the message has")
    );
}

#[test]
fn an_id_deduplicates_within_its_source_and_no_id_not_at_all() {
    let inspect = |fields: &[_]| adapter().inspect(&entry("fine", fields));
    assert_eq!(inspect(&[]), Inspection::handle());
    assert_eq!(
        inspect(&[("id", "1")]),
        inspect(&[("id", "1"), ("time", "2026-07-01T00:00:00Z")])
    );
    assert_ne!(
        inspect(&[("id", "1")]),
        inspect(&[("id", "1"), ("source", "ci")])
    );
    assert_ne!(
        inspect(&[("id", "b c"), ("source", "a")]),
        inspect(&[("id", "c"), ("source", "a b")])
    );
}

#[test]
fn what_is_refused_expired_or_not_yet_due_is_seen_before_it_is_handled() {
    let inspect = |fields: &[_]| adapter().inspect(&entry("fine", fields));
    assert_eq!(
        inspect(&[("expirytime", "2026-07-01T11:00:00Z")]),
        Inspection::dead(
            "expired",
            "field `expirytime`: the message expired at 2026-07-01T11:00:00Z, and was read at 2026-07-01T12:00:00Z"
        )
    );
    assert_eq!(
        inspect(&[("notbefore", "2026-07-01T13:00:00Z")]),
        Inspection::not_before(1_782_910_800_000)
    );
    assert_eq!(
        inspect(&[("notbefore", "2026-07-01T11:00:00Z")]),
        Inspection::handle()
    );
    assert_eq!(
        inspect(&[("time", "now")]),
        Inspection::dead(
            "invalid",
            "field `time`: expected an RFC 3339 time such as `2026-07-01T12:00:00Z`, but found \"now\""
        )
    );
}

#[tokio::test]
async fn a_handler_needs_no_adapter_to_be_tested() {
    let fields = entry("retry", &[]).fields;
    let fields = fields
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_ref()));
    let message = maestro_protocol::decode_as(fields).expect("a report");
    let outcome = Obedient.handle(message, Context::at(now())).await;
    assert_eq!(
        outcome,
        Outcome::Retry {
            reason: "busy".into()
        }
    );
}

#[test]
fn a_worker_reads_the_stream_of_its_messages() {
    assert_eq!(Typed::<Obedient>::stream(), Stream::Errors);
    let _: fn(ErrorTriaged) -> Reply = Reply::new;
}
