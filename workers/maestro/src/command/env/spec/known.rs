//! What the published schema says of a place in a payload: which members it knows, and whether it takes text only.

use serde_json::Value;

/// The schema of one place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    root: &'a Value,
    here: &'a Value,
}

impl<'a> Known<'a> {
    pub(super) fn root(schema: &'a Value) -> Self {
        Self {
            root: schema,
            here: schema,
        }
    }

    /// The schema behind references, and behind "or null".
    fn at(root: &'a Value, mut here: &'a Value) -> Self {
        // A schema refers to another one a few times at most.
        for _ in 0..8 {
            if let Some(reference) = here["$ref"].as_str() {
                let found = reference.strip_prefix('#').and_then(|to| root.pointer(to));
                let Some(found) = found else { break };
                here = found;
                continue;
            }
            let choices = here["anyOf"].as_array().map(Vec::as_slice);
            let mut choices = choices.unwrap_or_default().iter();
            match choices.find(|choice| choice["type"] != "null") {
                Some(choice) => here = choice,
                None => break,
            }
        }
        Self { root, here }
    }

    /// The names of the members that it knows; `None` where any name may stand.
    pub(super) fn members(&self) -> Option<Vec<&'a str>> {
        let members = self.here["properties"].as_object()?;
        Some(members.keys().map(String::as_str).collect())
    }

    /// The schema of a member; `None` if there is nothing to say of it.
    pub(super) fn member(&self, name: &str) -> Option<Self> {
        let named = self.here["properties"].get(name);
        let named = named.or_else(|| self.here.get("additionalProperties"));
        Some(Self::at(self.root, named?))
    }

    /// The schema of an item.
    pub(super) fn item(&self) -> Option<Self> {
        Some(Self::at(self.root, self.here.get("items")?))
    }

    /// Whether text is what stands here, and no number or truth value may.
    pub(super) fn is_text(&self) -> bool {
        match &self.here["type"] {
            Value::String(only) => only == "string",
            Value::Array(several) => {
                several.iter().any(|one| one == "string")
                    && several.iter().all(|one| one == "string" || one == "null")
            }
            _ => false,
        }
    }
}
