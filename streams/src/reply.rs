//! From Redis replies to entries, without copying what they carry.

use bytes::Bytes;
use redis::Value;

use crate::{Entry, EntryId, Fields};

/// An array, in whatever form the protocol version gives it.
pub(crate) fn array(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(items) | Value::Set(items) => Some(items),
        Value::Map(pairs) => Some(pairs.into_iter().flat_map(|(k, v)| [k, v]).collect()),
        Value::Nil => Some(Vec::new()),
        _ => None,
    }
}

pub(crate) fn bytes(value: Value) -> Option<Bytes> {
    match value {
        Value::BulkString(bytes) => Some(Bytes::from(bytes)),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(Bytes::from(text)),
        Value::Okay => Some(Bytes::from_static(b"OK")),
        Value::Int(number) => Some(Bytes::from(number.to_string())),
        _ => None,
    }
}

pub(crate) fn text(value: Value) -> Option<String> {
    bytes(value).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// A number that is not negative.
pub(crate) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::BulkString(digits) => std::str::from_utf8(digits).ok()?.parse().ok(),
        _ => None,
    }
}

pub(crate) fn id(value: &Value) -> Option<EntryId> {
    match value {
        Value::BulkString(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        Value::SimpleString(text) => text.parse().ok(),
        _ => None,
    }
}

/// `[name, value, name, value, …]`.
pub(crate) fn fields(value: Value) -> Option<Fields> {
    let mut items = array(value)?.into_iter();
    let mut fields = Vec::with_capacity(items.len() / 2);
    while let (Some(name), Some(value)) = (items.next(), items.next()) {
        fields.push((bytes(name)?, bytes(value)?));
    }
    Some(fields.into_iter().collect())
}

/// `[id, [name, value, …]]`. An entry that was deleted while it was pending comes with nil instead of fields: `Err`.
pub(crate) fn entry(value: Value) -> Option<Result<Entry, EntryId>> {
    let mut items = array(value)?.into_iter();
    let id = id(&items.next()?)?;
    Some(match items.next()? {
        Value::Nil => Err(id),
        value => Ok(Entry {
            id,
            fields: fields(value)?,
        }),
    })
}

/// `[[stream, [entry, …]], …]` or, in RESP3, a map from stream to entries.
pub(crate) fn streams(value: Value) -> Option<Vec<(String, Vec<Entry>)>> {
    let pairs: Vec<(Value, Value)> = match value {
        Value::Nil => Vec::new(),
        Value::Map(pairs) => pairs,
        Value::Array(items) => {
            let mut pairs = Vec::with_capacity(items.len());
            for item in items {
                let mut item = array(item)?.into_iter();
                pairs.push((item.next()?, item.next()?));
            }
            pairs
        }
        _ => return None,
    };
    let mut streams = Vec::with_capacity(pairs.len());
    for (name, entries) in pairs {
        let entries = array(entries)?.into_iter().map(entry);
        // A deleted entry has nothing to show to a reader.
        let entries = entries.filter_map(|entry| match entry {
            Some(Ok(entry)) => Some(Some(entry)),
            Some(Err(_)) => None,
            None => Some(None),
        });
        streams.push((text(name)?, entries.collect::<Option<Vec<_>>>()?));
    }
    Some(streams)
}

/// `[name, value, name, value, …]` with text names, as `XINFO` gives it: the value of one name.
pub(crate) fn member<'a>(items: &'a [Value], name: &str) -> Option<&'a Value> {
    items.chunks_exact(2).find_map(|pair| match &pair[0] {
        Value::BulkString(found) if found == name.as_bytes() => Some(&pair[1]),
        Value::SimpleString(found) if found == name => Some(&pair[1]),
        _ => None,
    })
}
