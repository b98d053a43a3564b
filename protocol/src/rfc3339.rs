//! Times as RFC 3339 writes them. The parser beneath takes more (weeks, zones in brackets, missing
//! seconds), which readers in other languages would not.

use jiff::Timestamp;

/// The time, or `None` if it is not written as [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339#section-5.6).
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let shaped = {
        let bytes = text.as_bytes();
        let (date_time, rest) = bytes.split_at_checked(19)?;
        let plain = date_time.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            10 => matches!(byte, b'T' | b't' | b' '),
            13 | 16 => *byte == b':',
            _ => byte.is_ascii_digit(),
        });
        let zone = match rest.split_first() {
            Some((b'.', fraction)) => {
                let digits = fraction
                    .iter()
                    .take_while(|byte| byte.is_ascii_digit())
                    .count();
                (1..=9).contains(&digits).then(|| &fraction[digits..])
            }
            _ => Some(rest),
        };
        plain
            && zone.is_some_and(|zone| match zone {
                [b'Z' | b'z'] => true,
                [b'+' | b'-', hours @ .., b':', m, n] => {
                    hours.len() == 2 && hours.iter().chain([m, n]).all(u8::is_ascii_digit)
                }
                _ => false,
            })
    };
    if shaped { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rfc_3339_allows_is_a_time_and_nothing_else_is() {
        for good in [
            "2026-07-01T12:00:00Z",
            "2026-07-01t12:00:00.123456789z",
            "2026-07-01 12:00:00+02:00",
            "2026-07-01T12:00:00.5-11:30",
        ] {
            assert!(parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "yesterday",
            "2026-07-01",
            "2026-07-01T12:00:00",
            "2026-07-01T12:00Z",
            "2026-07-01T12:00:00.Z",
            "2026-07-01T12:00:00+0200",
            "2026-07-01T12:00:00+02:00[Europe/Berlin]",
            "2026-02-30T12:00:00Z",
            "２026-07-01T12:00:00Z",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
