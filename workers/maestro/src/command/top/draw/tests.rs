use ratatui::crossterm::event::KeyCode;

use crate::command::top::fixture::{message, press, sample, state};
use crate::command::top::state::{Answer, List, Row, State};
use crate::command::top::text;
use crate::output::Tone;

fn shown(state: &State, columns: u16, lines: u16) -> String {
    text::frame(state, (columns, lines), false).join("\n")
}

#[test]
fn the_board_at_80_by_24() {
    insta::assert_snapshot!(shown(&state(), 80, 24));
}

#[test]
fn the_board_at_120_by_40() {
    insta::assert_snapshot!(shown(&state(), 120, 40));
}

#[test]
fn the_board_of_a_fleet_that_has_nothing_and_whose_redis_is_away() {
    let mut state = State::new("redis://localhost".to_owned());
    let mut nothing = sample(0);
    nothing.replicas.clear();
    nothing.work.clear();
    nothing.dead.clear();
    state.learn(Answer::Sample(nothing));
    state.learn(Answer::Trouble(
        "no connection to redis://localhost: refused".to_owned(),
    ));
    insta::assert_snapshot!(shown(&state, 80, 24));
}

#[test]
fn a_silent_worker_at_length() {
    let mut state = state();
    press(&mut state, &[KeyCode::Tab, KeyCode::End, KeyCode::Enter]);
    insta::assert_snapshot!(shown(&state, 80, 24));
}

#[test]
fn a_dead_letter_that_is_about_to_be_replayed() {
    let mut state = state();
    press(&mut state, &[KeyCode::BackTab]);
    let letter = state.letter();
    let mut detail = message("dead letter 1763985000000-0 of automation:heal");
    detail.letter = letter;
    state.learn(Answer::Detail(detail));
    press(&mut state, &[KeyCode::Char('r')]);
    insta::assert_snapshot!(shown(&state, 80, 24));
}

#[test]
fn a_flow_and_the_help() {
    let mut state = state();
    let row = |text: &str, tone| Row {
        text: text.to_owned(),
        tone,
        detail: message("one of it"),
    };
    let keys = [
        KeyCode::Tab,
        KeyCode::Tab,
        KeyCode::Char('f'),
        KeyCode::Enter,
    ];
    press(&mut state, &keys);
    state.learn(Answer::List(List {
        title: "flow build-7: 2 messages".to_owned(),
        rows: vec![
            row("12:00:01  automation:errors   error.reported    build-7", Tone::Plain),
            row("12:00:02  automation:results  heal              tests/test_cart.py::test_total: a failure of a kind that may be healed", Tone::Plain),
        ],
        selected: 1,
        follows: Some("build-7".to_owned()),
    }));
    insta::assert_snapshot!(shown(&state, 80, 24));
    press(&mut state, &[KeyCode::Char('?')]);
    insta::assert_snapshot!(shown(&state, 80, 24));
}

#[test]
fn a_terminal_of_any_size_gets_a_picture() {
    let mut state = state();
    for columns in [1, 20, 59, 60, 79, 80, 200] {
        for lines in [1, 13, 14, 24, 60] {
            let frame = text::frame(&state, (columns, lines), false);
            assert_eq!(frame.len(), usize::from(lines));
        }
    }
    press(&mut state, &[KeyCode::Tab, KeyCode::Enter]);
    assert!(shown(&state, 20, 5).contains("maestro top wants 6"));
}

#[test]
fn what_a_message_says_moves_no_cursor_and_colours_stand_where_they_are_wanted() {
    let mut state = state();
    let mut evil = sample(21);
    evil.dead[0].why = "\u{1b}[2J\u{1b}]0;gone\u{7}".to_owned();
    evil.work[0].subject = "日本語".repeat(40);
    state.learn(Answer::Sample(evil));
    assert!(!shown(&state, 80, 24).contains('\u{1b}'));
    let coloured = text::frame(&state, (80, 24), true).join("\n");
    assert!(coloured.contains("\u{1b}["));
    assert!(!coloured.contains("\u{1b}[2J") && !coloured.contains('\u{7}'));
}
