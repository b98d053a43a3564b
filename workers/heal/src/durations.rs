//! What names and titles say about time, in every language, and how long a repaired test may wait.

/// Why what gives more time is a person's to judge.
pub(crate) const SLOWER: &str = "a product that has become slower shows in the same way";

/// Seconds that a test waits for a condition at most, in place of a sleep of so many.
pub(crate) fn longest_wait(seconds: f64) -> f64 {
    (seconds * 10.0).clamp(5.0, 30.0)
}

/// Seconds below which a tolerance is one that no machine keeps.
const IMPOSSIBLE: f64 = 0.01;
/// The most that a tolerance becomes, in seconds.
const WIDEST: f64 = 0.2;
/// Why a wider tolerance is a person's to judge.
pub(crate) const WIDENED: &str =
    "a comparison is widened, and how exact the duration has to be is for its author to say";

/// What is to be made of a tolerance of measured times.
#[derive(Debug, PartialEq)]
pub(crate) enum Tolerance {
    /// A machine can keep it: the duration itself is wrong.
    Kept,
    /// No machine keeps it; so many seconds one does.
    Impossible(f64),
    /// It is as wide as what is measured allows.
    Tight,
}

/// Judges a tolerance, in seconds, of a comparison with these durations in it: a quarter of the shortest is the most that it
/// becomes.
pub(crate) fn judged(tolerance: f64, durations: impl Iterator<Item = f64>) -> Tolerance {
    if tolerance >= IMPOSSIBLE {
        return Tolerance::Kept;
    }
    let shortest = durations
        .filter(|duration| *duration > IMPOSSIBLE)
        .fold(f64::INFINITY, f64::min);
    let wide = if shortest.is_finite() {
        (shortest / 4.0).min(WIDEST)
    } else {
        WIDEST / 4.0
    };
    if wide <= tolerance * 2.0 {
        Tolerance::Tight
    } else {
        Tolerance::Impossible(wide)
    }
}

/// Why a tolerance that a machine can keep is left alone; `place` is the assertion's.
pub(crate) fn kept(place: &str, tolerance: &str) -> String {
    format!(
        "{place} allows {tolerance} of difference, which a machine can keep: the duration itself is wrong, and the product is what is late or early"
    )
}

/// Whether a parameter's name says that it is a time.
pub(crate) fn is_duration(name: &str) -> bool {
    let lower = name.to_lowercase();
    let told = [
        "ttl", "timeout", "delay", "interval", "second", "milli", "period", "expire", "expiry",
        "wait", "after", "every", "lifetime", "duration", "maxage",
    ];
    told.iter().any(|word| lower.contains(word))
        || words(name).any(|word| matches!(word.as_str(), "age" | "ms" | "secs"))
}

/// Whether a test is about how long something takes, by its name or title.
pub(crate) fn is_about_duration(title: &str) -> bool {
    const WORDS: &[&str] = &[
        "timeout",
        "timeouts",
        "duration",
        "elapsed",
        "deadline",
        "latency",
        "performance",
        "benchmark",
        "fast",
        "slow",
        "speed",
        "quick",
        "quickly",
        "within",
        "promptly",
        "immediately",
    ];
    const PHRASES: &[&str] = &[
        "time out",
        "times out",
        "timed out",
        "timing out",
        "at once",
        "in time",
    ];
    let words: Vec<String> = words(title).collect();
    let flat = words.join(" ");
    words.iter().any(|word| WORDS.contains(&word.as_str()))
        || PHRASES.iter().any(|phrase| flat.contains(phrase))
}

/// The words of a name or a title in lower case: `maxAge`, `max_age` and `max age` have the same.
fn words(text: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut lower_before = false;
    for c in text.chars() {
        let starts = c.is_uppercase() && lower_before;
        if (starts || !c.is_alphanumeric()) && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        lower_before = c.is_lowercase();
    }
    words.into_iter().filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_times_are_told_from_others() {
        for name in [
            "ttl",
            "expire_after",
            "maxAge",
            "max_age",
            "pollInterval",
            "timeoutMs",
            "ms",
        ] {
            assert!(is_duration(name), "{name}");
        }
        for name in ["message", "page", "items", "count", "port", "width"] {
            assert!(!is_duration(name), "{name}");
        }
    }

    #[test]
    fn a_tolerance_becomes_no_wider_than_a_quarter_of_what_is_measured() {
        let of = |tolerance: f64, durations: &[f64]| judged(tolerance, durations.iter().copied());
        assert_eq!(of(0.05, &[0.4]), Tolerance::Kept);
        assert_eq!(of(0.001, &[0.4, 2.0]), Tolerance::Impossible(0.1));
        assert_eq!(of(0.001, &[8.0]), Tolerance::Impossible(0.2));
        assert_eq!(of(0.001, &[]), Tolerance::Impossible(0.05));
        assert_eq!(of(0.009, &[0.04]), Tolerance::Tight);
    }

    #[test]
    fn a_title_that_speaks_of_how_long_is_about_that() {
        for title in [
            "a search is fast",
            "itTimesOut",
            "test_timeout",
            "answers within 50 ms",
        ] {
            assert!(is_about_duration(title), "{title}");
        }
        for title in ["the work is done", "breakfast is served", "outlines"] {
            assert!(!is_about_duration(title), "{title}");
        }
    }
}
