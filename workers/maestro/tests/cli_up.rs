//! A whole fleet with a Redis of its own: found by other commands, one for a directory, gone without a trace.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::process::Command;

use support::{ERROR, Place, Running, eventually, exists};

/// Without a sandbox: nothing of others runs in these tests, and not every machine can make one.
fn up(place: &Place) -> Running {
    let mut fleet = place.start("up", &["up", "--sandbox", "off"]);
    eventually("the fleet is up", || {
        assert!(!fleet.has_ended(), "{}", place.read("up.err"));
        place
            .read("up.out")
            .contains("The fleet is up")
            .then_some(())
    });
    fleet
}

fn redis_of(place: &Place) -> String {
    place
        .read(".maestro/redis.url")
        .trim()
        .trim_start_matches("redis+unix://")
        .to_owned()
}

fn answers(socket: &str) -> bool {
    std::os::unix::net::UnixStream::connect(socket).is_ok()
}

#[test]
fn other_commands_find_the_fleet_of_their_directory_and_it_ends_in_order() {
    let place = Place::bare();
    let fleet = up(&place);
    let socket = redis_of(&place);
    place.lines(&[
        "publish",
        "--type",
        "error.reported",
        "--data",
        ERROR,
        "--id",
        "one",
    ]);
    let watched = place.run(&[
        "watch",
        "--correlation",
        "one",
        "--type",
        "error.triaged",
        "--until",
        "1",
        "--timeout",
        "30s",
    ]);
    assert_eq!(watched.code, 0, "{watched:?}");
    let second = place.run(&["up"]);
    assert_eq!(second.code, 1);
    assert_eq!(
        second.err,
        format!(
            "maestro: a fleet runs in `.maestro` already (process {}); publish to it with `maestro publish`, or stop it first\n",
            fleet.pid()
        )
    );
    assert_eq!(fleet.stop(), 0);
    assert!(!answers(&socket), "its Redis still runs");
    assert!(!exists(place.path().join(".maestro/redis.url")));
    assert_eq!(place.run(&["status"]).code, 69);

    // What was published is still there for the next fleet.
    let fleet = up(&place);
    assert!(
        place
            .lines(&["watch"])
            .join("\n")
            .contains("tests/test_x.py::test_y")
    );
    assert_eq!(fleet.stop(), 0);
}

#[test]
fn a_fleet_that_was_killed_leaves_nothing_in_the_way_of_the_next() {
    let place = Place::bare();
    let fleet = up(&place);
    let socket = redis_of(&place);
    fleet.kill();
    eventually("its Redis dies with it, or the next fleet ends it", || {
        // Without util-linux the child stays; the next fleet takes care of it.
        (!answers(&socket) || Command::new("setpriv").arg("--version").output().is_err())
            .then_some(())
    });
    let said = place.run(&["status"]);
    assert_eq!(said.code, 69, "{said:?}");
    assert_eq!(up(&place).stop(), 0);
}

#[test]
fn a_redis_that_ends_is_started_again_and_the_fleet_goes_on() {
    let place = Place::bare();
    let fleet = up(&place);
    let pid = redis_pid(&fleet);
    assert!(
        // The shell has `kill` built in; a bare system need not have the program.
        Command::new("sh")
            .args(["-c", "kill -KILL \"$0\"", &pid])
            .status()
            .unwrap()
            .success()
    );
    eventually("another Redis runs", || {
        (redis_pid(&fleet) != pid && !redis_pid(&fleet).is_empty()).then_some(())
    });
    eventually("it answers", || {
        (place.run(&["status"]).code == 0).then_some(())
    });
    place.lines(&[
        "publish",
        "--type",
        "error.reported",
        "--data",
        ERROR,
        "--id",
        "two",
    ]);
    let watched = place.run(&[
        "watch",
        "--correlation",
        "two",
        "--type",
        "error.triaged",
        "--until",
        "1",
        "--timeout",
        "30s",
    ]);
    assert_eq!(watched.code, 0, "{watched:?}");
    assert_eq!(fleet.stop(), 0);
}

#[test]
fn a_fleet_in_a_deep_directory_finds_a_short_path_for_its_socket() {
    let place = Place::bare();
    let deep = "deep".repeat(30);
    let mut fleet = place.start("up", &["up", "--sandbox", "off", "--data-dir", &deep]);
    eventually("the fleet is up", || {
        assert!(!fleet.has_ended(), "{}", place.read("up.err"));
        place
            .read("up.out")
            .contains("The fleet is up")
            .then_some(())
    });
    assert_eq!(place.run(&["status", "--data-dir", &deep]).code, 0);
    assert_eq!(fleet.stop(), 0);
}

fn redis_pid(fleet: &Running) -> String {
    let output = Command::new("ps")
        .args(["-o", "pid=", "--ppid", &fleet.pid().to_string()])
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}
