//! The private redis-server of one run: filled before, watched during, and read through after it.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use maestro_redis_server::Server;
use maestro_streams::{Endpoint, Outgoing, Publisher};
use redis::{Client, Connection, Value};

use crate::contender::{Contender, GROUP, JOBS, RESULTS, Settled};
use crate::message;
use crate::usage::Usage;
use crate::worker::Worker;

/// How often to look whether all is done. Two cheap commands, which Redis does not feel.
const LOOK: Duration = Duration::from_millis(3);
/// Longer than this without a single new result is a contender that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A redis-server with nothing else in it.
pub(crate) struct Store {
    server: Server,
    connection: Connection,
}

impl Store {
    /// A server on a port of 127.0.0.1, since not every contender knows sockets.
    /// `append_only`: with an append-only file that reaches the disk once a second, as the fleet's own server has it; else without.
    pub(crate) fn start(append_only: bool) -> anyhow::Result<Self> {
        let server = Server::builder()
            .free_port()
            .append_only(append_only)
            .start()?;
        let connection = Client::open(server.url())?.get_connection()?;
        Ok(Self { server, connection })
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.server.pid().context("redis-server has ended")?)
    }

    /// Appends the messages from `0` to `n`.
    pub(crate) fn fill(&self, n: usize) -> anyhow::Result<()> {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        tokio.block_on(async {
            let endpoint: Endpoint = self.url().parse()?;
            let publisher = Publisher::new(&endpoint, "")?;
            for from in (0..n).step_by(1000) {
                let numbers = from..(from + 1000).min(n);
                let jobs = numbers.map(|number| {
                    let fields = message::job(number).into_iter();
                    fields.fold(Outgoing::new(JOBS), |job, (name, value)| {
                        job.field(name, value)
                    })
                });
                publisher.publish(&jobs.collect::<Vec<_>>()).await?;
            }
            Ok(())
        })
    }

    /// Waits until there are `n` results and all messages are acknowledged, as far as the contender shows it while it runs.
    ///
    /// # Errors
    /// When the worker has ended, and when it has made no progress for half a minute.
    pub(crate) fn wait(
        &mut self,
        n: usize,
        contender: Contender,
        worker: &mut Worker,
    ) -> anyhow::Result<()> {
        let (mut before, mut progress) = (0, Instant::now());
        loop {
            let done: usize = redis::cmd("XLEN")
                .arg(RESULTS)
                .query(&mut self.connection)?;
            if done >= n && self.is_settled(n, contender)? {
                return Ok(());
            }
            if done > before {
                (before, progress) = (done, Instant::now());
            } else if progress.elapsed() > PATIENCE {
                bail!("{done} of {n} results, and none more within {PATIENCE:?}");
            } else if progress.elapsed() > Duration::from_secs(1) {
                worker.usage()?;
            }
            thread::sleep(LOOK);
        }
    }

    fn is_settled(&mut self, n: usize, contender: Contender) -> anyhow::Result<bool> {
        Ok(match contender.settled() {
            Settled::Pending => self.pending()? == 0,
            Settled::DoneSet => {
                let done: usize = redis::cmd("SCARD")
                    .arg(format!("{JOBS}:done"))
                    .query(&mut self.connection)?;
                done >= n
            }
            Settled::AtTheEnd => true,
        })
    }

    /// How many messages are delivered and not acknowledged.
    fn pending(&mut self) -> anyhow::Result<usize> {
        let summary: Value = redis::cmd("XPENDING")
            .arg(JOBS)
            .arg(GROUP)
            .query(&mut self.connection)?;
        match summary {
            Value::Array(summary) => match summary.first() {
                Some(Value::Int(n)) => Ok(usize::try_from(*n)?),
                _ => bail!("XPENDING answered with {summary:?}"),
            },
            other => bail!("XPENDING answered with {other:?}"),
        }
    }

    /// Makes sure that nothing is pending. Apalis keeps no stream; it has shown before that it acknowledged all.
    pub(crate) fn verify_settled(&mut self, contender: Contender) -> anyhow::Result<()> {
        if contender.settled() != Settled::DoneSet {
            let pending = self.pending()?;
            ensure!(pending == 0, "{pending} messages are not acknowledged");
        }
        Ok(())
    }

    /// Makes sure that each message has exactly one result, by reading them all.
    pub(crate) fn verify(&mut self, n: usize) -> anyhow::Result<()> {
        let mut seen = vec![false; n];
        let mut from = "-".to_owned();
        loop {
            let page: Vec<(String, Vec<(String, String)>)> = redis::cmd("XRANGE")
                .arg(&[RESULTS, &from, "+", "COUNT", "1000"])
                .query(&mut self.connection)?;
            let Some((last, _)) = page.last() else { break };
            from = format!("({last}");
            for (id, fields) in &page {
                let number = fields.iter().find_map(|(name, value)| cause(name, value));
                let place = number.and_then(|number| seen.get_mut(number));
                let place =
                    place.with_context(|| format!("the result {id} belongs to no message"))?;
                ensure!(!*place, "the result {id} is the second of its message");
                *place = true;
            }
        }
        let missing = seen.iter().filter(|seen| !**seen).count();
        ensure!(missing == 0, "{missing} of {n} messages have no result");
        Ok(())
    }

    /// What the server says its version is.
    pub(crate) fn version(&mut self) -> anyhow::Result<String> {
        let info: String = redis::cmd("INFO")
            .arg("server")
            .query(&mut self.connection)?;
        let version = info
            .lines()
            .find_map(|line| line.strip_prefix("redis_version:"));
        Ok(version.unwrap_or("unknown").to_owned())
    }
}

/// Which message a result belongs to, if this field tells.
fn cause(name: &str, value: &str) -> Option<usize> {
    match name {
        "causationid" => message::number(value),
        // sea-streamer carries one value, and the result is in it.
        "msg" => {
            let result: serde_json::Value = serde_json::from_str(value).ok()?;
            message::number(result["causationid"].as_str()?)
        }
        _ => None,
    }
}
