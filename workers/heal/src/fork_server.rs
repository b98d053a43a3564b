//! A process in the sandbox that has the interpreter and the test runner loaded, and makes each run in a fork of itself, or, where there is
//! no forking, as apart as its language has it. Starting both is most of what a small run costs; a heal makes dozens of them.
//!
//! [`ForkServer`] is one such process, which makes one run at a time; [`ForkServers`] has those of a heal. Whatever goes wrong with one
//! is an answer of `None`, upon which the caller starts a process for the run alone, as it would have without.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::edge::{Command, Sandbox};
use crate::laboratory::Attempt;

/// Its socket, relative to its directory, where the process starts.
pub(crate) const SOCKET: &str = "s";
/// How long it may take until it takes jobs.
const PATIENCE: Duration = Duration::from_secs(20);
/// What an answer may take beyond the job's own limit.
const GRACE: Duration = Duration::from_secs(5);
/// The most bytes of an answer: a test may have got hold of the other end.
const LONGEST_ANSWER: u64 = 4096;
/// The most of them that a heal keeps.
const MOST: usize = 4;

/// One run.
#[derive(Debug, Serialize)]
pub(crate) struct Job<'a> {
    /// Where it starts.
    pub(crate) directory: &'a Path,
    /// The file for what the probe records.
    pub(crate) records: &'a Path,
    /// The conditions of the run, where they are not the plain ones.
    pub(crate) plan: Option<&'a Path>,
    /// What the runner is told, where that is not the same for all runs.
    pub(crate) words: &'a [String],
    /// Variables of this run alone.
    pub(crate) variables: &'a BTreeMap<String, String>,
    /// How long it may take, in seconds.
    #[serde(serialize_with = "seconds")]
    pub(crate) limit: Duration,
}

fn seconds<S: serde::Serializer>(limit: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(limit.as_secs_f64())
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The runner's exit status.
    Exited(i32),
    /// It took too long, or was killed.
    Stopped,
}

/// What came of a run in such a process.
pub(crate) enum Forked {
    /// It came to its end.
    Ended {
        /// Whether the runner says that all is well.
        passed: bool,
        attempt: Box<Attempt>,
    },
    /// It took too long, or was killed.
    Stopped,
}

#[derive(Deserialize)]
struct Answer {
    /// The runner's exit status; none where the run took too long, or was killed.
    #[serde(default)]
    status: Option<i32>,
}

/// One process that forks.
#[derive(Debug)]
pub(crate) struct ForkServer {
    directory: PathBuf,
    /// `None` once it has not answered as it should.
    connection: tokio::sync::Mutex<Option<BufReader<UnixStream>>>,
    stop: DropGuard,
    running: JoinHandle<()>,
}

impl ForkServer {
    /// Starts one in a directory of its own, which it may write. `command` is its whole command, but for that directory.
    async fn start(
        sandbox: &Sandbox,
        mut command: Command,
        directory: TempDir,
        cancel: &CancellationToken,
    ) -> Option<Self> {
        let place = directory.path().to_owned();
        let said = |error: std::io::Error| {
            // A path that is too long for a socket, for example.
            tracing::debug!(%error, "no fork server is started");
        };
        let listener = UnixListener::bind(place.join(SOCKET)).map_err(said).ok()?;
        command.directory.clone_from(&place);
        command.writable = vec![place.clone()];
        let token = cancel.child_token();
        let stop = token.clone().drop_guard();
        let sandbox = sandbox.clone();
        let (over, mut ended) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(async move {
            let finished = sandbox.run(&command, &token).await;
            if let Ok(finished) = finished {
                let said = finished.stderr_text();
                tracing::debug!(ended = %finished.ended, said = said.trim_end(), "a fork server has ended");
            }
            drop(directory);
            drop(over);
        });
        let server = async {
            // Only the first that calls is listened to: that is before anything of the project is loaded.
            let (stream, _) = listener.accept().await.ok()?;
            let mut connection = BufReader::new(stream);
            answer(&mut connection).await?;
            Some(connection)
        };
        let connection = tokio::select! {
            connection = tokio::time::timeout(PATIENCE, server) => connection.ok()??,
            _ = &mut ended => return None,
        };
        Some(Self {
            directory: place,
            connection: tokio::sync::Mutex::new(Some(connection)),
            stop,
            running,
        })
    }

    /// Where it may write, and everything that a run needs has to lie.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes a run. `None` where nothing is known of how it ended.
    pub(crate) async fn run(&self, job: &Job<'_>) -> Option<Ended> {
        let mut held = self.connection.lock().await;
        // Taken out: a run that nobody waits for any more leaves an answer behind that is no one's.
        let mut connection = held.take()?;
        let mut line = serde_json::to_vec(job).ok()?;
        line.push(b'\n');
        let exchange = async {
            connection.get_mut().write_all(&line).await.ok()?;
            answer(&mut connection).await
        };
        let answer = tokio::time::timeout(job.limit + GRACE, exchange)
            .await
            .ok()
            .flatten()?;
        *held = Some(connection);
        Some(answer.status.map_or(Ended::Stopped, Ended::Exited))
    }

    async fn is_lost(&self) -> bool {
        self.connection.lock().await.is_none()
    }

    /// Ends it, and waits until nothing of it is left.
    async fn close(self) {
        drop(self.stop);
        self.running.await.ok();
    }
}

async fn answer(connection: &mut BufReader<UnixStream>) -> Option<Answer> {
    let mut line = Vec::new();
    let mut bounded = connection.take(LONGEST_ANSWER);
    bounded.read_until(b'\n', &mut line).await.ok()?;
    serde_json::from_slice(&line).ok()
}

/// What decides whether two runs can be made by the same process: everything that the process reads as it starts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    /// The interpreter, or the packages.
    pub(crate) environment: PathBuf,
    pub(crate) variables: BTreeMap<String, String>,
    /// One process makes one run at a time; of another lane there is another.
    pub(crate) lane: u8,
}

/// The fork servers of one heal.
#[derive(Debug, Default)]
pub(crate) struct ForkServers {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Kinds of runs that were made before.
    seen: Vec<Kind>,
    /// The one used last stands last.
    servers: Vec<(Kind, Arc<Slot>)>,
    /// Those that gave way to others, and are to be ended.
    given_up: Vec<Arc<Slot>>,
    /// They were found to run tests otherwise than a process of their own.
    distrusted: bool,
}

/// One that is there, or being started. `None`: it could not be, or is lost.
type Slot = tokio::sync::Mutex<Option<Arc<ForkServer>>>;

impl ForkServers {
    /// Whether a run of this kind was asked for before. The first of a kind may be the last, and a process for it alone is cheaper.
    pub(crate) fn is_known(&self, kind: &Kind) -> bool {
        let mut kept = self.kept();
        if kept.seen.contains(kind) {
            return true;
        }
        kept.seen.push(kind.clone());
        false
    }

    /// None is used from now on.
    pub(crate) fn distrust(&self) {
        self.kept().distrusted = true;
    }

    /// The one for runs of this kind, started if it is not there. The command is that of [`ForkServer::start`].
    pub(crate) async fn of(
        &self,
        kind: &Kind,
        sandbox: &Sandbox,
        cancel: &CancellationToken,
        work: &Path,
        command: impl FnOnce(&Path) -> Command,
    ) -> Option<Arc<ForkServer>> {
        let (slot, is_new) = self.slot(kind)?;
        let given_up = std::mem::take(&mut self.kept().given_up);
        end(given_up).await;
        let mut held = slot.lock().await;
        if is_new {
            let directory = tempfile::Builder::new()
                .prefix("fork-")
                .rand_bytes(4)
                .tempdir_in(work)
                .ok()?;
            let command = command(directory.path());
            *held = ForkServer::start(sandbox, command, directory, cancel)
                .await
                .map(Arc::new);
        }
        let server = held.clone()?;
        if server.is_lost().await {
            *held = None;
            return None;
        }
        Some(server)
    }

    fn slot(&self, kind: &Kind) -> Option<(Arc<Slot>, bool)> {
        let mut kept = self.kept();
        if kept.distrusted {
            return None;
        }
        let at = kept.servers.iter().position(|(of, _)| of == kind);
        let (entry, is_new) = match at {
            Some(at) => (kept.servers.remove(at), false),
            None => ((kind.clone(), Arc::default()), true),
        };
        let slot = Arc::clone(&entry.1);
        kept.servers.push(entry);
        if kept.servers.len() > MOST {
            let (_, oldest) = kept.servers.remove(0);
            kept.given_up.push(oldest);
        }
        Some((slot, is_new))
    }

    /// Ends all of them, and waits until nothing of them is left.
    pub(crate) async fn close(&self) {
        let servers = std::mem::take(&mut self.kept().servers);
        end(servers.into_iter().map(|(_, slot)| slot).collect()).await;
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends what is in these slots. One that is being used ends when whoever uses it is done.
async fn end(slots: Vec<Arc<Slot>>) {
    for slot in slots {
        let server = slot.lock().await.take();
        if let Some(server) = server.and_then(Arc::into_inner) {
            server.close().await;
        }
    }
}
