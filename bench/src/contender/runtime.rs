//! The runtime itself, through what it offers to every worker, with all of its default guarantees.

use maestro_streams::{
    Bytes, CancellationToken, Consumer, ConsumerConfig, Delivery, Endpoint, Entry, Handler,
    Inspection, Outcome, Outgoing,
};

use super::{GROUP, JOBS, RESULTS};
use crate::message::Job;
use crate::worker::now;

/// Reads a job and says its result.
pub(super) struct Relay;

impl Handler for Relay {
    fn inspect(&self, entry: &Entry) -> Inspection {
        match entry.fields.get_str("id") {
            Some(id) => Inspection::handle().key(id),
            None => Inspection::handle(),
        }
    }

    async fn handle(&self, delivery: Delivery) -> Outcome {
        let fields = delivery.entry.fields.iter();
        let fields = fields.map(|(name, value)| (name.as_ref(), value.as_ref()));
        let Some(job) = Job::read(fields) else {
            return Outcome::Done(Vec::new());
        };
        let mut result = Outgoing::new(RESULTS);
        job.result(&delivery.entry.id.to_string(), now, |name, value| {
            let name = Bytes::from_static(name.as_bytes());
            result.fields.push((name, Bytes::copy_from_slice(value)));
        });
        Outcome::Done(vec![result])
    }
}

/// Relays until `stop` fires. Everything but `concurrency` is as it comes; `None` leaves that too.
pub async fn run(
    url: &str,
    concurrency: Option<usize>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let endpoint: Endpoint = url.parse()?;
    let mut config = ConsumerConfig::new(JOBS, GROUP);
    if let Some(concurrency) = concurrency {
        config.concurrency = concurrency;
    }
    Consumer::new(endpoint, config, Relay)?.run(stop).await?;
    Ok(())
}
