//! The peers in the relay, one worker process each. `relay` calls this program: `peers load|work PEER URL [N]`.
//! A worker is steered like those of `relay`: it says "ready", a line lets it begin, the end of its input ends it.

mod apalis_redis;
mod event;
#[expect(dead_code, reason = "the peers carry one value and not fields")]
#[path = "../../src/message.rs"]
mod message;
mod sea_streamer;

use std::io::{Read as _, Write as _};
use std::{env, thread};

use anyhow::Context as _;
use tokio::sync::oneshot;

/// The stream of the results, and the name of the queue or stream of the messages.
const RESULTS: &str = "results";
const JOBS: &str = "jobs";
/// As the loops and the runtime have it.
const BATCH: usize = 256;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut builder = match arguments.get(1) {
        // As its examples have it.
        Some(&"sea-streamer") => tokio::runtime::Builder::new_multi_thread(),
        // One core, like everybody else.
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let tokio = builder.enable_all().build()?;
    match arguments[..] {
        ["load", "apalis", url, n] => tokio.block_on(apalis_redis::load(url, n.parse()?)),
        ["load", "sea-streamer" | "sea-streamer-1", url, n] => {
            tokio.block_on(sea_streamer::load(url, n.parse()?))
        }
        ["work", peer, url] => {
            let stop = wait_for_go()?;
            match peer {
                "apalis" => tokio.block_on(apalis_redis::work(url, stop)),
                _ => tokio.block_on(sea_streamer::work(url, stop)),
            }
        }
        _ => anyhow::bail!("usage: peers load|work apalis|sea-streamer|sea-streamer-1 URL [N]"),
    }
}

/// Returns when the work may begin; what it returns resolves when it is to end.
fn wait_for_go() -> anyhow::Result<oneshot::Receiver<()>> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready")?;
    out.flush()?;
    std::io::stdin()
        .read_line(&mut String::new())
        .context("nobody says when to begin")?;
    let (ended, end) = oneshot::channel();
    thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = ended.send(());
    });
    Ok(end)
}
