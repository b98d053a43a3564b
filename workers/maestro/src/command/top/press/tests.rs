use maestro_protocol::Stream;
use maestro_streams::EntryId;
use ratatui::crossterm::event::KeyCode::{
    self, BackTab, Backspace, Char, Down, End, Enter, Esc, Tab, Up,
};

use super::*;
use crate::command::top::fixture::{message, press, sample, state};
use crate::command::top::state::{Answer, Row};
use crate::output::Tone;

const LETTER: EntryId = EntryId {
    ms: 1_763_985_000_000,
    seq: 0,
};

#[test]
fn a_dead_letter_is_replayed_or_dropped_only_after_a_yes() {
    for (key, act) in [('r', Act::Replay), ('d', Act::Drop)] {
        let mut state = state();
        let to_letters = [BackTab, Char(key)];
        assert_eq!(press(&mut state, &to_letters), Step::Draw);
        for no in [Esc, Enter, Char('n'), Char(key)] {
            assert_eq!(press(&mut state, &[no]), Step::Draw, "{no:?}");
            assert!(state.views.is_empty());
            press(&mut state, &[Char(key)]);
        }
        let wanted = Request::Act(act, Stream::Heal, LETTER);
        assert_eq!(press(&mut state, &[Char('y')]), Step::Ask(wanted));
        assert!(state.views.is_empty());
    }
}

#[test]
fn what_is_no_dead_letter_is_not_replayed() {
    let mut state = state();
    press(&mut state, &[Char('r')]);
    assert!(state.views.is_empty());
    assert_eq!(
        state.told.as_ref().map(|(_, told)| told.as_str()),
        Some(words::NO_LETTER)
    );
}

#[test]
fn a_letter_that_is_looked_at_goes_out_of_sight_when_it_is_dropped() {
    let mut state = state();
    assert_eq!(
        press(&mut state, &[BackTab, Enter]),
        Step::Ask(Request::Letter(Stream::Heal, LETTER))
    );
    let mut detail = message("it");
    detail.letter = Some((Stream::Heal, LETTER));
    state.learn(Answer::Detail(detail));
    press(&mut state, &[Char('d'), Char('y')]);
    assert!(state.views.is_empty());
}

#[test]
fn following_begins_with_the_flow_of_what_is_selected_and_can_be_typed() {
    let mut state = state();
    let request = |id: &str| Step::Ask(Request::Follow(id.to_owned()));
    assert_eq!(
        press(&mut state, &[Tab, Tab, Char('f'), Enter]),
        request("build-7")
    );
    assert_eq!(
        press(&mut state, &[Char('f'), Backspace, Char('q'), Enter]),
        request("build-q")
    );
    assert_eq!(press(&mut state, &[Char('f'), Esc]), Step::Draw);
    assert!(state.views.is_empty());
}

#[test]
fn a_flow_that_grows_keeps_the_selection_and_follows_its_end() {
    let mut state = state();
    let list = |count: usize| {
        let row = Row {
            text: "one".to_owned(),
            tone: Tone::Plain,
            detail: message("one"),
        };
        Answer::List(List {
            title: String::new(),
            rows: vec![row; count],
            selected: 0,
            follows: Some("build-7".to_owned()),
        })
    };
    let selected = |state: &State| match state.views.last() {
        Some(View::List(list)) => list.selected,
        other => panic!("{other:?}"),
    };
    press(&mut state, &[Tab, Tab, Char('f'), Enter]);
    state.learn(list(3));
    state.learn(list(4));
    assert_eq!(selected(&state), 0);
    press(&mut state, &[End]);
    state.learn(list(6));
    assert_eq!((selected(&state), state.views.len()), (5, 1));
    assert_eq!(press(&mut state, &[Esc]), Step::Ask(Request::Unfollow));
    state.learn(list(7));
    assert!(state.views.is_empty(), "a late answer opened it again");
}

#[test]
fn the_selection_stays_within_what_there_is() {
    let mut state = state();
    press(&mut state, &[Tab, Down, Down, Down, Down]);
    assert_eq!(state.selected(Pane::Workers), 2);
    let mut fewer = sample(30);
    fewer.replicas.truncate(1);
    state.learn(Answer::Sample(fewer));
    assert_eq!(state.selected(Pane::Workers), 0);
    press(&mut state, &[Up]);
    assert_eq!(state.selected(Pane::Workers), 0);
    assert_eq!(
        press(&mut state, &[KeyCode::Left, Enter]),
        Step::Ask(Request::Newest("automation:jobs".to_owned()))
    );
    assert_eq!(press(&mut state, &[Char('q')]), Step::Quit);
}
