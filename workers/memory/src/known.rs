//! What a heal is told of the past.

use maestro_protocol::heal::{Experience, Judged, RuntimeChanges, Strategy};

use crate::change::change;
use crate::confidence::confidence;
use crate::event::Judgement;
use crate::history::{History, Tried};
use crate::reputation::Reputation;

/// What is known when a heal begins. The default is to know nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// Of this failure.
    pub history: History,
    /// Of the strategies.
    pub reputation: Reputation,
}

impl Known {
    /// In which order a strategy is tried on a failure of this class; lower is earlier. First what was accepted for this very failure, then
    /// what was accepted more often than not for its class, then what nothing is known of, last what was mostly turned down.
    pub fn turn(&self, strategy: Strategy, class: &str) -> u8 {
        let own = self.own(strategy);
        if own.accepted > 0 && own.accepted >= own.rejected + own.failed_again {
            return 0;
        }
        let (alike, _) = self.reputation.of(strategy, class);
        match alike.accepted.cmp(&(alike.rejected + alike.failed_again)) {
            std::cmp::Ordering::Greater => 1,
            std::cmp::Ordering::Equal => 2,
            std::cmp::Ordering::Less => 3,
        }
    }

    /// The last decision on the same repair of this failure, if it turned it down.
    pub fn turned_down(
        &self,
        patch: Option<&str>,
        runtime: Option<&RuntimeChanges>,
    ) -> Option<&Tried> {
        let wanted = change(patch, runtime);
        self.history
            .tried
            .iter()
            .filter(|tried| tried.change == wanted && tried.judgement.is_some())
            .max_by_key(|tried| tried.decided)
            .filter(|tried| tried.judgement == Some(Judgement::Rejected))
    }

    /// The confidence in a heal whose own evidence says `counted`, with all that went into it.
    pub fn confidence(&self, counted: f64, strategy: Strategy, class: &str) -> (f64, Experience) {
        let (alike, elsewhere) = self.reputation.of(strategy, class);
        let experience = Experience {
            counted,
            alike,
            elsewhere,
            this: self.history.judged(),
            reported: self.history.reported,
            flips: self.history.flips,
        };
        (confidence(counted, alike, elsewhere), experience)
    }

    fn own(&self, strategy: Strategy) -> Judged {
        let mut sum = Judged::default();
        for tried in &self.history.tried {
            if tried.strategy == strategy {
                let judged = tried.judged();
                sum.accepted += judged.accepted;
                sum.rejected += judged.rejected;
                sum.failed_again += judged.failed_again;
            }
        }
        sum
    }
}
