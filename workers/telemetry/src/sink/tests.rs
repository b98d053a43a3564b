use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use maestro_monitoring::Pushgateway;

use super::*;

/// The password `hidden`, by bcrypt.
const HASH: &str = "$2b$04$abcdefghijklmnopqrstuuhZyWRsG7iAMo6rVsDQ6k6wZoOR22OE2";

fn settings(target: &str) -> Settings {
    Settings {
        target: target.parse().unwrap(),
        job: "maestro".to_owned(),
        instance: None,
        prefix: String::new(),
        version: String::new(),
        interval: Duration::from_secs(1),
        timeout: Duration::from_mins(1),
        linger: Duration::ZERO,
        gzip: false,
        authorities: None,
    }
}

fn names(instance: &str) -> Names {
    Names {
        job: "maestro".to_owned(),
        instance: instance.to_owned(),
        prefix: String::new(),
    }
}

async fn put(sink: &Sink, instance: &str, text: &str) -> Result<(), PushError> {
    sink.put(&names(instance), Whose::Replica, text.to_owned())
        .await
}

#[tokio::test]
async fn a_group_is_replaced_as_a_whole_and_taken_back_without_touching_another() {
    let gateway = Pushgateway::start();
    let mut settings = settings(&format!("http://{}", gateway.address()));
    let plain = Sink::new(&settings).unwrap();
    settings.gzip = true;
    let small = Sink::new(&settings).unwrap();
    put(&plain, "one", "a 1\nb 2\n").await.unwrap();
    put(&plain, "one", "a 3\n").await.unwrap();
    put(&small, "the other/ø", "a 4\n").await.unwrap();
    let text = gateway.text();
    assert!(
        text.contains(r#"a{instance="one",job="maestro"} 3"#),
        "{text}"
    );
    assert!(
        text.contains(r#"a{instance="the other/ø",job="maestro"} 4"#),
        "{text}"
    );
    assert!(!text.contains("b{"), "{text}");
    plain.delete(&names("one"), Whose::Replica).await.unwrap();
    let text = gateway.text();
    assert!(
        !text.contains("one") && text.contains("the other"),
        "{text}"
    );
    small
        .delete(&names("the other/ø"), Whose::Replica)
        .await
        .unwrap();
    assert_eq!(gateway.text(), "");
}

#[tokio::test]
async fn what_a_killed_replica_left_is_forgotten_and_nothing_else() {
    let gateway = Pushgateway::start();
    let sink = Sink::new(&settings(&format!("http://{}", gateway.address()))).unwrap();
    put(&sink, "killed/ø", "a 1\n").await.unwrap();
    let other = Names {
        job: "other".to_owned(),
        ..names("old")
    };
    let text = "a 2\n".to_owned();
    sink.put(&other, Whose::Replica, text).await.unwrap();
    let at = gateway.pushed_at("killed/ø").unwrap();
    // Its clock goes on while it is pushed to.
    let later = Duration::from_millis(20);
    while gateway
        .pushed_at("alive")
        .is_none_or(|alive| alive < at + later.as_secs_f64())
    {
        put(&sink, "alive", "a 3\n").await.unwrap();
    }
    let forgotten = sink.forget(&names("alive"), later).await.unwrap();
    assert_eq!(forgotten, ["killed/ø"]);
    let text = gateway.text();
    assert!(!text.contains("killed"), "{text}");
    assert!(text.contains("old") && text.contains("alive"), "{text}");
    let far = Duration::from_mins(1);
    let none = sink.forget(&names("alive"), far).await.unwrap();
    assert_eq!(none, Vec::<String>::new());
}

#[tokio::test]
async fn what_a_pushgateway_does_not_take_is_told_in_its_words() {
    let gateway = Pushgateway::start();
    let sink = Sink::new(&settings(&format!("http://{}", gateway.address()))).unwrap();
    let error = put(&sink, "one", "no metric").await.unwrap_err();
    let PushError::Refused { status, said } = &error else {
        panic!("{error}");
    };
    assert_eq!(status.as_u16(), 400);
    assert!(said.contains("text format parsing error"), "{said}");
}

#[tokio::test]
async fn over_tls_the_authority_is_checked_and_the_credentials_are_shown() {
    let directory = tempfile::tempdir().unwrap();
    certify(directory.path());
    let gateway = Pushgateway::guarded(directory.path(), "me", HASH);
    let to = |user: &str| {
        let url = format!("https://{user}{}", gateway.address());
        let mut settings = settings(&url);
        settings.authorities = Some(directory.path().join("cert.pem"));
        settings
    };
    let sink = Sink::new(&to("me:hidden@")).unwrap();
    put(&sink, "one", "a 1\n").await.unwrap();
    for user in ["me:wrong@", ""] {
        let error = put(&Sink::new(&to(user)).unwrap(), "one", "a 1\n").await;
        let error = error.unwrap_err();
        let is_401 = matches!(&error, PushError::Refused { status, .. } if *status == 401);
        assert!(is_401, "{error}");
    }
    let mut stranger = to("me:hidden@");
    stranger.authorities = None;
    let error = put(&Sink::new(&stranger).unwrap(), "one", "a 1\n")
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("invalid peer certificate"),
        "{error}"
    );
    assert!(!error.to_string().contains("hidden"), "{error}");
    stranger.authorities = Some(directory.path().join("key.pem"));
    assert!(matches!(
        Sink::new(&stranger),
        Err(SetupError::NoCertificate(_))
    ));
}

/// A certificate of its own authority for 127.0.0.1, and its key.
fn certify(directory: &Path) {
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=test",
        ])
        .args([
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ])
        .current_dir(directory)
        .output()
        .expect("openssl");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

#[tokio::test]
async fn a_target_that_never_answers_costs_no_more_than_the_timeout() {
    // The kernel takes the connection, and nobody ever reads from it.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = settings(&format!("http://{}", silent.local_addr().unwrap()));
    settings.timeout = Duration::from_millis(200);
    let began = Instant::now();
    let error = put(&Sink::new(&settings).unwrap(), "one", "a 1\n")
        .await
        .unwrap_err();
    assert!(matches!(error, PushError::TimedOut(_)), "{error}");
    assert!(began.elapsed() >= Duration::from_millis(200));
    assert!(began.elapsed() < Duration::from_mins(1));
}

#[tokio::test]
async fn nobody_there_is_told_by_its_cause() {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let sink = Sink::new(&settings(&format!("http://{address}"))).unwrap();
    let error = put(&sink, "one", "a 1\n").await.unwrap_err().to_string();
    assert!(
        error.to_lowercase().contains("connection refused"),
        "{error}"
    );
}

#[tokio::test]
async fn an_import_endpoint_is_sent_the_text_at_its_very_url_with_the_token() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut text = Vec::new();
        while !text.ends_with(b"a 1\n") {
            let mut part = [0; 1024];
            let count = stream.read(&mut part).unwrap();
            text.extend_from_slice(&part[..count]);
        }
        // Where it is sent on to must not be told the token.
        let answer =
            "HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(text).unwrap()
    });
    let mut settings = settings(&format!("import+http://{address}/api/v1/import?extra=1"));
    settings.target = settings.target.with_token("secret".to_owned());
    let error = put(&Sink::new(&settings).unwrap(), "one", "a 1\n")
        .await
        .unwrap_err();
    assert!(matches!(error, PushError::Refused { .. }), "{error}");
    let asked = asked.join().unwrap().to_lowercase();
    assert!(
        asked.starts_with("post /api/v1/import?extra=1 http/1.1\r\n"),
        "{asked}"
    );
    assert!(
        asked.contains("authorization: bearer secret\r\n"),
        "{asked}"
    );
}

#[tokio::test]
async fn a_file_is_replaced_as_a_whole_and_only_the_own_one_is_left_to_another_replica() {
    let directory = tempfile::tempdir().unwrap();
    let target = format!("file://{}", directory.path().display());
    let (one, other) = (settings(&target), settings(&target));
    let (one, other) = (Sink::new(&one).unwrap(), Sink::new(&other).unwrap());
    let files = || {
        let entries = fs::read_dir(directory.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect::<BTreeSet<_>>()
    };
    let fleet = |text: &str| text.to_owned();
    put(&one, "one", "a 1\n").await.unwrap();
    one.put(&names("one"), Whose::Fleet, fleet("b 1\n"))
        .await
        .unwrap();
    other
        .put(&names("two"), Whose::Fleet, fleet("b 2\n"))
        .await
        .unwrap();
    let expected = ["maestro_fleet.prom", "maestro_one.prom"].map(str::to_owned);
    assert_eq!(files(), BTreeSet::from(expected));
    one.leave(&names("one"), Whose::Fleet).await.unwrap();
    let left = fs::read_to_string(directory.path().join("maestro_fleet.prom")).unwrap();
    assert_eq!(left, "b 2\n");
    other.leave(&names("two"), Whose::Fleet).await.unwrap();
    one.delete(&names("one"), Whose::Replica).await.unwrap();
    one.delete(&names("one"), Whose::Replica).await.unwrap();
    assert!(files().is_empty());
    let gone = Sink::new(&settings("file:///nonexistent/directory")).unwrap();
    let error = put(&gone, "one", "a 1\n").await.unwrap_err().to_string();
    assert!(
        error.starts_with("`/nonexistent/directory/maestro_one.prom` cannot be"),
        "{error}"
    );
}
