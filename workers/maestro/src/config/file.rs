//! The configuration file. An unknown key is an error, and every error has its line and column.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::flags::{LogFormat, Sandbox};
use super::rate::Rate;
use super::span::Span;
use crate::exit::Exit;
use crate::fault::Fault;

/// The most bytes of a configuration file.
const MAX_BYTES: u64 = 1024 * 1024;

type Given<T> = Option<Spanned<T>>;

/// What the file says.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) redis: Redis,
    pub(super) log: Log,
    pub(super) up: Up,
    pub(super) metrics: Metrics,
    pub(super) traces: Traces,
    pub(super) worker: Worker,
    pub(super) delivery: Delivery,
    pub(super) results: Results,
    pub(super) audit: Audit,
    pub(super) triage: Triage,
    pub(super) heal: Heal,
    pub(super) kubernetes: Kubernetes,
    pub(super) provision: Provision,
    pub(super) cleanup: Cleanup,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Redis {
    pub(super) url: Given<String>,
    pub(super) prefix: Given<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Log {
    pub(super) filter: Given<String>,
    pub(super) format: Given<LogFormat>,
    pub(super) rate: Given<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Up {
    pub(super) data_dir: Given<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Metrics {
    pub(super) target: Given<String>,
    pub(super) token: Given<String>,
    pub(super) ca: Given<PathBuf>,
    pub(super) job: Given<String>,
    pub(super) instance: Given<String>,
    pub(super) interval: Given<Span>,
    pub(super) timeout: Given<Span>,
    pub(super) linger: Given<Span>,
    pub(super) gzip: Given<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Traces {
    pub(super) target: Given<String>,
    pub(super) token: Given<String>,
    pub(super) ca: Given<PathBuf>,
    pub(super) ratio: Given<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Worker {
    pub(super) heartbeat_file: Given<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Delivery {
    pub(super) lease: Given<Span>,
    pub(super) max_deliveries: Given<u32>,
    pub(super) quarantine_from: Given<u32>,
    pub(super) retry_base: Given<Span>,
    pub(super) retry_cap: Given<Span>,
    pub(super) batch: Given<u32>,
    pub(super) urgent_lane: Given<bool>,
    pub(super) grace: Given<Span>,
    pub(super) retention: Given<Span>,
    pub(super) dedup_window: Given<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Results {
    pub(super) retention: Given<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Audit {
    pub(super) postgres_url: Given<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Triage {
    pub(super) concurrency: Given<u32>,
    pub(super) rate_limit: Given<Rate>,
    pub(super) window: Given<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Heal {
    pub(super) concurrency: Given<u32>,
    pub(super) rate_limit: Given<Rate>,
    pub(super) roots: Given<Vec<PathBuf>>,
    pub(super) work_dir: Given<PathBuf>,
    pub(super) cache_dir: Given<PathBuf>,
    pub(super) sandbox: Given<Sandbox>,
    pub(super) index: Given<String>,
    pub(super) time_limit: Given<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Kubernetes {
    pub(super) kubeconfig: Given<PathBuf>,
    pub(super) context: Given<String>,
    pub(super) rate: Given<u32>,
    pub(super) owner: Given<String>,
    pub(super) namespace_prefix: Given<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Provision {
    pub(super) concurrency: Given<u32>,
    pub(super) rate_limit: Given<Rate>,
    pub(super) templates: Given<PathBuf>,
    pub(super) ready_timeout: Given<Span>,
    pub(super) unschedulable_grace: Given<Span>,
    pub(super) registry: Given<String>,
    pub(super) entry_image: Given<String>,
    pub(super) bind_cluster_role: Given<String>,
    pub(super) service_account: Given<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Cleanup {
    pub(super) concurrency: Given<u32>,
    pub(super) sweep_interval: Given<Span>,
    pub(super) max_ttl: Given<Span>,
    pub(super) terminating_patience: Given<Span>,
}

impl File {
    pub(super) fn read(path: &Path) -> Result<Self, Fault> {
        let unreadable = |error| {
            Fault::io(path, "be read", &error)
                .next("the file named by --config or MAESTRO_CONFIG must exist")
        };
        let size = fs::metadata(path).map_err(unreadable)?.len();
        if size > MAX_BYTES {
            return Err(Fault::usage(format!(
                "`{}` has {size} bytes, but a configuration file has at most {MAX_BYTES}",
                path.display()
            )));
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(path, &text)
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, Fault> {
        // An empty file, or one of comments only, is null.
        let parsed: Result<Option<Self>, _> = serde_saphyr::from_str(text);
        parsed.map(Option::unwrap_or_default).map_err(|error| {
            let place = error
                .location()
                .map(|at| format!(":{}:{}", at.line(), at.column()))
                .unwrap_or_default();
            Fault::new(
                Exit::Usage,
                format!("{}{place}: {}", path.display(), sentence(&error)),
            )
            .next("`maestro config` lists every key")
        })
    }
}

/// The parser's word without the place, which stands before it, and without its picture of the lines.
pub(crate) fn sentence(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    match error.without_snippet() {
        Error::SerdeUnknownField {
            field, expected, ..
        } => {
            format!(
                "unknown key `{field}`; expected one of `{}`",
                expected.join("`, `")
            )
        }
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => {
            format!(
                "unknown value `{variant}`; expected one of `{}`",
                expected.join("`, `")
            )
        }
        other => {
            let text = other.to_string();
            let line = text.lines().next().unwrap_or_default();
            match line.rsplit_once(" at line ") {
                Some((sentence, _)) => sentence.to_owned(),
                None => line.to_owned(),
            }
        }
    }
}
