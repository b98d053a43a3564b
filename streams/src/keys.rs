use std::sync::Arc;

use crate::Error;

/// The keys that belong to one stream. All but the stream's own carry its name as Redis Cluster hash tag
/// (<https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags>), so they share its slot and
/// every script over them stays atomic in a cluster too. A key prefix goes inside the tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    name: Arc<str>,
    /// The name with its prefix: the hash tag.
    tag: String,
    stream: String,
    is_urgent: bool,
}

impl Keys {
    /// Fails if prefix and name together are empty or contain braces, which would change the hash tag.
    pub fn new(prefix: &str, name: &str) -> Result<Self, Error> {
        let tag = format!("{prefix}{name}");
        if name.is_empty() || tag.contains(['{', '}']) {
            return Err(Error::StreamName { name: tag });
        }
        Ok(Self {
            name: name.into(),
            stream: tag.clone(),
            tag,
            is_urgent: false,
        })
    }

    /// The same for the stream's urgent lane: a stream of its own, with its own waiting and pending entries. Dead letters,
    /// deduplication marks, tallies and the rate are those of the stream.
    #[must_use]
    pub fn urgent(&self) -> Self {
        Self {
            stream: format!("{{{}}}:urgent", self.tag),
            is_urgent: true,
            ..self.clone()
        }
    }

    /// Whether these are the keys of the urgent lane.
    pub fn is_urgent(&self) -> bool {
        self.is_urgent
    }

    /// The stream's name without the prefix.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The stream itself.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// Dead letters: a stream.
    pub fn dead(&self) -> String {
        self.tagged("dead")
    }

    /// What is not yet due, retries and scheduled messages: a sorted set by due time in milliseconds.
    pub fn delayed(&self) -> String {
        self.of_lane("delayed")
    }

    /// What the deduplication sets' names begin with; the number of the window follows.
    pub fn seen(&self) -> String {
        self.tagged("seen:")
    }

    /// The registry of consumers: a hash from `group/consumer` to `milliseconds host process version concurrency up`, the first
    /// being the time of the last heartbeat by the server's clock and the last one for how many milliseconds it had run then.
    pub fn workers(&self) -> String {
        self.of_lane("workers")
    }

    /// How far each group has come: a hash from group to entry id.
    pub fn cursor(&self) -> String {
        self.of_lane("cursor")
    }

    /// Fence tokens: a hash from `group/consumer` to a number, and from `#` to the last number used.
    pub fn fence(&self) -> String {
        self.of_lane("fence")
    }

    /// Who waits for a turn: a sorted set for each group of `sha1 of the ordering key/id`.
    pub fn order(&self, group: &str) -> String {
        format!("{}{group}", self.of_lane("order:"))
    }

    /// Whose turn it is: a hash for each group from the sha1 of the ordering key to an id.
    pub fn turn(&self, group: &str) -> String {
        format!("{}{group}", self.of_lane("turn:"))
    }

    /// Who waits outside the pending list: a sorted set for each group. With an empty group, what their names begin with.
    pub fn parked(&self, group: &str) -> String {
        format!("{}{group}", self.of_lane("parked:"))
    }

    /// The rate that the replicas of each group share: a hash from group to microseconds since 1970.
    pub fn rate(&self) -> String {
        self.tagged("rate")
    }

    /// One tally; see [`crate::Tally`].
    pub fn tally(&self, key: &str) -> String {
        format!("{}{key}", self.tagged("tally:"))
    }

    /// A projection of the stream, or one of its hashes; see [`crate::Projection`].
    pub fn projection(&self, name: &str, key: Option<&str>) -> String {
        match key {
            Some(key) => self.tagged(&format!("{name}:{key}")),
            None => self.tagged(name),
        }
    }

    fn tagged(&self, what: &str) -> String {
        format!("{{{}}}:{what}", self.tag)
    }

    /// What each lane has for itself.
    fn of_lane(&self, what: &str) -> String {
        if self.is_urgent {
            self.tagged(&format!("urgent:{what}"))
        } else {
            self.tagged(what)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_stream_share_its_slot_and_the_prefix_goes_inside_the_tag() {
        let keys = Keys::new("acme:", "automation:heal").unwrap();
        assert_eq!(keys.stream(), "acme:automation:heal");
        assert_eq!(keys.dead(), "{acme:automation:heal}:dead");
        assert_eq!(keys.tally("a"), "{acme:automation:heal}:tally:a");
        let history = keys.projection("history", Some("f"));
        assert_eq!(history, "{acme:automation:heal}:history:f");
        let urgent = keys.urgent();
        assert_eq!(urgent.stream(), "{acme:automation:heal}:urgent");
        assert_eq!(urgent.dead(), keys.dead());
        assert_eq!(urgent.delayed(), "{acme:automation:heal}:urgent:delayed");
        assert!(Keys::new("", "a{b}").is_err());
        assert!(Keys::new("p", "").is_err());
    }
}
