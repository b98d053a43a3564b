//! The table as a page of the documentation.

use std::fmt::Write as _;

use crate::catalogue::{EVERYWHERE, Kind, LABELS, PARTS};

const HEAD: &str = "# Metrics

No worker has a port to be asked at: each pushes what it measured to where `--metrics-target` says, or writes it into a file. Without
that setting nothing is measured.

<!-- not run: names of hosts that every fleet has its own of; tests/monitoring pushes to a real Pushgateway, and README.md runs the third -->
```sh
maestro up --metrics-target http://pushgateway:9091
maestro worker heal --metrics-target import+https://me:secret@vm.example.org/api/v1/import/prometheus
maestro worker triage --metrics-target file:///var/lib/prometheus/node-exporter
```

| target | what is done |
|---|---|
| `http://`, `https://` | a Pushgateway, perhaps below a path: `PUT /metrics/job/<job>/instance/<instance>` |
| `import+http://`, `import+https://` | an endpoint that takes the text format, VictoriaMetrics' `/api/v1/import/prometheus` for one: `POST` to that very URL |
| `file:///` | a directory for node_exporter's textfile collector: one file a replica, replaced by a rename |

A replica pushes every `metrics.interval`, give or take a quarter, and waits longer from failure to failure. At its end it pushes once
more, waits `metrics.linger` (for Prometheus to have read that), and takes its group or file back: no series is left that nobody
updates. A replica that was killed leaves its group with a Pushgateway; the [runbook](runbook.md#maestroreplicasilent) says how
it goes. A user and a password in the URL are basic authentication, `MAESTRO_METRICS_TOKEN` is a bearer token; neither is logged or shown.
Authorities are the system's, and those in the file that `--metrics-ca` names.

Prometheus scrapes the Pushgateway with `honor_labels: true`; so should it node_exporter's, or `job` and `instance` below are
`exported_job` and `exported_instance` there.

This page is generated from the table in the code (`make metrics-docs`), and a test compares the two. Dashboards are in
[deploy/grafana](../deploy/grafana/), alerts and recording rules in [deploy/prometheus](../deploy/prometheus/), and what to do when one
fires in the [runbook](runbook.md).
";

/// The page, in Markdown.
pub fn document() -> String {
    let mut page = HEAD.to_owned();
    for part in &PARTS {
        let _ = write!(page, "\n## {}\n\n{}\n\n", part.heading, part.about);
        page.push_str("| metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n");
        for metric in part.metrics {
            let labels: Vec<_> = metric
                .labels
                .iter()
                .map(|label| format!("`{label}`"))
                .collect();
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} | {} |",
                metric.name,
                metric.kind.word(),
                metric.unit.word(),
                labels.join(", "),
                metric.meaning,
            );
        }
        for metric in part.metrics {
            if let Kind::Histogram(buckets) = metric.kind {
                let bounds: Vec<_> = buckets.iter().map(ToString::to_string).collect();
                let _ = write!(
                    page,
                    "\nBuckets of `{}`, in seconds: {}.\n",
                    metric.name,
                    bounds.join(", ")
                );
            }
        }
    }
    page.push_str("\n## Labels\n\nNo label has values that a message can invent.\n\n| label | meaning | values |\n|---|---|---|\n");
    for label in LABELS {
        let values: Vec<_> = label
            .values
            .iter()
            .map(|value| format!("`{value}`"))
            .collect();
        let values = match (label.values.is_empty(), EVERYWHERE.contains(&label.name)) {
            (true, true) => "from the configuration; on everything".to_owned(),
            (true, false) => "from the configuration and the program".to_owned(),
            (false, _) => values.join(", "),
        };
        let _ = writeln!(page, "| `{}` | {} | {values} |", label.name, label.meaning);
    }
    page
}
