//! What of a request Kubernetes would refuse, or take and fail on later, found before anything is made.

use std::collections::BTreeMap;
use std::time::Duration;

use maestro_protocol::environment::{App, Database, EnvironmentRequested, TestJob};

use super::unfit::Unfit;
use crate::databases;
use crate::image;
use crate::names::DOMAIN;
use crate::quantity::Quantity;
use crate::settings::{Amounts, Quota, Settings};
use crate::shown;
use crate::syntax::{is_label_key, is_label_value, is_variable};

/// The most bytes of an argument, or of a variable with its name:
/// [`MAX_ARG_STRLEN`](https://man7.org/linux/man-pages/man2/execve.2.html) of Linux, without the NUL.
const ARGUMENT: usize = 128 * 1024 - 1;
/// The most bytes of all arguments and variables of a container, below what Linux gives them.
const ARGUMENTS: usize = 1024 * 1024;
/// The most labels.
const LABELS: usize = 64;
/// The time limit of tests that name none, in seconds.
const TIMEOUT_S: u64 = 600;
/// Domains whose labels say something to Kubernetes or to us.
const RESERVED: [&str; 3] = [DOMAIN, "kubernetes.io", "k8s.io"];

/// What a request comes to once the settings fill in what it leaves open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) quota: Quota,
    pub(super) life: Duration,
    pub(super) database: Option<(Database, &'a str)>,
    pub(super) app_share: crate::settings::Share,
    /// The time limit of the tests, in seconds.
    pub(super) timeout_s: u64,
}

/// The terms of a request that can be met.
pub(super) fn terms<'a>(
    request: &'a EnvironmentRequested,
    settings: &'a Settings,
) -> Result<Terms<'a>, Unfit> {
    let redis = request.redis == Some(true);
    let further = request
        .templates
        .as_ref()
        .is_some_and(|all| !all.is_empty());
    if request.app.is_none() && request.database.is_none() && !redis && !further {
        return Err(if request.test.is_some() {
            Unfit::field(
                "test",
                "there is nothing to be tested; `app`, `database`, `redis` or `templates` says what",
            )
        } else {
            Unfit::field(
                "data",
                "nothing is asked for; `app`, `database`, `redis` or `templates` says what",
            )
        });
    }
    let life = life(request, settings)?;
    let timeout_s = match &request.test {
        None => TIMEOUT_S,
        Some(test) => {
            check_test(test, settings)?;
            timeout(test, life)?
        }
    };
    if let Some(app) = &request.app {
        check_app(app)?;
    }
    for (key, value) in labels(request)? {
        check_label(key, value)?;
    }
    Ok(Terms {
        quota: quota(request, settings)?,
        life,
        database: database(request, settings)?,
        app_share: app_share(request, settings)?,
        timeout_s,
    })
}

fn life(request: &EnvironmentRequested, settings: &Settings) -> Result<Duration, Unfit> {
    let Some(asked) = request.ttl_s else {
        return Ok(settings.life.default);
    };
    let longest = settings.life.longest.as_secs();
    if u64::from(asked) > longest {
        return Err(Unfit::field(
            "ttl_s",
            format!("{asked} seconds are more than the {longest} that this worker allows"),
        ));
    }
    Ok(Duration::from_secs(asked.into()))
}

fn timeout(test: &TestJob, life: Duration) -> Result<u64, Unfit> {
    let Some(asked) = test.timeout_s else {
        return Ok(TIMEOUT_S.min(life.as_secs()));
    };
    let asked = u64::from(asked);
    if asked > life.as_secs() {
        return Err(Unfit::field(
            "test.timeout_s",
            format!(
                "{asked} seconds are more than the {} that the environment lives",
                life.as_secs()
            ),
        ));
    }
    Ok(asked)
}

fn quota(request: &EnvironmentRequested, settings: &Settings) -> Result<Quota, Unfit> {
    let asked = request.quota.clone().unwrap_or_default();
    let (default, largest) = (settings.quotas.default, settings.quotas.largest);
    let amount =
        |field: &str, text: Option<&str>, default, largest, of: fn(&str, &str) -> _| match text {
            None => Ok(default),
            Some(text) => {
                let amount: Quantity = of(field, text)?;
                if amount > largest {
                    return Err(Unfit::field(
                        field,
                        format!("{amount} is more than the {largest} that this worker allows"),
                    ));
                }
                Ok(amount)
            }
        };
    let pods = asked.pods.unwrap_or(default.pods);
    if pods > largest.pods {
        return Err(Unfit::field(
            "quota.pods",
            format!(
                "{pods} are more than the {} that this worker allows",
                largest.pods
            ),
        ));
    }
    Ok(Quota {
        cpu: amount(
            "quota.cpu",
            asked.cpu.as_deref(),
            default.cpu,
            largest.cpu,
            processors,
        )?,
        memory: amount(
            "quota.memory",
            asked.memory.as_deref(),
            default.memory,
            largest.memory,
            bytes,
        )?,
        pods,
    })
}

fn database<'a>(
    request: &'a EnvironmentRequested,
    settings: &'a Settings,
) -> Result<Option<(Database, &'a str)>, Unfit> {
    let (database, asked) = match (request.database, request.database_version.as_deref()) {
        (None, None) => return Ok(None),
        (None, Some(_)) => {
            return Err(Unfit::field(
                "database_version",
                "no `database` is asked for",
            ));
        }
        (Some(database), asked) => (database, asked),
    };
    let kind = databases::kind(database);
    let version = asked.unwrap_or_else(|| settings.images.version_of(database));
    if kind.versions.contains(&version) {
        return Ok(Some((database, version)));
    }
    Err(Unfit::field(
        "database_version",
        format!(
            "{} is no version of {} that this worker has; there are `{}`",
            shown(version),
            kind.template,
            kind.versions.join("`, `")
        ),
    ))
}

/// What was asked for is both sure and the most; what was not is as the operator says.
fn app_share(
    request: &EnvironmentRequested,
    settings: &Settings,
) -> Result<crate::settings::Share, Unfit> {
    let mut share = settings.resources.app;
    let asked = request.app.as_ref().and_then(|app| app.resources.as_ref());
    let Some(asked) = asked else {
        return Ok(share);
    };
    let mut set = |amount: fn(&mut Amounts) -> &mut Quantity, asked: Quantity| {
        *amount(&mut share.requests) = asked;
        *amount(&mut share.limits) = asked;
    };
    if let Some(cpu) = &asked.cpu {
        set(
            |amounts| &mut amounts.cpu,
            processors("app.resources.cpu", cpu)?,
        );
    }
    if let Some(memory) = &asked.memory {
        set(
            |amounts| &mut amounts.memory,
            bytes("app.resources.memory", memory)?,
        );
    }
    Ok(share)
}

fn processors(field: &str, text: &str) -> Result<Quantity, Unfit> {
    let amount = quantity(field, text)?;
    if amount < Quantity::milli(1) {
        return Err(Unfit::field(
            field,
            format!("`{text}` is less than 1m, the least that Kubernetes counts"),
        ));
    }
    Ok(amount)
}

fn bytes(field: &str, text: &str) -> Result<Quantity, Unfit> {
    let amount = quantity(field, text)?;
    if !amount.is_whole() || amount < Quantity::mebibytes(1) {
        let hint = match text.strip_suffix('m') {
            Some(number) => format!("; `{number}Mi` are mebibytes"),
            None => String::new(),
        };
        return Err(Unfit::field(
            field,
            format!("`{text}` is no whole number of bytes of at least 1Mi{hint}"),
        ));
    }
    Ok(amount)
}

fn quantity(field: &str, text: &str) -> Result<Quantity, Unfit> {
    text.parse()
        .map_err(|problem| Unfit::field(field, format!("{} {problem}", shown(text))))
}

fn check_app(app: &App) -> Result<(), Unfit> {
    image::check(&app.image).map_err(|problem| Unfit::field("app.image", problem.to_string()))?;
    if app.port == Some(0) {
        return Err(Unfit::field("app.port", "0 is no port"));
    }
    if app.replicas == Some(0) {
        return Err(Unfit::field("app.replicas", "at least one has to run"));
    }
    if let Some(path) = &app.health_path {
        if app.port.is_none() {
            return Err(Unfit::field(
                "app.health_path",
                "it is asked on `app.port`, which is not given",
            ));
        }
        if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Unfit::field(
                "app.health_path",
                format!(
                    "{} is no path of a URL: it begins with `/` and has neither blanks nor other than ASCII characters",
                    shown(path)
                ),
            ));
        }
    }
    check_process("app", app.command.as_deref(), app.env.as_ref())
}

fn check_test(test: &TestJob, settings: &Settings) -> Result<(), Unfit> {
    image::check(&test.image).map_err(|problem| Unfit::field("test.image", problem.to_string()))?;
    if let Some(path) = &test.junit_path {
        if settings.images.entry.is_none() {
            return Err(Unfit::field(
                "test.junit_path",
                "this worker was started without the image that collects reports",
            ));
        }
        if !path.starts_with('/') || path.ends_with('/') || path.split('/').any(|part| part == "..")
        {
            return Err(Unfit::field(
                "test.junit_path",
                format!("{} is no absolute path of a file without `..`", shown(path)),
            ));
        }
    }
    check_process("test", Some(&test.command), test.env.as_ref())
}

/// Finds what Linux or Kubernetes would not start a process with.
fn check_process(
    part: &str,
    command: Option<&[String]>,
    variables: Option<&BTreeMap<String, String>>,
) -> Result<(), Unfit> {
    let mut total = 0;
    for (number, argument) in command.unwrap_or_default().iter().enumerate() {
        let field = || format!("{part}.command[{number}]");
        total += argument.len();
        if number == 0 && argument.is_empty() {
            return Err(Unfit::field(field(), "a program has a name"));
        }
        check_string(argument, argument.len(), field)?;
    }
    for (name, value) in variables.into_iter().flatten() {
        if !is_variable(name) {
            return Err(Unfit::field(
                format!("{part}.env"),
                format!(
                    "{} is no name of a variable: it has letters, digits, `_`, `-` and `.`, and does not begin with a digit or with `..`",
                    shown(name)
                ),
            ));
        }
        let length = name.len() + 1 + value.len();
        total += length;
        check_string(value, length, || format!("{part}.env.{name}"))?;
    }
    if total > ARGUMENTS {
        return Err(Unfit::field(
            part,
            format!(
                "`command` and `env` have {total} bytes together, but a process gets at most {ARGUMENTS}"
            ),
        ));
    }
    Ok(())
}

fn check_string(text: &str, length: usize, field: impl Fn() -> String) -> Result<(), Unfit> {
    if text.contains('\0') {
        return Err(Unfit::field(
            field(),
            "it has a NUL, which ends a string of a process",
        ));
    }
    if length > ARGUMENT {
        return Err(Unfit::field(
            field(),
            format!(
                "{length} bytes are more than the {ARGUMENT} that Linux gives to one argument or variable"
            ),
        ));
    }
    Ok(())
}

fn labels(
    request: &EnvironmentRequested,
) -> Result<impl Iterator<Item = (&String, &String)>, Unfit> {
    let count = request.labels.as_ref().map_or(0, BTreeMap::len);
    if count > LABELS {
        return Err(Unfit::field(
            "labels",
            format!("{count} are more than {LABELS}"),
        ));
    }
    Ok(request.labels.iter().flatten())
}

fn check_label(key: &str, value: &str) -> Result<(), Unfit> {
    if !is_label_key(key) {
        return Err(Unfit::field(
            "labels",
            format!(
                "{} is no key of a label: it has 1 to 63 letters, digits, `-`, `_` and `.`, and before them perhaps a domain and `/`",
                shown(key)
            ),
        ));
    }
    if let Some((domain, _)) = key.split_once('/') {
        let reserved = RESERVED.iter().find(|reserved| {
            domain
                .strip_suffix(**reserved)
                .is_some_and(|before| before.is_empty() || before.ends_with('.'))
        });
        if let Some(reserved) = reserved {
            return Err(Unfit::field(
                "labels",
                format!("`{key}` belongs to `{reserved}`, whose labels are not for messages"),
            ));
        }
    }
    if !is_label_value(value) {
        return Err(Unfit::field(
            format!("labels.{key}"),
            format!(
                "{} is no value of a label: it has at most 63 letters, digits, `-`, `_` and `.`, and begins and ends with a letter or digit",
                shown(value)
            ),
        ));
    }
    Ok(())
}
