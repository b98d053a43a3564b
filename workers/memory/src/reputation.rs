//! What people made of each strategy's patches, by the class of failure.

use std::collections::BTreeMap;

use maestro_protocol::heal::{Judged, Strategy};
use maestro_streams::{Bytes, Fields};

/// Classes that are told apart. They come with messages, and so from anywhere; the rest is one class.
const CLASSES: usize = 64;
/// The class of all further ones.
const OTHER: &str = "other";
/// The longest name of a class.
const LONGEST: usize = 64;

/// Accepted, rejected, failed again: by strategy and class of failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reputation {
    judged: BTreeMap<(String, Strategy), Judged>,
}

impl Reputation {
    /// What is known of a strategy in failures of a class, and in those of all others.
    pub fn of(&self, strategy: Strategy, class: &str) -> (Judged, Judged) {
        let class = self.known(class);
        let mut sums = (Judged::default(), Judged::default());
        for ((known, of), judged) in &self.judged {
            if *of == strategy {
                add(
                    if *known == class {
                        &mut sums.0
                    } else {
                        &mut sums.1
                    },
                    *judged,
                );
            }
        }
        sums
    }

    /// Takes back what was counted of one repair before, and counts what it is now.
    pub(crate) fn recount(&mut self, strategy: Strategy, class: &str, before: Judged, now: Judged) {
        if before == now {
            return;
        }
        let judged = self
            .judged
            .entry((self.known(class), strategy))
            .or_default();
        for (count, before, now) in [
            (&mut judged.accepted, before.accepted, now.accepted),
            (&mut judged.rejected, before.rejected, now.rejected),
            (
                &mut judged.failed_again,
                before.failed_again,
                now.failed_again,
            ),
        ] {
            *count = (*count).saturating_sub(before).saturating_add(now);
        }
    }

    /// The class under which one is counted.
    fn known(&self, class: &str) -> String {
        let mut classes: Vec<&str> = self
            .judged
            .keys()
            .map(|(class, _)| class.as_str())
            .collect();
        classes.dedup();
        let is_room = classes.len() < CLASSES;
        let is_fit = !class.is_empty() && class.len() <= LONGEST && !class.contains(' ');
        if is_fit && (is_room || classes.contains(&class)) {
            class.to_owned()
        } else {
            OTHER.to_owned()
        }
    }

    /// As a hash: `<class> <strategy>` to `<accepted> <rejected> <failed again>`.
    pub(crate) fn fields(&self) -> Vec<(Bytes, Bytes)> {
        let field = |((class, strategy), judged): (&(String, Strategy), &Judged)| {
            let Judged {
                accepted,
                rejected,
                failed_again,
            } = judged;
            (
                Bytes::from(format!("{class} {}", word(*strategy))),
                Bytes::from(format!("{accepted} {rejected} {failed_again}")),
            )
        };
        self.judged.iter().map(field).collect()
    }

    /// From a hash; what cannot be read is left out.
    pub(crate) fn read(fields: &Fields) -> Self {
        let one = |(name, value): (&Bytes, &Bytes)| {
            let (class, strategy) = std::str::from_utf8(name).ok()?.split_once(' ')?;
            let strategy = serde_json::from_value(strategy.into()).ok()?;
            let mut counts = std::str::from_utf8(value).ok()?.split(' ');
            let mut count = || counts.next()?.parse().ok();
            let judged = Judged {
                accepted: count()?,
                rejected: count()?,
                failed_again: count()?,
            };
            Some(((class.to_owned(), strategy), judged))
        };
        Self {
            judged: fields.iter().filter_map(one).collect(),
        }
    }
}

fn add(to: &mut Judged, more: Judged) {
    to.accepted = to.accepted.saturating_add(more.accepted);
    to.rejected = to.rejected.saturating_add(more.rejected);
    to.failed_again = to.failed_again.saturating_add(more.failed_again);
}

/// A strategy as the wire says it.
fn word(strategy: Strategy) -> String {
    match serde_json::to_value(strategy) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCEPTED: Judged = Judged {
        accepted: 1,
        rejected: 0,
        failed_again: 0,
    };

    #[test]
    fn it_is_the_same_after_it_was_written_and_read() {
        let mut reputation = Reputation::default();
        let none = Judged::default();
        reputation.recount(Strategy::SyntaxRepair, "syntax_error", none, ACCEPTED);
        reputation.recount(Strategy::DependencyFix, "import_error", none, ACCEPTED);
        let fields: Fields = reputation.fields().into_iter().collect();
        assert_eq!(Reputation::read(&fields), reputation);
    }

    #[test]
    fn classes_that_strangers_invent_are_one_class_after_a_while() {
        let mut reputation = Reputation::default();
        for number in 0..1000 {
            let class = format!("class{number}");
            reputation.recount(Strategy::SyntaxRepair, &class, Judged::default(), ACCEPTED);
        }
        assert!(reputation.fields().len() <= CLASSES + 1);
        let (alike, elsewhere) = reputation.of(Strategy::SyntaxRepair, "class999");
        assert_eq!(alike.accepted + elsewhere.accepted, 1000);
    }
}
