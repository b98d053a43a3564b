//! `maestro top` in a real terminal, over a real fleet.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use support::{ERROR, Place, Running, eventually};
use terminal::Terminal;

/// Runs the view, then says how it ended and how it left the terminal.
const TOP: &str = r#"sh -c 'echo $$ > top.pid; exec "$MAESTRO" top --interval 200ms'; echo "ended $?"; stty -a; echo over"#;

/// A triage and a heal worker that have handled one flow.
fn fleet(place: &Place) -> [Running; 2] {
    let workers = [
        place.start("triage", &["worker", "triage"]),
        place.start("heal", &["worker", "heal", "--sandbox", "off"]),
    ];
    place.lines(&[
        "publish",
        "--type",
        "error.reported",
        "--data",
        ERROR,
        "--id",
        "flow-1",
    ]);
    set_aside(place, "broken-1");
    eventually("both are registered", || {
        let all = place.json(&["ps", "--output", "json"]);
        (all["replicas"].as_array().unwrap().len() == 2).then_some(())
    });
    eventually("the heal was refused, the other one not read", || {
        (dead(place, "errors") == 1 && dead(place, "heal") == 1).then_some(())
    });
    workers
}

/// A message that no worker can read.
fn set_aside(place: &Place, id: &str) {
    let fields = [
        "type",
        "maestro.error.reported.v1",
        "id",
        id,
        "data",
        "no JSON",
    ];
    place.redis(&[&["XADD", "automation:errors", "*"][..], &fields].concat());
}

fn dead(place: &Place, stream: &str) -> i64 {
    let key = format!("{{automation:{stream}}}:dead");
    place.redis(&["XLEN", &key]).as_i64().unwrap()
}

#[test]
fn a_person_looks_at_the_fleet_follows_a_flow_and_decides_about_a_dead_letter() {
    let place = Place::with_redis();
    let workers = fleet(&place);
    let mut terminal = Terminal::run(&place, TOP);
    terminal.shows(&[
        "maestro top",
        "automation:errors",
        "2 workers",
        "WORKERS 2",
        "DEAD LETTERS",
        "undecodable",
    ]);
    assert!(terminal.is_taken());

    terminal.press("fflow-1\r");
    terminal.shows(&["flow flow-1", "error.reported", "automation:results"]);
    terminal.press("\r");
    terminal.shows(&["automation:errors ", "\"test_failure\""]);
    // Out of the message and out of the flow. A lone escape is one only once nothing follows it.
    terminal.press("qq");
    terminal.shows(&["WORKERS 2"]);

    terminal.press("\x1b[Z\r");
    terminal.shows(&["dead letter", "deadreason", "undecodable"]);
    terminal.press("d");
    terminal.shows(&["Drop for good ", "y: yes, any other key: no"]);
    terminal.press("n");
    terminal.shows(&["Esc back"]);
    assert_eq!(dead(&place, "errors"), 1);
    terminal.press("dy");
    terminal.shows(&["dropped from automation:errors", "DEAD LETTERS 1"]);
    assert_eq!(dead(&place, "errors"), 0);

    // Another one: the mark of the dropped one stays.
    set_aside(&place, "broken-2");
    terminal.shows(&["DEAD LETTERS 2", "undecodable"]);
    terminal.press("ry");
    terminal.shows(&["replayed to automation:errors as "]);
    eventually("it is set aside again", || {
        (dead(&place, "errors") == 1).then_some(())
    });

    terminal.press("?");
    terminal.shows(&["keys and words", "follow a flow"]);
    terminal.press("qq");
    let text = terminal.shows(&["ended 0", " icanon", " echo", "over"]);
    assert!(!text.contains("-icanon") && !terminal.is_taken(), "{text}");
    for worker in workers {
        assert_eq!(worker.stop(), 0);
    }
}

#[test]
fn a_redis_that_goes_away_and_comes_back_is_told_and_sigterm_leaves_a_clean_terminal() {
    let mut place = Place::with_redis();
    let terminal = Terminal::run(&place, TOP);
    terminal.shows(&["STREAMS", "no worker is registered"]);
    place.server().kill();
    terminal.shows(&["not up to date: "]);
    place.server().restart().unwrap();
    eventually("it is up to date", || {
        (!terminal.text().contains("not up to date")).then_some(())
    });
    let pid = place.read("top.pid");
    place.redis(&["PING"]);
    let killed = std::process::Command::new("sh")
        .args(["-c", "kill -TERM \"$0\"", pid.trim()])
        .status();
    assert!(killed.unwrap().success());
    let text = terminal.shows(&["ended 130", " icanon", " echo", "over"]);
    assert!(!text.contains("-icanon") && !terminal.is_taken(), "{text}");
}

#[test]
fn without_a_terminal_it_says_how_to_get_one_frame() {
    let place = Place::with_redis();
    let said = place.run(&["top"]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (
            2,
            "maestro: `maestro top` needs a terminal to show the fleet live; `maestro top --once` prints one frame\n"
        )
    );
    let workers = fleet(&place);
    let told = |kind: &str, data: &str| {
        let kind = format!("maestro.environment.{kind}.v1");
        place.redis(&["XADD", "k8s:results", "*", "type", &kind, "data", data]);
    };
    told(
        "status",
        r#"{"environment":"pr-7","namespace":"n","phase":"ready"}"#,
    );
    told(
        "status",
        r#"{"environment":"pr-8","namespace":"n","phase":"ready"}"#,
    );
    told(
        "deleted",
        r#"{"environment":"pr-8","namespace":"n","cause":"expired"}"#,
    );
    let lines = place.lines(&["top", "--once", "--interval", "200ms"]);
    assert_eq!(lines.len(), 24, "{lines:#?}");
    assert!(
        lines.iter().all(|line| line.chars().count() <= 80),
        "{lines:#?}"
    );
    let text = lines.join("\n");
    assert!(
        text.contains("2 workers") && text.contains("DEAD LETTERS 2"),
        "{text}"
    );
    let work: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with(" environment "))
        .collect();
    assert_eq!(work.len(), 1, "{text}");
    assert!(
        work[0].contains("ready") && work[0].contains("pr-7"),
        "{text}"
    );
    let wide = place.lines(&[
        "top",
        "--once",
        "--samples",
        "1",
        "--size",
        "120x40",
        "--color",
        "always",
    ]);
    assert_eq!(wide.len(), 40);
    assert!(wide.join("").contains("\u{1b}["));
    for worker in workers {
        assert_eq!(worker.stop(), 0);
    }
    let bare = Place::bare();
    assert_eq!(bare.run(&["top", "--once"]).code, 69);
}
