//! A page followed as a reader would: all its blocks in one shell, in a directory with nothing else in it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Block, Step, blocks, matches};

/// Where a page is followed, and with what.
#[derive(Debug)]
pub struct Session {
    directory: tempfile::TempDir,
    environment: Vec<(String, String)>,
    path: Vec<PathBuf>,
}

/// How many seconds a page may take: far longer than any does.
const PATIENCE: &str = "540";

/// What every page begins with: the first command that fails ends it, and what it left running ends with it.
const BEGIN: &str = r#"set -eE -o pipefail
trap 'echo "\`$BASH_COMMAND\` ended with $?" >&2' ERR
# A block in the background is a shell around its program; the program is told to end, and the shell ends with it.
end() {
  trap - ERR
  for job in $(jobs -p); do
    if [ "$(cat /proc/$job/comm)" = bash ]; then kill $(cat /proc/$job/task/$job/children); else kill $job; fi 2>/dev/null || :
  done
  wait || :
}
trap end EXIT
"#;

impl Session {
    /// An empty directory `maestro` in an empty one, and directories of programs that come first on the `PATH`.
    ///
    /// # Panics
    /// When the disk does not take it.
    pub fn new(path: impl IntoIterator<Item = PathBuf>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(directory.path().join("maestro")).expect("a directory");
        Self {
            directory,
            environment: Vec::new(),
            path: path.into_iter().collect(),
        }
    }

    /// Where the page begins.
    fn checkout(&self) -> PathBuf {
        self.directory.path().join("maestro")
    }

    /// With a copy of a directory in it.
    ///
    /// # Panics
    /// When it cannot be copied.
    #[must_use]
    pub fn copy(self, of: &Path) -> Self {
        let copied = Command::new("cp")
            .arg("-R")
            .arg(of)
            .arg(self.checkout())
            .status();
        assert!(copied.is_ok_and(|status| status.success()));
        self
    }

    /// With a variable of the environment.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }
}

/// Follows a page, and gives back the reasons of the blocks that are not run, with their lines.
///
/// # Errors
/// With one sentence for each block that nothing is done with; else with what went wrong where.
///
/// # Panics
/// When the disk does not take what is written, or no shell can be started.
pub fn follow(page: &str, session: &Session) -> Result<Vec<(usize, String)>, String> {
    let blocks = blocks(page);
    let mut steps = Vec::new();
    let mut faults = Vec::new();
    let mut skipped = Vec::new();
    for block in &blocks {
        match block.step() {
            Err(fault) => faults.push(format!("line {}: {fault}", block.line)),
            Ok(Step::Skip(reason)) => skipped.push((block.line, reason)),
            Ok(step) => steps.push((block, step)),
        }
    }
    if !faults.is_empty() {
        return Err(faults.join("\n"));
    }

    let records = tempfile::tempdir().expect("a temporary directory");
    let mut script = Script::new(records.path());
    for (block, step) in &steps {
        script.add(block, step);
    }
    let output = run(session, &script.save());
    if !output.status.success() {
        let line = std::fs::read_to_string(script.place("line")).unwrap_or_default();
        return Err(format!(
            "line {}: {}\n{}",
            line.trim(),
            output.status,
            printed(records.path(), &output.stderr)
        ));
    }
    for (line, at, command, expected) in &script.shown {
        let printed = std::fs::read_to_string(at).expect("what was printed");
        if !matches(expected, &printed) {
            faults.push(format!(
                "line {line}: `{command}` is shown to print\n{expected}and printed\n{printed}"
            ));
        }
    }
    if faults.is_empty() {
        Ok(skipped)
    } else {
        Err(faults.join("\n"))
    }
}

/// A page as one script, which leaves what each block prints in a file named by the block's line.
struct Script<'a> {
    records: &'a Path,
    text: String,
    /// Of each command whose output is shown: the block's line, the file, the command, and what the page shows.
    shown: Vec<(usize, String, String, String)>,
}

impl<'a> Script<'a> {
    fn new(records: &'a Path) -> Self {
        let text = BEGIN.to_owned();
        let shown = Vec::new();
        Self {
            records,
            text,
            shown,
        }
    }

    fn place(&self, name: &str) -> String {
        self.records.join(name).display().to_string()
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn add(&mut self, block: &Block, step: &Step) {
        let line = block.line;
        let at = self.place(&line.to_string());
        self.line(&format!("echo {line} > {}", self.place("line")));
        for given in &block.given {
            self.line(&format!("{{ {given}\n}} > {at}.given 2>&1"));
        }
        match step {
            Step::Run(text) => self.line(&format!("{{ {text}}} > {at} 2>&1")),
            Step::Background(text, until) => {
                let until = quoted(until);
                self.line(&format!("{{ {text}}} >> {at} 2>&1 &"));
                // Ends with the program, so that one which never says it is not waited for.
                self.line(&format!(
                    ": >> {at}; grep -m 1 -F {until} > /dev/null < <(exec tail -n +1 --pid=$! -f {at})"
                ));
            }
            Step::Compare(commands) => {
                for (number, (command, expected)) in commands.iter().enumerate() {
                    let at = format!("{at}.{number}");
                    self.line(&format!("{{ {command}\n}} > {at} 2>&1"));
                    self.shown
                        .push((line, at, command.clone(), expected.clone()));
                }
            }
            Step::Write(name, text) => {
                let saved = self.place(&format!("{line}.file"));
                std::fs::write(&saved, text).expect("a file");
                let name = quoted(name);
                self.line(&format!(
                    "mkdir -p \"$(dirname {name})\"; cp {saved} {name}"
                ));
            }
            Step::Skip(_) => {}
        }
    }

    fn save(&self) -> String {
        let file = self.place("page.sh");
        std::fs::write(&file, &self.text).expect("a file");
        file
    }
}

fn run(session: &Session, script: &str) -> std::process::Output {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = session
        .path
        .iter()
        .cloned()
        .chain(std::env::split_paths(&path));
    // Ends the shell and all that it started.
    Command::new("timeout")
        .args(["--kill-after=5", PATIENCE, "bash", script])
        .current_dir(session.checkout())
        .env_clear()
        .envs(std::env::vars().filter(|(name, _)| crate::passes(name)))
        .env("PATH", std::env::join_paths(path).expect("a PATH"))
        .envs(session.environment.iter().cloned())
        .stdin(std::process::Stdio::null())
        .output()
        .expect("bash starts")
}

/// What the blocks have printed, the last of each.
fn printed(records: &Path, stderr: &[u8]) -> String {
    let mut all = String::from_utf8_lossy(stderr).into_owned();
    let entries = std::fs::read_dir(records).expect("a directory");
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name != "page.sh" && name != "line" && !name.ends_with(".file") {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let from = text.lines().count().saturating_sub(20);
            let _ = writeln!(all, "--- printed at line {name}");
            text.lines().skip(from).for_each(|line| {
                all.push_str(line);
                all.push('\n');
            });
        }
    }
    all
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
