//! What a key does.

use maestro_protocol::Stream;
use maestro_streams::EntryId;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::sample::Detail;
use super::state::{Act, List, Pane, State, View};
use super::words;

/// How far Page Up and Page Down go.
const PAGE: usize = 10;

/// What a key wants of somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing but another picture.
    Draw,
    Quit,
    Ask(Request),
}

/// What the sampler is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// The newest messages of a stream.
    Newest(String),
    /// One dead letter at length.
    Letter(Stream, EntryId),
    Act(Act, Stream, EntryId),
    /// Every message of a flow, and those to come.
    Follow(String),
    /// The flow is out of sight.
    Unfollow,
}

impl State {
    pub(super) fn press(&mut self, key: KeyEvent) -> Step {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Step::Quit,
                _ => Step::Draw,
            };
        }
        self.told = None;
        match self.views.last() {
            Some(View::Prompt { .. }) => self.type_in(key.code),
            Some(View::Confirm { .. }) => self.confirm(key.code),
            Some(_) => self.press_above(key.code),
            None => self.press_board(key.code),
        }
    }

    /// A question is answered by `y`; anything else takes it away.
    fn confirm(&mut self, code: KeyCode) -> Step {
        let Some(View::Confirm { act, stream, id }) = self.views.pop() else {
            return Step::Draw;
        };
        if code != KeyCode::Char('y') {
            return Step::Draw;
        }
        // What was looked at is no longer there.
        if matches!(self.views.last(), Some(View::Detail { detail, .. }) if detail.letter == Some((stream, id)))
        {
            self.views.pop();
        }
        Step::Ask(Request::Act(act, stream, id))
    }

    fn type_in(&mut self, code: KeyCode) -> Step {
        let Some(View::Prompt { text }) = self.views.last_mut() else {
            return Step::Draw;
        };
        match code {
            KeyCode::Esc => drop(self.views.pop()),
            KeyCode::Backspace => drop(text.pop()),
            KeyCode::Char(c) => text.push(c),
            KeyCode::Enter => {
                let id = text.trim().to_owned();
                self.views.pop();
                if !id.is_empty() {
                    self.following = Some(id.clone());
                    return Step::Ask(Request::Follow(id));
                }
            }
            _ => {}
        }
        Step::Draw
    }

    fn press_above(&mut self, code: KeyCode) -> Step {
        match code {
            KeyCode::Esc | KeyCode::Char('q') | KeyCode::Backspace => {
                let closed = self.views.pop();
                if matches!(
                    closed,
                    Some(View::List(List {
                        follows: Some(_),
                        ..
                    }))
                ) {
                    self.following = None;
                    return Step::Ask(Request::Unfollow);
                }
            }
            KeyCode::Enter => {
                if let Some(View::List(list)) = self.views.last()
                    && let Some(row) = list.rows.get(list.selected)
                {
                    let detail = row.detail.clone();
                    self.views.push(View::Detail { detail, scroll: 0 });
                }
            }
            code => return self.common(code),
        }
        Step::Draw
    }

    fn press_board(&mut self, code: KeyCode) -> Step {
        let at = self.focus.index();
        let panes = Pane::ALL.len();
        match code {
            KeyCode::Char('q') => return Step::Quit,
            KeyCode::Tab | KeyCode::Right => self.focus = Pane::ALL[(at + 1) % panes],
            KeyCode::BackTab | KeyCode::Left => self.focus = Pane::ALL[(at + panes - 1) % panes],
            KeyCode::Enter => return self.inspect(),
            code => return self.common(code),
        }
        Step::Draw
    }

    /// Keys that mean the same everywhere.
    fn common(&mut self, code: KeyCode) -> Step {
        match code {
            KeyCode::Char('?' | 'h') => self.views.push(View::Help),
            KeyCode::Char('f') => {
                let text = self.flow().unwrap_or_default();
                self.views.push(View::Prompt { text });
            }
            KeyCode::Char('r') => self.ask(Act::Replay),
            KeyCode::Char('d') => self.ask(Act::Drop),
            KeyCode::Up | KeyCode::Char('k') => self.go(|at, _| at.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') => self.go(|at, _| at.saturating_add(1)),
            KeyCode::PageUp => self.go(|at, _| at.saturating_sub(PAGE)),
            KeyCode::PageDown => self.go(|at, _| at.saturating_add(PAGE)),
            KeyCode::Home => self.go(|_, _| 0),
            KeyCode::End => self.go(|_, last| last),
            _ => {}
        }
        Step::Draw
    }

    fn ask(&mut self, act: Act) {
        match self.letter() {
            Some((stream, id)) => self.views.push(View::Confirm { act, stream, id }),
            None => self.told = Some((crate::output::Tone::Warn, words::NO_LETTER.to_owned())),
        }
    }

    /// Moves the selection, or scrolls; `to` takes where it is and the last place there is.
    fn go(&mut self, to: impl Fn(usize, usize) -> usize) {
        let (pane, rows) = (self.focus, self.rows(self.focus));
        let (at, count) = match self.views.last_mut() {
            Some(View::Detail { detail, scroll }) => (scroll, detail.lines.len()),
            Some(View::List(list)) => (&mut list.selected, list.rows.len()),
            Some(_) => return,
            None => (&mut self.selected[pane.index()], rows),
        };
        let last = count.saturating_sub(1);
        *at = to(*at, last).min(last);
    }

    /// Enter on the board.
    fn inspect(&mut self) -> Step {
        let Some(sample) = &self.sample else {
            return Step::Draw;
        };
        let at = self.selected(self.focus);
        let detail: Option<Detail> = match self.focus {
            Pane::Streams => {
                let stream = sample.streams.get(at);
                return stream.map_or(Step::Draw, |line| {
                    Step::Ask(Request::Newest(line.name.clone()))
                });
            }
            Pane::Dead => {
                let letter = sample.dead.get(at);
                return letter.map_or(Step::Draw, |letter| {
                    Step::Ask(Request::Letter(letter.stream, letter.id))
                });
            }
            Pane::Workers => sample.replicas.get(at).map(words::replica),
            Pane::Work => sample.work.get(at).map(|work| work.detail.clone()),
        };
        if let Some(detail) = detail {
            self.views.push(View::Detail { detail, scroll: 0 });
        }
        Step::Draw
    }
}

#[cfg(test)]
mod tests;
