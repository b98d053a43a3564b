use std::net::TcpListener;

use maestro_monitoring::{Collector, Request};
use maestro_protocol::TraceParent;
use serde_json::json;

use super::*;

fn settings(target: &str) -> TraceSettings {
    TraceSettings {
        target: target.parse().unwrap(),
        ratio: 1.0,
        timeout: Duration::from_secs(30),
        authorities: None,
        instance: "host-1".to_owned(),
        prefix: "team".to_owned(),
        version: "1.2.3".to_owned(),
    }
}

fn span(outcome: &'static str) -> Span {
    let parent = TraceParent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    Span {
        context: parent.unwrap().child("seed"),
        parent,
        worker: "triage",
        stream: "automation:errors",
        kind: "maestro.error.detected.v1".to_owned(),
        entry: "1-0".to_owned(),
        id: "e-1".to_owned(),
        correlation: "build-7".to_owned(),
        deliveries: 2,
        began: "2026-07-01T12:00:00.25Z".parse().unwrap(),
        ended: "2026-07-01T12:00:01Z".parse().unwrap(),
        outcome,
        detail: "why".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_arrives_as_otlp_writes_it_and_what_waits_at_the_end_is_sent() {
    let collector = Collector::start(&[]);
    let target = format!("http://user:pass@{}", collector.address());
    let traces = Traces::start(settings(&target)).unwrap();
    traces.spans().ended(span("done"));
    traces.end().await;
    let Request { head, body } = collector.next();
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(
        head.contains("content-type: application/json\r\n"),
        "{head}"
    );
    assert!(head.contains("authorization: basic "), "{head}");
    let resource = &body["resourceSpans"][0];
    let named = json!({ "key": "service.namespace", "value": { "stringValue": "team" } });
    let attributes = resource["resource"]["attributes"].as_array().unwrap();
    assert!(attributes.contains(&named), "{attributes:?}");
    let sent = &resource["scopeSpans"][0]["spans"][0];
    assert_eq!(sent["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(sent["parentSpanId"], "00f067aa0ba902b7");
    assert_eq!(sent["name"], "process automation:errors");
    assert_eq!(sent["startTimeUnixNano"], "1782907200250000000");
    assert_eq!(sent["endTimeUnixNano"], "1782907201000000000");
    assert!(sent.get("status").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_arrive_is_sent_again_with_its_failure_marked() {
    let collector = Collector::start(&["503 Later"]);
    let target = format!("http://{}/otlp", collector.address());
    let traces = Traces::start(settings(&target)).unwrap();
    traces.spans().ended(span("retry"));
    let both = tokio::task::spawn_blocking(move || (collector.next(), collector.next()));
    let (first, second) = both.await.unwrap();
    traces.end().await;
    let head = &first.head;
    assert!(head.starts_with("post /otlp http/1.1\r\n"), "{head}");
    assert_eq!(first.body, second.body);
    let status = &first.body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["status"];
    assert_eq!(*status, json!({ "code": 2, "message": "why" }));
}

#[tokio::test]
async fn a_collector_that_is_away_costs_its_spans_and_nothing_else() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let traces = Traces::start(settings(&format!("http://{nobody}"))).unwrap();
    let spans = traces.spans();
    // Nothing yields here, so nothing is taken from the queue meanwhile; none of these waits.
    for _ in 0..2 * WAITING {
        spans.ended(span("done"));
    }
    traces.end().await;
    spans.ended(span("done"));
}

#[tokio::test]
async fn every_replica_keeps_the_same_part_of_all_traces() {
    let mut settings = settings("http://127.0.0.1:1");
    settings.ratio = 0.25;
    let (one, other) = (
        Traces::start(settings.clone()).unwrap(),
        Traces::start(settings).unwrap(),
    );
    let (one, other) = (one.spans(), other.spans());
    let mut kept = 0;
    for number in 0..4000 {
        let trace = TraceParent::of_flow(&number.to_string(), "").trace();
        assert_eq!(one.keeps(trace), other.keeps(trace));
        kept += u32::from(one.keeps(trace));
    }
    assert!((800..1200).contains(&kept), "{kept} of 4000");
}
