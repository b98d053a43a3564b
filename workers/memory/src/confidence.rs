//! The confidence in a heal: what its own evidence says, and what people made of such heals before.

use maestro_protocol::heal::Judged;

/// The evidence of the heal itself counts for so many decisions of people.
pub const OWN: f64 = 8.0;
/// A decision on the same strategy in failures of another class counts for this much of one.
pub const ELSEWHERE: f64 = 0.25;
/// Decisions count for at most so many: however often a strategy was right, three quarters of the weight are the most that its past has.
pub const MOST: f64 = 24.0;

/// The mean of a Beta distribution: its prior has the weight [`OWN`] and the mean that the heal's own evidence gives (`counted`); each patch
/// that was accepted is a success, each that was rejected or whose failure came back is none.
///
/// `(OWN * counted + w * share) / (OWN + w)`, where `share` is the share of successes, those elsewhere weighted by [`ELSEWHERE`], and `w`
/// the weight of all decisions, at most [`MOST`]. Without decisions it is `counted`. Rounded to three digits.
///
/// The model is the usual conjugate one of a proportion (Gelman et al., *Bayesian Data Analysis*, section 2.4).
pub fn confidence(counted: f64, alike: Judged, elsewhere: Judged) -> f64 {
    let successes = f64::from(alike.accepted) + ELSEWHERE * f64::from(elsewhere.accepted);
    let failures = failed(alike) + ELSEWHERE * failed(elsewhere);
    let all = successes + failures;
    let counted = counted.clamp(0.0, 1.0);
    if all <= 0.0 {
        return rounded(counted);
    }
    let weight = all.min(MOST);
    rounded((OWN * counted + weight * (successes / all)) / (OWN + weight))
}

fn failed(judged: Judged) -> f64 {
    f64::from(judged.rejected) + f64::from(judged.failed_again)
}

fn rounded(figure: f64) -> f64 {
    (figure * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judged() -> impl Strategy<Value = Judged> {
        (0_u32..200, 0_u32..200, 0_u32..200).prop_map(|(accepted, rejected, failed_again)| Judged {
            accepted,
            rejected,
            failed_again,
        })
    }

    proptest! {
        #[test]
        fn it_stays_between_its_two_sources_and_within_zero_and_one(
            counted in 0.0_f64..=1.0, alike in judged(), elsewhere in judged()
        ) {
            let figure = confidence(counted, alike, elsewhere);
            prop_assert!((0.0..=1.0).contains(&figure));
            let accepted = f64::from(alike.accepted) + ELSEWHERE * f64::from(elsewhere.accepted);
            let all = accepted + failed(alike) + ELSEWHERE * failed(elsewhere);
            let share = if all > 0.0 { accepted / all } else { counted };
            prop_assert!(figure >= counted.min(share) - 0.001 && figure <= counted.max(share) + 0.001);
        }

        #[test]
        fn another_acceptance_never_lowers_it_and_another_rejection_never_raises_it(
            counted in 0.0_f64..=1.0, alike in judged(), elsewhere in judged()
        ) {
            let figure = confidence(counted, alike, elsewhere);
            let more = Judged { accepted: alike.accepted + 1, ..alike };
            prop_assert!(confidence(counted, more, elsewhere) >= figure);
            for worse in [
                Judged { rejected: alike.rejected + 1, ..alike },
                Judged { failed_again: alike.failed_again + 1, ..alike },
            ] {
                prop_assert!(confidence(counted, worse, elsewhere) <= figure);
            }
        }

        #[test]
        fn better_evidence_never_lowers_it(
            one in 0.0_f64..=1.0, other in 0.0_f64..=1.0, alike in judged(), elsewhere in judged()
        ) {
            let (less, more) = (one.min(other), one.max(other));
            prop_assert!(confidence(less, alike, elsewhere) <= confidence(more, alike, elsewhere));
        }

        #[test]
        fn a_decision_elsewhere_never_moves_it_further_than_one_on_the_same_class(
            counted in 0.0_f64..=1.0, times in 1_u32..20
        ) {
            let rejected = Judged { rejected: times, ..Judged::default() };
            let none = Judged::default();
            prop_assert!(confidence(counted, none, rejected) >= confidence(counted, rejected, none));
        }
    }

    #[test]
    fn without_a_past_it_is_what_the_evidence_says() {
        let none = Judged::default();
        assert!((confidence(0.914, none, none) - 0.914).abs() < 1e-9);
    }
}
