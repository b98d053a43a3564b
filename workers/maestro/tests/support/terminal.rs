//! A command in a real pseudo-terminal (script(1)), and what a person would see of it.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::Place;

/// A terminal of 80 columns and 24 lines in which a shell runs one line.
pub(crate) struct Terminal {
    child: Child,
    keys: Option<ChildStdin>,
    screen: Arc<Mutex<vt100::Parser>>,
}

impl Terminal {
    /// Runs this line of a shell; `$MAESTRO` is the command.
    pub(crate) fn run(place: &Place, line: &str) -> Self {
        let maestro = place.command(&[]);
        let mut command = Command::new("script");
        let line = format!("stty rows 24 cols 80; {line}");
        command
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .current_dir(place.path())
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm-256color")
            .env("MAESTRO", maestro.get_program())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        for (name, value) in maestro.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut child = command.spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(24, 80, 0)));
        let seen = Arc::clone(&screen);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                seen.lock().unwrap().process(&bytes[..count]);
            }
        });
        Self {
            keys: child.stdin.take(),
            child,
            screen,
        }
    }

    /// What stands on the screen, line by line.
    pub(crate) fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Whether it shows the screen that full-screen programs draw on, and hides its cursor.
    pub(crate) fn is_taken(&self) -> bool {
        let parser = self.screen.lock().unwrap();
        parser.screen().alternate_screen() && parser.screen().hide_cursor()
    }

    pub(crate) fn press(&mut self, keys: &str) {
        let stdin = self.keys.as_mut().unwrap();
        stdin.write_all(keys.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// Waits until all of these stand on the screen, and returns it.
    pub(crate) fn shows(&self, parts: &[&str]) -> String {
        let start = Instant::now();
        loop {
            let text = self.text();
            if parts.iter().all(|part| text.contains(part)) {
                return text;
            }
            let waited = start.elapsed();
            assert!(
                waited < Duration::from_secs(30),
                "never: the screen shows {parts:?}\n{text}"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.keys = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
