use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, Label, counter, gauge, histogram};

/// What a consumer counts, labelled with `stream`, `group` and `lane`.
pub(super) struct Meters {
    /// Entries read for the first time.
    pub(super) fetched: Counter,
    /// Outcomes "done" that took effect.
    pub(super) committed: Counter,
    /// Outcomes that came too late, because another consumer owned the message.
    pub(super) fenced: Counter,
    /// Messages whose key had taken effect before.
    pub(super) duplicates: Counter,
    /// Times that a handler published something before it was done.
    pub(super) progress: Counter,
    /// Messages put back for another delivery.
    pub(super) retried: Counter,
    /// Messages put back without counting a delivery.
    pub(super) returned: Counter,
    /// Messages set aside.
    pub(super) dead: Counter,
    /// Messages handled alone, because a worker was lost with them.
    pub(super) quarantined: Counter,
    /// Messages taken over from a consumer that let its lease run out.
    pub(super) taken_over: Counter,
    /// Own pending messages found again after a lost reply.
    pub(super) recovered: Counter,
    /// Pending entries that no longer exist: deleted or trimmed by somebody else.
    pub(super) vanished: Counter,
    /// Connections made anew.
    pub(super) reconnects: Counter,
    /// Lost groups created again.
    pub(super) groups_recreated: Counter,
    /// Dead consumers deleted.
    pub(super) consumers_deleted: Counter,
    /// Entries trimmed.
    pub(super) trimmed: Counter,
    /// Messages fetched and not yet committed.
    pub(super) in_flight: Gauge,
    /// 1 while a dependency is unavailable.
    pub(super) breaker_open: Gauge,
    /// Pending plus not yet delivered, of this group.
    pub(super) backlog: Gauge,
    /// From an entry's time to the start of its handler.
    pub(super) wait_seconds: Histogram,
    /// How long handlers took.
    pub(super) handler_seconds: Histogram,
}

impl Meters {
    pub(super) fn new(stream: &Arc<str>, group: &str, is_urgent: bool) -> Self {
        let lane = if is_urgent { "urgent" } else { "usual" };
        let labels = vec![
            Label::new("stream", stream.to_string()),
            Label::new("group", group.to_owned()),
            Label::from_static_parts("lane", lane),
        ];
        Self {
            fetched: counter!("streams_fetched_total", labels.clone()),
            committed: counter!("streams_committed_total", labels.clone()),
            fenced: counter!("streams_fenced_total", labels.clone()),
            duplicates: counter!("streams_duplicates_total", labels.clone()),
            progress: counter!("streams_progress_total", labels.clone()),
            retried: counter!("streams_retried_total", labels.clone()),
            returned: counter!("streams_returned_total", labels.clone()),
            dead: counter!("streams_dead_total", labels.clone()),
            quarantined: counter!("streams_quarantined_total", labels.clone()),
            taken_over: counter!("streams_taken_over_total", labels.clone()),
            recovered: counter!("streams_recovered_total", labels.clone()),
            vanished: counter!("streams_vanished_total", labels.clone()),
            reconnects: counter!("streams_reconnects_total", labels.clone()),
            groups_recreated: counter!("streams_groups_recreated_total", labels.clone()),
            consumers_deleted: counter!("streams_consumers_deleted_total", labels.clone()),
            trimmed: counter!("streams_trimmed_total", labels.clone()),
            in_flight: gauge!("streams_in_flight", labels.clone()),
            breaker_open: gauge!("streams_breaker_open", labels.clone()),
            backlog: gauge!("streams_backlog", labels.clone()),
            wait_seconds: histogram!("streams_wait_seconds", labels.clone()),
            handler_seconds: histogram!("streams_handler_seconds", labels),
        }
    }
}
