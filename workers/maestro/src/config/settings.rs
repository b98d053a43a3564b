//! What is in force.

use std::num::NonZero;
use std::path::PathBuf;
use std::thread;

use super::delivery::Delivery;
use super::environments::Environments;
use super::flags::{LogFormat, Sandbox};
use super::keys::{
    CACHE_DIR, DATA_DIR, HEAL_CONCURRENCY, HEAL_RATE_LIMIT, HEARTBEAT_FILE, INDEX, LOG, LOG_FORMAT,
    LOG_RATE, PREFIX, REDIS_URL, ROOTS, SANDBOX, TIME_LIMIT, TRIAGE_CONCURRENCY, TRIAGE_RATE_LIMIT,
    TRIAGE_WINDOW, WORK_DIR,
};
use super::layers::Layers;
use super::mask::masked;
use super::metrics::Metrics;
use super::origin::{Key, Origin, Setting, Shown};
use super::rate::Rate;
use super::span::Span;
use super::traces::Traces;
use super::trail::AuditTrail;
use crate::fault::Fault;

/// Every setting of the fleet, with its origin.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) redis_url: Setting<Option<String>>,
    pub(crate) prefix: Setting<String>,
    pub(crate) log: Setting<Option<String>>,
    pub(crate) log_format: Setting<LogFormat>,
    pub(crate) log_rate: Setting<u32>,
    pub(crate) data_dir: Setting<PathBuf>,
    pub(crate) metrics: Metrics,
    pub(crate) traces: Traces,
    pub(crate) heartbeat_file: Setting<Option<PathBuf>>,
    pub(crate) delivery: Delivery,
    pub(crate) trail: AuditTrail,
    pub(crate) triage_concurrency: Setting<u32>,
    pub(crate) triage_rate_limit: Setting<Rate>,
    pub(crate) triage_window: Setting<Span>,
    pub(crate) heal_concurrency: Setting<u32>,
    pub(crate) heal_rate_limit: Setting<Rate>,
    pub(crate) roots: Setting<Vec<PathBuf>>,
    pub(crate) work_dir: Setting<PathBuf>,
    pub(crate) cache_dir: Setting<PathBuf>,
    pub(crate) sandbox: Setting<Sandbox>,
    pub(crate) index: Setting<Option<String>>,
    pub(crate) time_limit: Setting<Span>,
    pub(crate) environments: Environments,
}

impl Settings {
    /// What is in force, checked. `fallback_url` is what the environment says under the name that other tools use, `REDIS_URL`.
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
            prefix: prefix(layers),
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
            log_rate: log_rate(layers),
            metrics: Metrics::of(layers),
            traces: Traces::of(layers),
            heartbeat_file: heartbeat_file(layers),
            delivery: Delivery::of(layers),
            trail: AuditTrail::of(layers),
            triage_concurrency: layers.setting(
                TRIAGE_CONCURRENCY,
                worker.triage_concurrency.as_ref(),
                file.triage.concurrency.as_ref(),
                32,
            ),
            triage_rate_limit: layers.setting(
                TRIAGE_RATE_LIMIT,
                worker.triage_rate_limit.as_ref(),
                file.triage.rate_limit.as_ref(),
                Rate::default(),
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
            heal_rate_limit: layers.setting(
                HEAL_RATE_LIMIT,
                worker.heal_rate_limit.as_ref(),
                file.heal.rate_limit.as_ref(),
                Rate::default(),
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
            environments: Environments::of(layers),
            data_dir,
        };
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), Fault> {
        self.metrics.check()?;
        self.traces.check()?;
        self.delivery.check()?;
        self.trail.check()?;
        self.environments.check()?;
        let second = Span::seconds(1);
        let limit = &self.time_limit;
        limit.must(limit.value >= second, &format!("at least `{second}`"))?;
        for setting in [&self.triage_concurrency, &self.heal_concurrency] {
            let fits = (1..=10_000).contains(&setting.value);
            setting.must(fits, "a number from 1 to 10000")?;
        }
        let prefix = &self.prefix;
        let fits = prefix.value.len() <= 128
            && !prefix
                .value
                .contains(|c: char| c.is_control() || "{} ".contains(c));
        prefix.must(
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
        let mut shown = vec![
            Shown::of(&self.redis_url, url),
            Shown::of(&self.prefix, Clone::clone),
            Shown::of(&self.log, |filter| filter.clone().unwrap_or_default()),
            Shown::of(&self.log_format, |format| {
                format!("{format:?}").to_lowercase()
            }),
            Shown::of(&self.log_rate, ToString::to_string),
            Shown::of(&self.data_dir, path),
            Shown::of(&self.heartbeat_file, |file| {
                file.as_ref().map(path).unwrap_or_default()
            }),
        ];
        shown.extend(self.metrics.shown());
        shown.extend(self.traces.shown());
        shown.extend(self.delivery.shown());
        shown.extend(self.trail.shown());
        shown.extend([
            Shown::of(&self.triage_concurrency, ToString::to_string),
            Shown::of(&self.triage_rate_limit, ToString::to_string),
            Shown::of(&self.triage_window, ToString::to_string),
            Shown::of(&self.heal_concurrency, ToString::to_string),
            Shown::of(&self.heal_rate_limit, ToString::to_string),
            Shown::of(&self.roots, list),
            Shown::of(&self.work_dir, path),
            Shown::of(&self.cache_dir, path),
            Shown::of(&self.sandbox, |sandbox| {
                format!("{sandbox:?}").to_lowercase()
            }),
            Shown::of(&self.index, url),
            Shown::of(&self.time_limit, ToString::to_string),
        ]);
        shown.extend(self.environments.shown());
        shown
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

fn log_rate(layers: &Layers) -> Setting<u32> {
    let file = layers.file.log.rate.as_ref();
    layers.setting(LOG_RATE, layers.global.log_rate.as_ref(), file, 200)
}

fn prefix(layers: &Layers) -> Setting<String> {
    let flag = layers.global.prefix.as_ref();
    let file = layers.file.redis.prefix.as_ref();
    layers.setting(PREFIX, flag, file, String::new())
}

fn heartbeat_file(layers: &Layers) -> Setting<Option<PathBuf>> {
    let flag = layers.worker.heartbeat_file.as_ref();
    let file = layers.file.worker.heartbeat_file.as_ref();
    let given = layers.given(HEARTBEAT_FILE, flag, file);
    optional(HEARTBEAT_FILE, given.map(|path| layers.resolved(path)))
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

pub(super) fn optional<T>(key: Key, given: Option<Setting<T>>) -> Setting<Option<T>> {
    match given {
        Some(setting) => setting.map(Some),
        None => Setting {
            key,
            value: None,
            origin: Origin::Default,
        },
    }
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
        assert_eq!(settings.delivery.lease.value, Span::seconds(5));
        assert_eq!(settings.delivery.lease.origin, Origin::Flag("lease"));
        assert_eq!(settings.delivery.grace.value, Span::seconds(3));
        assert!(
            matches!(
                settings.delivery.grace.origin,
                Origin::File {
                    line: 3,
                    column: 10,
                    ..
                }
            ),
            "{:?}",
            settings.delivery.grace
        );
        assert_eq!(settings.delivery.max_deliveries.origin, Origin::Default);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_column() {
        let sentence = |yaml: &str| match File::parse(Path::new("fleet.yaml"), yaml) {
            Ok(_) => String::new(),
            Err(fault) => fault.to_string(),
        };
        assert_eq!(
            sentence("redis:\n  url: redis://h\ndelivery:\n  leese: 10s\n"),
            "fleet.yaml:4:3: unknown key `leese`; expected one of `lease`, `max_deliveries`, `quarantine_from`, `retry_base`, `retry_cap`, `batch`, `urgent_lane`, `grace`, `retention`, `dedup_window`; `maestro config` lists every key"
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
    fn the_delivery_is_set_by_flag_and_by_file_and_its_limits_are_told() {
        let yaml = "delivery: {urgent_lane: false, batch: 10, retry_cap: 1m}\ntriage: {rate_limit: 30/m}\n";
        let given = ["--retry-base", "2s", "--heal-rate-limit", "10/s burst 3"];
        let settings = settings(&given, yaml).unwrap();
        let shown: Vec<_> = settings
            .shown()
            .into_iter()
            .map(|shown| format!("{} {}", shown.key.path, shown.value))
            .collect();
        for expected in [
            "delivery.urgent_lane false",
            "delivery.batch 10",
            "delivery.retry_base 2s",
            "delivery.retry_cap 1m",
            "delivery.quarantine_from 3",
            "triage.rate_limit 30/m burst 1",
            "heal.rate_limit 10/s burst 3",
        ] {
            assert!(shown.contains(&expected.to_owned()), "{shown:?}");
        }
        for (yaml, part) in [
            ("delivery: {batch: 1001}", "a number from 1 to 1000, but"),
            (
                "delivery: {quarantine_from: 1}",
                "a number from 2 to 10000, but",
            ),
            (
                "delivery: {retry_base: 10m}",
                "at most `delivery.retry_cap` (`5m`), but found `10m`",
            ),
            (
                "heal: {rate_limit: fast}",
                "expected a rate such as `10/s`, `30/m`, `100/h burst 20` or `off`, but found `fast`",
            ),
        ] {
            let sentence = self::settings(&[], yaml).unwrap_err().to_string();
            assert!(sentence.contains(part), "{sentence}");
        }
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

    #[test]
    fn where_metrics_go_is_checked_and_its_credentials_are_never_shown() {
        let yaml =
            "metrics: {target: 'https://me:hidden@gateway/base', ca: ca.pem, interval: 1m}\n";
        let found = settings(&["--metrics-job", "night"], yaml).unwrap();
        let shown: Vec<_> = found
            .shown()
            .into_iter()
            .map(|shown| format!("{} {}", shown.key.path, shown.value))
            .collect();
        for expected in [
            "metrics.target https://me:***@gateway/base",
            "metrics.job night",
            "metrics.interval 1m",
            "metrics.timeout 5s",
        ] {
            assert!(shown.contains(&expected.to_owned()), "{shown:?}");
        }
        let token = settings(&[], "metrics: {target: 'http://g', token: hidden}\n").unwrap();
        for text in [format!("{found:?}"), format!("{token:?}")] {
            assert!(!text.contains("hidden"), "{text}");
        }
        for (yaml, part) in [
            (
                "metrics: {target: 'me:hidden@gateway'}",
                "`metrics.target`: expected a URL of http://",
            ),
            (
                "metrics: {target: 'http://me:hidden@g', token: hidden}",
                "`metrics.token`: expected none beside the user in `metrics.target`",
            ),
            ("metrics: {interval: 1ms}", "between `100ms` and `1h`"),
            ("metrics: {instance: ''}", "1 to 256 bytes"),
        ] {
            let sentence = settings(&[], yaml).unwrap_err().to_string();
            assert!(sentence.contains(part), "{sentence}");
            assert!(!sentence.contains("hidden"), "{sentence}");
        }
    }
}
