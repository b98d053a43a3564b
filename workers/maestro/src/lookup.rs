//! One heal among all results, by what a person knows of it.

use maestro_protocol::Message;
use maestro_protocol::heal::HealCompleted;

use crate::fault::Fault;
use crate::results::{Found, Reader};
use crate::session::Session;
use crate::verdict;

/// How the name given fits a result; the better fit counts more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// The id begins with it.
    Prefix,
    /// It names the flow.
    Flow,
    /// It is the id of the message that began the flow, or the request's.
    Ancestor,
    /// It is the id, or the entry's.
    Exact,
}

/// The heal that `wanted` names: its message's id, the beginning of it, its flow, or the message that began it.
pub(crate) async fn heal(session: &Session, wanted: &str) -> Result<(Found, HealCompleted), Fault> {
    if wanted.is_empty() {
        return Err(Fault::usage(
            "`ID`: expected the id of a heal, but found nothing",
        ));
    }
    let mut progress = session.output.progress();
    let mut reader = Reader::history(session).await?;
    let (mut best, mut heals, mut read) = (None, Vec::new(), 0_u64);
    let mut triaged = None;
    while let Some(found) = reader.next().await {
        read += 1;
        progress.say(&format!("{read} results read"));
        let Some(fit) = fit(&found, wanted) else {
            continue;
        };
        match found.decoded.as_ref().map(|decoded| &decoded.payload) {
            Ok(Message::HealCompleted(heal)) => {
                let heal = heal.clone();
                if best < Some(fit) {
                    best = Some(fit);
                    heals.clear();
                }
                if best == Some(fit) {
                    heals.push((found, heal));
                }
            }
            Ok(Message::ErrorTriaged(_)) => triaged = Some(verdict::line(&found)),
            _ => {}
        }
    }
    match (heals.len(), heals.pop()) {
        (1, Some(one)) => Ok(one),
        (0, _) | (_, None) => Err(missing(
            wanted,
            triaged.map(|(_, word, text)| format!("{word}: {text}")),
        )),
        (count, Some(last)) => {
            let ids: Vec<String> = heals
                .iter()
                .chain([&last])
                .take(5)
                .map(|(found, _)| found.id())
                .collect();
            Err(Fault::no(format!("`{wanted}` stands for {count} heals"))
                .next(format!("name one of them: {}", ids.join(", "))))
        }
    }
}

fn missing(wanted: &str, triaged: Option<String>) -> Fault {
    let fault = Fault::no(format!("no heal is named by `{wanted}`"));
    match triaged {
        Some(decision) => fault.next(format!("triage said of it: {decision}")),
        None => fault.next(
            "`maestro watch` lists the results, `maestro dead list` what could not be handled",
        ),
    }
}

fn fit(found: &Found, wanted: &str) -> Option<Fit> {
    let id = found.id();
    if id == wanted || found.entry.id.to_string() == wanted {
        Some(Fit::Exact)
    } else if id
        .strip_prefix(wanted)
        .is_some_and(|rest| rest.starts_with('/'))
    {
        Some(Fit::Ancestor)
    } else if found.is_of(wanted) {
        Some(Fit::Flow)
    } else if id.starts_with(wanted) {
        Some(Fit::Prefix)
    } else {
        None
    }
}
