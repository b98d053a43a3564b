//! Which groups of a Pushgateway nobody brings up to date any more, from what it says at `/api/v1/metrics`
//! (<https://github.com/prometheus/pushgateway#query-api>).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

#[derive(Deserialize)]
struct Answer {
    data: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    labels: BTreeMap<String, String>,
    push_time_seconds: Option<Pushed>,
}

#[derive(Deserialize)]
struct Pushed {
    metrics: Vec<Metric>,
}

#[derive(Deserialize)]
struct Metric {
    value: Option<String>,
}

/// The instances of this job whose last push is so much older than the newest of all: by the Pushgateway's clock alone. None where the
/// answer is not understood.
pub(super) fn instances(answer: &[u8], job: &str, older: Duration) -> Vec<String> {
    let Ok(answer) = serde_json::from_slice::<Answer>(answer) else {
        return Vec::new();
    };
    let pushed = |group: &Group| -> Option<f64> {
        let metric = group.push_time_seconds.as_ref()?.metrics.first()?;
        metric.value.as_ref()?.parse().ok()
    };
    let newest = answer.data.iter().filter_map(pushed).fold(0.0, f64::max);
    let groups = answer.data.iter().filter(|group| {
        let is_ours =
            group.labels.len() == 2 && group.labels.get("job").is_some_and(|of| of == job);
        is_ours && pushed(group).is_some_and(|at| at + older.as_secs_f64() <= newest)
    });
    let instances = groups.filter_map(|group| group.labels.get("instance"));
    instances.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_groups_of_the_own_job_that_are_old_are_named() {
        let group = |labels: &str, at: f64| {
            format!(
                r#"{{"labels":{{{labels}}},"a":{{"type":"GAUGE"}},"push_time_seconds":{{"metrics":[{{"labels":{{}},"value":"{at:e}"}}]}}}}"#
            )
        };
        let groups = [
            group(r#""job":"maestro","instance":"dead""#, 1000.0),
            group(r#""job":"maestro","instance":"late""#, 1500.0),
            group(r#""job":"other","instance":"old""#, 10.0),
            group(r#""job":"maestro","instance":"x","zone":"a""#, 10.0),
            group(r#""job":"maestro","instance":"alive""#, 2000.0),
        ];
        let answer = format!(r#"{{"status":"success","data":[{}]}}"#, groups.join(","));
        let found = |seconds| instances(answer.as_bytes(), "maestro", Duration::from_secs(seconds));
        assert_eq!(found(1000), ["dead"]);
        assert_eq!(found(500), ["dead", "late"]);
        assert_eq!(found(1001), Vec::<String>::new());
        assert_eq!(
            instances(b"<html>", "maestro", Duration::ZERO),
            Vec::<String>::new()
        );
    }
}
