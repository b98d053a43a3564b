//! What the view shows: the last sample, what was seen before it, and where the person is. Changed by samples, answers and keys alone.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use maestro_protocol::Stream;
use maestro_streams::EntryId;

use super::sample::{Detail, Letter, Sample, StreamLine};
use crate::output::Tone;

/// How many ages are kept for the sparkline; no terminal is wider.
const AGES: usize = 240;
/// Over how much time a rate is counted.
const RATE: Duration = Duration::from_secs(10);

/// One of the four parts of the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pane {
    Streams,
    Workers,
    Work,
    Dead,
}

impl Pane {
    pub(super) const ALL: [Self; 4] = [Self::Streams, Self::Workers, Self::Work, Self::Dead];

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// What lies over the board, the uppermost last.
#[derive(Debug, Clone)]
pub(super) enum View {
    Help,
    Detail {
        detail: Detail,
        scroll: usize,
    },
    List(List),
    /// Asks for the flow to follow.
    Prompt {
        text: String,
    },
    /// Asks whether to do something that cannot be taken back.
    Confirm {
        act: Act,
        stream: Stream,
        id: EntryId,
    },
}

/// Messages, one a row.
#[derive(Debug, Clone, Default)]
pub(super) struct List {
    pub(super) title: String,
    pub(super) rows: Vec<Row>,
    pub(super) selected: usize,
    /// The flow whose messages these are; the list grows with it.
    pub(super) follows: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) text: String,
    pub(super) tone: Tone,
    pub(super) detail: Detail,
}

/// What can be done with a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Replay,
    Drop,
}

/// What the sampler answers.
#[derive(Debug)]
pub(super) enum Answer {
    Sample(Sample),
    /// A sample could not be taken.
    Trouble(String),
    Detail(Detail),
    List(List),
    /// Something was done, or could not be.
    Told(Tone, String),
}

/// What was seen of one stream before.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// Milliseconds, the newest last.
    pub(super) ages: VecDeque<u64>,
    /// When, how many had come, how many were done.
    counts: VecDeque<(Duration, u64, Option<u64>)>,
}

/// The whole view.
#[derive(Debug)]
pub(super) struct State {
    /// Where Redis is, and the prefix.
    pub(super) place: String,
    pub(super) sample: Option<Sample>,
    pub(super) trouble: Option<String>,
    pub(super) focus: Pane,
    pub(super) selected: [usize; 4],
    pub(super) views: Vec<View>,
    pub(super) told: Option<(Tone, String)>,
    /// The flow that was asked for last, until its list is closed.
    pub(super) following: Option<String>,
    tracks: HashMap<String, Track>,
}

impl State {
    pub(super) fn new(place: String) -> Self {
        Self {
            place,
            sample: None,
            trouble: None,
            focus: Pane::Streams,
            selected: [0; 4],
            views: Vec::new(),
            told: None,
            following: None,
            tracks: HashMap::new(),
        }
    }

    /// Takes note of what the sampler answers.
    pub(super) fn learn(&mut self, answer: Answer) {
        match answer {
            Answer::Sample(sample) => {
                for line in &sample.streams {
                    let track = self.tracks.entry(line.name.clone()).or_default();
                    track.note(sample.clock, line);
                }
                self.sample = Some(sample);
                self.trouble = None;
                for pane in Pane::ALL {
                    let last = self.rows(pane).saturating_sub(1);
                    let selected = &mut self.selected[pane.index()];
                    *selected = last.min(*selected);
                }
            }
            Answer::Trouble(sentence) => self.trouble = Some(sentence),
            Answer::Detail(detail) => self.views.push(View::Detail { detail, scroll: 0 }),
            Answer::List(list) => self.learn_list(list),
            Answer::Told(tone, sentence) => self.told = Some((tone, sentence)),
        }
    }

    /// A flow that is in sight grows; anything else lies over what was there.
    fn learn_list(&mut self, list: List) {
        if list.follows.is_some() && list.follows != self.following {
            // It was on its way when the person had seen enough.
            return;
        }
        let is_same = |view: &&mut View| matches!(view, View::List(old) if old.follows.is_some() && old.follows == list.follows);
        match self.views.iter_mut().find(is_same) {
            Some(View::List(old)) => {
                // Who looks at the last one wants to see the next.
                let was_last = old.selected + 1 >= old.rows.len();
                let selected = if was_last { usize::MAX } else { old.selected };
                *old = List {
                    selected: selected.min(list.rows.len().saturating_sub(1)),
                    ..list
                };
            }
            _ => self.views.push(View::List(list)),
        }
    }

    /// How many rows a part of the board has.
    pub(super) fn rows(&self, pane: Pane) -> usize {
        self.sample.as_ref().map_or(0, |sample| match pane {
            Pane::Streams => sample.streams.len(),
            Pane::Workers => sample.replicas.len(),
            Pane::Work => sample.work.len(),
            Pane::Dead => sample.dead.len(),
        })
    }

    pub(super) fn selected(&self, pane: Pane) -> usize {
        self.selected[pane.index()]
    }

    /// The dead letter that is selected, or looked at.
    pub(super) fn letter(&self) -> Option<(Stream, EntryId)> {
        match self.views.last() {
            Some(View::Detail { detail, .. }) => detail.letter,
            Some(View::List(list)) => list.rows.get(list.selected)?.detail.letter,
            None if self.focus == Pane::Dead => {
                let letter = self.selected_letter()?;
                Some((letter.stream, letter.id))
            }
            Some(_) | None => None,
        }
    }

    pub(super) fn selected_letter(&self) -> Option<&Letter> {
        self.sample.as_ref()?.dead.get(self.selected(Pane::Dead))
    }

    /// The flow of what is selected, or looked at.
    pub(super) fn flow(&self) -> Option<String> {
        let sample = self.sample.as_ref()?;
        match self.views.last() {
            Some(View::Detail { detail, .. }) => detail.flow.clone(),
            Some(View::List(list)) => list.rows.get(list.selected)?.detail.flow.clone(),
            Some(_) => None,
            None => match self.focus {
                Pane::Work => sample
                    .work
                    .get(self.selected(Pane::Work))?
                    .detail
                    .flow
                    .clone(),
                Pane::Dead => self.selected_letter()?.flow.clone(),
                Pane::Streams | Pane::Workers => None,
            },
        }
    }

    pub(super) fn track(&self, stream: &str) -> Option<&Track> {
        self.tracks.get(stream)
    }
}

impl Track {
    fn note(&mut self, clock: Duration, line: &StreamLine) {
        let age = line.oldest.unwrap_or_default().as_millis();
        self.ages.push_back(u64::try_from(age).unwrap_or(u64::MAX));
        if self.ages.len() > AGES {
            self.ages.pop_front();
        }
        // The stream was deleted, or Redis began anew.
        if self
            .counts
            .back()
            .is_some_and(|(_, added, _)| *added > line.added)
        {
            self.counts.clear();
        }
        self.counts.push_back((clock, line.added, line.done));
        while self.counts.len() > 2 && self.counts[1].0 + RATE <= clock {
            self.counts.pop_front();
        }
    }

    /// Messages a second that came, and that were done with; `None` until there are two samples, or where Redis does not know.
    pub(super) fn rates(&self) -> (Option<f64>, Option<f64>) {
        let (Some(first), Some(last)) = (self.counts.front(), self.counts.back()) else {
            return (None, None);
        };
        let seconds = last.0.saturating_sub(first.0).as_secs_f64();
        if seconds <= 0.0 {
            return (None, None);
        }
        let rate = |from: u64, to: u64| {
            let count = u32::try_from(to.saturating_sub(from)).unwrap_or(u32::MAX);
            f64::from(count) / seconds
        };
        let done = first.2.zip(last.2).map(|(from, to)| rate(from, to));
        (Some(rate(first.1, last.1)), done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(added: u64, done: Option<u64>) -> StreamLine {
        StreamLine {
            added,
            done,
            ..StreamLine::default()
        }
    }

    #[test]
    fn a_rate_is_counted_over_ten_seconds_and_begins_anew_with_the_stream() {
        let mut track = Track::default();
        let seconds = Duration::from_secs;
        track.note(seconds(0), &line(100, Some(90)));
        assert_eq!(track.rates(), (None, None));
        track.note(seconds(2), &line(108, Some(91)));
        assert_eq!(track.rates(), (Some(4.0), Some(0.5)));
        for second in 3..=30 {
            track.note(seconds(second), &line(108, None));
        }
        assert_eq!(track.rates(), (Some(0.0), None));
        track.note(seconds(31), &line(5, Some(5)));
        assert_eq!(track.rates(), (None, None));
        assert_eq!(track.ages.len(), 31);
    }
}
