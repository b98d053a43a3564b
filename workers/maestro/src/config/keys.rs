//! The names by which settings are reached: in the file, as a flag, as a variable.

use super::origin::Key;

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

pub(super) const REDIS_URL: Key = key(
    "redis.url",
    "redis-url",
    "MAESTRO_REDIS_URL",
    "where Redis is",
);
pub(super) const PREFIX: Key = key(
    "redis.prefix",
    "prefix",
    "MAESTRO_PREFIX",
    "what the names of all keys begin with",
);
pub(super) const LOG: Key = key(
    "log.filter",
    "log",
    "MAESTRO_LOG",
    "which log lines are written",
);
pub(super) const LOG_FORMAT: Key = key(
    "log.format",
    "log-format",
    "MAESTRO_LOG_FORMAT",
    "the form of log lines",
);
pub(super) const LOG_RATE: Key = key(
    "log.rate",
    "log-rate",
    "MAESTRO_LOG_RATE",
    "the most log lines of one kind in a second",
);
pub(super) const DATA_DIR: Key = key(
    "up.data_dir",
    "data-dir",
    "MAESTRO_DATA_DIR",
    "where `maestro up` keeps its Redis and its work",
);
pub(super) const METRICS_TARGET: Key = key(
    "metrics.target",
    "metrics-target",
    "MAESTRO_METRICS_TARGET",
    "where metrics are pushed",
);
pub(super) const METRICS_TOKEN: Key = key(
    "metrics.token",
    "metrics-token",
    "MAESTRO_METRICS_TOKEN",
    "a bearer token for pushing",
);
pub(super) const METRICS_CA: Key = key(
    "metrics.ca",
    "metrics-ca",
    "MAESTRO_METRICS_CA",
    "further authorities to trust when pushing",
);
pub(super) const METRICS_JOB: Key = key(
    "metrics.job",
    "metrics-job",
    "MAESTRO_METRICS_JOB",
    "the label `job` of all metrics",
);
pub(super) const METRICS_INSTANCE: Key = key(
    "metrics.instance",
    "metrics-instance",
    "MAESTRO_METRICS_INSTANCE",
    "the label `instance` of this replica",
);
pub(super) const METRICS_INTERVAL: Key = key(
    "metrics.interval",
    "metrics-interval",
    "MAESTRO_METRICS_INTERVAL",
    "how often metrics are pushed",
);
pub(super) const METRICS_TIMEOUT: Key = key(
    "metrics.timeout",
    "metrics-timeout",
    "MAESTRO_METRICS_TIMEOUT",
    "how long one push may take",
);
pub(super) const METRICS_LINGER: Key = key(
    "metrics.linger",
    "metrics-linger",
    "MAESTRO_METRICS_LINGER",
    "how long the last push stays to be read",
);
pub(super) const METRICS_GZIP: Key = key(
    "metrics.gzip",
    "metrics-gzip",
    "MAESTRO_METRICS_GZIP",
    "whether metrics are compressed on their way",
);
pub(super) const TRACES_TARGET: Key = key(
    "traces.target",
    "traces-target",
    "MAESTRO_TRACES_TARGET",
    "where spans are pushed",
);
pub(super) const TRACES_TOKEN: Key = key(
    "traces.token",
    "traces-token",
    "MAESTRO_TRACES_TOKEN",
    "a bearer token for pushing spans",
);
pub(super) const TRACES_CA: Key = key(
    "traces.ca",
    "traces-ca",
    "MAESTRO_TRACES_CA",
    "further authorities to trust when pushing spans",
);
pub(super) const TRACES_RATIO: Key = key(
    "traces.ratio",
    "traces-ratio",
    "MAESTRO_TRACES_RATIO",
    "how much of the traces that begin here is kept",
);
pub(super) const HEARTBEAT_FILE: Key = key(
    "worker.heartbeat_file",
    "heartbeat-file",
    "MAESTRO_HEARTBEAT_FILE",
    "where a worker process says that it is alive",
);
pub(super) const LEASE: Key = key(
    "delivery.lease",
    "lease",
    "MAESTRO_LEASE",
    "how long a silent worker keeps a message",
);
pub(super) const MAX_DELIVERIES: Key = key(
    "delivery.max_deliveries",
    "max-deliveries",
    "MAESTRO_MAX_DELIVERIES",
    "deliveries before a message is dead",
);
pub(super) const QUARANTINE_FROM: Key = key(
    "delivery.quarantine_from",
    "quarantine-from",
    "MAESTRO_QUARANTINE_FROM",
    "the delivery from which on a message is handled alone",
);
pub(super) const RETRY_BASE: Key = key(
    "delivery.retry_base",
    "retry-base",
    "MAESTRO_RETRY_BASE",
    "the longest wait before the first retry",
);
pub(super) const RETRY_CAP: Key = key(
    "delivery.retry_cap",
    "retry-cap",
    "MAESTRO_RETRY_CAP",
    "the longest wait before any retry",
);
pub(super) const BATCH: Key = key(
    "delivery.batch",
    "batch",
    "MAESTRO_BATCH",
    "messages that one fetch or commit carries",
);
pub(super) const URGENT_LANE: Key = key(
    "delivery.urgent_lane",
    "urgent-lane",
    "MAESTRO_URGENT_LANE",
    "whether urgent lanes are read",
);
pub(super) const GRACE: Key = key(
    "delivery.grace",
    "grace",
    "MAESTRO_GRACE",
    "time to finish after SIGTERM",
);
pub(super) const RETENTION: Key = key(
    "delivery.retention",
    "retention",
    "MAESTRO_RETENTION",
    "how long acknowledged messages are kept",
);
pub(super) const RESULTS_RETENTION: Key = key(
    "results.retention",
    "results-retention",
    "MAESTRO_RESULTS_RETENTION",
    "how long results are kept; 0: for ever",
);
pub(super) const POSTGRES_URL: Key = key(
    "audit.postgres_url",
    "postgres-url",
    "MAESTRO_AUDIT_POSTGRES_URL",
    "where `maestro audit sink` appends the results",
);
pub(super) const DEDUP_WINDOW: Key = key(
    "delivery.dedup_window",
    "dedup-window",
    "MAESTRO_DEDUP_WINDOW",
    "how long an id is remembered",
);
pub(super) const TRIAGE_CONCURRENCY: Key = key(
    "triage.concurrency",
    "triage-concurrency",
    "MAESTRO_TRIAGE_CONCURRENCY",
    "messages triaged at a time",
);
pub(super) const TRIAGE_WINDOW: Key = key(
    "triage.window",
    "triage-window",
    "MAESTRO_TRIAGE_WINDOW",
    "how long the same failure is a repeat",
);
pub(super) const TRIAGE_RATE_LIMIT: Key = key(
    "triage.rate_limit",
    "triage-rate-limit",
    "MAESTRO_TRIAGE_RATE_LIMIT",
    "how fast all triage workers together may go",
);
pub(super) const HEAL_CONCURRENCY: Key = key(
    "heal.concurrency",
    "heal-concurrency",
    "MAESTRO_HEAL_CONCURRENCY",
    "tests healed at a time",
);
pub(super) const HEAL_RATE_LIMIT: Key = key(
    "heal.rate_limit",
    "heal-rate-limit",
    "MAESTRO_HEAL_RATE_LIMIT",
    "how fast all heal workers together may go",
);
pub(super) const ROOTS: Key = key(
    "heal.roots",
    "root",
    "MAESTRO_ROOTS",
    "below which repositories may be read",
);
pub(super) const WORK_DIR: Key = key(
    "heal.work_dir",
    "work-dir",
    "MAESTRO_WORK_DIR",
    "where copies of repositories are made",
);
pub(super) const CACHE_DIR: Key = key(
    "heal.cache_dir",
    "cache-dir",
    "MAESTRO_CACHE_DIR",
    "where downloads and environments are kept",
);
pub(super) const SANDBOX: Key = key(
    "heal.sandbox",
    "sandbox",
    "MAESTRO_SANDBOX",
    "where the tests of others run",
);
pub(super) const INDEX: Key = key(
    "heal.index",
    "index",
    "MAESTRO_INDEX",
    "the package index that may be reached",
);
pub(super) const TIME_LIMIT: Key = key(
    "heal.time_limit",
    "time-limit",
    "MAESTRO_TIME_LIMIT",
    "the longest that one heal may take",
);
pub(super) const KUBECONFIG: Key = key(
    "kubernetes.kubeconfig",
    "kubeconfig",
    "MAESTRO_KUBECONFIG",
    "how the cluster is reached",
);
pub(super) const KUBE_CONTEXT: Key = key(
    "kubernetes.context",
    "kube-context",
    "MAESTRO_KUBE_CONTEXT",
    "the context in the kubeconfig",
);
pub(super) const KUBE_RATE: Key = key(
    "kubernetes.rate",
    "kube-rate",
    "MAESTRO_KUBE_RATE",
    "requests a second that one process sends to the API server",
);
pub(super) const OWNER: Key = key(
    "kubernetes.owner",
    "owner",
    "MAESTRO_OWNER",
    "whose the environments are",
);
pub(super) const NAMESPACE_PREFIX: Key = key(
    "kubernetes.namespace_prefix",
    "namespace-prefix",
    "MAESTRO_NAMESPACE_PREFIX",
    "what the names of namespaces begin with",
);
pub(super) const PROVISION_CONCURRENCY: Key = key(
    "provision.concurrency",
    "provision-concurrency",
    "MAESTRO_PROVISION_CONCURRENCY",
    "environments brought up or tested at a time",
);
pub(super) const PROVISION_RATE_LIMIT: Key = key(
    "provision.rate_limit",
    "provision-rate-limit",
    "MAESTRO_PROVISION_RATE_LIMIT",
    "how fast all provision workers together may go",
);
pub(super) const TEMPLATES: Key = key(
    "provision.templates",
    "templates",
    "MAESTRO_TEMPLATES",
    "a directory of templates",
);
pub(super) const READY_TIMEOUT: Key = key(
    "provision.ready_timeout",
    "ready-timeout",
    "MAESTRO_READY_TIMEOUT",
    "how long an environment may take to be ready",
);
pub(super) const UNSCHEDULABLE_GRACE: Key = key(
    "provision.unschedulable_grace",
    "unschedulable-grace",
    "MAESTRO_UNSCHEDULABLE_GRACE",
    "how long a pod may find no node",
);
pub(super) const REGISTRY: Key = key(
    "provision.registry",
    "registry",
    "MAESTRO_REGISTRY",
    "where the images of databases come from",
);
pub(super) const ENTRY_IMAGE: Key = key(
    "provision.entry_image",
    "entry-image",
    "MAESTRO_ENTRY_IMAGE",
    "the image that holds maestro-entry",
);
pub(super) const BIND_CLUSTER_ROLE: Key = key(
    "provision.bind_cluster_role",
    "bind-cluster-role",
    "MAESTRO_BIND_CLUSTER_ROLE",
    "the ClusterRole that the worker gives itself in its namespaces",
);
pub(super) const SERVICE_ACCOUNT: Key = key(
    "provision.service_account",
    "service-account",
    "MAESTRO_SERVICE_ACCOUNT",
    "the ServiceAccount of the workers",
);
pub(super) const CLEANUP_CONCURRENCY: Key = key(
    "cleanup.concurrency",
    "cleanup-concurrency",
    "MAESTRO_CLEANUP_CONCURRENCY",
    "environments taken away at a time",
);
pub(super) const SWEEP_INTERVAL: Key = key(
    "cleanup.sweep_interval",
    "sweep-interval",
    "MAESTRO_SWEEP_INTERVAL",
    "how often expired environments are looked for",
);
pub(super) const MAX_TTL: Key = key(
    "cleanup.max_ttl",
    "max-ttl",
    "MAESTRO_MAX_TTL",
    "the longest that an environment may live",
);
pub(super) const TERMINATING_PATIENCE: Key = key(
    "cleanup.terminating_patience",
    "terminating-patience",
    "MAESTRO_TERMINATING_PATIENCE",
    "how long a namespace may take to go",
);
