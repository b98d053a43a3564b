//! What makes the consumer groups before KEDA asks for them, run as the Job runs it, against a real Redis.

use std::process::{Command, Output};

use maestro_deploy_tests::kustomize::with_components;
use maestro_redis_server::Server;

const STREAMS: [(&str, &str); 4] = [
    ("automation:errors", "triage"),
    ("automation:heal", "heal"),
    ("k8s:provision", "provision"),
    ("k8s:cleanup", "cleanup"),
];

/// The Job's own command, with this address and prefix.
fn job(url: &str, prefix: &str) -> Output {
    let manifests = with_components(&["keda"]);
    let job = manifests
        .iter()
        .find(|one| one.kind() == "Job")
        .expect("the Job");
    let container = job.containers()[0];
    let words = [&container["command"], &container["args"]];
    let words: Vec<&str> = words
        .into_iter()
        .flat_map(|list| list.as_array().expect("words"))
        .map(|word| word.as_str().expect("a word"))
        .collect();
    Command::new(words[0])
        .args(&words[1..])
        .env("REDIS_URL", url)
        .env("PREFIX", prefix)
        .output()
        .expect("it starts")
}

fn redis(port: u16, words: &[&str]) -> String {
    let output = Command::new("redis-cli")
        .args(["-p", &port.to_string()])
        .args(words)
        .output();
    String::from_utf8(output.expect("redis-cli").stdout).expect("UTF-8")
}

#[test]
fn both_lanes_of_every_stream_have_their_group_and_what_is_there_is_left_as_it_is() {
    let server = Server::builder().free_port().start().expect("redis-server");
    let port = server.port().expect("a port");
    let url = format!("redis://127.0.0.1:{port}");
    for prefix in ["", "tenant:"] {
        // A message that was there before is the group's to read.
        let heal = format!("{prefix}automation:heal");
        redis(port, &["XADD", &heal, "*", "type", "t"]);
        for _ in 0..2 {
            let output = job(&url, prefix);
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            let done = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(done.lines().count(), 2 * STREAMS.len(), "{done}");
        }
        for (stream, group) in STREAMS {
            let lag = if group == "heal" { "1" } else { "0" };
            for (key, lag) in [
                (format!("{prefix}{stream}"), lag),
                (format!("{{{prefix}{stream}}}:urgent"), "0"),
            ] {
                let said = redis(port, &["XINFO", "GROUPS", &key]);
                let lines: Vec<&str> = said.lines().collect();
                assert_eq!(&lines[..2], ["name", group], "{key}");
                assert_eq!(&lines[lines.len() - 2..], ["lag", lag], "{key}");
            }
        }
    }
}

#[test]
fn it_fails_and_says_why_where_redis_does_not_answer_so_that_the_job_tries_again() {
    let output = job("redis://127.0.0.1:1", "");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("automation:errors triage: ") && said.contains("onnect"),
        "{said}"
    );
}
