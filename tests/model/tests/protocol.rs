//! The protocol holds in every order of its steps, and without any one of its rules it does not.

use maestro_model::search::{Counterexample, explore};
use maestro_model::{Publishing, Rules, Scenario, Step};

/// The same message twice.
const TWICE: &[Option<u8>] = &[Some(0), Some(0)];
/// Two messages that only the fence protects.
const WITHOUT_KEYS: &[Option<u8>] = &[None, None];
/// One of each.
const MIXED: &[Option<u8>] = &[Some(0), None];

const INTRUDES: &str = "a commit changed an entry that another consumer had taken over";
const DOUBLES: &str = "two effects of one message";
const SPEAKS: &str = "something was said for a message that was no longer the speaker's";
const REPEATS: &str = "something that is said once was said twice";
const LOSES: &str = "acknowledged without its effect";

/// No fault, but every delay.
fn quiet(keys: &'static [Option<u8>]) -> Scenario {
    Scenario {
        rules: Rules::default(),
        keys,
        flights: 2,
        cuts: 0,
        kills: 0,
        losses: 0,
        late: false,
        words: false,
    }
}

/// Handlers say something along the way, the same for all messages, and it may arrive at any time later.
fn speaking(scenario: Scenario) -> Scenario {
    Scenario {
        words: true,
        ..scenario
    }
}

/// A connection breaks, and what was on its way may arrive at any time later.
fn cut(keys: &'static [Option<u8>]) -> Scenario {
    Scenario {
        cuts: 1,
        late: true,
        ..quiet(keys)
    }
}

/// A worker is killed, and what was on its way may arrive at any time later.
fn kill(keys: &'static [Option<u8>]) -> Scenario {
    Scenario {
        kills: 1,
        late: true,
        ..quiet(keys)
    }
}

/// The group is lost. With one commit at a time: with two it takes minutes, and finds no more.
fn loss(keys: &'static [Option<u8>]) -> Scenario {
    Scenario {
        flights: 1,
        losses: 1,
        ..quiet(keys)
    }
}

/// Looks at everything, and at enough: a model in which nothing can happen has no fault either.
fn holds(scenario: Scenario, at_least: usize) {
    match explore(&scenario) {
        Ok(explored) => assert!(explored.states >= at_least, "only {explored:?}"),
        Err(found) => panic!("{}: {:#?}", found.fault, found.steps),
    }
}

/// What goes wrong under these rules.
fn breaks(scenario: Scenario, rules: Rules) -> Counterexample<Step> {
    explore(&Scenario { rules, ..scenario }).expect_err("a fault: the search cannot fail")
}

#[test]
fn without_faults_every_message_has_one_effect_in_every_order() {
    for keys in [TWICE, WITHOUT_KEYS, MIXED] {
        holds(quiet(keys), 40_000);
    }
}

#[test]
fn a_lost_reply_and_a_request_that_arrives_late_change_nothing() {
    holds(cut(WITHOUT_KEYS), 500_000);
}

#[test]
fn a_lost_reply_does_not_double_a_message_that_was_sent_twice() {
    holds(cut(TWICE), 400_000);
}

#[test]
fn a_worker_may_be_killed_at_any_moment_and_start_again_under_its_name() {
    for keys in [TWICE, WITHOUT_KEYS] {
        holds(kill(keys), 120_000);
    }
}

#[test]
fn a_group_may_be_lost_at_any_moment_and_made_anew_from_any_cursor_saved_before() {
    holds(loss(TWICE), 1_000_000);
}

#[test]
fn a_word_along_the_way_is_said_once_and_by_an_owner_however_late_it_comes_and_whoever_is_killed() {
    for keys in [TWICE, WITHOUT_KEYS] {
        holds(speaking(quiet(keys)), 150_000);
        // What is said along the way is no part of a commit, so one at a time is enough.
        let one = Scenario {
            flights: 1,
            ..kill(keys)
        };
        holds(speaking(one), 500_000);
    }
}

#[test]
fn a_word_that_asks_for_no_owner_is_said_by_one_who_was_frozen() {
    let rules = Rules {
        words_ask_for_the_owner: false,
        ..Rules::default()
    };
    assert_eq!(breaks(speaking(quiet(WITHOUT_KEYS)), rules).fault, SPEAKS);
}

#[test]
fn a_word_without_a_mark_is_said_again_by_whoever_takes_over() {
    let rules = Rules {
        words_are_marked: false,
        ..Rules::default()
    };
    assert_eq!(breaks(speaking(quiet(WITHOUT_KEYS)), rules).fault, REPEATS);
}

#[test]
fn a_token_that_a_takeover_leaves_lets_a_frozen_worker_commit() {
    let rules = Rules {
        takeover_revokes: false,
        ..Rules::default()
    };
    assert_eq!(breaks(quiet(WITHOUT_KEYS), rules).fault, INTRUDES);
}

#[test]
fn a_token_learned_without_dropping_what_was_lost_lets_it_be_committed() {
    let rules = Rules {
        relearning_drops_the_lost: false,
        ..Rules::default()
    };
    assert_eq!(breaks(quiet(WITHOUT_KEYS), rules).fault, INTRUDES);
}

#[test]
fn a_read_from_before_a_token_is_not_covered_by_it() {
    let rules = Rules {
        reads_have_an_epoch: false,
        ..Rules::default()
    };
    assert_eq!(breaks(quiet(WITHOUT_KEYS), rules).fault, INTRUDES);
}

#[test]
fn an_entry_that_came_after_a_token_was_asked_for_is_not_covered_by_it() {
    let rules = Rules {
        relearning_covers_what_was_asked: false,
        ..Rules::default()
    };
    assert_eq!(breaks(quiet(WITHOUT_KEYS), rules).fault, DOUBLES);
}

#[test]
fn what_a_tick_finds_may_be_committed_already_when_its_answer_arrives() {
    let rules = Rules {
        found_is_not_trusted: false,
        ..Rules::default()
    };
    assert_eq!(breaks(quiet(WITHOUT_KEYS), rules).fault, DOUBLES);
}

#[test]
fn publishing_before_the_acknowledgement_doubles() {
    let rules = Rules {
        publishing: Publishing::Before,
        ..Rules::default()
    };
    assert_eq!(breaks(quiet(WITHOUT_KEYS), rules).fault, DOUBLES);
}

#[test]
fn publishing_after_the_acknowledgement_loses() {
    let rules = Rules {
        publishing: Publishing::After,
        ..Rules::default()
    };
    assert_eq!(breaks(kill(WITHOUT_KEYS), rules).fault, LOSES);
}

#[test]
fn a_resend_that_trusts_the_token_doubles() {
    let rules = Rules {
        resend_is_exact: false,
        ..Rules::default()
    };
    assert_eq!(breaks(cut(WITHOUT_KEYS), rules).fault, DOUBLES);
}

#[test]
fn a_token_that_survives_a_lost_reply_doubles() {
    let rules = Rules {
        lost_reply_renews: false,
        ..Rules::default()
    };
    assert_eq!(breaks(cut(WITHOUT_KEYS), rules).fault, DOUBLES);
}

#[test]
fn a_request_from_before_that_leaves_the_token_doubles_after_a_cut_and_after_a_kill() {
    let rules = Rules {
        late_acknowledgement_revokes: false,
        ..Rules::default()
    };
    assert_eq!(breaks(cut(WITHOUT_KEYS), rules).fault, DOUBLES);
    assert_eq!(breaks(kill(WITHOUT_KEYS), rules).fault, DOUBLES);
}

#[test]
fn an_entry_that_two_commits_carry_has_two_effects() {
    let rules = Rules {
        one_flight_an_entry: false,
        ..Rules::default()
    };
    assert_eq!(breaks(quiet(WITHOUT_KEYS), rules).fault, DOUBLES);
}

#[test]
fn without_marks_a_message_that_was_sent_twice_has_two_effects() {
    let rules = Rules {
        marks: false,
        ..Rules::default()
    };
    assert_eq!(breaks(quiet(TWICE), rules).fault, DOUBLES);
}

#[test]
fn a_group_made_anew_that_leaves_the_tokens_lets_the_lost_ones_owner_commit() {
    let rules = Rules {
        recreation_revokes: false,
        ..Rules::default()
    };
    assert_eq!(breaks(loss(TWICE), rules).fault, INTRUDES);
}
