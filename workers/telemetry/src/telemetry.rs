//! What a process has of it all, from its beginning to its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use maestro_streams::backoff::{about, up_to};
use maestro_streams::{CancellationToken, Error, StreamStatus};
use metrics::{gauge, set_global_recorder};
use tokio::task::JoinSet;

use crate::names::{Names, Whose, of_this_process};
use crate::pusher::Pusher;
use crate::queues::{self, Queues};
use crate::recorder::recorder;
use crate::sink::Sink;
use crate::target::Target;

/// What a process does with what it measures.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it goes.
    pub target: Target,
    /// The label `job`.
    pub job: String,
    /// The label `instance`; `None` for one made of the machine's name and the process's number.
    pub instance: Option<String>,
    /// The label `prefix`; empty for none.
    pub prefix: String,
    /// The label `version` of `maestro_build_info`.
    pub version: String,
    /// How often it is pushed.
    pub interval: Duration,
    /// How long one push may take.
    pub timeout: Duration,
    /// How long the last push is left at the target before it is taken back.
    pub linger: Duration,
    /// Whether it is compressed on the way.
    pub gzip: bool,
    /// A file of further authorities to trust, PEM.
    pub authorities: Option<PathBuf>,
}

/// Why a process cannot measure.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The file of authorities cannot be read.
    #[error("`{}` cannot be read: {source}", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It has no certificate in it that can be used.
    #[error("`{}` has no certificate in it that can be used", .0.display())]
    NoCertificate(PathBuf),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The user, the password or the token is none that a header can carry.
    #[error("the credentials have characters in them that HTTP does not carry")]
    Credentials,
    /// The table of metrics is not to the recorder's liking.
    #[error("the metrics cannot be recorded: {0}")]
    Recorder(#[from] metrics_exporter_prometheus::BuildError),
    /// Something else measures in this process.
    #[error("the metrics of this process are recorded already")]
    Taken,
}

/// How often the one whose turn it is looks for what killed replicas left at the target.
const FORGETTING: Duration = Duration::from_mins(5);
/// What was pushed so long ago was left behind. `MaestroReplicaSilent` has fired long before.
const FORGOTTEN: Duration = Duration::from_mins(30);

/// Measures, and pushes what it measured, until its [`end`](Self::end).
#[derive(Debug)]
pub struct Telemetry {
    settings: Settings,
    names: Names,
    sink: Arc<Sink>,
    stop: CancellationToken,
    running: JoinSet<()>,
}

impl Telemetry {
    /// Begins to measure, for the whole process, and to push. Whoever measures must begin after this.
    pub fn start(settings: Settings) -> Result<Self, SetupError> {
        let names = Names {
            job: settings.job.clone(),
            instance: settings.instance.clone().unwrap_or_else(of_this_process),
            prefix: settings.prefix.clone(),
        };
        let recorder = recorder(&labels(&settings, &names, Whose::Replica))?;
        let handle = recorder.handle();
        let sink = Arc::new(Sink::new(&settings)?);
        set_global_recorder(recorder).map_err(|_| SetupError::Taken)?;
        gauge!("maestro_build_info", "version" => settings.version.clone()).set(1.0);
        gauge!("maestro_start_time_seconds").set(now());
        let mut telemetry = Self {
            stop: CancellationToken::new(),
            running: JoinSet::new(),
            settings,
            names,
            sink,
        };
        let pusher = Pusher::new(
            handle,
            telemetry.names.clone(),
            telemetry.settings.interval,
            telemetry.settings.linger,
        );
        let (sink, stop) = (telemetry.sink.clone(), telemetry.stop.clone());
        telemetry
            .running
            .spawn(async move { pusher.run(&sink, stop).await });
        tracing::info!(target = %telemetry.settings.target, instance = telemetry.names.instance, "measuring");
        Ok(telemetry)
    }

    /// The name of this replica.
    pub fn instance(&self) -> &str {
        &self.names.instance
    }

    /// Reads the queues as well, and exports them whenever it is this replica's turn.
    pub fn watch(&mut self, queues: Queues) {
        let watch = Watch {
            queues,
            labels: labels(&self.settings, &self.names, Whose::Fleet),
            names: self.names.clone(),
            interval: self.settings.interval,
            holds: false,
            forgot: Instant::now(),
        };
        let (sink, stop) = (self.sink.clone(), self.stop.clone());
        self.running
            .spawn(async move { Box::pin(watch.run(&sink, stop)).await });
    }

    /// Pushes once more, and takes everything back.
    pub async fn end(mut self) {
        self.stop.cancel();
        while self.running.join_next().await.is_some() {}
    }
}

/// Exports the queues whenever it is this replica's turn.
struct Watch {
    queues: Queues,
    labels: Vec<(&'static str, String)>,
    names: Names,
    interval: Duration,
    /// What stands at the target is this replica's.
    holds: bool,
    /// When it last looked for what killed replicas left.
    forgot: Instant,
}

impl Watch {
    async fn run(mut self, sink: &Sink, stop: CancellationToken) {
        let mut wait = up_to(self.interval);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
            }
            // Not given up half-way either: whoever had the turn before lets go of it as soon as this replica has it.
            let read = self.queues.read(self.interval).await;
            if stop.is_cancelled() {
                // Where it is not known whose turn it is, another replica writes again in a moment.
                self.holds |= !matches!(read, Ok(None));
                break;
            }
            // Not given up half-way: it could arrive after it was taken back.
            self.turn(sink, read).await;
            wait = if self.holds {
                // It comes back when its turn has just ended, before others do.
                self.interval
            } else {
                about(self.interval)
            };
        }
        if self.holds {
            self.take_back(sink).await;
        }
    }

    async fn turn(&mut self, sink: &Sink, read: Result<Option<Vec<StreamStatus>>, Error>) {
        let status = match read {
            Ok(Some(status)) => status,
            Ok(None) => {
                if std::mem::take(&mut self.holds) {
                    // Another replica has written over it by now, except where each machine has its own.
                    if let Err(error) = sink.leave(&self.names, Whose::Fleet).await {
                        tracing::debug!(%error, "the queues' metrics were not left to another replica");
                    }
                }
                return;
            }
            Err(error) => {
                tracing::debug!(%error, "the queues cannot be read");
                if self.holds {
                    // What cannot be read must not look as if it had been.
                    self.take_back(sink).await;
                }
                return;
            }
        };
        let text = match queues::text(&status, now(), &self.labels) {
            Ok(text) => text,
            Err(error) => {
                tracing::error!(%error, "the queues' metrics cannot be rendered");
                return;
            }
        };
        // Held from here on, whether it arrives or only seems not to.
        self.holds = true;
        if let Err(error) = sink.put(&self.names, Whose::Fleet, text).await {
            tracing::debug!(%error, "the queues' metrics do not arrive");
            return;
        }
        if self.forgot.elapsed() > FORGETTING {
            self.forgot = Instant::now();
            self.forget(sink).await;
        }
    }

    async fn forget(&self, sink: &Sink) {
        match sink
            .forget(&self.names, FORGOTTEN.max(self.interval * 10))
            .await
        {
            Ok(left) => {
                for instance in left {
                    tracing::warn!(instance, after = ?FORGOTTEN, "a replica has ended without taking its metrics back; they are taken away");
                }
            }
            Err(error) => {
                tracing::debug!(%error, "what killed replicas left was not looked for");
            }
        }
    }

    async fn take_back(&mut self, sink: &Sink) {
        match sink.delete(&self.names, Whose::Fleet).await {
            Ok(()) => self.holds = false,
            Err(error) => tracing::debug!(%error, "the queues' metrics were not taken back"),
        }
    }
}

/// The labels of everything. A Pushgateway adds those of its group by itself.
fn labels(settings: &Settings, names: &Names, whose: Whose) -> Vec<(&'static str, String)> {
    let mut labels = vec![("prefix", names.prefix.clone())];
    if !matches!(settings.target, Target::Pushgateway(_)) {
        labels.push(("job", names.job.clone()));
        labels.push(("instance", names.instance(whose)));
    }
    labels
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
