use std::sync::Arc;

use bytes::Bytes;

/// The fields of a stream entry, in their order. Names and values are bytes: nothing here assumes UTF-8.
///
/// A clone shares the fields, so keeping an entry while a handler works on it costs nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(Arc<Vec<(Bytes, Bytes)>>);

impl Fields {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of the first field of this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_ref())
    }

    /// The value of the first field of this name, if it is UTF-8.
    pub fn get_str(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.get(name)?).ok()
    }

    /// Appends a field. Copies the others first if they are shared with a clone.
    pub fn push(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        Arc::make_mut(&mut self.0).push((name.into(), value.into()));
    }

    /// Name and value of each field, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Bytes, &Bytes)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// How many fields.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes of all names and values together.
    pub fn byte_len(&self) -> usize {
        self.0
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum()
    }

    /// Without the fields for which `drop` says yes.
    #[must_use]
    pub(crate) fn without(self, drop: impl Fn(&[u8]) -> bool) -> Self {
        if self.0.iter().any(|(name, _)| drop(name)) {
            self.iter()
                .filter(|(name, _)| !drop(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        } else {
            self
        }
    }
}

impl<N: Into<Bytes>, V: Into<Bytes>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        Self(Arc::new(
            fields
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_bytes_that_are_no_text() {
        let mut fields: Fields = [("b", "1"), ("a", "2"), ("b", "3")].into_iter().collect();
        fields.push("raw", Bytes::from_static(b"\xff\0"));
        assert_eq!(fields.get("b"), Some(b"1".as_ref()));
        assert_eq!(fields.get("raw"), Some(b"\xff\0".as_ref()));
        assert_eq!(fields.get_str("raw"), None);
        assert_eq!(fields.byte_len(), 6 + 5);
        let left = fields.clone().without(|name| name == b"b");
        assert_eq!(left.len(), 2);
        assert_eq!(fields.len(), 4);
    }
}
