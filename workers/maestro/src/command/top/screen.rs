//! The terminal: taken, drawn on, and given back as it was, also after a panic and on SIGTERM.

use std::io;
use std::thread;
use std::time::Duration;

use maestro_streams::CancellationToken;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::draw::draw;
use super::press::{Request, Step};
use super::sampler::Sampler;
use super::state::{Answer, State};
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};

/// What the terminal says.
enum Input {
    Key(KeyEvent),
    /// It has another size, or came back.
    Changed,
}

/// Shows the view until the person or a signal ends it.
pub(super) async fn show(
    mut state: State,
    sampler: Sampler,
    interval: Duration,
    shutdown: CancellationToken,
) -> Outcome {
    let (requests, asked) = unbounded_channel();
    let (answers, answered) = unbounded_channel();
    let mut sampling = tokio::task::JoinSet::new();
    sampling.spawn(sampler.run(interval, asked, answers));
    // Its panic hook gives the terminal back before the panic is told.
    let mut terminal = ratatui::try_init().map_err(|error| unusable(&error))?;
    let ended = interact(&mut terminal, &mut state, (requests, answered), &shutdown).await;
    let restored = ratatui::try_restore().map_err(|error| unusable(&error));
    let exit = ended?;
    restored?;
    Ok(exit)
}

async fn interact(
    terminal: &mut DefaultTerminal,
    state: &mut State,
    (requests, mut answers): (UnboundedSender<Request>, UnboundedReceiver<Answer>),
    shutdown: &CancellationToken,
) -> Outcome {
    let mut inputs = inputs()?;
    loop {
        terminal
            .draw(|frame| draw(frame, state))
            .map_err(|error| unusable(&error))?;
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(Exit::Interrupted),
            input = inputs.recv() => match input {
                Some(Input::Key(key)) => match state.press(key) {
                    Step::Draw => {}
                    Step::Quit => return Ok(Exit::Success),
                    // The sampler ends with this view only.
                    Step::Ask(request) => drop(requests.send(request)),
                },
                Some(Input::Changed) => {}
                // The terminal is gone.
                None => return Ok(Exit::Interrupted),
            },
            answer = answers.recv() => match answer {
                Some(answer) => state.learn(answer),
                // It has panicked, and its hook has given the terminal back.
                None => return Err(Fault::unavailable("the sampler of the view has ended")),
            },
        }
    }
}

/// Reads the keys on a thread of its own, which ends with the process.
fn inputs() -> Result<UnboundedReceiver<Input>, Fault> {
    let (sender, inputs) = unbounded_channel();
    let read = move || {
        while let Ok(event) = event::read() {
            let input = match event {
                Event::Key(key) if key.kind == KeyEventKind::Press => Input::Key(key),
                Event::Resize(..) | Event::FocusGained => Input::Changed,
                _ => continue,
            };
            if sender.send(input).is_err() {
                break;
            }
        }
    };
    let thread = thread::Builder::new().name("keys".to_owned());
    thread
        .spawn(read)
        .map(|_| inputs)
        .map_err(|error| unusable(&error))
}

fn unusable(error: &io::Error) -> Fault {
    Fault::new(Exit::Io, format!("the terminal cannot be used: {error}"))
}

#[cfg(test)]
mod tests;
