//! The examples of `deploy/producers/`, each run as its README says, against a real redis-server.

use std::path::{Path, PathBuf};
use std::process::Command;

use maestro_protocol::project::Framework;
use maestro_protocol::{Message, Stream, decode_on};
use maestro_redis_server::Server;
use redis::streams::StreamRangeReply;
use redis::{Commands, from_redis_value};

const LONGEST: usize = 30;

fn example(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/producers");
    directory.join(name)
}

/// Runs a command to its end; what it printed, if it succeeded.
fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} ended with {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Lets a producer publish to a server of its own, and checks that what it wrote is one whole report.
fn publishes_one_report(name: &str, producer: &mut Command) {
    let lines = std::fs::read_to_string(example(name))
        .expect("the example is there")
        .lines()
        .count();
    assert!(lines <= LONGEST, "{name} has {lines} lines");

    let server = Server::builder()
        .free_port()
        .start()
        .expect("redis-server starts");
    let printed = run(producer.env("REDIS_URL", server.url()));

    let mut connection = redis::Client::open(server.url())
        .and_then(|client| client.get_connection())
        .expect("redis-server answers");
    let entries: StreamRangeReply = connection
        .xrange_all(Stream::Errors.name())
        .expect("the stream is readable");
    let [entry] = entries.ids.as_slice() else {
        panic!("{} entries in place of one", entries.ids.len());
    };
    assert_eq!(printed.trim(), entry.id, "the entry's id is printed");

    let fields: Vec<(String, Vec<u8>)> = entry
        .map
        .iter()
        .map(|(field, value)| {
            let value = from_redis_value(value.clone()).expect("a field's value is a string");
            (field.clone(), value)
        })
        .collect();
    let decoded = decode_on(
        Stream::Errors,
        fields
            .iter()
            .map(|(field, value)| (field.as_bytes(), value.as_slice())),
    )
    .unwrap_or_else(|refusal| panic!("the entry is refused: {refusal}"));
    assert!(decoded.envelope.id.is_some() && decoded.envelope.source.is_some());
    let Message::ErrorReported(report) = decoded.payload else {
        panic!("another message: {:?}", decoded.payload);
    };
    let test = report.test.expect("the report names a test");
    assert_eq!(test.id, "tests/test_cart.py::test_total");
    assert_eq!(test.framework, Framework::Pytest);
    assert!(report.message.contains("'Mapping'"), "{}", report.message);
}

#[test]
fn the_shell_producer_publishes_one_report() {
    publishes_one_report("report.sh", Command::new("sh").arg(example("report.sh")));
}

#[test]
fn the_python_producer_publishes_one_report() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    run(Command::new("python3")
        .args(["-m", "venv"])
        .arg(directory.path()));
    let python = directory.path().join("bin/python");
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "redis"]));
    publishes_one_report("report.py", Command::new(python).arg(example("report.py")));
}

#[test]
fn the_node_producer_publishes_one_report() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    run(Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "redis@5"])
        .current_dir(&directory));
    // Node looks for packages beside the file.
    let copy = directory.path().join("report.mjs");
    std::fs::copy(example("report.mjs"), &copy).expect("the example is copied");
    publishes_one_report("report.mjs", Command::new("node").arg(copy));
}

#[test]
fn the_rust_producer_publishes_one_report() {
    publishes_one_report(
        "report.rs",
        Command::new(env!("CARGO")).args([
            "run",
            "--quiet",
            "--package",
            "maestro-tests",
            "--example",
            "report",
        ]),
    );
}
