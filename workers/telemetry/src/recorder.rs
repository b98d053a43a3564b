//! What is measured, kept and rendered in the exposition format
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use metrics::{describe_counter, describe_gauge, describe_histogram, with_local_recorder};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusRecorder};

use crate::catalogue::{CATALOGUE, Kind};

/// A recorder that knows every metric of the table: its help and its buckets. `labels` go with everything.
pub(crate) fn recorder(labels: &[(&str, String)]) -> Result<PrometheusRecorder, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for metric in &CATALOGUE {
        if let Kind::Histogram(buckets) = metric.kind {
            let name = Matcher::Full(metric.name.to_owned());
            builder = builder.set_buckets_for_metric(name, buckets)?;
        }
    }
    for (name, value) in labels {
        if !value.is_empty() {
            builder = builder.add_global_label(*name, value.clone());
        }
    }
    let recorder = builder.build_recorder();
    with_local_recorder(&recorder, describe);
    Ok(recorder)
}

fn describe() {
    for metric in &CATALOGUE {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.meaning),
            Kind::Gauge => describe_gauge!(metric.name, metric.meaning),
            Kind::Histogram(_) => describe_histogram!(metric.name, metric.meaning),
        }
    }
}
