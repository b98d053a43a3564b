//! What was expected at a place of a payload, in words. The words come from the type's own schema, so that
//! the sentence and the published contract cannot drift apart.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::message::{Misfit, Type};
use crate::path::{JsonPath, Segment};
use crate::schema;
use crate::violation::described;

static SCHEMAS: LazyLock<BTreeMap<&'static str, Value>> =
    LazyLock::new(|| schema::schemas().collect());

/// One sentence: where, what was expected, what was found.
pub(crate) fn misfit_sentence(known: &Type, data: &Value, misfit: Misfit) -> String {
    let (path, error) = match misfit {
        Misfit::Rule(violation) => return violation.to_string(),
        Misfit::Shape(path, error) => (path, error.to_string()),
    };
    let schema = SCHEMAS.get(known.name);
    // Serde reports a missing member at the object that misses it.
    let missing = error
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next());
    let (path, found) = if let Some(member) = missing {
        (path.member(member), "nothing".to_owned())
    } else {
        let found = path
            .find(data)
            .map_or_else(|| "nothing".to_owned(), described);
        (path, found)
    };
    match schema.and_then(|schema| expected_at(schema, &path)) {
        Some(expected) => format!("`data` at `{path}`: expected {expected}, but found {found}"),
        None => format!("`data` at `{path}`: {error}"),
    }
}

fn expected_at(root: &Value, path: &JsonPath) -> Option<String> {
    let mut schema = root;
    for segment in &path.0 {
        schema = resolve(root, schema)?;
        schema = match segment {
            Segment::Member(name) => member_schema(schema, name)?,
            Segment::Item(_) => schema.get("items")?,
        };
    }
    in_words(resolve(root, schema)?)
}

/// The first array that stands where the type has an object.
///
/// Serde's derived readers take `["r"]` for `{"repository": "r"}`. That is a guess by position, which no schema
/// and no reader in another language would make.
pub(crate) fn misplaced_array(known: &Type, data: &Value) -> Option<String> {
    let root = SCHEMAS.get(known.name)?;
    let path = find_misplaced_array(root, root, data)?;
    Some(format!(
        "`data` at `{path}`: expected an object, but found an array"
    ))
}

fn find_misplaced_array(root: &Value, schema: &Value, value: &Value) -> Option<JsonPath> {
    let schema = resolve(root, schema)?;
    match value {
        Value::Array(_) if schema.get("type").is_some_and(|kind| kind == "object") => {
            Some(JsonPath::default())
        }
        Value::Array(items) => {
            let schema = schema.get("items")?;
            items.iter().enumerate().find_map(|(at, item)| {
                Some(find_misplaced_array(root, schema, item)?.inside(Segment::Item(at)))
            })
        }
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            let schema = member_schema(schema, name)?;
            Some(find_misplaced_array(root, schema, value)?.inside(Segment::Member(name.clone())))
        }),
        _ => None,
    }
}

fn member_schema<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    schema
        .get("properties")
        .and_then(|members| members.get(name))
        .or_else(|| schema.get("additionalProperties"))
}

/// Follows references, and takes what is not null of what may be null.
fn resolve<'a>(root: &'a Value, mut schema: &'a Value) -> Option<&'a Value> {
    loop {
        schema = if let Some(reference) = schema.get("$ref") {
            root.pointer(reference.as_str()?.strip_prefix('#')?)?
        } else if let Some(either) = schema.get("anyOf").and_then(Value::as_array)
            && either.iter().any(is_null)
        {
            either.iter().find(|branch| !is_null(branch))?
        } else {
            return Some(schema);
        };
    }
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| kind == "null")
}

fn in_words(schema: &Value) -> Option<String> {
    if let Some(values) = allowed_values(schema) {
        return Some(match values.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("one of {} and {last}", others.join(", ")),
            None => return None,
        });
    }
    let kind = match schema.get("type")? {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null")?.as_str()?,
        kind => kind.as_str()?,
    };
    Some(match kind {
        "string" => "a string".to_owned(),
        "array" => "an array".to_owned(),
        "object" => "an object".to_owned(),
        "boolean" => "true or false".to_owned(),
        "number" => "a number".to_owned(),
        "integer" => integer(schema),
        _ => return None,
    })
}

fn integer(schema: &Value) -> String {
    let least = schema.get("minimum").and_then(Value::as_i64);
    let most = schema.get("maximum").and_then(Value::as_i64).or_else(|| {
        match schema.get("format").and_then(Value::as_str) {
            Some("uint32") => Some(i64::from(u32::MAX)),
            Some("int32") => Some(i64::from(i32::MAX)),
            _ => None,
        }
    });
    match (least, most) {
        (Some(least), Some(most)) => format!("an integer between {least} and {most}"),
        (Some(least), None) => format!("an integer of at least {least}"),
        (None, Some(most)) => format!("an integer of at most {most}"),
        (None, None) => "an integer".to_owned(),
    }
}

/// The values of an enum, whether its schema is one list or, with a description each, one branch a value.
fn allowed_values(schema: &Value) -> Option<Vec<String>> {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values
            .iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect();
    }
    let branches = schema.get("oneOf").and_then(Value::as_array)?;
    branches
        .iter()
        .map(|branch| {
            branch
                .get("const")
                .and_then(Value::as_str)
                .map(str::to_owned)
        })
        .collect()
}
