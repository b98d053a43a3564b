//! Who reads the urgent lanes that messages went to.

use std::collections::BTreeSet;

use maestro_protocol::Stream;
use maestro_streams::StreamStatus;

use crate::fleet::connection;
use crate::session::Session;

/// A sentence if nobody reads the urgent lane of one of these streams. The messages are in Redis by now, so a question that fails
/// is not worth a fault.
pub(super) async fn unread(session: &Session, streams: &BTreeSet<String>) -> Option<String> {
    let names: Vec<&str> = streams.iter().map(String::as_str).collect();
    if names.is_empty() {
        return None;
    }
    let states = connection::admin(session).ok()?.status(&names).await.ok()?;
    let unread: Vec<String> = states
        .iter()
        .filter(|state| !is_read(state))
        .map(|state| format!("`{}`", state.stream))
        .collect();
    if unread.is_empty() {
        return None;
    }
    Some(format!(
        "no consumer group reads the urgent lane of {}; what was published is kept there, and a worker begins with it as soon as one runs with `delivery.urgent_lane` on",
        unread.join(" and ")
    ))
}

/// Whether the group of the stream's worker is on its lane; any group, for a stream that is not the fleet's.
fn is_read(state: &StreamStatus) -> bool {
    let groups = state.urgent.iter().flat_map(|lane| &lane.groups);
    match state.stream.parse::<Stream>() {
        Ok(stream) => groups
            .into_iter()
            .any(|group| Some(group.group.as_str()) == stream.group()),
        Err(_) => groups.into_iter().next().is_some(),
    }
}
