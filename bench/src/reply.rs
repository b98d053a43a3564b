//! The answer of `XREADGROUP`, taken apart without copying: the bare loop is to be as fast as the redis crate allows.

use redis::Value;

/// One entry of the answer: its id, and its names and values in turn.
pub(crate) struct Entry {
    pub(crate) id: Vec<u8>,
    fields: Vec<Value>,
}

impl Entry {
    /// The entry's id as text, empty if it is none.
    pub(crate) fn id(&self) -> &str {
        str::from_utf8(&self.id).unwrap_or("")
    }

    /// Names and values that are bytes.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.chunks_exact(2).filter_map(|pair| match pair {
            [Value::BulkString(name), Value::BulkString(value)] => Some((&name[..], &value[..])),
            _ => None,
        })
    }
}

/// The entries of an answer about one stream; none if it is nil.
pub(crate) fn entries(answer: Value) -> Vec<Entry> {
    let Value::Array(mut streams) = answer else {
        return Vec::new();
    };
    let Some(Value::Array(mut stream)) = streams.pop() else {
        return Vec::new();
    };
    let Some(Value::Array(entries)) = stream.pop() else {
        return Vec::new();
    };
    entries.into_iter().filter_map(entry).collect()
}

fn entry(value: Value) -> Option<Entry> {
    let Value::Array(mut entry) = value else {
        return None;
    };
    let (Some(Value::Array(fields)), Some(Value::BulkString(id))) = (entry.pop(), entry.pop())
    else {
        return None;
    };
    Some(Entry { id, fields })
}
