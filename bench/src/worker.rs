//! A contender in a process of its own. The first process starts this same program again with a hidden subcommand and steers it
//! through its standard input: a line starts the work, the end of the input ends it.

use std::env;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use anyhow::{Context as _, bail, ensure};
use maestro_streams::CancellationToken;

use crate::contender::{CONCURRENCY, Contender, bare, observed, runtime, script};
use crate::latency::producer;
use crate::usage::Usage;

/// What the hidden subcommand is called.
pub const SUBCOMMAND: &str = "worker";

/// What the hidden subcommand of the producer is called.
pub const PRODUCER: &str = "producer";

/// Nanoseconds of the machine's monotonic clock, which all its processes share.
pub fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec * 1_000_000_000 + now.tv_nsec).unwrap_or(0)
}

/// The life of a producer process; see [`producer::send`].
pub fn produce(url: &str, rate: u64, n: u64) -> anyhow::Result<()> {
    wait_for_go()?;
    println(&producer::send(url, rate, n)?.to_string())
}

/// The life of a worker process: one thread, one core at most.
pub fn work(contender: Contender, url: &str) -> anyhow::Result<()> {
    wait_for_go()?;
    let stop = CancellationToken::new();
    let ended = stop.clone();
    thread::spawn(move || {
        // An error is an end as well.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        ended.cancel();
    });
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio.block_on(async {
        let relay = async {
            match contender {
                Contender::Bare => bare::run(url).await,
                Contender::Script => script::run(url).await,
                Contender::Script2 => script::run_two(url).await,
                Contender::Runtime => runtime::run(url, Some(CONCURRENCY), stop.clone()).await,
                Contender::RuntimeDefault => runtime::run(url, None, stop.clone()).await,
                Contender::Observed => observed::run(url, stop.clone()).await,
                peer => bail!("{} lives in the program of the peers", peer.name()),
            }
        };
        let own_end = matches!(
            contender,
            Contender::Runtime | Contender::RuntimeDefault | Contender::Observed
        );
        tokio::select! {
            ended = relay => ended,
            () = stop.cancelled(), if !own_end => Ok(()),
        }
    })
}

fn wait_for_go() -> anyhow::Result<()> {
    println("ready")?;
    std::io::stdin().lock().read_line(&mut String::new())?;
    Ok(())
}

fn println(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

/// A worker process, seen from the one that started it. Dropping it kills it.
pub struct Worker {
    name: &'static str,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts a worker and waits until it could begin.
    pub fn start(contender: Contender, url: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args([SUBCOMMAND, contender.name(), url]);
        Self::spawn(contender.name(), command)
    }

    /// Starts a worker that lives in the program of the peers.
    pub(crate) fn start_peer(program: &Path, peer: Contender, url: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.args(["work", peer.name(), url]);
        Self::spawn(peer.name(), command)
    }

    /// Starts the producer of an open loop.
    pub(crate) fn start_producer(url: &str, rate: u64, n: u64) -> anyhow::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args([PRODUCER, url, &rate.to_string(), &n.to_string()]);
        Self::spawn(PRODUCER, command)
    }

    fn spawn(name: &'static str, mut command: Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("unable to start a worker process for {name}"))?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("a worker has an output")?;
        let mut worker = Self {
            name,
            child,
            input,
            output: BufReader::new(output),
        };
        let mut line = String::new();
        worker.output.read_line(&mut line)?;
        if line.trim() != "ready" {
            bail!("the worker process of {name} ended before it was ready");
        }
        Ok(worker)
    }

    /// Lets it begin.
    pub fn go(&mut self) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("a worker is told to go once")?;
        input.write_all(b"go\n")?;
        Ok(())
    }

    /// What it has used so far. Fails if it has ended, which it may not do by itself.
    pub(crate) fn usage(&mut self) -> anyhow::Result<Usage> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the worker process of {} ended: {status}", self.name);
        }
        Usage::of(self.child.id())
    }

    /// Waits until it ends by itself, and returns what it says last.
    pub(crate) fn last_words(mut self) -> anyhow::Result<String> {
        let mut words = String::new();
        self.output.read_to_string(&mut words)?;
        self.finish()?;
        Ok(words)
    }

    /// Tells it to end and waits until it has.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.input.take();
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the worker process of {} failed: {status}", self.name);
        }
        Ok(())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Fails only if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets a peer fill its queue or stream in its own way.
pub(crate) fn load_peer(
    program: &Path,
    peer: Contender,
    url: &str,
    n: usize,
) -> anyhow::Result<()> {
    let mut command = Command::new(program);
    command.args(["load", peer.name(), url, &n.to_string()]);
    let status = command
        .status()
        .with_context(|| format!("unable to start {}", program.display()))?;
    ensure!(status.success(), "{} failed to load: {status}", peer.name());
    Ok(())
}

/// Where `make bench` puts the program of the peers: `target/peers/release/peers`, beside `target/release/relay`. `None` if it is not there.
pub fn peers_program() -> Option<PathBuf> {
    let own = env::current_exe().ok()?;
    let program = own.parent()?.parent()?.join("peers/release/peers");
    program.is_file().then_some(program)
}
