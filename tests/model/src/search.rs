//! Exhaustive search, breadth first, so that what it finds is found by a shortest way.
//!
//! A crate would bring more (`stateright` has symmetry reduction, threads and a web interface); this protocol needs none of it, and its
//! question "can every state still come to a good end" needs the graph, which is kept here.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::fmt::Debug;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// What is searched.
pub trait Model {
    /// One moment of the world.
    type State: Clone + Eq + Hash;
    /// What leads from one moment to another.
    type Step: Clone + Debug;

    /// The first state.
    fn start(&self) -> Self::State;
    /// All that can happen next.
    fn steps(&self, state: &Self::State, found: &mut Vec<(Self::Step, Self::State)>);
    /// What is wrong with this state, if something is.
    fn fault(&self, state: &Self::State) -> Option<&'static str>;
    /// Whether all is done that was to be done.
    fn is_good_end(&self, state: &Self::State) -> bool;
}

/// A search that found no fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explored {
    /// How many different states there are.
    pub states: usize,
    /// How many steps lead from one to another.
    pub steps: usize,
}

/// A state that must not be, and how one gets there.
#[derive(Debug)]
pub struct Counterexample<S> {
    /// What is wrong.
    pub fault: &'static str,
    /// A shortest way from the start.
    pub steps: Vec<S>,
}

/// Looks at every state that can be reached.
///
/// # Errors
/// The first state that has a fault, or from which no good end can be reached any more.
pub fn explore<M: Model>(model: &M) -> Result<Explored, Counterexample<M::Step>> {
    let start = model.start();
    let mut known: HashMap<M::State, usize, BuildHasherDefault<Mix>> = HashMap::default();
    known.insert(start.clone(), 0);
    // For each state: the one that it was reached from, and by which step.
    let mut ways: Vec<Option<(usize, M::Step)>> = vec![None];
    let mut good = vec![model.is_good_end(&start)];
    let mut arrows: Vec<(usize, usize)> = Vec::new();
    let mut queue = VecDeque::from([(0, start)]);
    let mut next = Vec::new();
    while let Some((from, state)) = queue.pop_front() {
        model.steps(&state, &mut next);
        for (step, state) in next.drain(..) {
            let to = match known.entry(state) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    let to = ways.len();
                    let state = new.key().clone();
                    new.insert(to);
                    ways.push(Some((from, step)));
                    good.push(model.is_good_end(&state));
                    if let Some(fault) = model.fault(&state) {
                        let steps = way(&ways, to);
                        return Err(Counterexample { fault, steps });
                    }
                    queue.push_back((to, state));
                    to
                }
            };
            arrows.push((from, to));
        }
    }
    let steps = arrows.len();
    if let Some(stuck) = first_without_a_good_end(good, arrows) {
        return Err(Counterexample {
            fault: "no good end can be reached any more",
            steps: way(&ways, stuck),
        });
    }
    Ok(Explored {
        states: ways.len(),
        steps,
    })
}

fn way<S: Clone>(ways: &[Option<(usize, S)>], mut at: usize) -> Vec<S> {
    let mut steps = Vec::new();
    while let Some((from, step)) = &ways[at] {
        steps.push(step.clone());
        at = *from;
    }
    steps.reverse();
    steps
}

/// Goes back from the good ends along all arrows; whoever is not met cannot reach one.
fn first_without_a_good_end(mut good: Vec<bool>, mut arrows: Vec<(usize, usize)>) -> Option<usize> {
    arrows.sort_unstable_by_key(|(_, to)| *to);
    let mut queue: Vec<usize> = (0..good.len()).filter(|&state| good[state]).collect();
    while let Some(at) = queue.pop() {
        let first = arrows.partition_point(|(_, to)| *to < at);
        for (from, _) in arrows[first..].iter().take_while(|(_, to)| *to == at) {
            if !good[*from] {
                good[*from] = true;
                queue.push(*from);
            }
        }
    }
    good.iter().position(|good| !good)
}

/// A state is many small fields; the standard hasher takes more time over them than the rest of the search.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }

    fn write_isize(&mut self, n: isize) {
        self.write_u64(n.cast_unsigned() as u64);
    }

    fn write_u64(&mut self, n: u64) {
        // The odd number nearest to 2⁶⁴ divided by the golden ratio.
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts up to a number by one or two; odd states may be forbidden, and there may be a trap.
    struct Counting {
        to: u8,
        forbidden: Option<u8>,
        trap: Option<u8>,
    }

    impl Model for Counting {
        type State = u8;
        type Step = u8;

        fn start(&self) -> u8 {
            0
        }

        fn steps(&self, state: &u8, found: &mut Vec<(u8, u8)>) {
            if Some(*state) != self.trap {
                let all = [1, 2].map(|step| (step, state + step));
                found.extend(all.into_iter().filter(|(_, next)| *next <= self.to));
            }
        }

        fn fault(&self, state: &u8) -> Option<&'static str> {
            (Some(*state) == self.forbidden).then_some("forbidden")
        }

        fn is_good_end(&self, state: &u8) -> bool {
            *state == self.to
        }
    }

    #[test]
    fn every_state_is_seen_once() {
        let counting = Counting {
            to: 10,
            forbidden: None,
            trap: None,
        };
        let explored = explore(&counting).expect("no fault");
        assert_eq!(
            explored,
            Explored {
                states: 11,
                steps: 19
            }
        );
    }

    #[test]
    fn a_fault_is_found_by_a_shortest_way() {
        let counting = Counting {
            to: 10,
            forbidden: Some(5),
            trap: None,
        };
        let found = explore(&counting).expect_err("a fault");
        assert_eq!((found.fault, found.steps.len()), ("forbidden", 3));
    }

    #[test]
    fn a_state_without_a_way_to_a_good_end_is_found() {
        let counting = Counting {
            to: 10,
            forbidden: None,
            trap: Some(7),
        };
        let found = explore(&counting).expect_err("a trap");
        assert_eq!(found.steps.iter().sum::<u8>(), 7);
    }
}
