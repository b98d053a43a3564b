//! The two lanes of a worker hold in every order of their steps, and without any one of their rules they do not.

use maestro_model::search::explore;
use maestro_model::{LaneRules, Lanes};

const SLEEPS: &str = "a message waits beside a free place, and nobody will notice";

fn with(limit: u8, rules: LaneRules) -> Lanes {
    Lanes {
        rules,
        limit,
        messages: [5, 7],
    }
}

fn broken(limit: u8, rules: LaneRules) -> &'static str {
    let found = explore(&with(limit, rules));
    found.expect_err("a fault: the search cannot fail").fault
}

#[test]
fn urgent_ones_begin_first_every_fourth_is_another_and_nobody_sleeps_beside_a_free_place() {
    for limit in [1, 2, 3] {
        match explore(&with(limit, LaneRules::default())) {
            Ok(explored) => assert!(explored.states > 10_000, "only {explored:?}"),
            Err(found) => panic!("{}: {:#?}", found.fault, found.steps),
        }
    }
}

#[test]
fn an_urgent_one_that_nobody_lets_go_first_is_overtaken() {
    let rules = LaneRules {
        urgent_first: false,
        ..LaneRules::default()
    };
    let fault = "a second one in a row while an urgent one waits";
    assert_eq!(broken(1, rules), fault);
}

#[test]
fn urgent_ones_that_let_nobody_go_first_keep_the_others_waiting() {
    let rules = LaneRules {
        fourth_is_another: false,
        ..LaneRules::default()
    };
    let fault = "a fourth urgent one in a row while another one waits";
    assert_eq!(broken(1, rules), fault);
}

#[test]
fn whoever_let_another_go_first_and_is_not_woken_then_sleeps_beside_a_free_place() {
    let rules = LaneRules {
        beginning_wakes: false,
        ..LaneRules::default()
    };
    assert_eq!(broken(2, rules), SLEEPS);
}

#[test]
fn a_handler_that_ends_and_wakes_only_its_own_lane_leaves_the_other_asleep() {
    let rules = LaneRules {
        ending_wakes: false,
        ..LaneRules::default()
    };
    assert_eq!(broken(1, rules), SLEEPS);
}

#[test]
fn a_lane_that_has_nothing_left_and_does_not_say_so_keeps_the_other_waiting_for_it() {
    let rules = LaneRules {
        giving_up_is_said: false,
        ..LaneRules::default()
    };
    assert_eq!(broken(1, rules), SLEEPS);
}
