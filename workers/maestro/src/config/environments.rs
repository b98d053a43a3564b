//! The workers that need a Kubernetes cluster: the flags, and what is in force.

use std::path::PathBuf;

use clap::Args;

use super::keys::{
    BIND_CLUSTER_ROLE, CLEANUP_CONCURRENCY, ENTRY_IMAGE, KUBE_CONTEXT, KUBE_RATE, KUBECONFIG,
    MAX_TTL, NAMESPACE_PREFIX, OWNER, PROVISION_CONCURRENCY, PROVISION_RATE_LIMIT, READY_TIMEOUT,
    REGISTRY, SERVICE_ACCOUNT, SWEEP_INTERVAL, TEMPLATES, TERMINATING_PATIENCE,
    UNSCHEDULABLE_GRACE,
};
use super::layers::Layers;
use super::origin::{Setting, Shown};
use super::rate::Rate;
use super::settings::optional;
use super::span::Span;
use crate::fault::Fault;

/// What is in force.
#[derive(Debug, Clone)]
pub(crate) struct Environments {
    pub(crate) kubeconfig: Setting<Option<PathBuf>>,
    pub(crate) context: Setting<Option<String>>,
    pub(crate) rate: Setting<u32>,
    pub(crate) owner: Setting<String>,
    pub(crate) namespace_prefix: Setting<String>,
    pub(crate) provision_concurrency: Setting<u32>,
    pub(crate) provision_rate_limit: Setting<Rate>,
    pub(crate) templates: Setting<Option<PathBuf>>,
    pub(crate) ready_timeout: Setting<Span>,
    pub(crate) unschedulable_grace: Setting<Span>,
    pub(crate) registry: Setting<Option<String>>,
    pub(crate) entry_image: Setting<Option<String>>,
    pub(crate) bind_cluster_role: Setting<Option<String>>,
    pub(crate) service_account: Setting<Option<String>>,
    pub(crate) cleanup_concurrency: Setting<u32>,
    pub(crate) sweep_interval: Setting<Span>,
    pub(crate) max_ttl: Setting<Span>,
    pub(crate) terminating_patience: Setting<Span>,
}

impl Environments {
    pub(super) fn of(layers: &Layers) -> Self {
        let flags = &layers.worker.environments;
        let (kubernetes, provision, cleanup) = (
            &layers.file.kubernetes,
            &layers.file.provision,
            &layers.file.cleanup,
        );
        macro_rules! setting {
            ($key:expr, $member:ident, $file:expr, $default:expr) => {
                layers.setting($key, flags.$member.as_ref(), $file.as_ref(), $default)
            };
        }
        macro_rules! may {
            ($key:expr, $member:ident, $file:expr) => {
                optional(
                    $key,
                    layers.given($key, flags.$member.as_ref(), $file.as_ref()),
                )
            };
        }
        macro_rules! path {
            ($key:expr, $member:ident, $file:expr) => {
                optional(
                    $key,
                    layers
                        .given($key, flags.$member.as_ref(), $file.as_ref())
                        .map(|given| layers.resolved(given)),
                )
            };
        }
        Self {
            kubeconfig: path!(KUBECONFIG, kubeconfig, kubernetes.kubeconfig),
            context: may!(KUBE_CONTEXT, kube_context, kubernetes.context),
            rate: setting!(KUBE_RATE, kube_rate, kubernetes.rate, 50),
            owner: setting!(OWNER, owner, kubernetes.owner, "maestro".to_owned()),
            namespace_prefix: setting!(
                NAMESPACE_PREFIX,
                namespace_prefix,
                kubernetes.namespace_prefix,
                "maestro".to_owned()
            ),
            provision_concurrency: setting!(
                PROVISION_CONCURRENCY,
                provision_concurrency,
                provision.concurrency,
                32
            ),
            provision_rate_limit: setting!(
                PROVISION_RATE_LIMIT,
                provision_rate_limit,
                provision.rate_limit,
                Rate::default()
            ),
            templates: path!(TEMPLATES, templates, provision.templates),
            ready_timeout: setting!(
                READY_TIMEOUT,
                ready_timeout,
                provision.ready_timeout,
                Span::seconds(600)
            ),
            unschedulable_grace: setting!(
                UNSCHEDULABLE_GRACE,
                unschedulable_grace,
                provision.unschedulable_grace,
                Span::seconds(60)
            ),
            registry: may!(REGISTRY, registry, provision.registry),
            entry_image: may!(ENTRY_IMAGE, entry_image, provision.entry_image),
            bind_cluster_role: may!(
                BIND_CLUSTER_ROLE,
                bind_cluster_role,
                provision.bind_cluster_role
            ),
            service_account: may!(SERVICE_ACCOUNT, service_account, provision.service_account),
            cleanup_concurrency: setting!(
                CLEANUP_CONCURRENCY,
                cleanup_concurrency,
                cleanup.concurrency,
                16
            ),
            sweep_interval: setting!(
                SWEEP_INTERVAL,
                sweep_interval,
                cleanup.sweep_interval,
                Span::seconds(30)
            ),
            max_ttl: setting!(MAX_TTL, max_ttl, cleanup.max_ttl, Span::seconds(7 * 86_400)),
            terminating_patience: setting!(
                TERMINATING_PATIENCE,
                terminating_patience,
                cleanup.terminating_patience,
                Span::seconds(300)
            ),
        }
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        let second = Span::seconds(1);
        for setting in [
            &self.ready_timeout,
            &self.sweep_interval,
            &self.max_ttl,
            &self.terminating_patience,
        ] {
            setting.must(setting.value >= second, &format!("at least `{second}`"))?;
        }
        for setting in [
            &self.provision_concurrency,
            &self.cleanup_concurrency,
            &self.rate,
        ] {
            let fits = (1..=10_000).contains(&setting.value);
            setting.must(fits, "a number from 1 to 10000")?;
        }
        let expected = "both or neither of `provision.bind_cluster_role` and `provision.service_account`, the latter as `namespace/name`";
        let account = self.service_account.value.as_deref();
        let named = account.is_none_or(|account| self::account(account).is_some());
        let both = account.is_some() == self.bind_cluster_role.value.is_some();
        self.service_account
            .clone()
            .map(Option::unwrap_or_default)
            .must(named && both, expected)
    }

    /// The namespace and the name of the workers' `ServiceAccount`.
    pub(crate) fn account(&self) -> Option<(String, String)> {
        account(self.service_account.value.as_deref()?)
    }

    pub(super) fn shown(&self) -> Vec<Shown> {
        let span = |setting| Shown::of::<Span>(setting, ToString::to_string);
        let number = |setting| Shown::of::<u32>(setting, ToString::to_string);
        let text = |setting| Shown::of::<String>(setting, Clone::clone);
        let may = |setting| {
            Shown::of::<Option<String>>(setting, |value| value.clone().unwrap_or_default())
        };
        let path = |setting| {
            Shown::of::<Option<PathBuf>>(setting, |path| {
                path.as_ref()
                    .map(|path| path.display().to_string())
                    .unwrap_or_default()
            })
        };
        vec![
            path(&self.kubeconfig),
            may(&self.context),
            number(&self.rate),
            text(&self.owner),
            text(&self.namespace_prefix),
            number(&self.provision_concurrency),
            Shown::of(&self.provision_rate_limit, ToString::to_string),
            path(&self.templates),
            span(&self.ready_timeout),
            span(&self.unschedulable_grace),
            may(&self.registry),
            may(&self.entry_image),
            may(&self.bind_cluster_role),
            may(&self.service_account),
            number(&self.cleanup_concurrency),
            span(&self.sweep_interval),
            span(&self.max_ttl),
            span(&self.terminating_patience),
        ]
    }
}

fn account(text: &str) -> Option<(String, String)> {
    let (namespace, name) = text.split_once('/')?;
    let fits = |part: &str| !part.is_empty() && !part.contains('/');
    (fits(namespace) && fits(name)).then(|| (namespace.to_owned(), name.to_owned()))
}

/// What the command line and the variables say of it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Environments")]
pub(crate) struct EnvironmentFlags {
    /// The kubeconfig file of the cluster [default: KUBECONFIG, ~/.kube/config, then the service account of the pod]
    #[arg(
        long,
        env = "MAESTRO_KUBECONFIG",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// The context in it [default: the current one]
    #[arg(
        long,
        env = "MAESTRO_KUBE_CONTEXT",
        value_name = "NAME",
        hide_env_values = true
    )]
    pub(crate) kube_context: Option<String>,

    /// How many requests a second one process sends to the API server at most [default: 50]; more brings environments up sooner when many are asked for, and weighs on the API server
    #[arg(
        long,
        env = "MAESTRO_KUBE_RATE",
        value_name = "N",
        hide_env_values = true
    )]
    pub(crate) kube_rate: Option<u32>,

    /// Whose the environments are: fleets that share a cluster need a name each, and touch nothing of one another [default: maestro]
    #[arg(
        long,
        env = "MAESTRO_OWNER",
        value_name = "NAME",
        hide_env_values = true
    )]
    pub(crate) owner: Option<String>,

    /// What the names of namespaces begin with [default: maestro]
    #[arg(
        long,
        env = "MAESTRO_NAMESPACE_PREFIX",
        value_name = "NAME",
        hide_env_values = true
    )]
    pub(crate) namespace_prefix: Option<String>,

    /// How many environments one provision worker brings up or tests at a time [default: 32]; each waits more than it works
    #[arg(
        long,
        env = "MAESTRO_PROVISION_CONCURRENCY",
        value_name = "N",
        hide_env_values = true
    )]
    pub(crate) provision_concurrency: Option<u32>,

    /// How fast all provision workers together may go, as `10/s` or `30/m burst 5` [default: off]
    #[arg(
        long,
        env = "MAESTRO_PROVISION_RATE_LIMIT",
        value_name = "RATE",
        hide_env_values = true
    )]
    pub(crate) provision_rate_limit: Option<Rate>,

    /// A directory of templates: a file of the name of a built-in one replaces it, others can be asked for by name [default: the built-in ones]
    #[arg(
        long,
        env = "MAESTRO_TEMPLATES",
        value_name = "DIR",
        hide_env_values = true
    )]
    pub(crate) templates: Option<PathBuf>,

    /// How long an environment may take to be ready before it has failed [default: 10m]
    #[arg(
        long,
        env = "MAESTRO_READY_TIMEOUT",
        value_name = "TIME",
        hide_env_values = true
    )]
    pub(crate) ready_timeout: Option<Span>,

    /// How long a pod may find no node before its environment has failed [default: 1m]; longer than an autoscaler takes to bring a node
    #[arg(
        long,
        env = "MAESTRO_UNSCHEDULABLE_GRACE",
        value_name = "TIME",
        hide_env_values = true
    )]
    pub(crate) unschedulable_grace: Option<Span>,

    /// Where the images of databases come from, for example a mirror [default: docker.io/library]
    #[arg(
        long,
        env = "MAESTRO_REGISTRY",
        value_name = "HOST",
        hide_env_values = true
    )]
    pub(crate) registry: Option<String>,

    /// The image that holds `maestro-entry`, which brings JUnit reports out of test containers; needed for tests with a `junit_path`
    #[arg(
        long,
        env = "MAESTRO_ENTRY_IMAGE",
        value_name = "IMAGE",
        hide_env_values = true
    )]
    pub(crate) entry_image: Option<String>,

    /// The cluster role that the worker binds to its own service account in each namespace it makes [default: none, its rights are taken to be cluster-wide]
    #[arg(
        long,
        env = "MAESTRO_BIND_CLUSTER_ROLE",
        value_name = "NAME",
        hide_env_values = true
    )]
    pub(crate) bind_cluster_role: Option<String>,

    /// The service account that --bind-cluster-role is given to, as `namespace/name`
    #[arg(
        long,
        env = "MAESTRO_SERVICE_ACCOUNT",
        value_name = "NS/NAME",
        hide_env_values = true
    )]
    pub(crate) service_account: Option<String>,

    /// How many environments one cleanup worker takes away at a time [default: 16]; the API server deletes namespaces slowly, and more only queue there
    #[arg(
        long,
        env = "MAESTRO_CLEANUP_CONCURRENCY",
        value_name = "N",
        hide_env_values = true
    )]
    pub(crate) cleanup_concurrency: Option<u32>,

    /// How often expired environments are looked for, by one replica for all [default: 30s]
    #[arg(
        long,
        env = "MAESTRO_SWEEP_INTERVAL",
        value_name = "TIME",
        hide_env_values = true
    )]
    pub(crate) sweep_interval: Option<Span>,

    /// The longest that an environment may live, extensions included [default: 7d]
    #[arg(
        long,
        env = "MAESTRO_MAX_TTL",
        value_name = "TIME",
        hide_env_values = true
    )]
    pub(crate) max_ttl: Option<Span>,

    /// How long a namespace may take to go before it is reported what holds it [default: 5m]
    #[arg(
        long,
        env = "MAESTRO_TERMINATING_PATIENCE",
        value_name = "TIME",
        hide_env_values = true
    )]
    pub(crate) terminating_patience: Option<Span>,
}
