//! Duplicates are asked for before their handlers run, if that is worth it.

use redis::RedisResult;

use super::Engine;
use crate::Handler;
use crate::consumer::upkeep::seen;
use crate::consumer::work::{Finished, Mark, Resolution, Work};

impl<H: Handler> Engine<H> {
    pub(super) fn check(&mut self) {
        if self.unchecked.is_empty() || self.checking.is_some() {
            return;
        }
        let worth_it = self.pace.checks_first(self.config.check_first);
        let Some(link) = self.link.clone().filter(|_| worth_it) else {
            for work in std::mem::take(&mut self.unchecked) {
                self.line_up(work);
            }
            return;
        };
        let works = std::mem::take(&mut self.unchecked);
        let marks: Vec<Mark> = works.iter().filter_map(|work| work.mark).collect();
        let (config, keys) = (self.config.clone(), self.keys.clone());
        let mut link = link;
        self.checking = Some(Box::pin(async move {
            let flags = seen(&mut link, &config, &keys, &marks).await;
            (works, flags)
        }));
    }

    pub(super) fn checked(&mut self, works: Vec<Work>, flags: RedisResult<Vec<bool>>) {
        let flags = flags.unwrap_or_else(|error| {
            self.link_failed(&error);
            // The commit asks again.
            vec![false; works.len()]
        });
        for (work, seen) in works.into_iter().zip(flags) {
            if seen {
                self.finished
                    .push(Finished::new(work, Resolution::Duplicate));
            } else {
                self.line_up(work);
            }
        }
    }
}
