//! A program that says in its log where it listens.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up: far longer than it takes, because machines are busy.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// A running program; killed when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
}

impl Program {
    /// Starts it, and waits until it listens.
    ///
    /// # Panics
    /// When it is not installed, or ends at once.
    pub(crate) fn start(name: &str, arguments: &[String]) -> Self {
        let mut child = Command::new(name)
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{name} cannot be started ({error}): run `deploy/setup.sh test`")
            });
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let (found, address) = mpsc::channel();
        let kept = log.clone();
        // Reads on to the end: a full pipe would stop the program.
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if line.contains(r#"msg="Listening on""#)
                    && let Some((_, address)) = line.split_once("address=")
                {
                    // Nobody waits for a second one.
                    let _ = found.send(address.trim().to_owned());
                }
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        let mut program = Self {
            child,
            address: String::new(),
            log,
        };
        program.address = address
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("{name} does not listen:\n{}", program.log()));
        program
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn log(&self) -> String {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is there, and gives it back.
///
/// # Panics
/// When it takes longer than [`PATIENCE`].
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "gave up waiting until {what}");
        // What is looked at is another program's; it tells nobody when it changes.
        thread::park_timeout(Duration::from_millis(50));
    }
}
