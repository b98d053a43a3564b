//! Encrypted connections, with authorities and certificates of the test's own, and the user with the least rights.

use std::time::Duration;

use maestro_redis_server::{Builder, Server};
use maestro_streams::{
    Admin, CancellationToken, Consumer, DeadLetter, Endpoint, Error, Outcome, Outgoing, Publisher,
    Tail, TailFrom, Tally,
};
use maestro_test_authority::Authority;

use crate::net::{free_port, grant_least_rights, refused};
use crate::nodes::Cluster;
use crate::rig::{Rig, by, config, done, id, job, seen, start, until};
use crate::watched::Watched;

/// What makes a server take encrypted connections at this port, with a certificate named `server`.
pub(crate) fn encrypted_port(authority: &Authority, port: u16) -> Vec<String> {
    let words = [
        ("--tls-port", port.to_string()),
        ("--tls-cert-file", authority.shown("server.pem")),
        ("--tls-key-file", authority.shown("server.key")),
        ("--tls-ca-cert-file", authority.shown("ca.pem")),
    ];
    let words = words.into_iter();
    words
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
}

/// A server that takes encrypted connections at a port of its own, and plain ones from the test.
fn serve(authority: &Authority) -> (Rig, u16) {
    authority.sign("server");
    for _ in 0..8 {
        let port = free_port();
        let builder = Server::builder().free_port().append_only(false);
        let words = encrypted_port(authority, port).into_iter();
        if let Ok(server) = words.fold(builder, Builder::arg).start() {
            let endpoint = server.url().parse().expect("its URL is one");
            return (Rig { server, endpoint }, port);
        }
    }
    panic!("no port was free for long enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_the_documented_rights_does_everything_over_tls() {
    let authority = Authority::new("ours");
    let (mut rig, port) = serve(&authority);
    authority.sign("client");
    grant_least_rights(&rig.server.url(), "acme:").await;
    let url = format!(
        "rediss://worker:p%40ss@127.0.0.1:{port}/1?ca={}&cert={}&key={}",
        authority.shown("ca.pem"),
        authority.shown("client.pem"),
        authority.shown("client.key"),
    );
    rig.endpoint = url.parse().unwrap();
    let endpoint = &rig.endpoint;
    let config = maestro_streams::ConsumerConfig {
        prefix: "acme:".to_owned(),
        ..config()
    };

    let admin = Admin::new(endpoint, "acme:").unwrap();
    let admin = admin.dedup_window(config.dedup_window);
    admin.ping().await.unwrap();
    admin.ensure_groups(&[("jobs", "workers")]).await.unwrap();
    let mut tail = Tail::open(endpoint, "acme:", &["results"], TailFrom::Now)
        .await
        .unwrap();
    let publisher = Publisher::new(endpoint, "acme:").unwrap();
    let handler = by(|delivery| async move {
        let is_first = delivery.deliveries == 1;
        match id(&delivery.entry.fields).as_str() {
            "again" if is_first => Outcome::Retry {
                reason: "once more".to_owned(),
                after: Some(Duration::from_millis(1)),
            },
            "bad" => Outcome::Dead(DeadLetter::new("invalid", "as it says")),
            _ => done(&delivery),
        }
    });
    let worker = rig.start(config, handler);
    let jobs: Vec<Outgoing> = ["a", "again", "bad", "a"].map(job).into();
    publisher.publish(&jobs).await.unwrap();
    let mut results = Vec::new();
    for _ in 0..2 {
        let (_, entry) = seen(&mut tail).await;
        results.push(entry.fields.get_str("of").unwrap().to_owned());
    }
    results.sort();
    assert_eq!(results, ["a", "again"]);
    until("the end of the work", || async {
        let status = admin.status(&["jobs"]).await.unwrap();
        status[0].dead_letters == 1 && status[0].groups[0].backlog() == Some(0)
    })
    .await;
    let letters = admin.dead_letters("jobs", None, 10).await.unwrap();
    admin.replay("jobs", letters[0].id).await.unwrap();
    until("the same dead letter", || async {
        admin.status(&["jobs"]).await.unwrap()[0].dead_letters == 1
    })
    .await;
    let letters = admin.dead_letters("jobs", None, 10).await.unwrap();
    admin.drop_dead_letter("jobs", letters[0].id).await.unwrap();
    let tally = Tally::new(endpoint, "acme:").unwrap();
    let window = Duration::from_mins(1);
    let count = tally.record("jobs", "k", "m", window).await.unwrap();
    assert_eq!(count.position, 1);
    // Housekeeping has the rights for its work too: it registers, and leaving takes the name away again.
    until("a heartbeat", || async {
        let status = admin.status(&["jobs"]).await.unwrap();
        let consumers = &status[0].groups[0].consumers;
        consumers
            .iter()
            .any(|consumer| consumer.heartbeat.is_some())
    })
    .await;
    worker.stop().await;
    let refused = refused(&rig.server.url()).await;
    assert!(refused.is_empty(), "{refused:?}");
}

/// How a consumer's start ends at this URL, and what a publisher says.
async fn refusals(url: &str) -> [String; 2] {
    let endpoint: Endpoint = url.parse().expect("a URL");
    let consumer =
        Consumer::new(endpoint.clone(), config(), crate::rig::relay()).expect("a consumer");
    let run = consumer.run(CancellationToken::new());
    let ended = tokio::time::timeout(Duration::from_secs(30), run).await;
    let by_consumer = ended
        .expect("it does not try for ever")
        .expect_err("a refusal");
    let publisher = Publisher::new(&endpoint, "").expect("a publisher");
    let by_publisher = publisher.publish(&[job("a")]).await.expect_err("a refusal");
    [by_consumer, by_publisher].map(|error| match error {
        Error::Connect { source, .. } => source.to_string(),
        other => other.to_string(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_accepted_is_one_sentence_and_ends_the_start() {
    let authority = Authority::new("ours");
    let (_rig, port) = serve(&authority);
    let stranger = Authority::new("a-stranger");
    let (ca, wrong) = (authority.shown("ca.pem"), stranger.shown("ca.pem"));
    let key = authority.shown("ca.key");
    for (options, expected) in [
        (
            format!("?ca={wrong}"),
            "invalid peer certificate: UnknownIssuer",
        ),
        // The system trusts none of ours.
        (String::new(), "invalid peer certificate: UnknownIssuer"),
        (
            format!("?ca={ca}"),
            "received fatal alert: CertificateRequired",
        ),
        (format!("?ca={ca}.not"), "No such file or directory"),
        (format!("?ca={key}"), "there is no CERTIFICATE in it"),
    ] {
        for scheme in ["rediss", "rediss+cluster"] {
            for said in refusals(&format!("{scheme}://127.0.0.1:{port}{options}")).await {
                assert!(said.contains(expected), "{scheme}, {options}: {said}");
                assert!(!said.contains('\n'));
            }
        }
    }
}

/// One message through, over encrypted connections to every server that takes part.
async fn passes(endpoint: &Endpoint) {
    let mut tail = Tail::open(endpoint, "", &["results"], TailFrom::Now)
        .await
        .expect("a tail");
    let worker = start(endpoint, config(), crate::rig::relay());
    let publisher = Publisher::new(endpoint, "").expect("a publisher");
    publisher.publish(&[job("a")]).await.expect("published");
    let (_, entry) = seen(&mut tail).await;
    assert_eq!(entry.fields.get_str("of"), Some("a"));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_servers_all_talk_tls_is_reached() {
    let authority = Authority::new("ours");
    authority.sign("server");
    let cluster = Cluster::with(Some(&authority)).await;
    assert!(cluster.endpoint.to_string().starts_with("rediss+cluster:"));
    passes(&cluster.endpoint).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_behind_sentinels_that_all_talk_tls_is_reached() {
    let authority = Authority::new("ours");
    authority.sign("server");
    let watched = Watched::with(Some(&authority)).await;
    assert!(watched.endpoint.to_string().starts_with("rediss+sentinel:"));
    passes(&watched.endpoint).await;
}
