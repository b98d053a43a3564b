//! What results make of a history, whatever their order and number.

use maestro_protocol::heal::Strategy;
use proptest::prelude::{Strategy as Drawn, prop};
use proptest::{prop_assert_eq, prop_oneof, proptest};

use super::*;

const CLASS: &str = "import_error";
const DAY: u64 = GRACE;

fn reported(at: u64, id: &str) -> Event {
    Event::Reported {
        at,
        id: id.to_owned(),
        test: Some("t.py::t".to_owned()),
    }
}

fn healed(at: u64, id: &str, verdict: Verdict, shown: (u32, u32)) -> Event {
    Event::Healed {
        at,
        id: id.to_owned(),
        test: Some("t.py::t".to_owned()),
        class: CLASS.to_owned(),
        strategy: Some(Strategy::DependencyFix),
        verdict,
        confidence: 0.9,
        change: format!("change of {id}"),
        shown,
        after: 3,
    }
}

fn decided(at: u64, heal: &str, judgement: Judgement) -> Event {
    Event::Decided {
        at,
        heal: heal.to_owned(),
        judgement,
        by: Some("ada".to_owned()),
        reason: "it is right".to_owned(),
    }
}

fn folded(events: &[Event]) -> (History, Reputation) {
    let (mut history, mut reputation) = (History::default(), Reputation::default());
    for event in events {
        history.fold(event, &mut reputation);
    }
    (history, reputation)
}

fn alike(reputation: &Reputation) -> (u32, u32, u32) {
    let (judged, _) = reputation.of(Strategy::DependencyFix, CLASS);
    (judged.accepted, judged.rejected, judged.failed_again)
}

#[test]
fn runs_heals_reports_and_flips_are_counted() {
    let (history, _) = folded(&[
        reported(1, "a"),
        healed(2, "a/0", Verdict::NotReproduced, (0, 1)),
        reported(3, "b"),
        healed(4, "b/0", Verdict::Healed, (2, 2)),
    ]);
    assert_eq!((history.reported, history.heals), (2, 2));
    assert_eq!(history.runs, 1 + 3 + 2 + 3);
    assert_eq!(history.flips, 2);
    let (now_and_then, _) = folded(&[healed(1, "a", Verdict::NoFix, (1, 2))]);
    assert_eq!(now_and_then.flips, 2);
}

#[test]
fn the_last_decision_on_a_heal_is_the_one_that_counts() {
    let offered = healed(1, "a", Verdict::Healed, (2, 2));
    let mut events = vec![offered, decided(2, "a", Judgement::Accepted)];
    assert_eq!(alike(&folded(&events).1), (1, 0, 0));
    events.push(decided(3, "a", Judgement::Accepted));
    assert_eq!(alike(&folded(&events).1), (1, 0, 0));
    events.push(decided(4, "a", Judgement::Rejected));
    assert_eq!(alike(&folded(&events).1), (0, 1, 0));
}

#[test]
fn a_failure_that_comes_back_after_its_patch_was_accepted_counts_against_the_patch_but_not_at_once()
{
    let mut events = vec![
        healed(1, "a", Verdict::Healed, (2, 2)),
        decided(2, "a", Judgement::Accepted),
        reported(2 + DAY, "b"),
    ];
    assert_eq!(alike(&folded(&events).1), (1, 0, 0));
    events.push(reported(3 + DAY, "c"));
    assert_eq!(alike(&folded(&events).1), (0, 0, 1));
    events.push(reported(4 + DAY, "d"));
    assert_eq!(alike(&folded(&events).1), (0, 0, 1));
}

#[test]
fn a_history_is_bounded_and_forgets_what_nobody_decided_on_first() {
    let mut events = vec![
        healed(0, "first", Verdict::Healed, (2, 2)),
        decided(1, "first", Judgement::Rejected),
    ];
    for n in 2..1000 {
        events.push(healed(n, &format!("h{n}"), Verdict::Healed, (2, 2)));
    }
    let (history, _) = folded(&events);
    assert_eq!(history.tried.len(), TRIED);
    assert_eq!(history.tried[0].heal, "first");
    assert!(history.fields().len() < TRIED + 10);
}

fn any_event() -> impl Drawn<Value = Event> {
    let verdicts = prop::sample::select(vec![
        Verdict::Healed,
        Verdict::Proposed,
        Verdict::Refused,
        Verdict::NotReproduced,
    ]);
    let judgements = prop::sample::select(vec![Judgement::Accepted, Judgement::Rejected]);
    prop_oneof![
        (0..9 * DAY, 0..40_u8).prop_map(|(at, n)| reported(at, &format!("r{n}"))),
        (0..9 * DAY, 0..40_u8, verdicts, 0..3_u32).prop_map(|(at, n, verdict, shown)| healed(
            at,
            &format!("h{n}"),
            verdict,
            (shown, 2)
        )),
        (0..9 * DAY, 0..40_u8, judgements).prop_map(|(at, n, judgement)| decided(
            at,
            &format!("h{n}"),
            judgement
        )),
    ]
}

proptest! {
    #[test]
    fn writing_and_reading_between_any_two_results_changes_nothing(
        mut events in prop::collection::vec(any_event(), 0..120), cut in 0..120_usize
    ) {
        // As they stand in a stream.
        for (number, event) in events.iter_mut().enumerate() {
            let (Event::Reported { at, .. } | Event::Healed { at, .. } | Event::Decided { at, .. }) = event;
            *at = number as u64 * (DAY / 4);
        }
        let cut = cut.min(events.len());
        let whole = folded(&events);
        let (mut history, reputation) = folded(&events[..cut]);
        let fields: Fields = history.fields().into_iter().collect();
        history = History::read(&fields);
        let fields: Fields = reputation.fields().into_iter().collect();
        let mut reputation = Reputation::read(&fields);
        for event in &events[cut..] {
            history.fold(event, &mut reputation);
        }
        prop_assert_eq!(&history, &whole.0);
        prop_assert_eq!(reputation, whole.1);
    }

    #[test]
    fn the_reputation_is_what_the_histories_sum_up_to(events in prop::collection::vec(any_event(), 0..20)) {
        let (history, reputation) = folded(&events);
        let judged = history.judged();
        prop_assert_eq!(alike(&reputation), (judged.accepted, judged.rejected, judged.failed_again));
    }
}
