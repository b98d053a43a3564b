//! What strangers' code can do in the sandbox, and what it cannot. Real `bwrap`, real Python: a machine without them
//! fails these tests, and `make test` installs them.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use maestro_heal::edge::{
    Command, Confinement, Ended, Finished, Interpreter, Interpreters, Limits, Network, Sandbox,
    SandboxChoice, SandboxError,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

static PYTHON: LazyLock<Interpreter> = LazyLock::new(|| {
    Interpreters::new()
        .find(None)
        .expect("a python3 on this machine")
});

fn sandbox() -> Sandbox {
    Sandbox::detect(SandboxChoice::Required).expect("a sandbox on this machine")
}

/// A command that runs a Python program in a directory of its own.
/// `MARK` in the program stands for the end of [`mark`].
fn python(program: &str) -> (TempDir, Command) {
    let program = program.replace("MARK", &std::process::id().to_string());
    let place = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(
        [
            PYTHON.path.to_str().expect("a path that is text"),
            "-c",
            &program,
        ],
        place.path(),
    );
    command.readable.push(PYTHON.prefix.clone());
    command.limits = Limits {
        wall: Duration::from_mins(1),
        ..Limits::default()
    };
    (place, command)
}

async fn run_in(sandbox: &Sandbox, command: &Command) -> Finished {
    sandbox
        .run(command, &CancellationToken::new())
        .await
        .expect("a run")
}

async fn run(program: &str) -> Finished {
    let (_place, command) = python(program);
    run_in(&sandbox(), &command).await
}

/// A word that stands in the command line of one test's processes and nowhere else on this host.
fn mark(test: &str) -> String {
    format!("{test}-{}", std::process::id())
}

/// Whether a process of this host has this word in its command line.
fn anybody_says(word: &str) -> bool {
    Path::new("/proc")
        .read_dir()
        .expect("the kernel's table of processes")
        .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
        .any(|line| String::from_utf8_lossy(&line).contains(word))
}

#[tokio::test]
async fn a_program_runs_and_says_how_it_ended() {
    let finished =
        run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)").await;
    assert_eq!(finished.ended, Ended::Exited(3));
    assert_eq!(
        (
            finished.stdout_text().as_str(),
            finished.stderr_text().as_str()
        ),
        ("out\n", "err\n")
    );
    assert_eq!(
        run("import os; os.kill(os.getpid(), 11)").await.ended,
        Ended::Signalled(11)
    );
    assert_eq!(sandbox().confinement(), Confinement::Bubblewrap);
}

#[tokio::test]
async fn a_program_sees_only_the_variables_it_was_given() {
    let (_place, mut command) = python(
        "import os; print(sorted(os.environ)); print(os.environ['GIVEN'], os.environ['TZ'])",
    );
    command
        .variables
        .insert("GIVEN".to_owned(), "a = b".to_owned());
    command
        .variables
        .insert("TZ".to_owned(), "Asia/Tokyo".to_owned());
    let finished = run_in(&sandbox(), &command).await;
    let expected = "['GIVEN', 'HOME', 'LANG', 'LOGNAME', 'PATH', 'PYTHONDONTWRITEBYTECODE', 'TZ', 'USER']\na = b Asia/Tokyo\n";
    assert_eq!(
        finished.stdout_text(),
        expected,
        "{}",
        finished.stderr_text()
    );
}

#[tokio::test]
async fn no_process_in_the_sandbox_shows_the_workers_variables() {
    // The test's own environment stands for the worker's; cargo sets this one.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let finished = run("
import glob
for name in glob.glob('/proc/[0-9]*/environ'):
    try: print(open(name, 'rb').read())
    except OSError as e: print(e)")
    .await;
    assert!(finished.ended.succeeded(), "{}", finished.stderr_text());
    assert!(
        !finished.stdout_text().contains("CARGO"),
        "{}",
        finished.stdout_text()
    );
}

#[tokio::test]
async fn the_hosts_files_are_not_there() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "secret").unwrap();
    let home = std::env::var("HOME").unwrap_or("/root".to_owned());
    let program = format!(
        "
import os
for path in [{:?}, '/etc/shadow', '/run', '/var', '/root/.ssh', {home:?} + '/.cargo', {:?}, '/sys']:
    print(path, os.path.exists(path))
print(sorted(os.listdir('/tmp')), open('/etc/passwd').read().count(':/'))",
        secret.path(),
        std::env::current_dir().unwrap(),
    );
    let finished = run(&program).await;
    assert!(
        !finished.stdout_text().contains("True"),
        "{}{}",
        finished.stdout_text(),
        finished.stderr_text()
    );
    assert!(finished.ended.succeeded());
}

#[tokio::test]
async fn writing_succeeds_in_the_writable_place_and_in_tmp_alone() {
    let finished = run("
import os
for path in ['here', '/tmp/x', os.environ['HOME'] + '/x', '/dev/shm/x']: open(path, 'w').write('x')
for path in ['/x', '/usr/x', '/usr/bin/x', '/etc/x', '/etc/passwd', '/dev/x', '/home/x', '/proc/sys/kernel/core_pattern',
             os.__file__, '/lib/x', '/bin/sh', '/proc/sysrq-trigger']:
    try: open(path, 'a').write('x'); print('wrote', path)
    except OSError: pass")
    .await;
    assert_eq!(finished.stdout_text(), "", "{}", finished.stderr_text());
    assert!(finished.ended.succeeded(), "{}", finished.stderr_text());
}

#[tokio::test]
async fn what_is_written_in_the_writable_place_stays() {
    let (place, command) = python("open('result.xml', 'w').write('<x/>')");
    run_in(&sandbox(), &command).await;
    assert_eq!(
        std::fs::read_to_string(place.path().join("result.xml")).unwrap(),
        "<x/>"
    );
}

#[tokio::test]
async fn there_is_no_network_and_no_server_of_the_host_is_reached() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let program = format!(
        "
import socket
for address in [('127.0.0.1', {}), ('1.1.1.1', 53), ('169.254.169.254', 80)]:
    try: socket.create_connection(address, timeout=5); print('reached', address)
    except OSError as e: pass
try: socket.getaddrinfo('example.org', 80); print('resolved')
except OSError: pass
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); socket.create_connection(s.getsockname()); print('own loopback')",
        server.local_addr().unwrap().port()
    );
    let finished = run(&program).await;
    assert_eq!(
        finished.stdout_text(),
        "own loopback\n",
        "{}",
        finished.stderr_text()
    );
}

#[tokio::test]
async fn with_the_network_a_server_of_the_host_is_reached() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().port();
    let (_place, mut command) = python(&format!(
        "import socket; socket.create_connection(('127.0.0.1', {address}))"
    ));
    command.network = Network::Host;
    let finished = run_in(&sandbox(), &command).await;
    assert!(finished.ended.succeeded(), "{}", finished.stderr_text());
}

#[tokio::test]
async fn a_fork_bomb_is_stopped_and_nothing_of_it_is_left() {
    let (_place, mut command) = python(
        "
import os
bomb = 'fork-bomb-MARK'
while True:
    try: os.fork()
    except OSError: pass",
    );
    command.limits.processes = 64;
    let finished = run_in(&sandbox(), &command).await;
    assert_eq!(finished.ended, Ended::TooManyProcesses);
    assert!(
        finished.elapsed < Duration::from_secs(10),
        "{:?}",
        finished.elapsed
    );
    assert!(!anybody_says(&mark("fork-bomb")));
}

#[tokio::test]
async fn a_program_that_forks_up_to_the_limit_is_refused_by_the_kernel() {
    // The watch looks every 50 ms; this one is over before its first look.
    let (_place, mut command) = python(
        "
import os
made = 0
try:
    while made < 500:
        if os.fork() == 0: os.read(os.pipe()[0], 1)
        made += 1
except OSError as e: print('refused', made < 64, flush=True)
os._exit(0)",
    );
    command.limits.processes = 64;
    let finished = run_in(&sandbox(), &command).await;
    assert!(
        finished.stdout_text() == "refused True\n" || finished.ended == Ended::TooManyProcesses,
        "{:?} {} {}",
        finished.ended,
        finished.stdout_text(),
        finished.stderr_text()
    );
}

#[tokio::test]
async fn runs_side_by_side_do_not_count_each_others_processes() {
    let program = "
import os
for _ in range(40):
    if os.fork() == 0: os.execvp('sleep', ['sleep', '1'])
for _ in range(40): os.wait()";
    let sandbox = sandbox();
    let run = || async {
        let (_place, mut command) = python(program);
        command.limits.processes = 60;
        run_in(&sandbox, &command).await
    };
    let (a, b, c) = tokio::join!(run(), run(), run());
    for finished in [a, b, c] {
        assert!(
            finished.ended.succeeded(),
            "{:?} {}",
            finished.ended,
            finished.stderr_text()
        );
    }
}

#[tokio::test]
async fn a_program_that_takes_too_much_memory_is_stopped() {
    let hog = "
held = []
while True: held.append(bytearray(4 << 20))";
    let (_place, mut command) = python(hog);
    command.limits.memory_bytes = 256 << 20;
    assert_eq!(run_in(&sandbox(), &command).await.ended, Ended::OutOfMemory);

    // No single process of these is large.
    let (_place, mut command) = python(
        "
import os, time
for _ in range(8):
    if os.fork() == 0: held = bytearray(os.urandom(1 << 20)) * 64; time.sleep(60)
time.sleep(60)",
    );
    command.limits.memory_bytes = 256 << 20;
    assert_eq!(run_in(&sandbox(), &command).await.ended, Ended::OutOfMemory);
}

#[tokio::test]
async fn one_absurd_allocation_fails_in_the_program_itself() {
    let (_place, mut command) = python(
        "
try: bytearray(1 << 40)
except MemoryError: print('refused')",
    );
    command.limits.memory_bytes = 256 << 20;
    assert_eq!(
        run_in(&sandbox(), &command).await.stdout_text(),
        "refused\n"
    );
}

#[tokio::test]
async fn a_program_that_fills_the_disk_is_stopped() {
    for filler in [
        // One large file, many files, many empty files, and a file whose name is gone.
        "
import time
with open('x', 'wb') as f:
    try:
        while True: f.write(b'x' * (1 << 20))
    except OSError: pass
for n in range(3): open(str(n), 'wb').write(b'x' * (10 << 20))
time.sleep(60)",
        "
n = 0
while True: open(str(n), 'wb').write(b'x' * (1 << 20)); n += 1",
        "
n = 0
while True: open(str(n), 'wb').close(); n += 1",
        "
import os, time
held = []
for n in range(5):
    f = open('x', 'wb', buffering=0); os.unlink('x'); f.write(b'x' * (10 << 20)); held.append(f)
time.sleep(60)",
    ] {
        let (_place, mut command) = python(filler);
        command.limits.disk_bytes = 16 << 20;
        assert_eq!(
            run_in(&sandbox(), &command).await.ended,
            Ended::DiskFull,
            "{filler}"
        );
    }
}

#[tokio::test]
async fn what_fills_tmp_finds_it_full() {
    let (_place, mut command) = python(
        "
with open('/tmp/x', 'wb') as f:
    try:
        for _ in range(1000): f.write(b'x' * (1 << 20))
    except OSError as e: print(e.strerror)",
    );
    command.limits.memory_bytes = 512 << 20;
    let finished = run_in(&sandbox(), &command).await;
    assert_eq!(
        finished.stdout_text(),
        "No space left on device\n",
        "{:?} {}",
        finished.ended,
        finished.stderr_text()
    );
}

#[tokio::test]
async fn a_program_that_never_ends_is_stopped_with_all_its_children() {
    let (_place, mut command) = python(
        "
import os, signal, sys, time
never = 'never-ending-program-MARK'
for n in signal.valid_signals():
    try: signal.signal(n, signal.SIG_IGN)
    except (OSError, ValueError): pass
print('begun', flush=True)
if os.fork() == 0:
    os.setsid()
    os.fork()
while True: time.sleep(1)",
    );
    command.limits.wall = Duration::from_secs(1);
    let finished = run_in(&sandbox(), &command).await;
    assert_eq!(finished.ended, Ended::TimedOut);
    assert_eq!(
        finished.stdout_text(),
        "begun\n",
        "what was said before is kept"
    );
    assert!(
        finished.elapsed < Duration::from_secs(5),
        "{:?}",
        finished.elapsed
    );
    assert!(!anybody_says(&mark("never-ending-program")));
}

#[tokio::test]
async fn a_program_that_only_computes_is_stopped_at_its_processor_time() {
    for program in [
        "while True: pass",
        "
import os
os.fork(); os.fork()
while True: pass",
    ] {
        let (_place, mut command) = python(program);
        command.limits.cpu = Duration::from_secs(1);
        let finished = run_in(&sandbox(), &command).await;
        assert_eq!(finished.ended, Ended::TimedOut);
        assert!(
            finished.elapsed < Duration::from_secs(15),
            "{:?}",
            finished.elapsed
        );
    }
}

#[tokio::test]
async fn children_left_behind_do_not_outlive_the_command() {
    let (_place, command) = python(
        "
import os, sys, time
left = 'left-behind-MARK'
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
print('done')",
    );
    let finished = run_in(&sandbox(), &command).await;
    assert_eq!(
        (finished.ended, finished.stdout_text().as_str()),
        (Ended::Exited(0), "done\n")
    );
    assert!(
        finished.elapsed < Duration::from_secs(5),
        "{:?}",
        finished.elapsed
    );
    assert!(!anybody_says(&mark("left-behind")));
}

#[tokio::test]
async fn a_flood_of_output_is_bounded_and_its_head_and_tail_are_kept() {
    let (_place, mut command) = python(
        "
import sys
print('first')
for _ in range(2000): sys.stdout.write('x' * 65536)
print('last')",
    );
    command.limits.output_bytes = 64 << 10;
    let finished = run_in(&sandbox(), &command).await;
    let text = finished.stdout_text();
    assert!(
        text.starts_with("first\n") && text.ends_with("last\n") && text.contains(" bytes omitted ")
    );
    assert!(text.len() < (64 << 10) + 100, "{}", text.len());
}

#[tokio::test]
async fn killing_the_parent_and_everybody_else_harms_only_itself() {
    let finished = run("
import os, signal
for pid in [os.getppid(), 1, -1]:
    try: os.kill(pid, signal.SIGKILL)
    except OSError as e: print(e.strerror)
print('still here')")
    .await;
    // What ends it is its own affair: what counts is that this test goes on.
    assert!(
        finished.elapsed < Duration::from_secs(10),
        "{:?}",
        finished.ended
    );
    assert!(run("print('fine')").await.ended.succeeded());
}

#[tokio::test]
async fn a_preloaded_library_reaches_the_command_alone() {
    let (place, mut command) = python("print('ran')");
    // Not a library: the loader complains of it to every program that is told to load it, and does no more.
    let library = place.path().join("evil.so");
    std::fs::write(&library, "not a library").unwrap();
    command.variables.insert(
        "LD_PRELOAD".to_owned(),
        library.to_str().unwrap().to_owned(),
    );
    let finished = run_in(&sandbox(), &command).await;
    assert_eq!(
        finished
            .stderr_text()
            .matches("cannot be preloaded")
            .count(),
        1,
        "{}",
        finished.stderr_text()
    );
}

#[tokio::test]
async fn the_command_is_no_privileged_user_and_cannot_become_one() {
    let finished = run("
import os
print(os.getuid() != 0, [line for line in open('/proc/self/status') if line.startswith('CapEff')][0].split()[1], end=' ')
print([line for line in open('/proc/self/status') if line.startswith('NoNewPrivs')][0].split()[1])
try: os.setuid(0); print('became root')
except OSError: pass")
    .await;
    assert_eq!(
        finished.stdout_text(),
        "True 0000000000000000 1\n",
        "{}",
        finished.stderr_text()
    );
}

#[tokio::test]
async fn a_cancelled_command_ends_at_once() {
    let (_place, command) = python(
        "cancelled = 'cancelled-program-MARK'; import time; print(1, flush=True); time.sleep(600)",
    );
    let cancel = CancellationToken::new();
    let sandbox = sandbox();
    let running = sandbox.run(&command, &cancel);
    let cancelling = async {
        while !anybody_says(&mark("cancelled-program")) {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (finished, ()) = tokio::join!(running, cancelling);
    assert_eq!(finished.unwrap().ended, Ended::Cancelled);
    assert!(!anybody_says(&mark("cancelled-program")));
}

#[tokio::test]
async fn a_run_that_is_dropped_leaves_no_process() {
    let (_place, command) =
        python("dropped = 'dropped-program-MARK'; import time; time.sleep(600)");
    let (sandbox, cancel) = (sandbox(), CancellationToken::new());
    {
        let running = sandbox.run(&command, &cancel);
        let begun = async {
            while !anybody_says(&mark("dropped-program")) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = running => panic!("it ended"),
            () = begun => {}
        }
    }
    let until = Instant::now() + Duration::from_secs(10);
    while anybody_says(&mark("dropped-program")) {
        assert!(Instant::now() < until, "it is still there");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_command_that_could_be_taken_for_something_else_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let try_with = |change: fn(&mut Command)| {
        let mut command = Command::new(["true"], place.path());
        change(&mut command);
        let sandbox = sandbox();
        async move { sandbox.run(&command, &CancellationToken::new()).await }
    };
    for change in [
        (|command| command.argv[0] = "-u".to_owned()) as fn(&mut Command),
        |command| command.argv[0] = "A=b".to_owned(),
        |command| command.argv.clear(),
        |command| command.argv.push("a\0b".to_owned()),
        |command| drop(command.variables.insert("A=B".to_owned(), String::new())),
        |command| command.readable.push("relative".into()),
        |command| command.readable.push("/tmp/../etc".into()),
        |command| command.writable.push("/".into()),
    ] {
        assert!(matches!(
            try_with(change).await,
            Err(SandboxError::Unusable(_))
        ));
    }
    let missing = try_with(|command| command.readable.push(PathBuf::from("/no/such/path"))).await;
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .starts_with("the command was to see /no/such/path, which cannot be read")
    );
}

mod without_a_sandbox {
    use super::*;

    fn off() -> Sandbox {
        Sandbox::detect(SandboxChoice::Off).expect("no more than a choice")
    }

    #[tokio::test]
    async fn the_environment_is_scrubbed_all_the_same() {
        let (_place, command) = python(
            "import os; print('CARGO_MANIFEST_DIR' in os.environ, os.environ['HOME'] != '/root')",
        );
        let finished = run_in(&off(), &command).await;
        assert_eq!(
            finished.stdout_text(),
            "False True\n",
            "{}",
            finished.stderr_text()
        );
        assert_eq!(off().confinement(), Confinement::Off);
    }

    #[tokio::test]
    async fn what_hides_in_a_session_of_its_own_is_found_and_killed() {
        let (_place, mut command) = python(
            "
import os, time
hidden = 'hidden-child-MARK'
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: time.sleep(600)
    os._exit(0)
os.wait()
time.sleep(600)",
        );
        command.limits.wall = Duration::from_secs(1);
        assert_eq!(run_in(&off(), &command).await.ended, Ended::TimedOut);
        assert!(!anybody_says(&mark("hidden-child")));
    }

    #[tokio::test]
    async fn memory_disk_and_processes_are_bounded() {
        let (_place, mut command) = python(
            "
held = []
while True: held.append(bytearray(1 << 20))",
        );
        command.limits.memory_bytes = 256 << 20;
        assert_eq!(run_in(&off(), &command).await.ended, Ended::OutOfMemory);

        let (_place, mut command) = python(
            "
n = 0
while True: open(str(n), 'wb').write(b'x' * (1 << 20)); n += 1",
        );
        command.limits.disk_bytes = 16 << 20;
        assert_eq!(run_in(&off(), &command).await.ended, Ended::DiskFull);

        let (_place, mut command) = python(
            "
import os, time
for _ in range(100):
    if os.fork() == 0: time.sleep(600)
time.sleep(600)",
        );
        command.limits.processes = 50;
        assert_eq!(
            run_in(&off(), &command).await.ended,
            Ended::TooManyProcesses
        );
    }
}
