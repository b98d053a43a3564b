//! The real binary, a directory of its own, and a private Redis.
#![allow(dead_code, reason = "each test file uses its part")]

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use maestro_redis_server::Server;
use tempfile::TempDir;

/// Where commands run, and which Redis they are told.
pub(crate) struct Place {
    directory: TempDir,
    redis: Option<Server>,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    /// A directory without any Redis.
    pub(crate) fn bare() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
            redis: None,
        }
    }

    /// A directory with a private Redis that every command is told.
    pub(crate) fn with_redis() -> Self {
        Self {
            redis: Some(Server::builder().append_only(false).start().unwrap()),
            ..Self::bare()
        }
    }

    /// Its Redis, to be ended and started.
    pub(crate) fn server(&mut self) -> &mut Server {
        self.redis.as_mut().unwrap()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().canonicalize().unwrap()
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_maestro"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MAESTRO_") {
                command.env_remove(name);
            }
        }
        command
            .env_remove("REDIS_URL")
            .current_dir(self.path())
            .args(arguments);
        if let Some(redis) = &self.redis {
            command.env("MAESTRO_REDIS_URL", redis.url());
        }
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        said(
            self.command(arguments)
                .stdin(Stdio::null())
                .output()
                .unwrap(),
        )
    }

    /// Runs a command to its end, with this on its standard input.
    pub(crate) fn feed(&self, arguments: &[&str], input: &str) -> Said {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        said(child.wait_with_output().unwrap())
    }

    /// Runs a command that must end well, and returns its lines.
    pub(crate) fn lines(&self, arguments: &[&str]) -> Vec<String> {
        let said = self.run(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {said:?}");
        said.out.lines().map(str::to_owned).collect()
    }

    /// Runs a command that must end well, and returns its one JSON document.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.lines(arguments).join("\n")).unwrap()
    }

    /// Asks the private Redis, as a producer or a worker that is not ours would; fails on an error. `RESP`:
    /// <https://redis.io/docs/latest/develop/reference/protocol-spec/>
    pub(crate) fn redis(&self, words: &[&str]) -> serde_json::Value {
        let socket = self.redis.as_ref().unwrap().socket().unwrap();
        let mut stream = BufReader::new(UnixStream::connect(socket).unwrap());
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            let _ = write!(request, "${}\r\n{word}\r\n", word.len());
        }
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        reply(&mut stream)
    }

    /// A command that goes on until it is told to stop; its output goes to `NAME.out` and `NAME.err`.
    pub(crate) fn start(&self, name: &str, arguments: &[&str]) -> Running {
        let file = |end: &str| fs::File::create(self.path().join(format!("{name}.{end}"))).unwrap();
        let child = self
            .command(arguments)
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("err"))
            .spawn()
            .unwrap();
        Running { child }
    }
}

fn reply(stream: &mut BufReader<UnixStream>) -> serde_json::Value {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    let (kind, rest) = line.trim_end().split_at(1);
    let length = || rest.parse::<usize>().ok();
    match kind {
        "+" => rest.into(),
        ":" => rest.parse::<i64>().unwrap().into(),
        "$" => {
            let Some(length) = length() else {
                return serde_json::Value::Null;
            };
            let mut bytes = vec![0; length + 2];
            std::io::Read::read_exact(stream, &mut bytes).unwrap();
            String::from_utf8_lossy(&bytes[..length]).into()
        }
        "*" => (0..length().unwrap_or(0)).map(|_| reply(stream)).collect(),
        _ => panic!("{line}"),
    }
}

fn said(output: Output) -> Said {
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A command that goes on; killed when the test ends.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends a signal, `TERM` for example.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(
            // The shell has `kill` built in; a bare system need not have the program.
            Command::new("sh")
                .args(["-c", &format!("kill -{name} \"$0\""), &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Sends SIGTERM and returns the exit code.
    pub(crate) fn stop(mut self) -> i32 {
        self.signal("TERM");
        eventually("the command ends", || self.child.try_wait().unwrap())
            .code()
            .unwrap_or(-1)
    }

    /// Waits for its end and returns the exit code.
    pub(crate) fn end(mut self) -> i32 {
        eventually("the command ends", || self.child.try_wait().unwrap())
            .code()
            .unwrap_or(-1)
    }

    /// As the machine would: SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again until there is an answer; fails after half a minute.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A payload that a worker takes.
pub(crate) const ERROR: &str = r#"{"project":{"repository":"/nowhere"},"kind":"test_failure","message":"assert 1 == 2","test":{"id":"tests/test_x.py::test_y","framework":"pytest"}}"#;

/// A report of pytest with this many failing tests.
pub(crate) fn report(failing: usize) -> String {
    let mut cases = String::new();
    for n in 0..failing {
        let _ = write!(
            cases,
            "<testcase classname=\"tests.test_x\" name=\"test_{n}\" time=\"0.001\"><failure message=\"assert {n} == 0\">E   assert {n} == 0\n\ntests/test_x.py:3: AssertionError</failure></testcase>"
        );
    }
    format!(
        "<?xml version=\"1.0\"?><testsuites name=\"pytest tests\"><testsuite name=\"pytest\">{cases}<testcase classname=\"tests.test_x\" name=\"test_ok\"/></testsuite></testsuites>"
    )
}

pub(crate) fn exists(path: impl AsRef<Path>) -> bool {
    path.as_ref().exists()
}
