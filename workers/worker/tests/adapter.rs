//! A worker behind the adapter, without a server.

use std::sync::Arc;

use jiff::Timestamp;
use maestro_protocol::error::{ErrorReported, ErrorTriaged};
use maestro_protocol::heal::{HealApproved, HealDecision};
use maestro_protocol::{Decoded, Message, Stream, decode_on};
use maestro_streams::{
    CancellationToken, Delivery, Entry, EntryId, Handler, Inspection, Outgoing, Progress,
};
use maestro_worker::{Context, Outcome, Reply, Typed, Unsaid, Worker};

/// Does what the reported message says.
struct Obedient;

impl Worker for Obedient {
    type Message = ErrorReported;
    const NAME: &'static str = "triage";

    async fn handle(&self, message: Decoded<ErrorReported>, context: Context) -> Outcome {
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
            "talk" => match talk(&context, decision).await {
                Ok(()) => Outcome::Done(vec![Reply::new(decision("end".into()))]),
                Err(unsaid) => unsaid.into(),
            },
            "mumble" => match context.say("1", Reply::new(decision("x".into()))).await {
                Ok(()) => Outcome::Done(Vec::new()),
                Err(unsaid) => unsaid.into(),
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

async fn talk(context: &Context, word: fn(String) -> HealApproved) -> Result<(), Unsaid> {
    let word = |text: &str| Reply::new(word(text.to_owned()));
    context.say("begun", word("begun")).await?;
    context
        .say_all("parts", vec![word("one"), word("two")])
        .await?;
    context.say_once("uid 7 is gone", word("gone")).await
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

fn delivery(message: &str, fields: &[(&'static str, &'static str)]) -> Delivery {
    Delivery {
        stream: "automation:errors".into(),
        urgent: false,
        entry: entry(message, fields),
        deliveries: 2,
        cancelled: CancellationToken::new(),
        progress: Progress::recording(),
    }
}

async fn handle(
    message: &str,
    fields: &[(&'static str, &'static str)],
) -> maestro_streams::Outcome {
    adapter().handle(delivery(message, fields)).await
}

fn replies(outcome: maestro_streams::Outcome) -> Vec<Decoded<Message>> {
    let maestro_streams::Outcome::Done(outgoing) = outcome else {
        panic!("{outcome:?}")
    };
    decoded(&outgoing)
}

fn decoded(outgoing: &[Outgoing]) -> Vec<Decoded<Message>> {
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
    let Runtime::Dead(letter) = handle("refuse", &[("id", "a")]).await else {
        panic!("not refused")
    };
    assert_eq!((&*letter.reason, &*letter.detail), ("refused", "never"));
    let also = decoded(&letter.also);
    assert_eq!(also[0].envelope.id.as_deref(), Some("a/refused.0"));
    assert_eq!(also[0].envelope.causationid.as_deref(), Some("a"));
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
async fn what_is_said_before_the_end_is_derived_from_its_cause_like_a_reply() {
    let given = [("id", "a"), ("source", "ci"), ("subject", "s")];
    let delivery = delivery("talk", &given);
    let end = replies(adapter().handle(delivery.clone()).await);
    let recorded = delivery.progress.recorded();
    let said: Vec<_> = recorded.iter().flat_map(|(_, of)| decoded(of)).collect();
    let id = |said: &Decoded<Message>| said.envelope.id.clone().unwrap_or_default();
    let ids: Vec<_> = said.iter().map(id).collect();
    assert_eq!(ids, ["a/begun", "a/parts.0", "a/parts.1", "uid 7 is gone"]);
    assert_eq!(id(&end[0]), "a/0");
    for said in &said {
        assert_eq!(said.envelope.causationid.as_deref(), Some("a"));
        assert_eq!(said.envelope.subject.as_deref(), Some("s"));
        assert_eq!(said.envelope.time, Some(now()));
    }
    assert_eq!(said[0].envelope.source, end[0].envelope.source);
    assert_eq!(
        said[3].envelope.source.as_deref(),
        Some("maestro/triage?once")
    );
}

#[tokio::test]
async fn keys_belong_to_one_message_of_one_source_in_one_lane_except_those_of_all() {
    let keys = async |urgent: bool, fields: &[(&'static str, &'static str)]| {
        let delivery = Delivery {
            urgent,
            ..delivery("talk", fields)
        };
        drop(adapter().handle(delivery.clone()).await);
        let recorded = delivery.progress.recorded().into_iter();
        recorded.map(|(key, _)| key).collect::<Vec<_>>()
    };
    let base = keys(false, &[("id", "a"), ("source", "ci")]).await;
    // The same message in the other lane is the same.
    assert_eq!(keys(true, &[("id", "a"), ("source", "ci")]).await, base);
    let mut seen = vec![base.clone()];
    for (urgent, fields) in [
        (false, &[("id", "b"), ("source", "ci")][..]),
        (false, &[("id", "a"), ("source", "ci2")]),
        (false, &[("id", "a")]),
        (false, &[]),
        // Two lanes count their entries each for itself.
        (true, &[]),
    ] {
        let keys = keys(urgent, fields).await;
        assert_eq!(keys[2], base[2]);
        for other in &seen {
            assert!(keys[..2].iter().all(|key| !other.contains(key)), "{keys:?}");
        }
        seen.push(keys);
    }
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_says_nothing_more() {
    let delivery = delivery("talk", &[("id", "a")]);
    delivery.cancelled.cancel();
    let outcome = adapter().handle(delivery.clone()).await;
    assert!(matches!(outcome, maestro_streams::Outcome::Retry { .. }));
    assert_eq!(delivery.progress.recorded(), []);
}

#[tokio::test]
async fn a_key_that_could_be_taken_for_a_replys_number_is_refused() {
    let maestro_streams::Outcome::Dead(letter) = handle("mumble", &[]).await else {
        panic!("said")
    };
    assert_eq!(
        letter.detail,
        "what was to be said cannot be published: its key must be a word that begins with a letter and contains no `/`, and has at most 256 bytes, but it is \"1\""
    );
}

fn report(message: &str) -> Decoded<ErrorReported> {
    let fields = entry(message, &[]).fields;
    let fields = fields
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_ref()));
    maestro_protocol::decode_as(fields).expect("a report")
}

#[tokio::test]
async fn a_test_reads_what_was_said_once_for_each_key_and_message() {
    let context = Context::at(now());
    let keys = |context: &Context| {
        let said = context.said().into_iter();
        said.map(|(key, _)| key).collect::<Vec<_>>()
    };
    drop(Obedient.handle(report("talk"), context.clone()).await);
    assert_eq!(keys(&context), ["begun", "parts", "parts", "uid 7 is gone"]);
    drop(Obedient.handle(report("talk"), context.clone()).await);
    assert_eq!(keys(&context).len(), 4);
    drop(Obedient.handle(report("talk"), context.another()).await);
    assert_eq!(keys(&context)[4..], ["begun", "parts", "parts"]);
    let long = "x".repeat(2_000_000);
    let unfit = HealDecision {
        heal: "h".into(),
        by: "ada".into(),
        reason: Some(long),
    };
    let unsaid = context.say("long", Reply::new(HealApproved(unfit))).await;
    assert!(matches!(unsaid, Err(Unsaid::Unfit { .. })), "{unsaid:?}");
    context.cancelled().cancel();
    let outcome = Obedient.handle(report("talk"), context.clone()).await;
    assert!(matches!(outcome, Outcome::Retry { .. }));
    assert_eq!(keys(&context).len(), 7);
}

#[tokio::test]
async fn a_handler_needs_no_adapter_to_be_tested() {
    let outcome = Obedient.handle(report("retry"), Context::at(now())).await;
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
