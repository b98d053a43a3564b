//! What the expressions of a template may name: the facts of one environment. `templates/README.md` lists them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maestro_protocol::environment::{Egress, EnvironmentRequested};
use serde_json::{Map, Value, json};

use super::fit::Terms;
use crate::credentials::{Credentials, DATABASE_PASSWORD, DATABASE_ROOT_PASSWORD, REDIS_PASSWORD};
use crate::databases;
use crate::identity::Identity;
use crate::names::{APP, CREDENTIALS, DATABASE, REDIS};
use crate::settings::{Settings, Share};

/// Everything that an environment follows from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Basis<'a> {
    pub(super) request: &'a EnvironmentRequested,
    pub(super) identity: &'a Identity,
    pub(super) settings: &'a Settings,
    pub(super) credentials: &'a Credentials,
    pub(super) terms: &'a Terms<'a>,
    pub(super) namespace: &'a str,
    pub(super) expires_at: Timestamp,
    /// Of everything in it.
    pub(super) labels: &'a BTreeMap<String, String>,
}

/// The facts, by the names under which expressions know them.
pub(super) fn facts(basis: &Basis<'_>) -> Map<String, Value> {
    let Basis {
        request,
        identity,
        settings,
        terms,
        ..
    } = *basis;
    let secret = secret_entries(basis);
    let (private_ipv4, private_ipv6) = settings.network.by_version();
    let egress = match request
        .network
        .unwrap_or_default()
        .egress
        .unwrap_or_default()
    {
        Egress::None => "none",
        Egress::Dns => "dns",
        Egress::Internet => "internet",
    };
    let pull_secrets: Vec<Value> = settings
        .images
        .pull_secrets
        .iter()
        .map(|name| json!({"name": name}))
        .collect();
    let facts = json!({
        "namespace": basis.namespace,
        "environment": {
            "id": identity.id,
            "source": identity.source,
            "hash": identity.hash(),
            "owner": identity.owner.as_str(),
            "expires_at": basis.expires_at.to_string(),
        },
        "labels": basis.labels,
        "quota": {
            "cpu": terms.quota.cpu,
            "memory": terms.quota.memory,
            "pods": terms.quota.pods.to_string(),
            "persistent_volume_claims": settings.quotas.persistent_volume_claims.to_string(),
        },
        "defaults": resources(settings.resources.app),
        "network": {
            "egress": egress,
            "private_ipv4": private_ipv4,
            "private_ipv6": private_ipv6,
        },
        "images": {
            "entry": settings.images.entry,
            "pull_policy": settings.images.pull_policy.map(crate::settings::PullPolicy::as_str),
            "pull_secrets": unless_empty(pull_secrets.into()),
        },
        "placement": {
            "node_selector": unless_empty(json!(settings.placement.node_selector)),
            "tolerations": unless_empty(json!(settings.placement.tolerations)),
        },
        "run_as_user": settings.run_as_user,
        "secret": {"name": CREDENTIALS, "entries": secret},
        "app": app(basis, &secret),
        "database": database(basis),
        "redis": redis(basis),
        "test": test(basis, &secret),
    });
    match facts {
        Value::Object(facts) => facts,
        _ => Map::new(),
    }
}

/// An empty list or map is as good as none, and does not stand in the manifest.
fn unless_empty(value: Value) -> Value {
    let empty = match &value {
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        _ => false,
    };
    if empty { Value::Null } else { value }
}

fn resources(share: Share) -> Value {
    let Share { requests, limits } = share;
    json!({
        "requests": {"cpu": requests.cpu, "memory": requests.memory},
        "limits": {"cpu": limits.cpu, "memory": limits.memory},
    })
}

/// What the Secret holds, by its keys, which are also the names of the variables.
fn secret_entries(basis: &Basis<'_>) -> BTreeMap<&'static str, String> {
    let Credentials {
        database,
        database_root,
        redis,
    } = basis.credentials;
    let mut entries = BTreeMap::new();
    if let Some((asked, _)) = basis.terms.database {
        let kind = databases::kind(asked);
        let (name, user, port) = (databases::NAME, databases::USER, kind.port);
        let url = format!(
            "{}://{user}:{database}@{DATABASE}:{port}/{name}{}",
            kind.scheme, kind.options
        );
        entries.extend([
            ("DATABASE_URL", url),
            ("DATABASE_HOST", DATABASE.to_owned()),
            ("DATABASE_PORT", port.to_string()),
            ("DATABASE_NAME", name.to_owned()),
            ("DATABASE_USER", user.to_owned()),
            (DATABASE_PASSWORD, database.clone()),
        ]);
        if kind.has_root {
            entries.insert(DATABASE_ROOT_PASSWORD, database_root.clone());
        }
    }
    if basis.request.redis == Some(true) {
        let port = databases::REDIS_PORT;
        entries.extend([
            ("REDIS_URL", format!("redis://:{redis}@{REDIS}:{port}/0")),
            ("REDIS_HOST", REDIS.to_owned()),
            ("REDIS_PORT", port.to_string()),
            (REDIS_PASSWORD, redis.clone()),
        ]);
    }
    entries
}

/// The variables of a container: what is told of the databases, then the message's own, which win. They come last, so
/// that they may refer to the others, `$(DATABASE_PASSWORD)`, as Kubernetes has it.
fn variables(
    secret: &BTreeMap<&'static str, String>,
    more: Option<(&str, String)>,
    own: Option<&BTreeMap<String, String>>,
) -> Vec<Value> {
    let is_own = |name: &str| own.is_some_and(|own| own.contains_key(name));
    let told = secret
        .keys()
        .filter(|key| **key != DATABASE_ROOT_PASSWORD && !is_own(key))
        .map(|key| json!({"name": key, "value": null, "secret_key": key}));
    let more = more
        .into_iter()
        .filter(|(name, _)| !is_own(name))
        .map(|(name, value)| json!({"name": name, "value": value, "secret_key": null}));
    let own = own
        .into_iter()
        .flatten()
        .map(|(name, value)| json!({"name": name, "value": value, "secret_key": null}));
    told.chain(more).chain(own).collect()
}

fn app(basis: &Basis<'_>, secret: &BTreeMap<&'static str, String>) -> Value {
    let Some(app) = &basis.request.app else {
        return Value::Null;
    };
    let probe = app.port.map(|port| match &app.health_path {
        Some(path) => json!({"httpGet": {"path": path, "port": port}}),
        None => json!({"tcpSocket": {"port": port}}),
    });
    json!({
        "image": app.image,
        "port": app.port,
        "replicas": app.replicas.unwrap_or(1),
        "command": app.command,
        "health_path": app.health_path,
        "probe": probe,
        "variables": variables(secret, None, app.env.as_ref()),
        "resources": resources(basis.terms.app_share),
    })
}

fn database(basis: &Basis<'_>) -> Value {
    let Some((database, version)) = basis.terms.database else {
        return Value::Null;
    };
    let kind = databases::kind(database);
    json!({
        "kind": kind.template,
        "version": version,
        "major": databases::major(version),
        "image": basis.settings.images.of(kind.image, version),
        "port": kind.port,
        "name": databases::NAME,
        "user": databases::USER,
        "resources": resources(basis.settings.resources.database),
    })
}

fn redis(basis: &Basis<'_>) -> Value {
    if basis.request.redis != Some(true) {
        return Value::Null;
    }
    let images = &basis.settings.images;
    json!({
        "version": images.redis,
        "image": images.of("redis", &images.redis),
        "port": databases::REDIS_PORT,
        "resources": resources(basis.settings.resources.redis),
    })
}

fn test(basis: &Basis<'_>, secret: &BTreeMap<&'static str, String>) -> Value {
    let Some(test) = &basis.request.test else {
        return Value::Null;
    };
    let port = basis.request.app.as_ref().and_then(|app| app.port);
    let app_url = port.map(|port| ("APP_URL", format!("http://{APP}:{port}")));
    json!({
        "image": test.image,
        "command": test.command,
        "variables": variables(secret, app_url, test.env.as_ref()),
        "timeout_s": basis.terms.timeout_s,
        "junit_path": test.junit_path,
        "resources": resources(basis.settings.resources.test),
    })
}
