//! The golden files: entries that every later version must read, or refuse, as this one does.
//!
//! A file under `golden/<stream's type>/` has the fields of an entry; `data` may stand there as JSON. An invalid one
//! has the reason and the sentence of its refusal. Files are added, never edited. With `MAESTRO_GOLDEN=fill` in
//! the environment the test writes the refusal into new invalid files that have none yet.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use maestro_protocol::message::Type;
use maestro_protocol::{Decoded, Message, Refusal, decode_on, encode_forwarding, schemas};
use serde_json::{Value, json};

struct Golden {
    path: PathBuf,
    known: &'static Type,
    document: Value,
}

impl Golden {
    fn all(prefix: &str) -> Vec<Self> {
        let mut all = Vec::new();
        for known in Type::ALL {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("golden")
                .join(known.name);
            let before = all.len();
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path
                    .file_name()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .starts_with(prefix)
                {
                    let document =
                        serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
                    all.push(Self {
                        path,
                        known,
                        document,
                    });
                }
            }
            assert!(
                all.len() > before,
                "no golden file {prefix}* in {}",
                folder.display()
            );
        }
        all
    }

    fn fields(&self) -> Vec<(String, String)> {
        self.document["fields"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| {
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                (name.clone(), value)
            })
            .collect()
    }

    fn decode(&self) -> Result<Decoded<Message>, Refusal> {
        decode(self.known, &self.fields())
    }
}

fn decode(known: &Type, fields: &[(String, String)]) -> Result<Decoded<Message>, Refusal> {
    decode_on(
        known.stream,
        fields
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes())),
    )
}

#[test]
fn every_valid_golden_message_is_read_and_written_again_the_same() {
    for golden in Golden::all("valid-") {
        let at = golden.path.display();
        let decoded = golden
            .decode()
            .unwrap_or_else(|refusal| panic!("{at}: {refusal}"));
        assert_eq!(decoded.payload.type_name(), golden.known.name, "{at}");
        assert_eq!(
            Value::Object(decoded.members.clone()),
            golden.document["fields"]["data"],
            "{at}"
        );
        let written =
            encode_forwarding(&decoded.envelope, &decoded.payload, &decoded.members).unwrap();
        assert_eq!(
            decode(golden.known, &written).as_ref(),
            Ok(&decoded),
            "{at}"
        );
    }
}

#[test]
fn every_valid_golden_message_is_valid_by_the_published_schema() {
    for (name, schema) in schemas() {
        let validator = jsonschema::validator_for(&schema).unwrap();
        for golden in Golden::all("valid-")
            .into_iter()
            .filter(|golden| golden.known.name == name)
        {
            if let Err(error) = validator.validate(&golden.document["fields"]["data"]) {
                panic!("{}: {error}", golden.path.display());
            }
        }
    }
}

#[test]
fn every_invalid_golden_message_is_refused_with_its_reason_and_sentence() {
    let fill = std::env::var("MAESTRO_GOLDEN").is_ok_and(|value| value == "fill");
    for mut golden in Golden::all("invalid-") {
        let at = golden.path.display().to_string();
        let refusal = golden.decode().expect_err(&at);
        if fill && golden.document.get("reason").is_none() {
            golden.document["reason"] = json!(refusal.reason.name());
            golden.document["detail"] = json!(refusal.detail);
            fs::write(&golden.path, format!("{:#}\n", golden.document)).unwrap();
        }
        assert_eq!(golden.document["reason"], refusal.reason.name(), "{at}");
        assert_eq!(golden.document["detail"], refusal.detail, "{at}");
    }
}

#[test]
fn what_the_published_schema_refuses_the_reader_refuses_too() {
    // The other way round the reader may know more: a schema cannot say that 4 runs of 3 make no sense.
    for (name, schema) in schemas() {
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .build(&schema)
            .unwrap();
        for golden in Golden::all("invalid-")
            .into_iter()
            .filter(|golden| golden.known.name == name)
        {
            let about_data = golden.document["detail"]
                .as_str()
                .is_some_and(|detail| detail.starts_with("`data` at"));
            let data = &golden.document["fields"]["data"];
            let beyond = [
                "invalid-more-runs-than-made.json",
                "invalid-variable-name.json",
            ]
            .iter()
            .any(|known| golden.path.ends_with(known));
            if about_data && data.is_object() && !beyond {
                assert!(!validator.is_valid(data), "{}", golden.path.display());
            }
        }
    }
}
