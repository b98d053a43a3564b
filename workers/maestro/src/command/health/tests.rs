use super::*;

fn record() -> Record {
    Record {
        process: 7,
        written: moment(100_000),
        state: State::Running,
        age_ms: 90_000,
        loops: vec![of("triage"), of("heal")],
    }
}

fn of(name: &str) -> Loop {
    Loop {
        name: name.to_owned(),
        age_ms: 200,
        connected: true,
        in_hand: 1,
        oldest_handler_ms: Some(3000),
    }
}

fn moment(ms: u64) -> Moment {
    Moment {
        boot: "b".to_owned(),
        ms,
    }
}

fn health(ready: bool) -> Health {
    Health {
        heartbeat_file: None,
        max_age: Span::seconds(30),
        max_handler_age: None,
        ready,
    }
}

fn after(ms: u64, record: &Record, ready: bool) -> Result<String, String> {
    health(ready).judge(record, &moment(100_000 + ms))
}

#[test]
fn a_process_is_dead_once_its_file_or_one_of_its_loops_is_too_old() {
    let mut one = record();
    let well = "alive: triage, heal; 2 in hand, the oldest for 3.5 s";
    assert_eq!(after(500, &one, false).as_deref(), Ok(well));
    assert_eq!(
        after(31_000, &one, false).unwrap_err(),
        "process 7 has given no sign of life for 31.0 s: it was killed, or hangs"
    );
    one.loops[1].age_ms = 29_000;
    assert!(after(500, &one, false).is_ok());
    assert_eq!(
        after(2000, &one, false).unwrap_err(),
        "the heal loop of process 7 hangs: it has not gone round for 31.0 s"
    );
}

#[test]
fn waiting_for_redis_is_alive_and_not_ready() {
    let mut one = record();
    one.loops[0].connected = false;
    let alive = after(0, &one, false).unwrap();
    assert!(
        alive.ends_with("; triage is not connected to Redis"),
        "{alive}"
    );
    assert_eq!(
        after(0, &one, true).unwrap_err(),
        "not ready: triage is not connected to Redis"
    );
}

#[test]
fn a_process_that_begins_or_ends_is_alive_and_not_ready_but_not_for_ever() {
    let mut one = record();
    one.state = State::Stopping;
    assert!(after(0, &one, false).is_ok());
    assert_eq!(
        after(0, &one, true).unwrap_err(),
        "not ready: process 7 is ending"
    );
    one.state = State::Starting;
    one.age_ms = 1000;
    assert!(after(0, &one, false).is_ok());
    assert_eq!(
        after(0, &one, true).unwrap_err(),
        "not ready: process 7 is starting"
    );
    one.age_ms = 31_000;
    assert_eq!(
        after(0, &one, false).unwrap_err(),
        "process 7 has been starting for 31.0 s"
    );
}

#[test]
fn a_handler_may_take_any_time_unless_a_limit_is_given() {
    let mut one = record();
    one.loops[1].oldest_handler_ms = Some(3_600_000);
    assert!(after(0, &one, false).is_ok());
    let limited = Health {
        max_handler_age: Some(Span::seconds(1800)),
        ..health(false)
    };
    assert_eq!(
        limited.judge(&one, &moment(100_000)).unwrap_err(),
        "a handler of heal in process 7 has been at one message for 1 h 0 min"
    );
}

#[test]
fn a_heartbeat_of_another_start_of_the_machine_counts_for_nothing() {
    let other = Moment {
        boot: "another".to_owned(),
        ms: 100_100,
    };
    for now in [other, moment(99_000)] {
        let sentence = health(false).judge(&record(), &now).unwrap_err();
        assert!(
            sentence.contains("before this machine was started"),
            "{sentence}"
        );
    }
}
