//! What must not be left in Redis when everything is handled and all workers have gone.

use crate::names::GROUP;
use crate::place::Eye;

/// What one lane of a stream has for itself, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The lane's stream.
    pub(crate) stream: String,
    /// Delivered and not acknowledged.
    pub(crate) pending: u64,
    /// Retries and scheduled messages.
    pub(crate) delayed: u64,
    /// Waiting for their turn outside the pending list.
    pub(crate) parked: u64,
    /// Registered for a turn.
    pub(crate) waiting: u64,
    /// Keys that somebody holds: each blocks whoever comes.
    pub(crate) turns: Vec<String>,
    /// Consumers that still have a fence token.
    pub(crate) fenced: Vec<String>,
}

impl Standing {
    /// Counts.
    pub(crate) async fn of(
        eye: &mut Eye,
        (stream, prefix): &(String, String),
    ) -> anyhow::Result<Self> {
        let key = |what: &str| format!("{prefix}{what}");
        let [order, parked, turn] =
            ["order:", "parked:", "turn:"].map(|what| key(&format!("{what}{GROUP}")));
        let pending: (u64, Option<String>, Option<String>, Option<redis::Value>) =
            eye.insist(stream, &["XPENDING", stream, GROUP]).await?;
        let mut turns: Vec<String> = eye.insist(stream, &["HKEYS", &turn]).await?;
        // Up to where entries were looked at.
        turns.retain(|key| !key.is_empty());
        let mut fenced: Vec<String> = eye.insist(stream, &["HKEYS", &key("fence")]).await?;
        fenced.retain(|field| field != "#");
        Ok(Self {
            stream: stream.clone(),
            pending: pending.0,
            delayed: eye.insist(stream, &["ZCARD", &key("delayed")]).await?,
            parked: eye.insist(stream, &["ZCARD", &parked]).await?,
            waiting: eye.insist(stream, &["ZCARD", &order]).await?,
            turns,
            fenced,
        })
    }

    /// What is left that must not be.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let counted = [
            ("pending", self.pending),
            ("delayed", self.delayed),
            ("parked", self.parked),
            ("registered for a turn", self.waiting),
        ];
        let counted = counted.into_iter().filter(|(_, n)| *n > 0);
        let counted = counted.map(|(what, n)| format!("left in {}: {n} {what}", self.stream));
        let named = [("turn", &self.turns), ("fence token", &self.fenced)];
        let named = named.into_iter().filter(|(_, names)| !names.is_empty());
        let named =
            named.map(|(what, names)| format!("left in {}: {what} of {names:?}", self.stream));
        counted.chain(named).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_left_is_well_and_each_leftover_is_named() {
        let clean = Standing {
            stream: "jobs".to_owned(),
            ..Standing::default()
        };
        assert_eq!(clean.complaints(), [""; 0]);
        let left = Standing {
            pending: 1,
            delayed: 2,
            parked: 3,
            waiting: 4,
            turns: vec!["a key".to_owned()],
            fenced: vec!["workers/w1".to_owned()],
            ..clean
        };
        assert_eq!(
            left.complaints(),
            [
                "left in jobs: 1 pending",
                "left in jobs: 2 delayed",
                "left in jobs: 3 parked",
                "left in jobs: 4 registered for a turn",
                "left in jobs: turn of [\"a key\"]",
                "left in jobs: fence token of [\"workers/w1\"]",
            ]
        );
    }
}
