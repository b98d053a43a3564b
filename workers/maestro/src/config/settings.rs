//! What is in force.

use std::num::NonZero;
use std::path::PathBuf;
use std::thread;

use super::flags::{LogFormat, Sandbox};
use super::layers::Layers;
use super::mask::masked;
use super::origin::{Key, Origin, Setting};
use super::span::Span;
use crate::fault::Fault;

/// Every setting of the fleet, with its origin.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) redis_url: Setting<Option<String>>,
    pub(crate) prefix: Setting<String>,
    pub(crate) log: Setting<Option<String>>,
    pub(crate) log_format: Setting<LogFormat>,
    pub(crate) data_dir: Setting<PathBuf>,
    pub(crate) lease: Setting<Span>,
    pub(crate) max_deliveries: Setting<u32>,
    pub(crate) grace: Setting<Span>,
    pub(crate) retention: Setting<Span>,
    pub(crate) dedup_window: Setting<Span>,
    pub(crate) triage_concurrency: Setting<u32>,
    pub(crate) triage_window: Setting<Span>,
    pub(crate) heal_concurrency: Setting<u32>,
    pub(crate) roots: Setting<Vec<PathBuf>>,
    pub(crate) work_dir: Setting<PathBuf>,
    pub(crate) cache_dir: Setting<PathBuf>,
    pub(crate) sandbox: Setting<Sandbox>,
    pub(crate) index: Setting<Option<String>>,
    pub(crate) time_limit: Setting<Span>,
}

const fn key(
    path: &'static str,
    flag: &'static str,
    variable: &'static str,
    meaning: &'static str,
) -> Key {
    Key {
        path,
        flag,
        variable,
        meaning,
    }
}

const REDIS_URL: Key = key(
    "redis.url",
    "redis-url",
    "MAESTRO_REDIS_URL",
    "where Redis is",
);
const PREFIX: Key = key(
    "redis.prefix",
    "prefix",
    "MAESTRO_PREFIX",
    "what the names of all keys begin with",
);
const LOG: Key = key(
    "log.filter",
    "log",
    "MAESTRO_LOG",
    "which log lines are written",
);
const LOG_FORMAT: Key = key(
    "log.format",
    "log-format",
    "MAESTRO_LOG_FORMAT",
    "the form of log lines",
);
const DATA_DIR: Key = key(
    "up.data_dir",
    "data-dir",
    "MAESTRO_DATA_DIR",
    "where `maestro up` keeps its Redis and its work",
);
const LEASE: Key = key(
    "delivery.lease",
    "lease",
    "MAESTRO_LEASE",
    "how long a silent worker keeps a message",
);
const MAX_DELIVERIES: Key = key(
    "delivery.max_deliveries",
    "max-deliveries",
    "MAESTRO_MAX_DELIVERIES",
    "deliveries before a message is dead",
);
const GRACE: Key = key(
    "delivery.grace",
    "grace",
    "MAESTRO_GRACE",
    "time to finish after SIGTERM",
);
const RETENTION: Key = key(
    "delivery.retention",
    "retention",
    "MAESTRO_RETENTION",
    "how long acknowledged messages are kept",
);
const DEDUP_WINDOW: Key = key(
    "delivery.dedup_window",
    "dedup-window",
    "MAESTRO_DEDUP_WINDOW",
    "how long an id is remembered",
);
const TRIAGE_CONCURRENCY: Key = key(
    "triage.concurrency",
    "triage-concurrency",
    "MAESTRO_TRIAGE_CONCURRENCY",
    "messages triaged at a time",
);
const TRIAGE_WINDOW: Key = key(
    "triage.window",
    "triage-window",
    "MAESTRO_TRIAGE_WINDOW",
    "how long the same failure is a repeat",
);
const HEAL_CONCURRENCY: Key = key(
    "heal.concurrency",
    "heal-concurrency",
    "MAESTRO_HEAL_CONCURRENCY",
    "tests healed at a time",
);
const ROOTS: Key = key(
    "heal.roots",
    "root",
    "MAESTRO_ROOTS",
    "below which repositories may be read",
);
const WORK_DIR: Key = key(
    "heal.work_dir",
    "work-dir",
    "MAESTRO_WORK_DIR",
    "where copies of repositories are made",
);
const CACHE_DIR: Key = key(
    "heal.cache_dir",
    "cache-dir",
    "MAESTRO_CACHE_DIR",
    "where downloads and environments are kept",
);
const SANDBOX: Key = key(
    "heal.sandbox",
    "sandbox",
    "MAESTRO_SANDBOX",
    "where the tests of others run",
);
const INDEX: Key = key(
    "heal.index",
    "index",
    "MAESTRO_INDEX",
    "the package index that may be reached",
);
const TIME_LIMIT: Key = key(
    "heal.time_limit",
    "time-limit",
    "MAESTRO_TIME_LIMIT",
    "the longest that one heal may take",
);

impl Settings {
    /// What is in force, checked. `fallback_url` is what the environment says under the name that other tools use, `REDIS_URL`.
    #[expect(
        clippy::too_many_lines,
        reason = "one list of all settings reads better than several of some"
    )]
    pub(crate) fn of(layers: &Layers, fallback_url: Option<String>) -> Result<Self, Fault> {
        let (global, worker, file) = (&layers.global, &layers.worker, &layers.file);
        let data_dir = layers.resolved(layers.setting(
            DATA_DIR,
            global.data_dir.as_ref(),
            file.up.data_dir.as_ref(),
            PathBuf::from(".maestro"),
        ));
        let below_data = |key, flag: &Option<PathBuf>, file, name: &str| {
            layers.resolved(layers.setting(key, flag.as_ref(), file, data_dir.value.join(name)))
        };
        let settings = Self {
            redis_url: redis_url(layers, fallback_url),
            prefix: layers.setting(
                PREFIX,
                global.prefix.as_ref(),
                file.redis.prefix.as_ref(),
                String::new(),
            ),
            log: optional(
                LOG,
                layers.given(LOG, global.log.as_ref(), file.log.filter.as_ref()),
            ),
            log_format: layers.setting(
                LOG_FORMAT,
                global.log_format.as_ref(),
                file.log.format.as_ref(),
                LogFormat::default(),
            ),
            lease: layers.setting(
                LEASE,
                worker.lease.as_ref(),
                file.delivery.lease.as_ref(),
                Span::seconds(30),
            ),
            max_deliveries: layers.setting(
                MAX_DELIVERIES,
                worker.max_deliveries.as_ref(),
                file.delivery.max_deliveries.as_ref(),
                5,
            ),
            grace: layers.setting(
                GRACE,
                worker.grace.as_ref(),
                file.delivery.grace.as_ref(),
                Span::seconds(25),
            ),
            retention: layers.setting(
                RETENTION,
                worker.retention.as_ref(),
                file.delivery.retention.as_ref(),
                Span::seconds(86_400),
            ),
            dedup_window: layers.setting(
                DEDUP_WINDOW,
                worker.dedup_window.as_ref(),
                file.delivery.dedup_window.as_ref(),
                Span::seconds(86_400),
            ),
            triage_concurrency: layers.setting(
                TRIAGE_CONCURRENCY,
                worker.triage_concurrency.as_ref(),
                file.triage.concurrency.as_ref(),
                32,
            ),
            triage_window: layers.setting(
                TRIAGE_WINDOW,
                worker.triage_window.as_ref(),
                file.triage.window.as_ref(),
                Span::seconds(3600),
            ),
            heal_concurrency: layers.setting(
                HEAL_CONCURRENCY,
                worker.heal_concurrency.as_ref(),
                file.heal.concurrency.as_ref(),
                half_of_the_processors(),
            ),
            roots: roots(layers),
            work_dir: below_data(
                WORK_DIR,
                &worker.work_dir,
                file.heal.work_dir.as_ref(),
                "work",
            ),
            cache_dir: below_data(
                CACHE_DIR,
                &worker.cache_dir,
                file.heal.cache_dir.as_ref(),
                "cache",
            ),
            sandbox: layers.setting(
                SANDBOX,
                worker.sandbox.as_ref(),
                file.heal.sandbox.as_ref(),
                Sandbox::default(),
            ),
            index: optional(
                INDEX,
                layers.given(INDEX, worker.index.as_ref(), file.heal.index.as_ref()),
            ),
            time_limit: layers.setting(
                TIME_LIMIT,
                worker.time_limit.as_ref(),
                file.heal.time_limit.as_ref(),
                Span::seconds(300),
            ),
            data_dir,
        };
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), Fault> {
        let second = Span::seconds(1);
        for (setting, least) in [
            (&self.lease, second),
            (&self.dedup_window, second),
            (&self.time_limit, second),
            (&self.grace, Span::seconds(0)),
        ] {
            in_range(
                setting,
                setting.value >= least,
                &format!("at least `{least}`"),
            )?;
        }
        for setting in [
            &self.triage_concurrency,
            &self.heal_concurrency,
            &self.max_deliveries,
        ] {
            in_range(
                setting,
                (1..=10_000).contains(&setting.value),
                "a number from 1 to 10000",
            )?;
        }
        let prefix = &self.prefix;
        let fits = prefix.value.len() <= 128
            && !prefix
                .value
                .contains(|c: char| c.is_control() || "{} ".contains(c));
        in_range(
            prefix,
            fits,
            "at most 128 bytes without braces, spaces and control characters",
        )
    }

    /// Every setting as it is shown: secrets masked, in the order of the file's sections.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        let list = |paths: &Vec<PathBuf>| {
            paths
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
                .join(":")
        };
        let path = |path: &PathBuf| path.display().to_string();
        let url = |url: &Option<String>| url.as_deref().map(masked).unwrap_or_default();
        vec![
            Shown::of(&self.redis_url, url),
            Shown::of(&self.prefix, Clone::clone),
            Shown::of(&self.log, |filter| filter.clone().unwrap_or_default()),
            Shown::of(&self.log_format, |format| {
                format!("{format:?}").to_lowercase()
            }),
            Shown::of(&self.data_dir, path),
            Shown::of(&self.lease, ToString::to_string),
            Shown::of(&self.max_deliveries, ToString::to_string),
            Shown::of(&self.grace, ToString::to_string),
            Shown::of(&self.retention, ToString::to_string),
            Shown::of(&self.dedup_window, ToString::to_string),
            Shown::of(&self.triage_concurrency, ToString::to_string),
            Shown::of(&self.triage_window, ToString::to_string),
            Shown::of(&self.heal_concurrency, ToString::to_string),
            Shown::of(&self.roots, list),
            Shown::of(&self.work_dir, path),
            Shown::of(&self.cache_dir, path),
            Shown::of(&self.sandbox, |sandbox| {
                format!("{sandbox:?}").to_lowercase()
            }),
            Shown::of(&self.index, url),
            Shown::of(&self.time_limit, ToString::to_string),
        ]
    }
}

/// A setting as `maestro config` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) key: Key,
    pub(crate) value: String,
    pub(crate) origin: Origin,
}

impl Shown {
    fn of<T>(setting: &Setting<T>, show: impl Fn(&T) -> String) -> Self {
        Self {
            key: setting.key,
            value: show(&setting.value),
            origin: setting.origin.clone(),
        }
    }
}

fn redis_url(layers: &Layers, fallback: Option<String>) -> Setting<Option<String>> {
    let file = layers.file.redis.url.as_ref();
    let flag = layers.global.redis_url.as_ref();
    let fallback = fallback.filter(|url| flag.is_none() && !url.is_empty());
    match fallback {
        Some(url) => Setting {
            key: REDIS_URL,
            value: Some(url),
            origin: Origin::Variable("REDIS_URL"),
        },
        None => optional(REDIS_URL, layers.given(REDIS_URL, flag, file)),
    }
}

fn roots(layers: &Layers) -> Setting<Vec<PathBuf>> {
    let given = layers.setting(
        ROOTS,
        layers.worker.roots.as_ref(),
        layers.file.heal.roots.as_ref(),
        Vec::new(),
    );
    let origin = given.origin.clone();
    given.map(|paths| {
        paths
            .into_iter()
            .map(|value| {
                let one = Setting {
                    key: ROOTS,
                    value,
                    origin: origin.clone(),
                };
                layers.resolved(one).value
            })
            .collect()
    })
}

fn optional<T>(key: Key, given: Option<Setting<T>>) -> Setting<Option<T>> {
    match given {
        Some(setting) => setting.map(Some),
        None => Setting {
            key,
            value: None,
            origin: Origin::Default,
        },
    }
}

fn in_range<T: std::fmt::Display>(
    setting: &Setting<T>,
    fits: bool,
    expected: &str,
) -> Result<(), Fault> {
    if fits {
        return Ok(());
    }
    Err(Fault::usage(format!(
        "`{}`: expected {expected}, but found `{}` ({})",
        setting.key.path, setting.value, setting.origin
    )))
}

fn half_of_the_processors() -> u32 {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    u32::try_from(processors.div_ceil(2)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::{Args, Command, FromArgMatches};

    use super::super::file::File;
    use super::super::flags::{GlobalFlags, WorkerFlags};
    use super::*;

    fn settings(arguments: &[&str], yaml: &str) -> Result<Settings, Fault> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fleet.yaml");
        std::fs::write(&path, yaml).unwrap();
        let command = WorkerFlags::augment_args(GlobalFlags::augment_args(Command::new("maestro")));
        let path = path.display().to_string();
        let given = ["maestro", "--config", &path]
            .into_iter()
            .chain(arguments.iter().copied());
        let matches = command.try_get_matches_from(given).unwrap();
        let layers = Layers::gather(
            &GlobalFlags::from_arg_matches(&matches).unwrap(),
            &WorkerFlags::from_arg_matches(&matches).unwrap(),
            &matches,
        )?;
        Settings::of(&layers, None)
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let yaml = "delivery:\n  lease: 10s\n  grace: 3s\n";
        let settings = settings(&["--lease", "5s"], yaml).unwrap();
        assert_eq!(settings.lease.value, Span::seconds(5));
        assert_eq!(settings.lease.origin, Origin::Flag("lease"));
        assert_eq!(settings.grace.value, Span::seconds(3));
        assert!(
            matches!(
                settings.grace.origin,
                Origin::File {
                    line: 3,
                    column: 10,
                    ..
                }
            ),
            "{:?}",
            settings.grace
        );
        assert_eq!(settings.max_deliveries.origin, Origin::Default);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_column() {
        let sentence = |yaml: &str| match File::parse(Path::new("fleet.yaml"), yaml) {
            Ok(_) => String::new(),
            Err(fault) => fault.to_string(),
        };
        assert_eq!(
            sentence("redis:\n  url: redis://h\ndelivery:\n  leese: 10s\n"),
            "fleet.yaml:4:3: unknown key `leese`; expected one of `lease`, `max_deliveries`, `grace`, `retention`, `dedup_window`; `maestro config` lists every key"
        );
        assert_eq!(
            sentence("heal:\n  sandbox: none\n"),
            "fleet.yaml:2:12: unknown value `none`; expected one of `required`, `off`; `maestro config` lists every key"
        );
        let wrong_type = sentence("delivery:\n  max_deliveries: many\n");
        assert!(wrong_type.starts_with("fleet.yaml:2:19: "), "{wrong_type}");
        assert!(!wrong_type.contains('\n'), "{wrong_type}");
        let span = sentence("delivery:\n  lease: soon\n");
        assert!(
            span.contains("expected a span of time such as `30s` or `1h 30m`, but found `soon`"),
            "{span}"
        );
        assert!(sentence("a: [").starts_with("fleet.yaml:"));
        assert_eq!(sentence(""), "");
        assert_eq!(sentence("# only a comment\n"), "");
    }

    #[test]
    fn a_value_out_of_range_is_refused_with_its_name_and_its_origin() {
        let sentence = settings(&["--heal-concurrency", "0"], "")
            .unwrap_err()
            .to_string();
        assert_eq!(
            sentence,
            "`heal.concurrency`: expected a number from 1 to 10000, but found `0` (flag --heal-concurrency)"
        );
        let sentence = settings(&[], "delivery: {lease: 10ms}\n")
            .unwrap_err()
            .to_string();
        assert!(
            sentence.contains("expected at least `1s`, but found `10ms` (file "),
            "{sentence}"
        );
    }

    #[test]
    fn secrets_are_masked_and_paths_of_the_file_are_relative_to_it() {
        let yaml = "redis: {url: 'redis://me:hidden@host'}\nheal: {roots: [src], index: 'https://u:hidden@index/simple'}\n";
        let settings = settings(&[], yaml).unwrap();
        let shown: Vec<_> = settings
            .shown()
            .into_iter()
            .map(|shown| (shown.key.path, shown.value))
            .collect();
        assert!(!format!("{shown:?}").contains("hidden"), "{shown:?}");
        assert!(shown.contains(&("redis.url", "redis://me:***@host".to_owned())));
        assert!(settings.roots.value[0].is_absolute());
        assert!(settings.roots.value[0].ends_with("src"));
    }
}
