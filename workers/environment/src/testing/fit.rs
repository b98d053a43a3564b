//! A message that fits into the protocol's bounds, whatever the log and the report hold.

use maestro_protocol::MAX_MESSAGE_BYTES;
use maestro_protocol::environment::{EnvironmentTested, Log};

use super::ends::{first_border, last_border};

/// The most bytes of the payload as JSON: a quarter stays for the envelope and for members that others add.
pub(super) const MAX_PAYLOAD: usize = MAX_MESSAGE_BYTES / 4 * 3;

/// Leaves out the last failures, then the middle of the log, each by halves, until the payload fits.
pub(super) fn fit(tested: &mut EnvironmentTested) {
    while size(tested) > MAX_PAYLOAD {
        if let Some(failures) = tested.failures.as_mut().filter(|all| !all.is_empty()) {
            failures.truncate(failures.len() / 2);
        } else if !tested.log.as_mut().is_some_and(halve) {
            // What is left is bounded by its makers.
            return;
        }
    }
}

fn size(tested: &EnvironmentTested) -> usize {
    struct Counting(usize);
    impl std::io::Write for Counting {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counting = Counting(0);
    // Strings and numbers can always be written.
    let _ = serde_json::to_writer(&mut counting, tested);
    counting.0
}

/// Halves both ends of a log; says whether there was anything to halve.
fn halve(log: &mut Log) -> bool {
    let whole = (log.head.len() + log.tail.as_ref().map_or(0, String::len)) as u64
        + log.omitted_bytes.unwrap_or(0);
    let tail = match log.tail.take() {
        Some(tail) => tail,
        None => log
            .head
            .split_off(log.head.floor_char_boundary(log.head.len() / 2)),
    };
    let before = log.head.len() + tail.len();
    log.head
        .truncate(log.head.floor_char_boundary(log.head.len() / 2));
    log.head.truncate(last_border(&log.head));
    let tail = tail[first_border(&tail, tail.len() - tail.len() / 2)..].to_owned();
    log.omitted_bytes = Some(whole - (log.head.len() + tail.len()) as u64);
    log.tail = Some(tail);
    before > 0
}

#[cfg(test)]
mod tests {
    use maestro_protocol::environment::{FailedTest, TestOutcome};

    use super::*;

    fn tested(failures: usize, log: Log) -> EnvironmentTested {
        EnvironmentTested {
            environment: "e".into(),
            namespace: "n".into(),
            outcome: TestOutcome::Failed,
            exit_code: None,
            reason: None,
            tests: None,
            reported: None,
            failures: Some(vec![
                FailedTest {
                    id: "i".repeat(4096),
                    message: "\"".repeat(4096),
                };
                failures
            ]),
            log: Some(log),
            excerpt: None,
            duration_ms: 0,
            project: None,
            worker_version: None,
        }
    }

    #[test]
    fn failures_go_before_the_log_and_the_log_goes_from_its_middle() {
        let lines = "a line of a log\n".repeat(80_000);
        let whole = Log {
            head: lines.clone(),
            omitted_bytes: None,
            tail: None,
        };
        let mut many = tested(100, Log::default());
        fit(&mut many);
        assert_eq!(many.failures.as_ref().map(Vec::len), Some(50));

        let mut few = tested(8, whole);
        fit(&mut few);
        assert!(size(&few) <= MAX_PAYLOAD);
        let log = few.log.unwrap();
        let tail = log.tail.unwrap();
        let kept = log.head.len() + tail.len();
        assert!(kept > lines.len() / 4);
        assert_eq!(log.omitted_bytes, Some((lines.len() - kept) as u64));
        assert!(lines.starts_with(&log.head) && log.head.ends_with('\n'));
        assert!(lines.ends_with(&tail) && tail.starts_with("a line"));
    }

    #[test]
    fn what_fits_is_left_as_it_is() {
        let log = Log {
            head: "x".repeat(100_000),
            omitted_bytes: Some(7),
            tail: Some("y".repeat(100_000)),
        };
        let before = tested(20, log);
        let mut after = before.clone();
        fit(&mut after);
        assert_eq!(after, before);
    }
}
