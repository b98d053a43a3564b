use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Of so many messages that begin while urgent ones wait, one is not urgent: the other lane never stands still.
const SHARE: u32 = 4;

/// Lets handlers begin, at most so many at the same time, those of the urgent lane first.
#[derive(Debug)]
pub(super) struct Turnstile {
    state: Mutex<State>,
    /// Of each lane: something may have become possible.
    changed: [Notify; 2],
}

#[derive(Debug)]
struct State {
    limit: usize,
    running: usize,
    /// Nobody else may begin.
    alone: bool,
    /// Of each lane: one has tried in vain.
    waits: [bool; 2],
    /// Urgent ones that began since the last other one.
    ahead: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Usual,
    Urgent,
}

impl State {
    /// Whose turn it is while both lanes wait.
    fn next(&self) -> Lane {
        if self.ahead < SHARE - 1 {
            Lane::Urgent
        } else {
            Lane::Usual
        }
    }
}

/// One lane's way through the turnstile.
#[derive(Debug, Clone)]
pub(super) struct Pass {
    turnstile: Arc<Turnstile>,
    lane: Lane,
}

impl Turnstile {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                limit,
                running: 0,
                alone: false,
                waits: [false; 2],
                ahead: 0,
            }),
            changed: [Notify::new(), Notify::new()],
        })
    }

    pub(super) fn pass(self: &Arc<Self>, lane: Lane) -> Pass {
        Pass {
            turnstile: self.clone(),
            lane,
        }
    }
}

impl Pass {
    /// Whether one more handler may begin; if so it must [`Pass::leave`].
    pub(super) fn enter(&self) -> bool {
        let (may, waited) = self.with(|state| {
            let is_free = !state.alone && state.running < state.limit;
            let is_others = state.waits[self.other() as usize] && state.next() != self.lane;
            let may = is_free && !is_others;
            let waited = std::mem::replace(&mut state.waits[self.lane as usize], !may);
            if may {
                state.running += 1;
                state.ahead = match self.lane {
                    Lane::Urgent => state.ahead.saturating_add(1),
                    Lane::Usual => 0,
                };
            }
            (may, waited)
        });
        if may && waited {
            // There may be room for one of the other lane too, which had to let this one go first.
            self.turnstile.changed[self.other() as usize].notify_one();
        }
        may
    }

    fn other(&self) -> Lane {
        match self.lane {
            Lane::Usual => Lane::Urgent,
            Lane::Urgent => Lane::Usual,
        }
    }

    /// Whether one may begin that shall be the only one.
    pub(super) fn enter_alone(&self) -> bool {
        self.with(|state| {
            let may = state.running == 0;
            if may {
                state.running = 1;
                state.alone = true;
            }
            may
        })
    }

    /// A handler has ended.
    pub(super) fn leave(&self) {
        self.with(|state| {
            state.running = state.running.saturating_sub(1);
            state.alone = false;
        });
        self.tell();
    }

    /// Nothing of this lane waits to begin.
    pub(super) fn wants_nothing(&self) {
        if self.with(|state| std::mem::take(&mut state.waits[self.lane as usize])) {
            self.tell();
        }
    }

    /// Waits until it is worth trying again.
    pub(super) async fn changed(&self) {
        self.turnstile.changed[self.lane as usize].notified().await;
    }

    fn tell(&self) {
        for changed in &self.turnstile.changed {
            changed.notify_one();
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let state = self.turnstile.state.lock();
        change(&mut state.unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urgent_ones_begin_first_and_every_fourth_is_another() {
        let turnstile = Turnstile::new(1);
        let (usual, urgent) = (turnstile.pass(Lane::Usual), turnstile.pass(Lane::Urgent));
        assert!(usual.enter());
        assert!(!urgent.enter());
        let mut order = String::new();
        for _ in 0..8 {
            usual.leave();
            // The other lane asks first, as it does half of the time.
            if usual.enter() {
                order.push('.');
            } else {
                assert!(urgent.enter());
                order.push('u');
            }
            assert!(!urgent.enter());
        }
        assert_eq!(order, "uuu.uuu.");
        urgent.wants_nothing();
        usual.leave();
        assert!(usual.enter());
    }

    #[test]
    fn the_other_one_comes_even_if_urgent_ones_always_ask_first() {
        let turnstile = Turnstile::new(1);
        let (usual, urgent) = (turnstile.pass(Lane::Usual), turnstile.pass(Lane::Urgent));
        assert!(urgent.enter());
        let mut order = String::new();
        for _ in 0..8 {
            assert!(!usual.enter());
            urgent.leave();
            if urgent.enter() {
                order.push('u');
            } else {
                assert!(usual.enter());
                order.push('.');
            }
        }
        assert_eq!(order, "uu.uuu.u");
        // One that is put back waits no longer.
        assert!(!usual.enter());
        usual.wants_nothing();
        for _ in 0..8 {
            urgent.leave();
            assert!(urgent.enter());
        }
    }

    #[test]
    fn one_that_is_alone_waits_for_all_and_keeps_all_waiting() {
        let turnstile = Turnstile::new(4);
        let (usual, urgent) = (turnstile.pass(Lane::Usual), turnstile.pass(Lane::Urgent));
        assert!(urgent.enter());
        assert!(!usual.enter_alone());
        urgent.leave();
        assert!(usual.enter_alone());
        assert!(!urgent.enter() && !usual.enter());
        usual.leave();
        assert!(urgent.enter());
    }
}
