//! A person's decision on a heal, put on the audit trail.

use jiff::Timestamp;
use maestro_protocol::heal::HealCompleted;
use maestro_protocol::validation::{Judgement, ValidationCompleted};
use maestro_protocol::{Envelope, Message, Payload as _, encode};

use crate::fault::Fault;
use crate::fleet::connection;
use crate::message::Draft;
use crate::results::Found;
use crate::session::Session;

/// Who says so, as the source of the message.
const SOURCE: &str = "maestro/verdict";

/// Who decides, where nobody says: the user's name.
pub(crate) fn somebody() -> String {
    ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "unknown".to_owned())
}

/// Appends the decision to the results. Nothing has to run for that: it is a fact, not a request.
pub(crate) async fn record(
    session: &Session,
    found: &Found,
    heal: &HealCompleted,
    judgement: Judgement,
    by: String,
    reason: String,
) -> Result<String, Fault> {
    let now = Timestamp::now();
    let decided = ValidationCompleted {
        heal: found.id(),
        project: Some(heal.project.clone()),
        test: heal.test.clone(),
        judgement,
        reason,
        by: Some(by),
        evidence: None,
        duration_ms: None,
        worker_version: env!("CARGO_PKG_VERSION").to_owned(),
        fingerprint: heal.fingerprint.clone(),
    };
    // Whoever decides again says another message: the last one counts.
    let id = format!("{}/decided-{}", found.id(), now.as_millisecond());
    let flow = found.field("correlationid").map(str::to_owned);
    let envelope = Envelope {
        id: Some(id.clone()),
        source: Some(SOURCE.to_owned()),
        subject: heal.test.as_ref().map(|test| test.id.clone()),
        time: Some(now),
        correlationid: flow.or_else(|| Some(found.id())),
        causationid: Some(found.id()),
        ..Envelope::default()
    };
    let fields = encode(&envelope, &Message::from(decided))
        .map_err(|refusal| Fault::data(format!("the decision cannot be written: {refusal}")))?;
    let draft = Draft {
        stream: ValidationCompleted::STREAM.name().to_owned(),
        fields,
    };
    connection::publisher(session)?
        .publish(&[draft.outgoing()])
        .await
        .map_err(|error| connection::fault(&error))?;
    Ok(id)
}
