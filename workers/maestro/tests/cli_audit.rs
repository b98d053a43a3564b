//! The audit trail: exported, appended to a real PostgreSQL, and trimmed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use maestro_postgres_server::Server;
use maestro_test_authority::Authority;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

use support::{Place, eventually};

/// Appends this many results, each with an id of its own.
const FILL: &str = "for i = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'type', ARGV[2], 'id', 'm' .. i, 'data', '{\"verdict\":\"healed\",\"phase\":\"ready\",\"n\":' .. i .. '}') end";

/// The same with ids of 1970.
const FILL_OLD: &str =
    "for i = 1, ARGV[1] do redis.call('XADD', KEYS[1], i .. '-1', 'type', 't', 'data', '{}') end";

struct Database {
    runtime: Runtime,
    client: Client,
}

impl Database {
    fn of(server: &Server) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (client, connection) = runtime
            .block_on(tokio_postgres::connect(&server.url(), NoTls))
            .unwrap();
        runtime.spawn(connection);
        Self { runtime, client }
    }

    /// `None` while the table is not there.
    fn number(&self, query: &str) -> Option<i64> {
        let row = self.runtime.block_on(self.client.query_one(query, &[]));
        row.ok().map(|row| row.get(0))
    }

    fn does(&self, statement: &str) {
        self.runtime
            .block_on(self.client.batch_execute(statement))
            .unwrap();
    }

    fn rows(&self) -> Option<i64> {
        self.number("SELECT count(*) FROM maestro_audit")
    }

    /// Waits for the first rows, and lets no further one in until the transaction ends.
    fn hold_in_the_middle(&self) -> i64 {
        eventually("the first rows", || self.rows().filter(|rows| *rows > 0));
        self.does("BEGIN; LOCK TABLE maestro_audit IN EXCLUSIVE MODE");
        let rows = self.rows().unwrap();
        assert!(rows < 10_000, "all were written before the fault");
        rows
    }
}

/// A place whose streams hold 10,000 results.
fn full() -> Place {
    let place = Place::with_redis();
    for (stream, kind, count) in [
        ("automation:results", "maestro.heal.completed.v1", "9000"),
        ("k8s:results", "maestro.environment.status.v1", "1000"),
    ] {
        place.redis(&["EVAL", FILL, "1", stream, count, kind]);
    }
    place
}

fn assert_each_once(place: &Place, database: &Database) {
    assert_eq!(database.rows(), Some(10_000));
    let distinct = "SELECT count(DISTINCT (stream, id)) FROM maestro_audit WHERE prefix = '' AND (outcome = 'healed' AND stream = 'automation:results' OR outcome = 'ready' AND stream = 'k8s:results') AND data ->> 'n' = substr(id, 2)";
    assert_eq!(database.number(distinct), Some(10_000));
    for stream in ["automation:results", "k8s:results"] {
        let dead = format!("{{{stream}}}:dead");
        assert_eq!(place.redis(&["XLEN", &dead]), 0);
        assert_eq!(place.redis(&["XPENDING", stream, "audit"])[0], 0);
    }
}

#[test]
fn ten_thousand_results_arrive_once_each_however_often_the_sink_starts() {
    let (place, server) = (full(), Server::start().unwrap());
    let url = server.url();
    let once = ["audit", "sink", "--once", "--postgres-url", &url];
    let said = place.run(&once);
    assert_eq!(said.code, 0, "{said:?}");
    // A group that is lost begins anew: everything is read, and written, a second time.
    for stream in ["automation:results", "k8s:results"] {
        place.redis(&["XGROUP", "SETID", stream, "audit", "0"]);
    }
    assert_eq!(place.run(&once).code, 0);
    assert_each_once(&place, &Database::of(&server));
}

#[test]
fn a_database_that_ends_in_the_middle_delays_the_sink_and_loses_nothing() {
    let (place, mut server) = (full(), Server::start().unwrap());
    let database = Database::of(&server);
    let url = server.url();
    let sink = place.start("sink", &["audit", "sink", "--once", "--postgres-url", &url]);
    database.hold_in_the_middle();
    server.crash().unwrap();
    eventually("the sink notices", || {
        place.read("sink.err").contains("postgresql").then_some(())
    });
    server.restart().unwrap();
    assert_eq!(sink.end(), 0, "{}", place.read("sink.err"));
    assert_each_once(&place, &Database::of(&server));
}

#[test]
fn a_sink_that_is_killed_in_the_middle_doubles_nothing_and_loses_nothing() {
    let (place, server) = (full(), Server::start().unwrap());
    let database = Database::of(&server);
    let url = server.url();
    let sink = [
        "audit",
        "sink",
        "--once",
        "--lease",
        "1s",
        "--postgres-url",
        &url,
    ];
    let first = place.start("first", &sink);
    database.hold_in_the_middle();
    first.kill();
    let held = place.redis(&["XPENDING", "automation:results", "audit"]);
    assert!(held[0].as_i64().unwrap() > 0, "nothing was in hand: {held}");
    database.does("ROLLBACK");
    let said = place.run(&sink);
    assert_eq!(said.code, 0, "{said:?}");
    assert_each_once(&place, &database);
}

#[test]
fn an_encrypted_database_is_reached_when_both_sides_are_who_they_say() {
    let ours = Authority::new("ours");
    ours.sign("maestro");
    let stranger = Authority::new("a-stranger");
    let (place, server) = (full(), Server::encrypted(&ours).unwrap());
    let url = |authority: &Authority, who: &str| {
        let (port, trusted) = (server.port().unwrap(), authority.shown("ca.pem"));
        format!(
            "postgresql://maestro@127.0.0.1:{port}/postgres?sslmode=verify-full&sslrootcert={trusted}{who}"
        )
    };
    let (certificate, key) = (ours.shown("maestro.pem"), ours.shown("maestro.key"));
    let who = format!("&sslcert={certificate}&sslkey={key}");
    let plain = format!(
        "postgresql://maestro@127.0.0.1:{}/postgres",
        server.port().unwrap()
    );
    for (name, url, said) in [
        ("plain", plain, "no pg_hba.conf entry"),
        ("stranger", url(&stranger, &who), "invalid peer certificate"),
        ("nobody", url(&ours, ""), "certificate"),
    ] {
        let sink = place.start(name, &["audit", "sink", "--postgres-url", &url]);
        let log = format!("{name}.err");
        eventually(name, || place.read(&log).contains(said).then_some(()));
        assert_eq!(sink.stop(), 0, "{}", place.read(&log));
    }
    let database = Database::of(&server);
    assert_eq!(database.rows(), None);
    let right = url(&ours, &who);
    let said = place.run(&["audit", "sink", "--once", "--postgres-url", &right]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_each_once(&place, &database);
}

#[test]
fn old_results_go_but_not_before_the_sink_has_read_them() {
    let place = Place::with_redis();
    for stream in ["automation:results", "k8s:results"] {
        place.redis(&["EVAL", FILL_OLD, "1", stream, "500"]);
        place.redis(&["XADD", stream, "*", "type", "t", "data", "{}"]);
    }
    place.redis(&["XGROUP", "CREATE", "automation:results", "audit", "0"]);
    // In one round both are looked at, the one that is not read first.
    let worker = place.start("worker", &["worker", "triage", "--results-retention", "1h"]);
    eventually("what nobody waits for is trimmed", || {
        let left = place.redis(&["XLEN", "k8s:results"]).as_i64().unwrap();
        (left <= 101).then_some(())
    });
    assert_eq!(place.redis(&["XLEN", "automation:results"]), 501);
    assert_eq!(worker.stop(), 0);
    // Read, but the 301st still in hand: what stands before it goes.
    let read = |count: &str| {
        let words = [
            "XREADGROUP",
            "GROUP",
            "audit",
            "c",
            "COUNT",
            count,
            "STREAMS",
        ];
        place.redis(&[&words[..], &["automation:results", ">"]].concat())
    };
    read("501");
    for n in 1..=300 {
        let id = format!("{n}-1");
        place.redis(&["XACK", "automation:results", "audit", &id]);
    }
    let retention = ["worker", "triage", "--results-retention", "1h"];
    let worker = place.start("again", &retention);
    eventually("what was read is trimmed", || {
        let left = place
            .redis(&["XLEN", "automation:results"])
            .as_i64()
            .unwrap();
        (left < 501).then_some(())
    });
    let oldest = place.redis(&["XRANGE", "automation:results", "301-1", "301-1"]);
    assert_eq!(oldest[0][0], "301-1");
    assert_eq!(worker.stop(), 0);
}

#[test]
fn the_trail_is_exported_oldest_first_with_dead_letters_and_without_formulas() {
    let place = Place::with_redis();
    let add = |key: &str, id: &str, fields: &[&str]| {
        place.redis(&[&["XADD", key, id], fields].concat());
    };
    add(
        "automation:results",
        "2000-0",
        &[
            "type",
            "maestro.heal.completed.v1",
            "id",
            "=1+1",
            "data",
            r#"{"verdict":"refused","reason":"a \"quoted\", line"}"#,
        ],
    );
    add(
        "k8s:results",
        "1000-0",
        &[
            "type",
            "maestro.environment.status.v1",
            "data",
            r#"{"phase":"ready"}"#,
        ],
    );
    add(
        "{automation:heal}:dead",
        "3000-0",
        &[
            "type",
            "x",
            "data",
            "{half",
            "deadreason",
            "invalid",
            "deaddetail",
            "no",
        ],
    );
    add(
        "{automation:heal}:urgent",
        "4000-0",
        &["type", "x", "data", "{}"],
    );
    let rows: Vec<serde_json::Value> = place
        .lines(&["audit", "export"])
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let short: Vec<_> = rows
        .iter()
        .map(|row| {
            ["stream", "part", "entry", "outcome"]
                .map(|name| row[name].as_str().unwrap_or("-"))
                .join(" ")
        })
        .collect();
    assert_eq!(
        short,
        [
            "k8s:results entries 1000-0 ready",
            "automation:results entries 2000-0 refused",
            "automation:heal dead 3000-0 invalid",
            "automation:heal urgent 4000-0 -",
        ]
    );
    assert_eq!(rows[1]["id"], "=1+1");
    let said = place.run(&[
        "audit",
        "export",
        "--format",
        "csv",
        "--since",
        "1970-01-01T00:00:02Z",
        "--until",
        "1970-01-01T00:00:03Z",
        "--output-file",
        "trail.csv",
    ]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:?}");
    let csv = place.read("trail.csv");
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert!(csv.contains(",'=1+1,"), "{csv}");
    assert!(!support::exists(place.path().join("trail.csv.partial")));
    assert_eq!(place.run(&["audit", "export", "--since", "soon"]).code, 2);
    let nowhere = ["audit", "export", "--output-file", "no/such/file"];
    assert_eq!(place.run(&nowhere).code, 74);
    let sink = place.run(&["audit", "sink"]);
    assert_eq!(sink.code, 2, "{sink:?}");
    let shown = place.lines(&["config", "--postgres-url", "postgresql://me:secret@db/x"]);
    assert!(
        shown.iter().any(|line| line.contains("me:***@db")),
        "{shown:?}"
    );
    assert!(
        !shown.iter().any(|line| line.contains("secret")),
        "{shown:?}"
    );
}
