//! A storm of errors must not become a storm of log lines: each place in the code that logs has so many lines a second.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Metadata};
use tracing_subscriber::layer::{Context, Filter};

/// How often it is said that lines were left out.
const REPORT: Duration = Duration::from_secs(10);

/// So many lines a second from each place in the code; the others are counted. A filter for a layer that writes lines.
#[derive(Debug, Clone)]
pub struct LogLimit {
    /// A second's lines; 0 for as many as come.
    most: u32,
    begun: Instant,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    windows: Mutex<HashMap<Identifier, Window>>,
    left_out: AtomicU64,
    /// Begun with the first line that is left out.
    reporting: OnceLock<()>,
}

/// What a place has logged in its newest second.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    second: u64,
    lines: u32,
}

impl LogLimit {
    /// `most` lines a second; 0 for as many as come.
    pub fn new(most: u32) -> Self {
        Self {
            most,
            begun: Instant::now(),
            shared: Arc::default(),
        }
    }

    /// Whether this place may log now.
    fn admits(&self, place: Identifier, second: u64) -> bool {
        if self.most == 0 {
            return true;
        }
        let mut windows = self
            .shared
            .windows
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(place).or_default();
        if window.second != second {
            *window = Window { second, lines: 0 };
        }
        window.lines = window.lines.saturating_add(1);
        let admits = window.lines <= self.most;
        if !admits {
            self.leave_out();
        }
        admits
    }

    /// Whether this place has had its lines. If so, the line that is asked about is counted as left out.
    fn is_over(&self, place: &Identifier, second: u64) -> bool {
        if self.most == 0 {
            return false;
        }
        let windows = self.shared.windows.lock();
        let windows = windows.unwrap_or_else(PoisonError::into_inner);
        let window = windows.get(place);
        let is_over = window.is_some_and(|it| it.second == second && it.lines >= self.most);
        drop(windows);
        if is_over {
            self.leave_out();
        }
        is_over
    }

    fn leave_out(&self) {
        self.shared.left_out.fetch_add(1, Ordering::Relaxed);
        self.shared.reporting.get_or_init(|| {
            let limit = self.clone();
            let reporter = thread::Builder::new().name("log-limit".to_owned());
            // Without it the lines are left out in silence, which is better than not at all.
            drop(reporter.spawn(move || limit.report()));
        });
    }

    /// How many lines were left out since this was last asked.
    fn left_out(&self) -> u64 {
        self.shared.left_out.swap(0, Ordering::Relaxed)
    }

    /// Says every now and then what was left out, for as long as the process runs.
    fn report(&self) {
        loop {
            thread::sleep(REPORT);
            let lines = self.left_out();
            if lines > 0 {
                tracing::warn!(
                    lines,
                    rate = self.most,
                    "log lines were left out: one kind came faster than `log.rate` a second"
                );
            }
        }
    }
}

impl<S> Filter<S> for LogLimit {
    /// Asked before the fields of a line are put together: what is left out in a storm shall not cost even that.
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        let second = self.begun.elapsed().as_secs();
        !(metadata.is_event() && self.is_over(&metadata.callsite(), second))
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        self.admits(event.metadata().callsite(), self.begun.elapsed().as_secs())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::{Layer as _, fmt};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(most: u32, log: impl FnOnce()) -> (usize, u64) {
        let (lines, limit) = (Lines::default(), LogLimit::new(most));
        let writer = lines.clone();
        let layer = fmt::layer().with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(layer.with_filter(limit.clone()));
        tracing::subscriber::with_default(subscriber, log);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        (text.lines().count(), limit.left_out())
    }

    #[test]
    fn a_storm_from_one_place_leaves_another_its_lines() {
        let (lines, left_out) = logged(5, || {
            for _ in 0..10_000 {
                tracing::warn!("again");
            }
            tracing::warn!("something else");
        });
        // Perhaps a second ended meanwhile, or a few.
        assert!((6..200).contains(&lines), "{lines}");
        assert_eq!(u64::try_from(lines).unwrap() + left_out, 10_001);
    }

    #[test]
    fn a_new_second_has_lines_of_its_own() {
        let limit = LogLimit::new(1);
        let place = tracing::callsite::Identifier(&PLACE);
        assert!(limit.admits(place.clone(), 0));
        assert!(!limit.admits(place.clone(), 0));
        assert!(limit.admits(place, 1));
        assert_eq!((limit.left_out(), limit.left_out()), (1, 0));
    }

    #[test]
    fn nothing_is_left_out_without_a_limit() {
        let all = || (0..1000).for_each(|_| tracing::warn!("again"));
        assert_eq!(logged(0, all), (1000, 0));
    }

    struct Place;
    static PLACE: Place = Place;
    impl tracing::Callsite for Place {
        fn set_interest(&self, _: tracing::subscriber::Interest) {}
        fn metadata(&self) -> &Metadata<'_> {
            unreachable!("nobody asks")
        }
    }
}
