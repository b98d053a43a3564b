//! The limits of a message, and what is not text.

use maestro_protocol::error::ErrorReported;
use maestro_protocol::heal::{HealApproved, HealDecision};
use maestro_protocol::{
    DeadReason, Envelope, MAX_MESSAGE_BYTES, Refusal, decode, decode_as, encode,
};

fn refusal(fields: &[(&[u8], &[u8])]) -> Refusal {
    decode(fields.iter().copied()).expect_err("a message to refuse")
}

#[test]
fn a_message_of_two_mebibytes_is_oversized_for_its_reader_and_its_writer() {
    let long = "x".repeat(2 * MAX_MESSAGE_BYTES);
    let read = refusal(&[
        (b"type", b"maestro.heal.approved.v1"),
        (b"data", long.as_bytes()),
    ]);
    assert_eq!(read.reason, DeadReason::Oversized);
    assert_eq!(
        read.detail,
        "the message has 2097184 bytes in its fields, but at most 1048576 are allowed"
    );
    let decision = HealDecision {
        heal: "a".into(),
        by: "ada".into(),
        reason: Some(long),
    };
    let written = encode(&Envelope::default(), &HealApproved(decision).into()).unwrap_err();
    assert_eq!(written.reason, DeadReason::Oversized);
}

#[test]
fn a_message_just_within_the_limit_is_read() {
    let payload = |reason: String| {
        HealApproved(HealDecision {
            heal: "a".into(),
            by: "ada".into(),
            reason: Some(reason),
        })
    };
    let size = |reason: String| -> usize {
        let fields = encode(&Envelope::default(), &payload(reason).into()).unwrap();
        fields
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum()
    };
    let room = MAX_MESSAGE_BYTES - size(String::new());
    assert_eq!(size("x".repeat(room)), MAX_MESSAGE_BYTES);
    assert!(encode(&Envelope::default(), &payload("x".repeat(room + 1)).into()).is_err());
}

#[test]
fn bytes_that_are_not_utf8_are_undecodable_and_the_field_is_named() {
    let value = refusal(&[(b"type", b"maestro.heal.approved.v1"), (b"data", b"{\xff}")]);
    assert_eq!(value.reason, DeadReason::Undecodable);
    assert_eq!(
        value.detail,
        "field `data`: expected UTF-8, but found something else at byte 2"
    );
    let name = refusal(&[(b"type", b"maestro.heal.approved.v1"), (b"\xfe", b"1")]);
    assert_eq!(name.reason, DeadReason::Undecodable);
}

#[test]
fn a_field_of_the_contract_that_stands_there_twice_is_refused_and_any_other_is_kept() {
    let kind: (&[u8], &[u8]) = (b"type", b"maestro.heal.approved.v1");
    let data: (&[u8], &[u8]) = (b"data", b"{\"heal\":\"a\",\"by\":\"ada\"}");
    assert_eq!(
        refusal(&[kind, data, data]).detail,
        "field `data`: expected it once, but found it twice"
    );
    assert_eq!(
        refusal(&[kind, (b"id", b"1"), (b"id", b"2"), data]).detail,
        "field `id`: expected it once, but found it twice"
    );
    let other = decode([kind, (b"x", b"1"), (b"x", b"2"), data]).unwrap();
    assert_eq!(
        other.envelope.extra,
        [
            ("x".to_owned(), "1".to_owned()),
            ("x".to_owned(), "2".to_owned())
        ]
    );
}

#[test]
fn a_typed_reader_refuses_what_belongs_elsewhere_and_says_where() {
    let fields: [(&[u8], &[u8]); 2] = [
        (b"type", b"maestro.heal.approved.v1"),
        (b"data", b"{\"heal\":\"a\",\"by\":\"ada\"}"),
    ];
    let refusal = decode_as::<ErrorReported>(fields).unwrap_err();
    assert_eq!(refusal.reason, DeadReason::Invalid);
    assert_eq!(
        refusal.detail,
        "field `type`: expected a message type of `automation:errors`, but found `maestro.heal.approved.v1`, which belongs on `automation:validation`"
    );
}
