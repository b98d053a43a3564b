//! Turns hold in every order of their steps, and without any one of their rules they do not.

use maestro_model::search::{Counterexample, explore};
use maestro_model::{TurnRules, TurnStep, Turns};

const CROSSES: &str = "an effect before that of an earlier message";
const OVERLAPS: &str = "an effect while the handler of another one ran";
const STUCK: &str = "no good end can be reached any more";

/// Three messages of one key, two workers that may be killed, frozen and robbed at any moment, and no other fault.
fn plain() -> Turns {
    Turns {
        rules: TurnRules::default(),
        messages: 3,
        retries: 0,
        set_aside: 0,
        by_hand: 0,
        losses: 0,
        only_overlaps: false,
    }
}

/// One of them asks for another delivery.
fn retried() -> Turns {
    Turns {
        retries: 1,
        ..plain()
    }
}

/// One of them, perhaps the one that was retried, turns out at a look to be none to be handled.
fn set_aside() -> Turns {
    Turns {
        set_aside: 1,
        ..retried()
    }
}

/// The group is lost as well. With two messages: with three it takes minutes, and finds no more.
fn lost() -> Turns {
    Turns {
        messages: 2,
        losses: 1,
        ..retried()
    }
}

/// Somebody acknowledges an entry by hand.
fn by_hand() -> Turns {
    Turns {
        by_hand: 1,
        ..plain()
    }
}

/// Looks at everything, and at enough: a model in which nothing can happen has no fault either.
fn holds(turns: Turns, at_least: usize) {
    match explore(&turns) {
        Ok(explored) => assert!(explored.states >= at_least, "only {explored:?}"),
        Err(found) => panic!("{}: {:#?}", found.fault, found.steps),
    }
}

/// What goes wrong under these rules.
fn breaks(turns: Turns, rules: TurnRules) -> Counterexample<TurnStep> {
    explore(&Turns { rules, ..turns }).expect_err("a fault: the search cannot fail")
}

#[test]
fn one_after_the_other_in_order_whoever_is_killed_frozen_or_robbed() {
    holds(plain(), 7_000);
}

#[test]
fn a_message_that_is_retried_keeps_its_place_and_one_that_is_set_aside_blocks_nobody() {
    holds(retried(), 120_000);
    holds(set_aside(), 150_000);
}

#[test]
fn a_group_that_is_lost_and_made_anew_keeps_the_order() {
    holds(lost(), 500_000);
}

#[test]
fn an_entry_that_is_acknowledged_by_hand_blocks_nobody() {
    holds(by_hand(), 25_000);
}

#[test]
fn without_waiting_the_second_overtakes_the_first_or_runs_beside_it() {
    let rules = TurnRules {
        others_wait: false,
        ..TurnRules::default()
    };
    assert_eq!(breaks(plain(), rules).fault, CROSSES);
    let overlapping = Turns {
        only_overlaps: true,
        ..plain()
    };
    assert_eq!(breaks(overlapping, rules).fault, OVERLAPS);
}

#[test]
fn one_that_asks_first_and_looks_at_nothing_before_it_overtakes_what_another_was_given() {
    let rules = TurnRules {
        asking_looks_at_all_before: false,
        ..TurnRules::default()
    };
    assert_eq!(breaks(plain(), rules).fault, CROSSES);
}

#[test]
fn a_question_from_before_the_group_was_lost_makes_others_look_past_what_comes_again() {
    let rules = TurnRules {
        looks_end_at_an_own_entry: false,
        ..TurnRules::default()
    };
    assert_eq!(breaks(lost(), rules).fault, CROSSES);
}

#[test]
fn a_free_turn_that_anybody_may_take_is_taken_by_a_later_one() {
    let rules = TurnRules {
        first_in_line_only: false,
        ..TurnRules::default()
    };
    assert_eq!(breaks(plain(), rules).fault, CROSSES);
}

#[test]
fn a_parked_one_overtakes_an_earlier_one_whose_worker_has_not_asked() {
    let rules = TurnRules {
        unasked_ones_are_waited_for: false,
        ..TurnRules::default()
    };
    assert_eq!(breaks(plain(), rules).fault, CROSSES);
}

#[test]
fn a_commit_that_does_not_pass_the_turn_on_leaves_whoever_is_parked_to_housekeeping() {
    let rules = TurnRules {
        commit_passes_on: false,
        ..TurnRules::default()
    };
    let late = Turns { rules, ..plain() };
    holds(late, 8_000);
    let rules = TurnRules {
        housekeeping_looks: false,
        ..rules
    };
    assert_eq!(breaks(plain(), rules).fault, STUCK);
}

#[test]
fn the_outcome_of_a_handler_from_before_the_group_was_lost_has_no_turn_to_keep() {
    let rules = TurnRules {
        outcome_needs_the_turn: false,
        ..TurnRules::default()
    };
    assert_eq!(breaks(lost(), rules).fault, CROSSES);
}

#[test]
fn a_retried_message_that_gives_up_its_turn_is_overtaken() {
    let rules = TurnRules {
        retry_keeps_the_turn: false,
        ..TurnRules::default()
    };
    assert_eq!(breaks(retried(), rules).fault, CROSSES);
}

#[test]
fn a_kept_turn_that_outlives_its_message_blocks_the_key_for_ever() {
    let rules = TurnRules {
        kept_turn_ends_with_its_message: false,
        ..TurnRules::default()
    };
    assert_eq!(breaks(set_aside(), rules).fault, STUCK);
}

#[test]
fn a_turn_of_an_entry_that_is_no_longer_pending_blocks_the_key_for_ever() {
    let rules = TurnRules {
        turn_needs_a_pending_entry: false,
        ..TurnRules::default()
    };
    assert_eq!(breaks(by_hand(), rules).fault, STUCK);
}

#[test]
fn without_a_look_by_housekeeping_those_behind_an_entry_acknowledged_by_hand_wait_for_ever() {
    let rules = TurnRules {
        housekeeping_looks: false,
        ..TurnRules::default()
    };
    assert_eq!(breaks(by_hand(), rules).fault, STUCK);
}

#[test]
fn a_group_made_anew_that_forgets_kept_turns_lets_a_retried_message_be_overtaken() {
    let rules = TurnRules {
        recreation_leaves_kept_turns: false,
        ..TurnRules::default()
    };
    assert_eq!(breaks(lost(), rules).fault, CROSSES);
}
