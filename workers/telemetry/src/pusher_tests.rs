use std::sync::Arc;

use maestro_monitoring::{Pushgateway, until};
use metrics::{gauge, with_local_recorder};
use metrics_exporter_prometheus::PrometheusRecorder;

use super::*;
use crate::recorder::recorder;
use crate::telemetry::Settings;

const QUICK: Duration = Duration::from_millis(40);

fn sink(address: &str) -> Arc<Sink> {
    let sink = Sink::new(&Settings {
        target: format!("http://{address}").parse().unwrap(),
        job: "maestro".to_owned(),
        instance: None,
        prefix: String::new(),
        version: String::new(),
        interval: QUICK,
        timeout: Duration::from_mins(1),
        linger: Duration::ZERO,
        gzip: false,
        authorities: None,
    });
    Arc::new(sink.unwrap())
}

fn pusher(recorder: &PrometheusRecorder, linger: Duration) -> Pusher {
    let names = Names {
        job: "maestro".to_owned(),
        instance: "one".to_owned(),
        prefix: String::new(),
    };
    with_local_recorder(recorder, || {
        Pusher::new(recorder.handle(), names, QUICK, linger)
    })
}

fn flying(recorder: &PrometheusRecorder, count: f64) {
    with_local_recorder(recorder, || {
        gauge!("streams_in_flight", "stream" => "a", "group" => "b", "lane" => "usual").set(count);
    });
}

fn shows(gateway: &Pushgateway, count: &str) -> Option<()> {
    let text = gateway.text();
    let mut lines = text.lines();
    let shown = lines.find(|line| line.starts_with("streams_in_flight{"));
    shown
        .filter(|line| line.ends_with(&format!(" {count}")))
        .map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_pushes_again_and_again_and_leaves_nothing_behind() {
    let gateway = Pushgateway::start();
    let recorder = recorder(&[]).unwrap();
    let (stop, sink) = (CancellationToken::new(), sink(gateway.address()));
    flying(&recorder, 1.0);
    let running = {
        let (pusher, stop) = (pusher(&recorder, Duration::ZERO), stop.clone());
        tokio::spawn(async move { pusher.run(&sink, stop).await })
    };
    until("the first push is there", || shows(&gateway, "1"));
    flying(&recorder, 2.0);
    until("the next push is there", || shows(&gateway, "2"));
    stop.cancel();
    running.await.unwrap();
    assert_eq!(gateway.text(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_push_carries_what_came_last_and_stays_for_as_long_as_it_is_told() {
    let gateway = Pushgateway::start();
    let recorder = recorder(&[]).unwrap();
    let (stop, sink) = (CancellationToken::new(), sink(gateway.address()));
    let mut pusher = pusher(&recorder, Duration::from_hours(1));
    // Nothing is pushed before the end.
    pusher.interval = Duration::from_hours(1);
    flying(&recorder, 7.0);
    stop.cancel();
    let running = tokio::spawn(async move { pusher.run(&sink, stop).await });
    until("the last push is there", || shows(&gateway, "7"));
    assert!(!running.is_finished());
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_outlived_and_counted() {
    let away = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let recorder = recorder(&[]).unwrap();
    let mut pusher = pusher(&recorder, Duration::ZERO);
    for _ in 0..2 {
        let result = pusher.push(&sink(&away.to_string())).await;
        assert!(!pusher.told(result));
    }
    assert_eq!(pusher.failures, 2);
    let gateway = Pushgateway::start();
    let result = pusher.push(&sink(gateway.address())).await;
    assert!(pusher.told(result));
    assert_eq!(pusher.failures, 0);
    let line = r#"maestro_metrics_pushes_total{instance="one",job="maestro",outcome="failed"} 2"#;
    let text = gateway.text();
    assert!(text.lines().any(|each| each == line), "{text}");
}
