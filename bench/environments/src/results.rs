//! The results stream, read as a user's program would: each entry as soon as it is there.

use std::time::{Duration, Instant};

use maestro_environment_tests::Site;
use redis::Commands as _;
use redis::streams::{StreamReadOptions, StreamReadReply};
use serde_json::Value;

/// How long anything may take: far longer than it does.
const PATIENCE: Duration = Duration::from_mins(5);

/// A reader of `k8s:results`, from where the stream ends now.
pub(crate) struct Results {
    connection: redis::Connection,
    last: String,
}

impl Results {
    /// From now on.
    pub(crate) fn from_now_on(site: &Site) -> anyhow::Result<Self> {
        let mut connection = site.fleet.redis();
        let newest: redis::streams::StreamRangeReply =
            connection.xrevrange_count("k8s:results", "+", "-", 1)?;
        let last = newest.ids.first().map_or("0", |entry| &entry.id).to_owned();
        Ok(Self { connection, last })
    }

    /// Waits until so many results are of this kind, and tells when the last of them was read.
    pub(crate) fn until(
        &mut self,
        count: usize,
        is_meant: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Instant> {
        let begun = Instant::now();
        let options = StreamReadOptions::default().count(1000).block(1000);
        let mut seen = 0;
        while seen < count {
            anyhow::ensure!(
                begun.elapsed() < PATIENCE,
                "only {seen} of {count} results came"
            );
            let reply: Option<StreamReadReply> =
                self.connection
                    .xread_options(&["k8s:results"], &[&self.last], &options)?;
            for entry in reply
                .into_iter()
                .flat_map(|reply| reply.keys)
                .flat_map(|key| key.ids)
            {
                let data: String = entry.get("data").unwrap_or_default();
                seen += usize::from(is_meant(&serde_json::from_str(&data)?));
                self.last = entry.id;
            }
        }
        Ok(Instant::now())
    }

    /// Waits until so many environments are in this phase.
    pub(crate) fn until_phase(&mut self, count: usize, phase: &str) -> anyhow::Result<Instant> {
        self.until(count, |data| data["phase"] == phase)
    }
}

/// The middle one, the upper of two.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(crate) fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
