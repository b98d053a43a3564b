//! What of two texts is a change of wording.

/// The words in which two texts differ, as they stand in the one and in the other. `None` where what differs is no
/// wording: a number, an order, something missing or added, or everything.
pub(crate) fn difference(was: &str, now: &str) -> Option<(String, String)> {
    let (old, new): (Vec<&str>, Vec<&str>) = (was.split(' ').collect(), now.split(' ').collect());
    let ahead = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - ahead;
    let behind = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take(rest)
        .take_while(|(a, b)| a == b)
        .count();
    let (old_words, new_words) = (
        &old[ahead..old.len() - behind],
        &new[ahead..new.len() - behind],
    );
    let (was, now) = (old_words.join(" "), new_words.join(" "));
    let letters = |text: &str| text.chars().filter(|c| c.is_alphabetic()).count();
    let digits = |text: &str| {
        let mut digits: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
        digits.sort_unstable();
        digits
    };
    let mut one: Vec<&str> = old_words.to_vec();
    let mut other: Vec<&str> = new_words.to_vec();
    one.sort_unstable();
    other.sort_unstable();
    let same_words = one == other;
    // A wording of which nothing stayed is another sentence.
    let kept = ahead + behind;
    let changed = old_words.len().max(new_words.len());
    (letters(&was) >= 3
        && letters(&now) >= 3
        && digits(&was) == digits(&now)
        && !same_words
        && (kept >= changed || kept > 0 && changed <= 3))
        .then_some((was, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_in_words() {
        assert_eq!(
            difference("the value is not valid here", "the value is invalid here"),
            Some(("not valid".into(), "invalid".into()))
        );
    }

    #[test]
    fn numbers_orders_additions_and_other_sentences_are_no_wording() {
        for (was, now) in [
            ("found 3 items in all", "found 4 items in all"),
            ("alpha then beta", "beta then alpha"),
            ("usage: cli NAME", "usage: cli"),
            ("usage: cli", "usage: cli NAME"),
            ("file not found", "permission was denied by somebody"),
        ] {
            assert_eq!(difference(was, now), None, "{was} / {now}");
        }
    }
}
