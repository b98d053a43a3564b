//! Messages on their way out: their fields, checked by the same code that reads them at the other end.

use maestro_protocol::message::Type;
use maestro_protocol::{DeadReason, Refusal, Stream};
use maestro_streams::Outgoing;
use serde_json::{Value, json};

use crate::fault::Fault;

/// A message to be published.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) stream: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Draft {
    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    /// What the worker that reads it would say of it.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let fields = || {
            self.fields
                .iter()
                .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        };
        match self.stream.parse::<Stream>() {
            Ok(stream) => maestro_protocol::decode_on(stream, fields()).map(drop),
            Err(unknown) => Err(Refusal::new(DeadReason::Invalid, unknown.to_string())),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.fields
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum()
    }

    pub(crate) fn outgoing(&self) -> Outgoing {
        self.fields.iter().fold(
            Outgoing::new(self.stream.clone()),
            |message, (name, value)| message.field(name.clone(), value.clone()),
        )
    }

    /// As `--dry-run` shows it: `data` as JSON where it is JSON.
    pub(crate) fn shown(&self, urgent: bool) -> Value {
        let fields: serde_json::Map<String, Value> =
            self.fields
                .iter()
                .map(|(name, value)| {
                    let shown = match name.as_str() {
                        "data" => serde_json::from_str(value)
                            .unwrap_or_else(|_| Value::from(value.as_str())),
                        _ => Value::from(value.as_str()),
                    };
                    (name.clone(), shown)
                })
                .collect();
        json!({ "stream": self.stream, "urgent": urgent, "fields": fields })
    }
}

/// A message type by its name, or by its name without `maestro.` and the version.
pub(crate) fn type_named(name: &str) -> Option<&'static Type> {
    Type::named(name).or_else(|| {
        Type::ALL.iter().rev().find(|known| {
            let short = known.name.strip_prefix("maestro.").unwrap_or(known.name);
            short == name
                || short
                    .rsplit_once(".v")
                    .is_some_and(|(base, _)| base == name)
        })
    })
}

/// The sentence for a type that there is not.
pub(crate) fn unknown_type(name: &str) -> Fault {
    Fault::data(format!("`{name}` is no message type")).next("`maestro schema` lists them all")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_found_by_its_whole_and_by_its_short_name() {
        for name in [
            "maestro.error.reported.v1",
            "error.reported.v1",
            "error.reported",
        ] {
            assert_eq!(
                type_named(name).map(|known| known.name),
                Some("maestro.error.reported.v1")
            );
        }
        assert!(type_named("reported").is_none());
    }

    #[test]
    fn a_draft_is_refused_by_the_words_of_the_reader() {
        let draft = |data: &str| Draft {
            stream: "automation:errors".into(),
            fields: vec![
                ("type".into(), "maestro.error.reported.v1".into()),
                ("data".into(), data.into()),
            ],
        };
        assert!(
            draft(r#"{"project":{"repository":"/x"},"kind":"test_failure","message":"m"}"#)
                .check()
                .is_ok()
        );
        let refusal = draft(r#"{"project":{"repository":"/x"},"kind":"odd","message":"m"}"#)
            .check()
            .unwrap_err();
        assert!(
            refusal.detail.starts_with("`data` at `$.kind`: expected"),
            "{}",
            refusal.detail
        );
    }
}
