//! The attributes beside a payload, from flags.

use clap::Args;

/// Who says a message when nobody says otherwise.
const SOURCE: &str = "maestro/publish";

/// The attributes of `CloudEvents` that a producer may give.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Attributes")]
pub(super) struct Attributes {
    /// The message's id: with it, publishing again has no effect
    #[arg(long, value_name = "ID", conflicts_with_all = ["junit", "findings", "lines"])]
    pub(super) id: Option<String>,

    /// Who says it [default: maestro/publish]
    #[arg(long, value_name = "URI")]
    source: Option<String>,

    /// What it is about [default for --junit: the test's id; for --findings: tool, rule and file]
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,

    /// One value for a whole flow, to be followed with `maestro watch --correlation` [default: the id]
    #[arg(long, value_name = "ID")]
    correlation_id: Option<String>,

    /// Not to be handled after this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    expiry_time: Option<String>,

    /// W3C trace context to be carried through
    #[arg(long, value_name = "TEXT")]
    traceparent: Option<String>,

    /// Not to be handled before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    not_before: Option<String>,

    /// Messages of one key are handled one after the other, in the order of the stream
    #[arg(long, value_name = "KEY")]
    partition_key: Option<String>,
}

impl Attributes {
    /// The fields of the envelope, in the order of the contract. What is given wins over `id` and `subject`.
    pub(super) fn fields(
        &self,
        message_type: &str,
        id: Option<&str>,
        subject: Option<&str>,
    ) -> Vec<(String, String)> {
        let attributes = [
            ("specversion", Some("1.0")),
            ("type", Some(message_type)),
            ("id", self.id.as_deref().or(id)),
            ("source", Some(self.source.as_deref().unwrap_or(SOURCE))),
            ("subject", self.subject.as_deref().or(subject)),
            ("correlationid", self.correlation_id.as_deref()),
            ("expirytime", self.expiry_time.as_deref()),
            ("notbefore", self.not_before.as_deref()),
            ("traceparent", self.traceparent.as_deref()),
            ("partitionkey", self.partition_key.as_deref()),
        ];
        attributes
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect()
    }
}
