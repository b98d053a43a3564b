//! The plan of an environment: from what was asked for to the objects, in the order in which they are applied.
//!
//! [`plan`] takes values and returns values. Whatever Kubernetes would refuse, or take and fail on later, it refuses
//! first, in one sentence that names the member.

mod contract;
mod facts;
mod fit;
mod inspect;
mod object;
mod pod_security;
pub mod rehearsal;
mod resources;
mod unfit;
mod usage;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use maestro_protocol::environment::EnvironmentRequested;
use serde_json::Value;

use contract::{SECRET, TEST_JOB};
use facts::Basis;
use inspect::Bounds;
pub use object::Object;
use pod_security::Level;
pub use unfit::Unfit;
pub use usage::Usage;

use crate::credentials::Credentials;
use crate::databases;
use crate::identity::{Identity, spec_hash};
use crate::names::{APP, CREDENTIALS, DATABASE, MAESTRO, REDIS, TEST, annotation, label};
use crate::settings::Settings;
use crate::shown;
use crate::templates::{BUILT_IN, Rendered, Scope, TemplateFault, Templates};

/// The most bytes of an object as JSON. etcd takes 1.5 MiB, in which Kubernetes's own notes on the object must have room.
pub const LARGEST_OBJECT: usize = 1024 * 1024;
/// The most bytes of an object's annotations, keys and values together.
/// <https://kubernetes.io/docs/reference/using-api/server-side-apply/> is not bound by it; the API server's validation is.
const ANNOTATIONS: usize = 256 * 1024;
/// The most objects of an environment.
const OBJECTS: usize = 500;

/// All that is applied, in the order of the members. What stands in one list may be applied at the same time.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The namespace, with everything that is kept of the environment. It is created, never applied onto another.
    pub namespace: Object,
    /// What bounds the pods: service account, quota, limits, network policies, roles.
    pub guards: Vec<Object>,
    /// What the pods read: Secrets, `ConfigMap`s, claims of volumes.
    pub configuration: Vec<Object>,
    /// The pods' makers, the Services, and whatever else a template has.
    pub workloads: Vec<Object>,
    /// The tests' Job, once all workloads are ready.
    pub tests: Option<Object>,
    /// When the environment is ready: all of these are.
    pub awaited: Vec<Awaited>,
    /// Where its parts are reached inside the cluster: `app`, `database`, `redis`.
    pub endpoints: BTreeMap<String, String>,
    /// The name of the Secret with its credentials, where there are any.
    pub secret: Option<String>,
    /// When its time is over, in whole seconds.
    pub expires_at: Timestamp,
    /// What all objects together ask for.
    pub usage: Usage,
}

/// A workload that must be ready before the environment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// What it is.
    pub kind: AwaitedKind,
    /// Its name.
    pub name: String,
    /// How many pods must be ready, or must have succeeded.
    pub pods: u32,
}

/// Kinds of workloads whose readiness can be told, by their pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AwaitedKind {
    /// Ready with so many ready pods.
    Deployment,
    /// Ready with so many ready pods.
    StatefulSet,
    /// Ready once so many of its pods have succeeded: a further template may fill the database.
    Job,
    /// Ready with the condition of that name.
    Pod,
}

/// Makes the plan of an environment.
///
/// `now` is when its life begins. Everything but [`Plan::expires_at`], and with it the namespace's annotation, is the same for
/// the same request at any time; a worker that goes on with an environment takes the expiry from the namespace that there is,
/// and the credentials from its Secret.
pub fn plan(
    request: &EnvironmentRequested,
    identity: &Identity,
    settings: &Settings,
    templates: &Templates,
    credentials: &Credentials,
    now: Timestamp,
) -> Result<Plan, Unfit> {
    let terms = fit::terms(request, settings)?;
    let names = names(request, templates)?;
    let namespace = identity.namespace(&settings.prefix);
    let labels = request.labels.clone().unwrap_or_default();
    let basis = Basis {
        request,
        identity,
        settings,
        credentials,
        terms: &terms,
        namespace: &namespace,
        expires_at: expiry(now, terms.life),
        labels: &labels,
    };
    let made = make(&basis, templates, &names)?;
    check_annotations(&made.namespace)?;
    check_collisions(&made.objects)?;
    let all: Vec<&Object> = made.objects.iter().collect();
    let usage = usage::usage(&all);
    usage::check(&usage, &all)?;
    check_sizes(all.iter().copied().chain([&made.namespace]))?;
    Ok(arrange(made, &basis, usage))
}

/// The namespace, and everything in it.
pub(crate) struct Made {
    namespace: Object,
    objects: Vec<Object>,
}

/// Renders the templates called `names`, and the namespace. Only what is wrong with a template is found here.
fn make(basis: &Basis<'_>, templates: &Templates, names: &[&str]) -> Result<Made, TemplateFault> {
    let scope = Scope::new(facts::facts(basis));
    let owner = owner_labels(basis.identity);
    let render = |name: &str| {
        templates
            .render(name, &scope)
            .unwrap_or_else(|| Err(templates.fault(name, "there is no such template")))
    };
    let namespace = <[Rendered<'_>; 1]>::try_from(render("namespace")?);
    let [namespace] = namespace.map_err(|_| {
        templates.fault(
            "namespace",
            "the template `namespace` makes one Namespace and nothing else",
        )
    })?;
    let bounds = Bounds {
        namespace: basis.namespace,
        owner: &owner,
        labels: basis.labels,
        level: Level::of(&namespace)?,
    };
    let kept = kept(basis).map_err(|error| {
        namespace.fault(&[], format!("the request cannot be written down: {error}"))
    })?;
    let namespace = inspect::namespace(namespace, &bounds, &kept)?;
    let mut objects = Vec::new();
    for name in names {
        let rendered = render(name)?;
        contract::check(name, &rendered, basis, templates)?;
        for each in rendered {
            objects.push(inspect::object(each, &bounds)?);
        }
    }
    Ok(Made { namespace, objects })
}

/// Those that are built in: the guards, and what makes the parts that are asked for.
fn built_in_names(request: &EnvironmentRequested) -> Vec<&str> {
    let mut names = vec!["service-account", "quota", "network-policy"];
    let database = request
        .database
        .map(|database| databases::kind(database).template);
    let redis = (request.redis == Some(true)).then_some("redis");
    if database.is_some() || redis.is_some() {
        names.push(SECRET);
    }
    names.extend(request.app.as_ref().map(|_| "deployment"));
    names.extend(database);
    names.extend(redis);
    names.extend(request.test.as_ref().map(|_| TEST_JOB));
    names
}

/// The templates that a request uses beside `namespace`, in the order in which they are rendered.
fn names<'a>(
    request: &'a EnvironmentRequested,
    templates: &Templates,
) -> Result<Vec<&'a str>, Unfit> {
    let mut names = built_in_names(request);
    let mut seen = BTreeSet::new();
    for (number, name) in request.templates.iter().flatten().enumerate() {
        let field = || format!("templates[{number}]");
        if BUILT_IN.contains(&name.as_str()) {
            return Err(Unfit::field(
                field(),
                format!("`{name}` is used by itself where the request asks for what it makes"),
            ));
        }
        if !templates.further().any(|known| known == name) {
            return Err(Unfit::UnknownTemplate {
                name: shown(name),
                known: templates.further().map(str::to_owned).collect(),
            });
        }
        if !seen.insert(name) {
            return Err(Unfit::field(field(), format!("`{name}` is named twice")));
        }
        names.push(name);
    }
    Ok(names)
}

fn expiry(now: Timestamp, life: std::time::Duration) -> Timestamp {
    let end = SignedDuration::try_from(life)
        .ok()
        .and_then(|life| now.checked_add(life).ok());
    let seconds = end.unwrap_or(Timestamp::MAX).as_second();
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

/// Whose it is and which one, on every object.
fn owner_labels(identity: &Identity) -> BTreeMap<String, String> {
    let labels = [
        (label::MANAGED_BY, MAESTRO.to_owned()),
        (label::OWNER, identity.owner.to_string()),
        (label::ENVIRONMENT, identity.hash()),
    ];
    labels
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// What is kept of the environment, on its namespace.
fn kept(basis: &Basis<'_>) -> Result<BTreeMap<&'static str, String>, serde_json::Error> {
    let mut kept = BTreeMap::from([
        (annotation::ID, basis.identity.id.clone()),
        (annotation::SPEC_HASH, spec_hash(basis.request)?),
        (annotation::SPEC, serde_json::to_string(basis.request)?),
        (annotation::EXPIRES_AT, basis.expires_at.to_string()),
        (annotation::CREATED_BY, env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    if let Some(source) = &basis.identity.source {
        kept.insert(annotation::SOURCE, source.clone());
    }
    Ok(kept)
}

fn check_annotations(namespace: &Object) -> Result<(), Unfit> {
    let annotations = namespace
        .manifest
        .pointer("/metadata/annotations")
        .and_then(Value::as_object);
    let total: usize = annotations
        .into_iter()
        .flatten()
        .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
        .sum();
    if total > ANNOTATIONS {
        return Err(Unfit::field(
            "data",
            format!(
                "the namespace would keep {total} bytes of the request, but annotations have at most {ANNOTATIONS}"
            ),
        ));
    }
    Ok(())
}

fn check_collisions(objects: &[Object]) -> Result<(), Unfit> {
    if objects.len() > OBJECTS {
        return Err(Unfit::TooMany {
            count: objects.len(),
            most: OBJECTS,
        });
    }
    let mut seen = BTreeMap::new();
    for object in objects {
        let key = (object.group(), &object.kind, &object.name);
        if let Some(first) = seen.insert(key, &object.template) {
            return Err(Unfit::Collision {
                object: object.to_string(),
                first: first.clone(),
                second: object.template.clone(),
            });
        }
    }
    Ok(())
}

fn check_sizes<'a>(objects: impl Iterator<Item = &'a Object>) -> Result<(), Unfit> {
    for object in objects {
        let bytes = object.manifest.to_string().len();
        if bytes > LARGEST_OBJECT {
            return Err(Unfit::TooLarge {
                object: object.to_string(),
                bytes,
                most: LARGEST_OBJECT,
            });
        }
    }
    Ok(())
}

fn arrange(made: Made, basis: &Basis<'_>, usage: Usage) -> Plan {
    let mut plan = Plan {
        namespace: made.namespace,
        guards: Vec::new(),
        configuration: Vec::new(),
        workloads: Vec::new(),
        tests: None,
        awaited: Vec::new(),
        endpoints: endpoints(basis),
        secret: None,
        expires_at: basis.expires_at,
        usage,
    };
    for object in made.objects {
        if object.template == SECRET && object.kind == "Secret" && object.name == CREDENTIALS {
            plan.secret = Some(object.name.clone());
        }
        match object.kind.as_str() {
            "ServiceAccount" | "Role" | "RoleBinding" | "ResourceQuota" | "LimitRange"
            | "NetworkPolicy" => {
                plan.guards.push(object);
            }
            "Secret" | "ConfigMap" | "PersistentVolumeClaim" => plan.configuration.push(object),
            "Job" if object.template == TEST_JOB && object.name == TEST => {
                plan.tests = Some(object);
            }
            _ => {
                plan.awaited.extend(Awaited::of(&object));
                plan.workloads.push(object);
            }
        }
    }
    plan
}

impl Awaited {
    fn of(object: &Object) -> Option<Self> {
        let kind = match (object.group(), object.kind.as_str()) {
            ("apps", "Deployment") => AwaitedKind::Deployment,
            ("apps", "StatefulSet") => AwaitedKind::StatefulSet,
            ("batch", "Job") => AwaitedKind::Job,
            ("", "Pod") => AwaitedKind::Pod,
            _ => return None,
        };
        let pods = match kind {
            AwaitedKind::Job => object
                .manifest
                .pointer("/spec/completions")
                .and_then(Value::as_u64)
                .unwrap_or(1),
            _ => object.pods()?.count,
        };
        Some(Self {
            kind,
            name: object.name.clone(),
            pods: u32::try_from(pods).unwrap_or(u32::MAX),
        })
    }
}

fn endpoints(basis: &Basis<'_>) -> BTreeMap<String, String> {
    let namespace = basis.namespace;
    let mut endpoints = BTreeMap::new();
    if let Some(port) = basis.request.app.as_ref().and_then(|app| app.port) {
        endpoints.insert(
            APP.to_owned(),
            format!("http://{APP}.{namespace}.svc:{port}"),
        );
    }
    if let Some((database, _)) = basis.terms.database {
        let kind = databases::kind(database);
        endpoints.insert(
            DATABASE.to_owned(),
            format!(
                "{}://{DATABASE}.{namespace}.svc:{}/{}",
                kind.scheme,
                kind.port,
                databases::NAME
            ),
        );
    }
    if basis.request.redis == Some(true) {
        endpoints.insert(
            REDIS.to_owned(),
            format!("redis://{REDIS}.{namespace}.svc:{}", databases::REDIS_PORT),
        );
    }
    endpoints
}
