//! What stands in Redis, as gauges. Each reading is written down by itself, so nothing of an earlier one is left.

use std::time::Duration;

use maestro_streams::{Admin, Error, GroupStatus, StreamStatus, Tally};
use metrics::{gauge, with_local_recorder};
use metrics_exporter_prometheus::BuildError;

use crate::recorder::recorder;

/// Above this many undelivered entries Redis is not asked to count
/// ([`GroupStatus::lag`]).
const COUNTED: u64 = 10_000;
/// Consumers give a sign of life every five seconds.
const ALIVE: Duration = Duration::from_secs(30);

/// One replica's part in reading the queues for all.
#[derive(Debug)]
pub struct Queues {
    tally: Tally,
    admin: Admin,
    streams: Vec<&'static str>,
    replica: String,
}

impl Queues {
    /// To read these streams. `replica` is a name that no other replica has.
    pub fn new(tally: Tally, admin: Admin, streams: &[&'static str], replica: String) -> Self {
        Self {
            tally,
            admin,
            streams: streams.to_vec(),
            replica,
        }
    }

    /// The state of the streams, if it is this replica that is to tell it now: whoever comes first in each interval.
    pub async fn read(&self, interval: Duration) -> Result<Option<Vec<StreamStatus>>, Error> {
        let Some(first) = self.streams.first() else {
            return Ok(None);
        };
        // A little shorter than the interval, so that its end and the next question do not race.
        let window = interval.mul_f32(0.9);
        let count = self.tally.record(first, "metrics", &self.replica, window);
        if count.await?.first != self.replica {
            return Ok(None);
        }
        self.admin.status(&self.streams).await.map(Some)
    }
}

/// The state of the streams in the exposition format. `now` is in seconds since 1970, `labels` go with everything.
pub fn text(
    streams: &[StreamStatus],
    now: f64,
    labels: &[(&str, String)],
) -> Result<String, BuildError> {
    let recorder = recorder(labels)?;
    with_local_recorder(&recorder, || {
        for stream in streams {
            stream_gauges(stream);
        }
        gauge!("maestro_queues_read_time_seconds").set(now);
    });
    Ok(recorder.handle().render())
}

fn stream_gauges(status: &StreamStatus) {
    let stream = &status.stream;
    gauge!("maestro_stream_dead_letters", "stream" => stream.clone())
        .set(measure(status.dead_letters));
    lane_gauges(
        stream,
        "usual",
        status.length,
        status.delayed,
        &status.groups,
    );
    if let Some(lane) = &status.urgent {
        lane_gauges(stream, "urgent", lane.length, lane.delayed, &lane.groups);
    }
}

fn lane_gauges(
    stream: &str,
    lane: &'static str,
    length: u64,
    delayed: u64,
    groups: &[GroupStatus],
) {
    let labels = [("stream", stream.to_owned()), ("lane", lane.to_owned())];
    gauge!("maestro_stream_length", &labels).set(measure(length));
    gauge!("maestro_stream_delayed", &labels).set(measure(delayed));
    for group in groups {
        group_gauges(stream, lane, length, group);
    }
}

fn group_gauges(stream: &str, lane: &'static str, length: u64, group: &GroupStatus) {
    let labels = [
        ("stream", stream.to_owned()),
        ("group", group.group.clone()),
        ("lane", lane.to_owned()),
    ];
    // A missing figure would silence every alert on it, just when the queue is long.
    let lag = group.lag.unwrap_or(length.min(COUNTED + 1));
    gauge!("maestro_queue_lag", &labels).set(measure(lag));
    gauge!("maestro_queue_lag_known", &labels).set(f64::from(u8::from(group.lag.is_some())));
    gauge!("maestro_queue_pending", &labels).set(measure(group.pending));
    gauge!("maestro_queue_claimable", &labels).set(measure(group.claimable));
    gauge!("maestro_queue_parked", &labels).set(measure(group.parked));
    let oldest = group.oldest_unacknowledged.unwrap_or_default();
    gauge!("maestro_queue_oldest_age_seconds", &labels).set(oldest.as_secs_f64());
    let is_alive = |beat: Option<Duration>| beat.is_some_and(|beat| beat < ALIVE);
    let alive = group
        .consumers
        .iter()
        .filter(|one| is_alive(one.heartbeat))
        .count();
    for (state, count) in [("alive", alive), ("silent", group.consumers.len() - alive)] {
        let [stream, group, lane] = labels.clone();
        let labels = [stream, group, lane, ("state", state.to_owned())];
        gauge!("maestro_queue_consumers", &labels).set(measure(count as u64));
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53, far more than a queue holds"
)]
fn measure(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::undescribed;
    use maestro_streams::{ConsumerStatus, LaneStatus};

    fn group(lag: Option<u64>) -> GroupStatus {
        let consumer = |beat| ConsumerStatus {
            heartbeat: beat,
            ..ConsumerStatus::default()
        };
        GroupStatus {
            group: "triage".to_owned(),
            lag,
            pending: 3,
            claimable: 1,
            parked: 2,
            oldest_unacknowledged: Some(Duration::from_millis(1500)),
            consumers: vec![consumer(Some(Duration::from_secs(1))), consumer(None)],
            ..GroupStatus::default()
        }
    }

    #[test]
    fn every_figure_of_a_stream_and_its_urgent_lane_is_written_down() {
        let status = StreamStatus {
            stream: "a:errors".to_owned(),
            length: 20,
            dead_letters: 4,
            delayed: 5,
            groups: vec![group(Some(7))],
            urgent: Some(LaneStatus {
                length: 30_000,
                groups: vec![group(None)],
                ..LaneStatus::default()
            }),
            ..StreamStatus::default()
        };
        let text = text(
            &[status],
            1e9,
            &[("prefix", "t".to_owned()), ("job", String::new())],
        );
        let text = text.unwrap();
        assert_eq!(undescribed(&text), Vec::<String>::new());
        let usual = r#"{prefix="t",stream="a:errors",group="triage",lane="usual"}"#;
        let urgent = usual.replace("usual", "urgent");
        for line in [
            r#"maestro_stream_dead_letters{prefix="t",stream="a:errors"} 4"#.to_owned(),
            r#"maestro_stream_delayed{prefix="t",stream="a:errors",lane="usual"} 5"#.to_owned(),
            format!("maestro_queue_lag{usual} 7"),
            format!("maestro_queue_lag_known{usual} 1"),
            format!("maestro_queue_lag{urgent} 10001"),
            format!("maestro_queue_lag_known{urgent} 0"),
            format!("maestro_queue_claimable{usual} 1"),
            format!("maestro_queue_oldest_age_seconds{usual} 1.5"),
            usual
                .replace('}', r#",state="silent"} 1"#)
                .replace('{', "maestro_queue_consumers{"),
            r#"maestro_queues_read_time_seconds{prefix="t"} 1000000000"#.to_owned(),
        ] {
            assert!(text.lines().any(|each| each == line), "{line}\n{text}");
        }
    }
}
