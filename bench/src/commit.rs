//! What a commit costs, and what the alternatives would: a batch of results appended, remembered and acknowledged in one round trip,
//! with one thing changed at a time. The reads in between are not counted.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use redis::{Cmd, Connection, ConnectionLike as _, Pipeline, Value};
use serde::Serialize;

use crate::contender::{BATCH, GROUP, JOBS, RESULTS};
use crate::figures::{float, median};
use crate::message::Job;
use crate::reply::{self, Entry};
use crate::store::Store;

mod variant;

pub use variant::{Dedup, Fence, Form, VARIANTS, Variant};

/// The consumer's name.
const ME: &str = "me";
/// A hash from consumer to the token that it was given when it last took or renewed a lease.
const TOKENS: &str = "tokens";

/// What one way to commit costs, in microseconds a message; medians of the rounds.
#[derive(Debug, Clone, Serialize)]
pub struct Cost {
    /// [`Variant::name`].
    pub variant: String,
    /// Whether redis-server wrote an append-only file (`appendfsync everysec`).
    pub append_only: bool,
    /// Processor time of redis-server.
    pub redis_cpu_us: f64,
    /// From sending to the answer, one commit at a time.
    pub round_trip_us: f64,
}

/// Measures every variant in every round, without and with an append-only file; `tell` hears of each round's figures.
pub fn run(
    messages: usize,
    rounds: usize,
    mut tell: impl FnMut(&Cost),
) -> anyhow::Result<Vec<Cost>> {
    let places = [false, true].map(|append_only| VARIANTS.map(|variant| (append_only, variant)));
    let places = places.as_flattened();
    let mut all = vec![Vec::new(); places.len()];
    for _ in 0..rounds {
        for ((append_only, variant), costs) in places.iter().zip(&mut all) {
            let cost = turn(*variant, messages, *append_only)
                .with_context(|| format!("unable to measure \"{}\"", variant.name()))?;
            tell(&cost);
            costs.push(cost);
        }
    }
    let medians = all.into_iter().filter_map(|costs| {
        let of = |figure: fn(&Cost) -> f64| median(costs.iter().map(figure).collect());
        Some(Cost {
            redis_cpu_us: of(|cost| cost.redis_cpu_us)?,
            round_trip_us: of(|cost| cost.round_trip_us)?,
            ..costs.first()?.clone()
        })
    });
    Ok(medians.collect())
}

fn turn(variant: Variant, messages: usize, append_only: bool) -> anyhow::Result<Cost> {
    let mut store = Store::start(append_only)?;
    store.fill(messages)?;
    let mut connection = redis::Client::open(store.url())?.get_connection()?;
    redis::cmd("XGROUP")
        .arg(&["CREATE", JOBS, GROUP, "0"])
        .exec(&mut connection)?;
    redis::cmd("HSET")
        .arg(&[TOKENS, ME, "1"])
        .exec(&mut connection)?;
    let program = variant.load(&mut connection)?;
    let (mut cpu, mut waited, mut done) = (0.0, Duration::ZERO, 0);
    while done < messages {
        let answer = redis::cmd("XREADGROUP")
            .arg(&["GROUP", GROUP, ME, "COUNT"])
            .arg(BATCH)
            .arg(&["STREAMS", JOBS, ">"])
            .query(&mut connection)?;
        let entries = reply::entries(answer);
        ensure!(
            !entries.is_empty(),
            "{done} of {messages} messages, and no more"
        );
        let request = Request::new(variant, &program, &entries)?;
        let before = store.usage()?;
        let sent = Instant::now();
        request.send(&mut connection)?;
        waited += sent.elapsed();
        cpu += store.usage()?.micros_since(&before);
        done += entries.len();
    }
    store.verify(messages)?;
    let n = float(messages as u64);
    Ok(Cost {
        variant: variant.name(),
        append_only,
        redis_cpu_us: cpu / n,
        round_trip_us: waited.as_secs_f64() * 1e6 / n,
    })
}

/// A commit, ready to be sent in one piece.
struct Request {
    packed: Vec<u8>,
    answers: usize,
}

impl Request {
    fn new(variant: Variant, program: &str, entries: &[Entry]) -> anyhow::Result<Self> {
        let jobs = entries.iter().map(|entry| Job::read(entry.fields()));
        let jobs: Vec<Job<'_>> = jobs.collect::<Option<_>>().context("a strange message")?;
        let all: Vec<(&Entry, Job<'_>)> = entries.iter().zip(jobs).collect();
        let size = match variant.form {
            Form::PerMessage => 1,
            Form::Script | Form::Function | Form::Pipeline => all.len(),
        };
        let mut pipeline = Pipeline::new();
        for part in all.chunks(size) {
            if variant.form == Form::Pipeline {
                plain(part, &mut pipeline);
            } else {
                let command = if variant.form == Form::Function {
                    "FCALL"
                } else {
                    "EVALSHA"
                };
                pipeline.add_command(call(command, program, part));
            }
        }
        Ok(Self {
            answers: pipeline.cmd_iter().count(),
            packed: pipeline.get_packed_pipeline(),
        })
    }

    fn send(&self, connection: &mut Connection) -> anyhow::Result<()> {
        for answer in connection.req_packed_commands(&self.packed, 0, self.answers)? {
            let answer = answer.extract_error()?;
            ensure!(
                answer != Value::Int(-1),
                "the fence does not let its owner pass"
            );
        }
        Ok(())
    }
}

/// The commands themselves, without a script and without any guarantee.
fn plain(part: &[(&Entry, Job<'_>)], pipeline: &mut Pipeline) {
    for (entry, job) in part {
        let add = pipeline.cmd("XADD").arg(RESULTS).arg("*");
        job.result(
            entry.id(),
            || 0,
            |name, value| {
                add.arg(name).arg(value);
            },
        );
    }
    let ack = pipeline.cmd("XACK").arg(JOBS).arg(GROUP);
    for (entry, _) in part {
        ack.arg(&entry.id);
    }
}

/// The arguments are those that [`variant`]'s Lua expects.
fn call(command: &str, program: &str, part: &[(&Entry, Job<'_>)]) -> Cmd {
    let mut call = redis::cmd(command);
    call.arg(program)
        .arg(&["5", JOBS, RESULTS, TOKENS, "seen:1", "seen:0"])
        .arg(&[GROUP, ME])
        .arg(part.len());
    for (entry, _) in part {
        call.arg(&entry.id);
    }
    for (_, job) in part {
        // 16 bytes, as the runtime's marks.
        call.arg(
            job.id
                .bytes()
                .take(8)
                .chain(job.id.bytes().skip(28))
                .collect::<Vec<_>>(),
        );
    }
    for (entry, job) in part {
        job.result(
            entry.id(),
            || 0,
            |name, value| {
                call.arg(name).arg(value);
            },
        );
    }
    call
}
