//! The file that says what an environment is to hold: YAML or JSON, the payload of `maestro.environment.requested.v1`.
//!
//! On the wire a member that nobody knows is ignored. In a file it is a slip of the pen, and would silently give an
//! environment without a database: here it is an error, with line and column. What is known stands in the published schema.

mod known;
mod located;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use maestro_protocol::environment::EnvironmentRequested;
use maestro_protocol::path::{JsonPath, Segment};
use maestro_protocol::{Payload, Refusal, schemas};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use self::known::Known;
use self::located::{Content, Node, Place, written};
use super::super::publish::bounded;
use crate::config::yaml_sentence;
use crate::fault::Fault;

/// A payload, and where each part of it stands in its file.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) payload: Value,
    name: String,
    places: BTreeMap<String, Place>,
}

impl Spec {
    /// The file's payload; `-` is standard input.
    pub(super) fn read(file: &Path) -> Result<Self, Fault> {
        if file.as_os_str() == "-" {
            let name = "standard input";
            let text = bounded(io::stdin().lock(), Path::new(name))?;
            return Self::parse(name, &text);
        }
        let open = File::open(file).map_err(|error| Fault::io(file, "be read", &error))?;
        Self::parse(&file.display().to_string(), &bounded(open, file)?)
    }

    fn parse(name: &str, text: &str) -> Result<Self, Fault> {
        let text = text.trim_start_matches('\u{feff}');
        let document: Node = serde_saphyr::from_str(text).map_err(|error| {
            let place = error
                .location()
                .map(|at| format!(":{}:{}", at.line(), at.column()));
            let place = place.unwrap_or_default();
            Fault::data(format!("{name}{place}: {}", yaml_sentence(&error)))
        })?;
        let schema = schemas()
            .find(|(message, _)| *message == EnvironmentRequested::TYPE)
            .map(|(_, schema)| schema)
            .unwrap_or_default();
        let mut reading = Reading {
            text,
            // What JSON wrote as a number was meant as one.
            is_json: serde_json::from_str::<IgnoredAny>(text).is_ok(),
            places: BTreeMap::new(),
        };
        let known = Known::root(&schema);
        match reading.value(&document, Some(known), &JsonPath::default()) {
            Ok(payload) => Ok(Self {
                payload,
                name: name.to_owned(),
                places: reading.places,
            }),
            Err((place, sentence)) => Err(Fault::data(format!("{name}:{place}: {sentence}"))
                .next("`maestro schema environment.requested` lists every member")),
        }
    }

    /// A reader's refusal of the payload, with the place in the file.
    pub(super) fn refused(&self, refusal: &Refusal) -> Fault {
        let rest = refusal.detail.strip_prefix("`data` at `");
        let Some((path, sentence)) = rest.and_then(|rest| rest.split_once("`: ")) else {
            return Fault::data(format!("{}: {}", self.name, refusal.detail));
        };
        let place = self
            .place(path)
            .map_or_else(String::new, |place| format!(":{place}"));
        Fault::data(format!("{}{place}: `{path}`: {sentence}", self.name))
    }

    /// Where a path stands, or what is around it, for a member that is missing.
    fn place(&self, path: &str) -> Option<Place> {
        self.places
            .iter()
            .filter(|(known, _)| {
                path.strip_prefix(known.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            })
            .max_by_key(|(known, _)| known.len())
            .map(|(_, place)| *place)
    }
}

struct Reading<'a> {
    text: &'a str,
    is_json: bool,
    places: BTreeMap<String, Place>,
}

type Misplaced = (Place, String);

impl Reading<'_> {
    fn value(
        &mut self,
        node: &Node,
        known: Option<Known<'_>>,
        path: &JsonPath,
    ) -> Result<Value, Misplaced> {
        self.places.insert(path.to_string(), Place::of(node));
        match &node.value {
            Content::Scalar(scalar) => Ok(self.scalar(node, scalar, known)),
            Content::Sequence(items) => {
                let known = known.and_then(|known| known.item());
                let items = items.iter().enumerate().map(|(index, item)| {
                    let mut path = path.clone();
                    path.0.push(Segment::Item(index));
                    self.value(item, known, &path)
                });
                items.collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            Content::Mapping(entries) => {
                let members = known.and_then(|known| known.members());
                let mut object = Map::new();
                for (name, inner) in entries {
                    if let Some(members) = &members
                        && !members.contains(&name.value.as_str())
                    {
                        return Err((Place::of(name), unknown(path, &name.value, members)));
                    }
                    let known = known.and_then(|known| known.member(&name.value));
                    let path = path.clone().member(&name.value);
                    object.insert(name.value.clone(), self.value(inner, known, &path)?);
                }
                Ok(Value::Object(object))
            }
        }
    }

    /// Where only text may stand, YAML's `17` and `true` are text: nothing else can be meant.
    fn scalar(&self, node: &Node, scalar: &Value, known: Option<Known<'_>>) -> Value {
        let is_plain = matches!(scalar, Value::Number(_) | Value::Bool(_));
        if !self.is_json
            && is_plain
            && known.is_some_and(|known| known.is_text())
            && let Some(text) = written(node, self.text)
        {
            return text.into();
        }
        scalar.clone()
    }
}

fn unknown(path: &JsonPath, name: &str, members: &[&str]) -> String {
    let shown: String = name.chars().take(64).collect();
    format!(
        "`{path}`: unknown key `{shown}`; expected one of `{}`",
        members.join("`, `")
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn payload(text: &str) -> Value {
        Spec::parse("spec.yaml", text).unwrap().payload
    }

    fn sentence(text: &str) -> String {
        Spec::parse("spec.yaml", text).unwrap_err().to_string()
    }

    #[test]
    fn a_file_is_the_payload_and_says_text_without_quotes_where_only_text_may_stand() {
        let yaml = "# what we run\napp:\n  image: shop:1\n  port: 8080\n  env: {DEBUG: true, LEVEL: 0x10}\n  resources: {cpu: 2}\ndatabase: mysql\ndatabase_version: 8.10\nredis: true\nlabels: {build: 7}\n";
        assert_eq!(
            payload(yaml),
            json!({
                "app": {"image": "shop:1", "port": 8080, "env": {"DEBUG": "true", "LEVEL": "0x10"}, "resources": {"cpu": "2"}},
                "database": "mysql", "database_version": "8.10", "redis": true, "labels": {"build": "7"},
            })
        );
        let env = json!({"LEVEL": "1.50"});
        assert_eq!(
            payload(
                "app: {image: i, env: &e {LEVEL: 1.50}}\ntest: {image: t, command: [x], env: *e}\n"
            ),
            json!({"app": {"image": "i", "env": env}, "test": {"image": "t", "command": ["x"], "env": env}})
        );
    }

    #[test]
    fn json_is_taken_word_for_word() {
        let text = "{\n\t\"database_version\": 17,\n\t\"app\": {\"image\": \"a\\u00e9\"}}";
        assert_eq!(
            payload(text),
            json!({"database_version": 17, "app": {"image": "aé"}})
        );
    }

    #[test]
    fn a_key_that_the_schema_does_not_know_is_told_with_its_place_at_any_depth() {
        assert_eq!(
            sentence("databse: mysql\n"),
            "spec.yaml:1:1: `$`: unknown key `databse`; expected one of `app`, `database`, `database_version`, `keep_on_failure`, `labels`, `network`, `project`, `quota`, `redis`, `templates`, `test`, `ttl_s`; `maestro schema environment.requested` lists every member"
        );
        let nested = sentence("app:\n  image: x\n  resources:\n    cpus: 1\n");
        assert!(
            nested.starts_with("spec.yaml:4:5: `$.app.resources`: unknown key `cpus`; expected one of `cpu`, `memory`"),
            "{nested}"
        );
        let network = sentence("network: {egres: dns}\n");
        assert!(
            network.starts_with(
                "spec.yaml:1:11: `$.network`: unknown key `egres`; expected one of `egress`;"
            ),
            "{network}"
        );
        let job = sentence("test:\n  image: x\n  cmd: [a]\n");
        assert!(job.starts_with("spec.yaml:3:3: `$.test`: "), "{job}");
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_place() {
        for text in ["app: [", "a: 1\na: 2\n", "x: .nan\n", "- a: b: c\n"] {
            let sentence = sentence(text);
            assert!(sentence.starts_with("spec.yaml:"), "{sentence}");
            assert_eq!(sentence.lines().count(), 1, "{sentence}");
        }
    }

    #[test]
    fn a_refusal_is_told_with_the_place_of_what_is_wrong_or_of_what_lacks_it() {
        let spec = Spec::parse("spec.yaml", "app:\n  port: 0\n").unwrap();
        let told = |detail: &str| {
            let refusal = Refusal::new(maestro_protocol::DeadReason::Invalid, detail);
            spec.refused(&refusal).to_string()
        };
        assert_eq!(
            told("`data` at `$.app.port`: expected more, but found 0"),
            "spec.yaml:2:9: `$.app.port`: expected more, but found 0"
        );
        assert_eq!(
            told("`data` at `$.app.image`: expected a string, but found nothing"),
            "spec.yaml:2:3: `$.app.image`: expected a string, but found nothing"
        );
        assert_eq!(told("field `id`: odd"), "spec.yaml: field `id`: odd");
    }
}
