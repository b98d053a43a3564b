//! What holds for messages that nobody thought of.
//!
//! The payloads are generated from the published schemas, so these tests also show that the reader takes
//! whatever the schemas allow.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use maestro_protocol::message::Type;
use maestro_protocol::{
    Decoded, Envelope, Message, Refusal, Stream, decode, decode_on, encode, encode_forwarding,
    schemas,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::string::string_regex;
use serde_json::{Map, Value, json};

static SCHEMAS: LazyLock<BTreeMap<&'static str, Value>> = LazyLock::new(|| schemas().collect());

/// Values that a schema allows.
fn instances(root: &'static Value, schema: &'static Value) -> BoxedStrategy<Value> {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return instances(root, root.pointer(&reference[1..]).unwrap());
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(branches) = schema.get(choice).and_then(Value::as_array)
            && schema.get("properties").is_none()
        {
            return proptest::strategy::Union::new(
                branches.iter().map(|branch| instances(root, branch)),
            )
            .boxed();
        }
    }
    if let Some(value) = schema.get("const") {
        return Just(value.clone()).boxed();
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return select(values.as_slice()).boxed();
    }
    match schema.get("type") {
        Some(Value::Array(kinds)) => {
            let kinds = kinds
                .iter()
                .map(|kind| of_kind(root, schema, kind.as_str().unwrap()));
            proptest::strategy::Union::new(kinds).boxed()
        }
        Some(Value::String(kind)) => of_kind(root, schema, kind),
        _ => panic!("a schema without a type: {schema}"),
    }
}

fn of_kind(root: &'static Value, schema: &'static Value, kind: &str) -> BoxedStrategy<Value> {
    let bound = |name: &str, otherwise: i64| {
        schema
            .get(name)
            .and_then(Value::as_i64)
            .unwrap_or(otherwise)
    };
    match kind {
        "null" => Just(Value::Null).boxed(),
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "integer" => (bound("minimum", i64::MIN)..=bound("maximum", i64::MAX))
            .prop_map(Value::from)
            .boxed(),
        "number" => {
            let most = schema
                .get("maximum")
                .and_then(Value::as_f64)
                .unwrap_or(1e300);
            (0.0..=most).prop_map(Value::from).boxed()
        }
        "string" => texts(schema).prop_map(Value::from).boxed(),
        "array" => {
            let least = usize::try_from(bound("minItems", 0)).unwrap();
            vec(instances(root, &schema["items"]), least..4)
                .prop_map(Value::from)
                .boxed()
        }
        "object" => objects(root, schema),
        _ => panic!("a schema of an unknown type: {schema}"),
    }
}

fn texts(schema: &Value) -> BoxedStrategy<String> {
    if schema
        .get("format")
        .is_some_and(|format| format == "date-time")
    {
        return select(vec!["2026-07-01T12:00:00Z", "2026-07-01 12:00:00.25+02:00"])
            .prop_map(str::to_owned)
            .boxed();
    }
    match schema.get("pattern").and_then(Value::as_str) {
        // The generator knows no lookahead.
        Some(pattern) if pattern.contains("(?!") => string_regex("[a-z.]{1,8}x(/[a-z ]{1,8}){0,3}")
            .unwrap()
            .boxed(),
        // So many of so many: the reader also compares the two.
        Some(pattern) if pattern.contains("}/[") => string_regex("[0-4]/[4-9]").unwrap().boxed(),
        Some(pattern) => {
            let open = !pattern.ends_with('$');
            let body = pattern.trim_start_matches('^').trim_end_matches('$');
            let body = if open {
                format!("{body}[a-z/]{{0,12}}")
            } else {
                body.to_owned()
            };
            string_regex(&body).unwrap().boxed()
        }
        None => string_regex("\\PC{1,12}|[\n\t\"\\\\é]{1,3}")
            .unwrap()
            .boxed(),
    }
}

fn objects(root: &'static Value, schema: &'static Value) -> BoxedStrategy<Value> {
    if let Some(values) = schema.get("additionalProperties") {
        return btree_map("[A-Z_. ]{1,6}", instances(root, values), 0..3)
            .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into())
            .boxed();
    }
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let members: Vec<_> = schema["properties"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, member)| {
            let values = instances(root, member);
            let values = if required.contains(&name.as_str()) {
                values.prop_map(Some).boxed()
            } else {
                option::of(values).boxed()
            };
            values.prop_map(move |value| value.map(|value| (name.clone(), value)))
        })
        .collect();
    (members, option::weighted(0.2, "x-[a-z]{1,4}"))
        .prop_map(|(members, unknown)| {
            let unknown = unknown.map(|name| (name, json!({ "kept": [1, null] })));
            Value::Object(members.into_iter().flatten().chain(unknown).collect())
        })
        .boxed()
}

/// A type and a payload that its schema allows.
fn payloads() -> impl Strategy<Value = (&'static Type, Value)> {
    let of_each = Type::ALL.iter().map(|known| {
        let schema = &SCHEMAS[known.name];
        let validator = jsonschema::validator_for(schema).unwrap();
        instances(schema, schema)
            .prop_filter("the schema's conditions between members", move |value| {
                validator.is_valid(value)
            })
            .prop_map(move |value| (known, value))
            .boxed()
    });
    proptest::strategy::Union::new(of_each)
}

fn envelopes() -> impl Strategy<Value = Envelope> {
    let text = || option::of("\\PC{1,12}");
    let time = || {
        option::of(
            (0_i64..4_000_000_000, 0_i32..1_000_000_000)
                .prop_map(|(s, n)| jiff::Timestamp::new(s, n).unwrap()),
        )
    };
    let trace = option::of(
        ("[1-9a-f]{32}", "[1-9a-f]{16}")
            .prop_map(|(trace, parent)| format!("00-{trace}-{parent}-01")),
    );
    let extra = btree_map("x[a-z]{1,4}", "\\PC{0,8}", 0..3);
    (
        (text(), text(), text(), text(), text(), text(), text()),
        (time(), time(), time()),
        (trace, extra),
    )
        .prop_map(
            |(
                (id, source, subject, state, correlationid, causationid, partitionkey),
                times,
                (trace, extra),
            )| Envelope {
                id,
                source,
                subject,
                time: times.0,
                tracestate: state.filter(|_| trace.is_some()),
                traceparent: trace,
                correlationid,
                causationid,
                expirytime: times.1,
                notbefore: times.2,
                partitionkey,
                extra: extra.into_iter().collect(),
            },
        )
}

fn read(stream: Stream, fields: &[(String, String)]) -> Result<Decoded<Message>, Refusal> {
    decode_on(
        stream,
        fields
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes())),
    )
}

/// A refusal is one sentence: one line of reasonable length, naming what it is about.
fn is_one_sentence(refusal: &Refusal) -> bool {
    !refusal.detail.contains(['\n', '\r']) && (10..2000).contains(&refusal.detail.len())
}

fn json_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        Just(json!("../..")),
        Just(json!("a\u{0}b")),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map("[a-z_]{0,9}", inner, 0..4)
                .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

/// Every place in a document.
fn places(value: &Value) -> Vec<String> {
    let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (escaped(name), value))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, value)| (at.to_string(), value))
            .collect(),
        _ => Vec::new(),
    };
    let below = inner.into_iter().flat_map(|(name, value)| {
        places(value)
            .into_iter()
            .map(move |place| format!("/{name}{place}"))
    });
    std::iter::once(String::new()).chain(below).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_is_written_is_read_the_same_for_every_type((known, data) in payloads(), envelope in envelopes()) {
        let fields = [("type".to_owned(), known.name.to_owned()), ("data".to_owned(), data.to_string())];
        let first = read(known.stream, &fields);
        prop_assert!(first.is_ok(), "{:?} of {}", first, data);
        let first = first.unwrap();
        prop_assert_eq!(&Value::Object(first.members.clone()), &data);

        let forwarded = encode_forwarding(&envelope, &first.payload, &first.members).unwrap();
        let again = read(known.stream, &forwarded).unwrap();
        prop_assert_eq!(&again.envelope, &envelope);
        prop_assert_eq!(&again.payload, &first.payload);
        prop_assert_eq!(&again.members, &first.members);

        let plain = encode(&envelope, &first.payload).unwrap();
        prop_assert_eq!(&read(known.stream, &plain).unwrap().payload, &first.payload);
        prop_assert!(forwarded.iter().any(|(name, value)| name == "specversion" && value == "1.0"));
    }

    #[test]
    fn no_bytes_panic_the_reader(
        fields in vec(
            (
                prop_oneof![
                    select(vec!["type", "data", "id", "time", "specversion", "traceparent", "expirytime"]).prop_map(|name| name.as_bytes().to_vec()),
                    vec(any::<u8>(), 0..8),
                ],
                prop_oneof![
                    select(Type::ALL).prop_map(|known| known.name.as_bytes().to_vec()),
                    vec(any::<u8>(), 0..64),
                    json_values().prop_map(|value| value.to_string().into_bytes()),
                ],
            ),
            0..6,
        ),
    ) {
        if let Err(refusal) = decode(fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))) {
            prop_assert!(is_one_sentence(&refusal), "{}", refusal);
        }
    }

    #[test]
    fn no_change_to_a_valid_message_panics_the_reader_and_none_is_half_refused(
        (known, mut data) in payloads(),
        place in any::<Index>(),
        value in json_values(),
    ) {
        let places = places(&data);
        let place = place.get(&places);
        *data.pointer_mut(place).unwrap() = value;
        let fields = [("type".to_owned(), known.name.to_owned()), ("data".to_owned(), data.to_string())];
        match read(known.stream, &fields) {
            // What the reader takes it can also write, and read again.
            Ok(decoded) => prop_assert!(encode(&decoded.envelope, &decoded.payload).is_ok()),
            Err(refusal) => {
                prop_assert!(is_one_sentence(&refusal), "{}", refusal);
                prop_assert!(refusal.detail.starts_with("`data` at `$"), "{}", refusal);
                prop_assert!(refusal.detail.contains(": expected "), "{}", refusal);
            }
        }
    }

    #[test]
    fn no_text_as_data_panics_the_reader(known in select(Type::ALL), (_, data) in payloads(), cut in any::<Index>(), byte in any::<u8>()) {
        let mut bytes = data.to_string().into_bytes();
        let at = cut.index(bytes.len());
        bytes[at] = byte;
        let fields = [(b"type".as_slice(), known.name.as_bytes()), (b"data", &bytes)];
        if let Err(refusal) = decode(fields) {
            prop_assert!(is_one_sentence(&refusal), "{}", refusal);
        }
    }
}
