//! Encrypted connections, with authorities and certificates of the test's own, and the user with the least rights.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use maestro_redis_server::Server;
use maestro_streams::{
    Admin, CancellationToken, Consumer, DeadLetter, Endpoint, Error, Outcome, Outgoing, Publisher,
    Tail, TailFrom, Tally,
};
use tempfile::TempDir;

use crate::net::{free_port, grant_least_rights};
use crate::rig::{Rig, by, config, done, id, job, until};

/// An authority, and what it has signed.
struct Authority {
    directory: TempDir,
}

fn openssl(directory: &Path, words: &str) {
    let run = Command::new("openssl")
        .args(words.split_whitespace())
        .current_dir(directory)
        .output()
        .expect("the openssl command");
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "openssl {words}: {said}");
}

impl Authority {
    fn new(name: &str) -> Self {
        let directory = TempDir::new().expect("no trouble in a test's own directory");
        openssl(
            directory.path(),
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} \
                 -addext keyUsage=critical,keyCertSign -keyout ca.key -out ca.pem"
            ),
        );
        Self { directory }
    }

    /// Signs a certificate for 127.0.0.1 and this name.
    fn sign(&self, name: &str) {
        let san = format!("subjectAltName=IP:127.0.0.1,DNS:{name}\n");
        fs::write(self.path("extensions"), san).expect("no trouble in a test's own directory");
        openssl(
            self.directory.path(),
            &format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} \
                 -keyout {name}.key -out {name}.csr"
            ),
        );
        openssl(
            self.directory.path(),
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
                 -extfile extensions -out {name}.pem"
            ),
        );
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    fn shown(&self, file: &str) -> String {
        self.path(file).display().to_string()
    }

    /// A server that takes encrypted connections at a port of its own, and plain ones from the test.
    fn serve(&self, ask_clients: &str) -> (Rig, u16) {
        self.sign("server");
        for _ in 0..8 {
            let port = free_port();
            let words = [
                ("--tls-port", port.to_string()),
                ("--tls-cert-file", self.shown("server.pem")),
                ("--tls-key-file", self.shown("server.key")),
                ("--tls-ca-cert-file", self.shown("ca.pem")),
                ("--tls-auth-clients", ask_clients.to_owned()),
            ];
            let mut builder = Server::builder().free_port().append_only(false);
            for (name, value) in words {
                builder = builder.arg(name).arg(value);
            }
            if let Ok(server) = builder.start() {
                let endpoint = server.url().parse().expect("its URL is one");
                return (Rig { server, endpoint }, port);
            }
        }
        panic!("no port was free for long enough");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_the_documented_rights_does_everything_over_tls() {
    let authority = Authority::new("ours");
    let (mut rig, port) = authority.serve("yes");
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
        let (_, entry) = tail.next().await.unwrap();
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
    let denied: Vec<redis::Value> = rig.ask(&["ACL", "LOG"]).await;
    assert!(denied.is_empty(), "{denied:?}");
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
    let (_rig, port) = authority.serve("yes");
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
